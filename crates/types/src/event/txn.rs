//! What happens to transactions and connectors.
use crate::code::Code;
use crate::id::{BranchId, ConnectorId, PermitId, TxnId};
use crate::text::Text;
use crate::time::Time;
use crate::txn;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A transaction has begun. Its id is `t` and this event's sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TxnBegun {
    /// As asked.
    #[schema(value_type = txn::Begin)]
    pub begin: Arc<txn::Begin>,
    /// It is aborted at this time if nothing is decided by then.
    pub deadline: Time,
}

/// A participant takes part in a two-phase commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TxnEnlisted {
    /// In which.
    pub txn: TxnId,
    /// With what.
    #[schema(value_type = txn::Branch)]
    pub branch: Arc<txn::Branch>,
}

/// A permit is held by a transaction to its end, and does not run out before. With a branch: a step of a saga has asked for
/// it, and it may wait still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TxnHeld {
    /// By which.
    pub txn: TxnId,
    /// The permit.
    pub permit: PermitId,
    /// For which step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchId>,
}

/// The participants of a two-phase commit are asked whether they can commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TxnPreparing {
    /// Of which.
    pub txn: TxnId,
}

/// What a participant has said, and what became of its branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TxnReported {
    /// Of which transaction.
    pub txn: TxnId,
    /// Of which branch.
    pub branch: BranchId,
    /// What it was asked to do.
    pub phase: txn::Phase,
    /// Which attempt this was, counted from 1.
    pub attempt: u32,
    /// What it has said.
    pub outcome: txn::Outcome,
    /// What became of the branch.
    pub became: txn::BranchState,
    /// When it is tried again, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Time>,
    /// By what the outcome can be found out later, such as a transaction's number in the database.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub evidence: Text,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// It is decided how a transaction ends. No participant has heard of it before this event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TxnDecided {
    /// Which.
    pub txn: TxnId,
    /// How.
    pub decision: txn::Decision,
    /// Why it is aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// A step of a saga has moved on; what is to be done outside follows from this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TxnMoved {
    /// Of which.
    pub txn: TxnId,
    /// Which step.
    pub branch: BranchId,
    /// To what.
    pub became: txn::BranchState,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// A person has settled a branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TxnResolved {
    /// Of which transaction.
    pub txn: TxnId,
    /// Which.
    pub branch: BranchId,
    /// How.
    pub verdict: txn::Verdict,
    /// What became of it.
    pub became: txn::BranchState,
    /// Why.
    pub reason: Text,
}

/// A transaction is over. The permits that it held end with the events that follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TxnEnded {
    /// Which.
    pub txn: TxnId,
    /// How.
    pub state: txn::State,
}

/// A connector was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConnectorRemoved {
    /// Which.
    pub connector: ConnectorId,
}
