//! Transactions over HTTP.
use super::bodies::Changed;
use super::fleet::Fleet;
use super::query;
use crate::error::Result;
use fleet_types::txn::{Branch, Kind, Outcome, Phase, Standing, Step, Verdict, View};
use fleet_types::{AgentId, BranchId, Labels, Millis, PermitId, RequestId, Text, TxnId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A transaction to be begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewTxn {
    /// The asker's own id: a repeat gets the transaction that it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Whose it is; absent: the agent that the key is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Which kind.
    pub kind: Kind,
    /// How long it may stay undecided; absent: one minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<Millis>,
    /// Other agents that may take part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<AgentId>,
    /// The steps of a saga.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Arc<Step>>,
    /// For people.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// For people and programs.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// Who ends a transaction, and how long to wait for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EndTxn {
    /// Whose it is; absent: the agent that the key is bound to, or for an abort a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Wait so long until it is over; absent: 10 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<Millis>,
    /// Why it is aborted.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

#[derive(Serialize)]
struct Enlist<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a AgentId>,
    branch: &'a Branch,
}

#[derive(Serialize)]
struct Hold<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a AgentId>,
    permit: PermitId,
}

#[derive(Serialize)]
struct Said<'a> {
    phase: Phase,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Text::is_empty")]
    reason: &'a Text,
}

#[derive(Serialize)]
struct Settled<'a> {
    #[serde(rename = "as")]
    verdict: Verdict,
    reason: &'a Text,
}

impl Fleet {
    /// Transactions, the oldest first, without their logs; with `all` those that are over too.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn txns(&self, all: bool) -> Result<Vec<View>> {
        let parameters = [("all", Some(all.to_string()))];
        self.all(&self.at("transactions"), &parameters).await
    }

    /// One transaction with its log; waits so long for its end.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn txn(&self, txn: TxnId, wait: Option<Millis>) -> Result<View> {
        let wait = wait.map(|wait| wait.0.to_string());
        let path = self.at(&format!("transactions/{txn}"));
        self.http.get(&query(&path, &[("wait_ms", wait)])).await
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn begin_txn(&self, new: &NewTxn) -> Result<Standing> {
        self.http.post(&self.at("transactions"), new).await
    }

    /// Enlists a participant. For PostgreSQL the answer has the name under which to prepare.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn enlist(
        &self,
        txn: TxnId,
        agent: Option<&AgentId>,
        branch: &Branch,
    ) -> Result<Standing> {
        let path = self.at(&format!("transactions/{txn}/branches"));
        self.http.post(&path, &Enlist { agent, branch }).await
    }

    /// Lets a transaction hold a permit to its end.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn hold(
        &self,
        txn: TxnId,
        agent: Option<&AgentId>,
        permit: PermitId,
    ) -> Result<Standing> {
        let path = self.at(&format!("transactions/{txn}/permits"));
        self.http.post(&path, &Hold { agent, permit }).await
    }

    /// Commits, if every participant can; how it stands when it is over or the wait ends.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn commit_txn(&self, txn: TxnId, end: &EndTxn) -> Result<View> {
        let path = self.at(&format!("transactions/{txn}/commit"));
        self.http.post(&path, end).await
    }

    /// Ends a transaction without effect; a saga turns back.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn abort_txn(&self, txn: TxnId, end: &EndTxn) -> Result<View> {
        let path = self.at(&format!("transactions/{txn}/abort"));
        self.http.post(&path, end).await
    }

    /// Says how a branch went, for a participant that has no session open.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn report(
        &self,
        txn: TxnId,
        branch: &BranchId,
        phase: Phase,
        outcome: Outcome,
        reason: &Text,
    ) -> Result<Changed> {
        let path = self.at(&format!("transactions/{txn}/branches/{branch}/report"));
        let said = Said {
            phase,
            outcome,
            reason,
        };
        self.http.post(&path, &said).await
    }

    /// Settles a branch that does not settle itself.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn resolve(
        &self,
        txn: TxnId,
        branch: &BranchId,
        verdict: Verdict,
        reason: &Text,
    ) -> Result<View> {
        let path = self.at(&format!("transactions/{txn}/branches/{branch}/resolve"));
        self.http.post(&path, &Settled { verdict, reason }).await
    }
}
