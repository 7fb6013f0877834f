//! Transactions: several actions that happen together or not at all.
//!
//! Two kinds. A *two-phase commit* asks every participant whether it can commit, decides, and carries the decision to all of
//! them. A *saga* does its steps one after the other, and undoes in reverse what was done when one of them cannot be done;
//! it is neither atomic nor isolated. A branch is one participant's part of a two-phase commit, a step one of a saga; both
//! are named by a `BranchId`.
use crate::id::{AgentId, BranchId, ConnectorId, InstanceId, PermitId, RequestId, TxnId};
use crate::permit::parameters;
use crate::session::PermitRequest;
use crate::text::{Labels, Text};
use crate::time::{Millis, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use smol_str::SmolStr;
use std::sync::Arc;
use utoipa::ToSchema;

mod view;
pub use view::{BranchView, LogEntry, View};

/// Most branches of a two-phase commit, and steps of a saga.
pub const BRANCHES_MAX: usize = 64;
/// Most permits that one transaction holds.
pub const PERMITS_MAX: usize = 64;
/// Most agents besides the one that began it.
pub const MEMBERS_MAX: usize = 64;
/// Longest name of a branch, so that with the connector's mark it fits what PostgreSQL takes.
pub const BRANCH_BYTES_MAX: usize = 32;
/// How long a transaction may stay undecided when nothing is said.
pub const TIMEOUT_MS_DEFAULT: Millis = Millis(60_000);
/// How long it may at most: seven days.
pub const TIMEOUT_MS_MAX: Millis = Millis(7 * 86_400_000);

/// What a participant is told beside the phase, as it was given; at most 16 KiB.
pub type Payload = Option<Box<Map<String, Value>>>;

/// Which kind of transaction.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[schema(as = TransactionKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// All commit, or none.
    #[default]
    TwoPhase,
    /// Step by step, undone in reverse when a step cannot be done.
    Saga,
}

/// A transaction, as it is begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionBegin)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The asker's own id: a repeat gets the transaction that it began.
    pub request_id: RequestId,
    /// Whose it is.
    pub agent: AgentId,
    /// Which kind.
    #[serde(default)]
    pub kind: Kind,
    /// How long it may stay undecided; absent: one minute. Then it is aborted; a saga turns back, unless its pivot is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<Millis>,
    /// Other agents that may enlist their permits and participants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 64)]
    pub members: Vec<AgentId>,
    /// The steps of a saga; none for a two-phase commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 64)]
    pub steps: Vec<Arc<Step>>,
    /// For people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// For people and programs.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// One participant's part of a two-phase commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionBranch)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// Its name, at most 32 bytes.
    pub id: BranchId,
    /// Who takes part.
    pub participant: Participant,
    /// What the participant is told.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "parameters"
    )]
    #[schema(value_type = Option<Object>)]
    pub payload: Payload,
}

/// Who takes part in a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Participant {
    /// An agent's instance, told over its session, in whatever life it is.
    Session {
        /// The agent.
        agent: AgentId,
        /// Its instance.
        instance: InstanceId,
    },
    /// An address, told by signed messages.
    Webhook {
        /// Which connector leads there.
        connector: ConnectorId,
    },
    /// A transaction that the agent itself prepares in a database (`PREPARE TRANSACTION`) under the name that enlisting
    /// answers; the connector then commits it or rolls it back.
    Postgres {
        /// Which connector leads there.
        connector: ConnectorId,
    },
}

impl Participant {
    /// The connector that leads there.
    #[must_use]
    pub fn connector(&self) -> Option<&ConnectorId> {
        match self {
            Participant::Session { .. } => None,
            Participant::Webhook { connector } | Participant::Postgres { connector } => {
                Some(connector)
            }
        }
    }
}

/// One step of a saga.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SagaStep)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name, at most 32 bytes.
    pub id: BranchId,
    /// Who does it, and undoes it: over a session or by webhook.
    pub participant: Participant,
    /// The permit that it needs. Asked for when its turn comes, held to the end of the saga.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<Box<PermitRequest>>,
    /// What the participant is told to do.
    #[serde(
        default,
        rename = "do",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "parameters"
    )]
    #[schema(value_type = Option<Object>)]
    pub forward: Payload,
    /// What it is told when the step is to be undone; absent: there is nothing to undo.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "parameters"
    )]
    #[schema(value_type = Option<Object>)]
    pub undo: Payload,
    /// Steps that must be done before; those that have the same ones run at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<BranchId>,
    /// Once this step is done there is no way back: what follows is tried until it is done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pivot: bool,
    /// How often, and how soon again, it is tried.
    #[serde(default, skip_serializing_if = "Retry::is_default")]
    pub retry: Retry,
}

/// How often something is tried, and how soon again: each time twice as late as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionRetry)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Most attempts, 1–1000.
    pub attempts_max: u32,
    /// Before the second attempt.
    pub backoff_ms: Millis,
    /// At most.
    pub backoff_ms_max: Millis,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            attempts_max: 5,
            backoff_ms: Millis(200),
            backoff_ms_max: Millis(30_000),
        }
    }
}

impl Retry {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_default(&self) -> bool {
        *self == Retry::default()
    }

    /// How long after the attempt of this number, counted from 1, the next one follows.
    #[must_use]
    pub fn pause(&self, attempt: u32) -> Millis {
        let doubled = 1_u64 << attempt.saturating_sub(1).min(30);
        Millis(
            self.backoff_ms
                .0
                .saturating_mul(doubled)
                .min(self.backoff_ms_max.0),
        )
    }
}

/// What a participant is asked to do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[schema(as = TransactionPhase)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Make sure that you can commit, whatever happens, and say so.
    Prepare,
    /// Commit what you have prepared.
    Commit,
    /// Roll back what you have prepared or begun.
    Abort,
    /// Do this step.
    Do,
    /// Undo this step, which may or may not have been done.
    Undo,
}

impl Phase {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Prepare => "prepare",
            Phase::Commit => "commit",
            Phase::Abort => "abort",
            Phase::Do => "do",
            Phase::Undo => "undo",
        }
    }
}

/// What a participant says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionOutcome)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is so: prepared, committed, rolled back, done, undone.
    Done,
    /// To `prepare`: nothing was changed here, so nothing need be committed.
    ReadOnly,
    /// It is not so, and nothing was changed: to `prepare` a no, to `do` that the step cannot be done.
    Refused,
    /// It is not known, or not now: try again.
    Failed,
    /// Found committed, although nobody had said so.
    Committed,
    /// Found rolled back, although nobody had said so.
    RolledBack,
    /// Nobody can find out any more.
    Lost,
}

/// How a transaction is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionDecision)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// All commit.
    Commit,
    /// None does; of a saga: what was done is undone.
    Abort,
}

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionState)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Permits and participants are enlisted.
    Open,
    /// The participants are asked whether they can commit.
    Preparing,
    /// Commit is decided; not all have confirmed.
    Committing,
    /// Abort is decided; not all have confirmed.
    Aborting,
    /// All have committed.
    Committed,
    /// None has.
    Aborted,
    /// The steps of a saga are being done.
    Running,
    /// What was done is being undone.
    Compensating,
    /// All steps are done.
    Completed,
    /// Whatever was done is undone.
    Compensated,
    /// Over, and not as decided everywhere: some branch ended otherwise, or nobody knows how, or a person left a step as it
    /// was.
    Mixed,
}

impl State {
    /// Whether it is over.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            State::Open
            | State::Preparing
            | State::Committing
            | State::Aborting
            | State::Running
            | State::Compensating => false,
            State::Committed
            | State::Aborted
            | State::Completed
            | State::Compensated
            | State::Mixed => true,
        }
    }
}

/// Where a branch or step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BranchState {
    /// Nobody was asked yet.
    Enlisted,
    /// It is asked to prepare.
    Preparing,
    /// It can commit, and waits for the decision: in doubt.
    Prepared,
    /// It said no, and has nothing to roll back.
    Refused,
    /// It has nothing to commit.
    ReadOnly,
    /// It is told to commit.
    Committing,
    /// It has committed.
    Committed,
    /// It is told to roll back.
    Aborting,
    /// It has rolled back.
    Aborted,
    /// It had committed although the decision is to abort.
    CommittedAlone,
    /// It had rolled back although the decision is to commit.
    AbortedAlone,
    /// Nobody knows how it ended.
    Lost,
    /// The step waits for those before it.
    Pending,
    /// Its permit is asked for and waits.
    Asking,
    /// The step is being done.
    Doing,
    /// It is done.
    Done,
    /// It cannot be done, and nothing was changed.
    Failed,
    /// It was tried, and nobody knows whether it was done.
    Unsure,
    /// It is being undone.
    Undoing,
    /// It is undone.
    Undone,
    /// It was never begun.
    Dropped,
    /// It was left as it was by a person.
    Skipped,
    /// It waits for a person.
    Stuck,
}

/// How a person settles a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionVerdict)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was committed; of a step: it was done.
    Committed,
    /// It was rolled back; of a step: it was not done, or is undone.
    Aborted,
    /// Try again now.
    Retry,
    /// Leave the step as it is and go on.
    Skip,
}

/// What a participant says of a branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionReport)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Of which transaction.
    pub txn: TxnId,
    /// Of which branch.
    pub branch: BranchId,
    /// What it was asked to do.
    pub phase: Phase,
    /// What it says.
    pub outcome: Outcome,
    /// Which attempt it answers; absent: whichever is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// By what the outcome can be found out later.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub evidence: Text,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// What can be asked about transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Begins one; a saga runs from then on by itself.
    Begin(Arc<Begin>),
    /// A participant takes part.
    Enlist {
        /// In which.
        txn: TxnId,
        /// Who asks.
        agent: AgentId,
        /// With what.
        branch: Arc<Branch>,
    },
    /// A permit is held to the end of the transaction.
    Hold {
        /// Of which.
        txn: TxnId,
        /// Who holds the permit.
        agent: AgentId,
        /// Which.
        permit: PermitId,
    },
    /// Asks every participant whether it can commit, and commits if all can.
    Commit {
        /// Which.
        txn: TxnId,
        /// Whose it is.
        agent: AgentId,
    },
    /// Ends it without effect; a saga turns back.
    Abort {
        /// Which.
        txn: TxnId,
        /// Whose it is; absent: a person does it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        /// Why.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        reason: Text,
    },
    /// A participant says how it went.
    Report(Box<Report>),
    /// A person settles a branch.
    Resolve {
        /// Of which transaction.
        txn: TxnId,
        /// Which.
        branch: BranchId,
        /// How.
        verdict: Verdict,
        /// Why.
        reason: Text,
    },
}

/// How a transaction stands, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionStanding)]
pub struct Standing {
    /// Which.
    pub txn: TxnId,
    /// Where it is.
    pub state: State,
    /// It is aborted at this time if nothing is decided by then.
    pub deadline: Time,
    /// After enlisting a branch in PostgreSQL: the name under which to prepare it (`PREPARE TRANSACTION '…'`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub gid: Option<SmolStr>,
}

/// What is to be done outside for a branch. Its id is the same for every attempt: by it the receiver knows a repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionOrder)]
pub struct Order {
    /// Of which transaction.
    pub txn: TxnId,
    /// Which branch.
    pub branch: BranchId,
    /// What to do.
    pub phase: Phase,
    /// Which attempt this is, counted from 1.
    pub attempt: u32,
    /// What the participant is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub payload: Payload,
}

impl Order {
    /// By this the receiver knows a repeat: `t17.eu.commit`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}.{}.{}", self.txn, self.branch, self.phase.as_str())
    }
}

/// The name of a branch's prepared transaction in a database.
#[must_use]
pub fn gid(mark: &str, txn: TxnId, branch: &BranchId) -> SmolStr {
    SmolStr::from(format!("{mark}:{txn}:{branch}"))
}

/// The transaction and branch that a name of a prepared transaction tells of, if it carries this mark.
#[must_use]
pub fn of_gid(mark: &str, gid: &str) -> Option<(TxnId, BranchId)> {
    let (txn, branch) = gid.strip_prefix(mark)?.strip_prefix(':')?.split_once(':')?;
    Some((txn.parse().ok()?, branch.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seq;

    #[test]
    fn names_in_databases_are_read_back() {
        let branch = BranchId::parse("ledger:eu").unwrap();
        let txn = TxnId(Seq(17));
        let name = gid("fleet:main:3f9a", txn, &branch);
        assert_eq!(name, "fleet:main:3f9a:t17:ledger:eu");
        assert_eq!(of_gid("fleet:main:3f9a", &name), Some((txn, branch)));
        assert_eq!(of_gid("fleet:main:3f9", &name), None, "another fleet's");
        assert_eq!(of_gid("fleet:main:3f9a", "fleet:main:3f9a:x"), None);
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        let retry = Retry::default();
        let pauses: Vec<u64> = (1..=10).map(|attempt| retry.pause(attempt).0).collect();
        assert_eq!(pauses[..4], [200, 400, 800, 1_600]);
        assert_eq!((pauses[9], retry.pause(u32::MAX).0), (30_000, 30_000));
    }
}
