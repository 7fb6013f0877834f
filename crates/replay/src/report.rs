//! What a replay found: counts, and the requests that were answered differently.
use fleet_journal::FleetKey;
use fleet_types::explain::Gate;
use fleet_types::{ActionName, AgentId, Code, PermitId, RuleId, Seq, Time};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Of which fleet.
    pub fleet: String,
    /// Requests from this time on are compared.
    pub from: Time,
    /// Up to this time.
    pub to: Time,
    /// Both lanes begin behind this place in the journal, so that rules know what was before `from`.
    pub forked_at: Seq,
    /// The last record that was looked at.
    pub last: Seq,
    /// Rules that are replayed.
    pub rules: Vec<RuleId>,
    /// Rules that were left out.
    pub without: Vec<RuleId>,
    /// Requests that were decided anew.
    pub requests: u64,
    /// Of them, those that the rules as they were answer otherwise than the record. 0, unless the record was made by
    /// another build or depends on what it does not tell.
    pub unlike_the_record: u64,
    /// Extensions that were refused at once: the record does not tell what they asked for, so they are not asked again.
    pub extensions_not_asked: u64,
    /// Commands about agents and halts that a lane refused though the record carried them out.
    pub refused: u64,
    /// Events of transactions, and of what was decided about conflicts, which are not carried out anew.
    pub not_decided: u64,
    /// Approvals that the candidate asks for. Whom the record did not ask does not answer.
    pub approvals_asked: u64,
    /// Approvals that the rules as they were ask for.
    pub approvals_asked_before: u64,
    /// What the candidate answers differently.
    pub changed: Counts,
    /// By the rule that makes the difference: that which stops, or stopped before.
    pub by_rule: BTreeMap<RuleId, Counts>,
    /// By agent and action, those with most changes first.
    pub by_agent: Vec<ByAgent>,
    /// The requests themselves, the earliest first.
    pub changes: Vec<Change>,
    /// Changes that are not listed.
    pub left_off: u64,
}

impl Report {
    pub(crate) fn new(fleet: &FleetKey) -> Report {
        Report {
            fleet: fleet.to_string(),
            from: Time::ZERO,
            to: Time::ZERO,
            forked_at: Seq(0),
            last: Seq(0),
            rules: Vec::new(),
            without: Vec::new(),
            requests: 0,
            unlike_the_record: 0,
            extensions_not_asked: 0,
            refused: 0,
            not_decided: 0,
            approvals_asked: 0,
            approvals_asked_before: 0,
            changed: Counts::default(),
            by_rule: BTreeMap::new(),
            by_agent: Vec::new(),
            changes: Vec::new(),
            left_off: 0,
        }
    }

    /// Whether the candidate answers as the rules that were.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.changed == Counts::default()
    }
}

/// How often each kind of difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Granted before, at once or after waiting, and now denied.
    pub newly_denied: u64,
    /// Of them, those whose holder said that it was done.
    pub newly_denied_completed: u64,
    /// Denied before, and now granted.
    pub newly_allowed: u64,
    /// Granted in both, at once before and now after waiting.
    pub newly_queued: u64,
    /// Of them, those whose holder said that it was done.
    pub newly_queued_completed: u64,
    /// Granted in both, after waiting before and now at once.
    pub no_longer_queued: u64,
    /// Denied in both, for another reason; or one waits still where the other does not.
    pub otherwise: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, kind: Kind, completed: bool) {
        let completed = u64::from(completed);
        match kind {
            Kind::NewlyDenied => {
                self.newly_denied += 1;
                self.newly_denied_completed += completed;
            }
            Kind::NewlyAllowed => self.newly_allowed += 1,
            Kind::NewlyQueued => {
                self.newly_queued += 1;
                self.newly_queued_completed += completed;
            }
            Kind::NoLongerQueued => self.no_longer_queued += 1,
            Kind::Otherwise => self.otherwise += 1,
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.newly_denied
            + self.newly_allowed
            + self.newly_queued
            + self.no_longer_queued
            + self.otherwise
    }
}

/// How an answer differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Granted before, and now denied.
    NewlyDenied,
    /// Denied before, and now granted.
    NewlyAllowed,
    /// Granted in both, and now after waiting.
    NewlyQueued,
    /// Granted in both, and before after waiting.
    NoLongerQueued,
    /// Neither.
    Otherwise,
}

/// The changes of one agent's one action.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ByAgent {
    /// Whose.
    pub agent: AgentId,
    /// What.
    pub action: ActionName,
    /// How often.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A request that was answered differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The permit of the record, or the place of its denial.
    pub permit: PermitId,
    /// When it was asked.
    pub at: Time,
    /// Who asked.
    pub agent: AgentId,
    /// For what.
    pub action: ActionName,
    /// How the answers differ.
    pub kind: Kind,
    /// By the rules as they were.
    pub before: Answer,
    /// By the candidate.
    pub now: Answer,
    /// How the permit ended in the record.
    pub ended: End,
}

/// What became of a request in one lane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// What it came to.
    pub result: ResultOf,
    /// Whether it waited before.
    pub waited: bool,
    /// Why it was denied, or what it waited for at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// At which gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// By which rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
}

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultOf {
    /// It was granted.
    Granted,
    /// It was denied.
    Denied,
    /// It waits at the end of what was looked at.
    Waits,
}

/// How a permit ended in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It was never granted.
    NotGranted,
    /// It holds, or waits, at the end of what was looked at.
    InFlight,
    /// Its holder said that it was done.
    Completed,
    /// Its holder said that it was tried in vain.
    Failed,
    /// Its holder said that it was not begun.
    Cancelled,
    /// Its lease ran out, or it was taken back.
    TakenBack,
}
