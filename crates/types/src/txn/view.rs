//! What can be seen of transactions.
use super::{BranchState, Decision, Kind, Participant, State};
use crate::code::Code;
use crate::id::{AgentId, BranchId, PermitId, Seq, TxnId};
use crate::text::{Labels, Text};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::ToSchema;

/// What can be seen of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionView)]
pub struct View {
    /// Which.
    pub txn: TxnId,
    /// Which kind.
    pub kind: Kind,
    /// Where it is.
    pub state: State,
    /// Whose it is.
    pub agent: AgentId,
    /// Other agents that take part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<AgentId>,
    /// For people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// For people and programs.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// When it began.
    pub begun_at: Time,
    /// It is aborted at this time if nothing is decided by then.
    pub deadline: Time,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Time>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// Why it is aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
    /// Whether a step waits for a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stuck: bool,
    /// Branches or steps, in the order in which they came.
    pub branches: Vec<BranchView>,
    /// Permits that it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permits: Vec<PermitId>,
    /// What has happened, oldest first; in lists not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogEntry>,
}

/// What can be seen of a branch or step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BranchView {
    /// Which.
    pub branch: BranchId,
    /// Who takes part.
    pub participant: Participant,
    /// Where it is.
    pub state: BranchState,
    /// Attempts at what it is told now.
    #[serde(default)]
    pub attempts: u32,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Time>,
    /// The permit of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<PermitId>,
    /// The name of its prepared transaction in the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub gid: Option<SmolStr>,
    /// What was last said of it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// One line of a transaction's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionLogEntry)]
pub struct LogEntry {
    /// The event's place in the journal.
    pub seq: Seq,
    /// When.
    pub at: Time,
    /// What happened, in words.
    pub what: Text,
}
