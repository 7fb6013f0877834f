//! Transactions: several actions that happen together or not at all.
//!
//! A command changes one thing; what follows from it is worked out by `next`, one event after the other, until nothing
//! follows any more. What is to be done outside follows from the state alone (`due`), so a restart loses none of it (I10).
//!
//! - A two-phase commit is decided by one event, which no participant has heard of before. It never changes.
//! - Who has not said yes is aborted: presumed abort. Commit is repeated until every branch has confirmed it.
//! - A permit that a transaction holds ends with it: neither its time, nor its holder's end, nor a halt takes it back.
//! - A saga's compensation is an event before it is dispatched; its permits are held to the end.
//!
//! One file for each command; `next` and `saga` say what follows, `apply` what events do.
pub mod apply;
pub mod begin;
pub mod connector;
pub mod due;
pub mod end;
pub mod enlist;
pub mod next;
pub mod report;
pub mod resolve;
pub mod saga;

use crate::decide::Decided;
use crate::map::Map;
use crate::state::{State, Wake};
use crate::timers::Timer;
use fleet_types::connector::Connector;
use fleet_types::halt::Mode;
use fleet_types::permit::Command as PermitCommand;
use fleet_types::txn::{
    Begin, BranchState, Command, Decision, Kind, LogEntry, Participant, Payload, Phase, Retry,
    Standing, State as Stage, Step,
};
use fleet_types::{
    Actor, AgentId, BranchId, Code, ConnectorId, Millis, PermitId, Rejection, Reply, RequestId,
    Text, Time, TxnId,
};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Most transactions that are not over.
pub const LIVE_MAX: usize = if cfg!(test) { 6 } else { 10_000 };
/// Transactions that are over and remembered.
pub const HISTORY_MAX: usize = if cfg!(test) { 3 } else { 1_000 };
/// Most lines of one transaction's log; of a longer one the middle is left out. All of it stands in the journal.
const LOG_MAX: usize = if cfg!(test) { 12 } else { 200 };

/// How often the participants of a two-phase commit are told: until they confirm.
const UNTIL_CONFIRMED: Retry = Retry {
    attempts_max: u32::MAX,
    backoff_ms: Millis(200),
    backoff_ms_max: Millis(30_000),
};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Txns {
    pub by_id: BTreeMap<TxnId, Txn>,
    pub connectors: BTreeMap<ConnectorId, Arc<Connector>>,
    /// Those that are over, in the order of their ends.
    over: VecDeque<TxnId>,
    /// Those that are not. Derived.
    #[serde(skip)]
    pub live: BTreeSet<TxnId>,
    /// Who holds a permit. Derived.
    #[serde(skip)]
    permits: BTreeMap<PermitId, TxnId>,
    /// Which begin it was. Derived.
    #[serde(skip)]
    requests: BTreeMap<(AgentId, RequestId), TxnId>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Txn {
    pub id: TxnId,
    pub begin: Arc<Begin>,
    /// Whose credential brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    pub state: Stage,
    pub begun_at: Time,
    pub deadline: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Ruling>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// In the order in which they came.
    pub branches: Map<BranchId, Branch>,
    pub permits: Vec<PermitId>,
    pub log: VecDeque<LogEntry>,
}

/// What was decided.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ruling {
    pub decision: Decision,
    pub at: Time,
    pub code: Option<Code>,
    pub reason: Text,
}

/// A branch of a two-phase commit, or a step of a saga.
#[derive(Debug, Serialize, Deserialize)]
pub struct Branch {
    pub participant: Participant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Payload,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Arc<Step>>,
    pub state: BranchState,
    /// What it was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Phase>,
    /// Which attempt at that, counted from 1.
    pub attempt: u32,
    /// When that attempt begins; in the past: at once.
    pub again_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<PermitId>,
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub evidence: Text,
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

impl Branch {
    pub fn new(participant: Participant, payload: Payload, step: Option<Arc<Step>>) -> Self {
        Branch {
            state: match step {
                None => BranchState::Enlisted,
                Some(_) => BranchState::Pending,
            },
            participant,
            payload,
            step,
            told: None,
            attempt: 0,
            again_at: Time::ZERO,
            permit: None,
            evidence: Text::default(),
            reason: Text::default(),
        }
    }

    /// What it is being told, if it is.
    pub fn phase(&self) -> Option<Phase> {
        match self.state {
            BranchState::Preparing => Some(Phase::Prepare),
            BranchState::Committing => Some(Phase::Commit),
            BranchState::Aborting => Some(Phase::Abort),
            BranchState::Doing => Some(Phase::Do),
            BranchState::Undoing => Some(Phase::Undo),
            BranchState::Enlisted
            | BranchState::Prepared
            | BranchState::Refused
            | BranchState::ReadOnly
            | BranchState::Committed
            | BranchState::Aborted
            | BranchState::CommittedAlone
            | BranchState::AbortedAlone
            | BranchState::Lost
            | BranchState::Pending
            | BranchState::Asking
            | BranchState::Done
            | BranchState::Failed
            | BranchState::Unsure
            | BranchState::Undone
            | BranchState::Dropped
            | BranchState::Skipped
            | BranchState::Stuck => None,
        }
    }

    pub fn retry(&self) -> Retry {
        self.step
            .as_ref()
            .map_or(UNTIL_CONFIRMED, |step| step.retry)
    }

    /// Moves it on; when it is told something, from the first attempt on.
    pub fn become_(&mut self, state: BranchState, at: Time) {
        self.state = state;
        if let Some(phase) = self.phase() {
            self.told = Some(phase);
            self.attempt = 1;
            self.again_at = at;
        }
    }
}

impl Txn {
    /// Whether it is past the point of no return: commit is decided, or the pivot is done.
    pub fn must_go_on(&self) -> bool {
        match self.begin.kind {
            Kind::TwoPhase => self.decision() == Some(Decision::Commit),
            Kind::Saga => self.pivot().is_some_and(|pivot| {
                matches!(pivot.state, BranchState::Done | BranchState::Skipped)
            }),
        }
    }

    /// Whether the pivot was begun and nobody knows whether it was done.
    pub fn pivot_in_doubt(&self) -> bool {
        self.pivot()
            .is_some_and(|pivot| matches!(pivot.state, BranchState::Doing | BranchState::Stuck))
    }

    /// Whether a branch waits for a person.
    pub fn is_stuck(&self) -> bool {
        let mut branches = self.branches.values();
        branches.any(|branch| branch.state == BranchState::Stuck)
    }

    fn pivot(&self) -> Option<&Branch> {
        let is_pivot = |branch: &&Branch| branch.step.as_ref().is_some_and(|step| step.pivot);
        self.branches.values().find(is_pivot)
    }

    pub fn decision(&self) -> Option<Decision> {
        self.verdict.as_ref().map(|verdict| verdict.decision)
    }

    /// Whether it can still be aborted.
    pub fn can_turn_back(&self) -> bool {
        match self.state {
            Stage::Open | Stage::Preparing => true,
            Stage::Running => !self.must_go_on() && !self.pivot_in_doubt(),
            Stage::Committing
            | Stage::Aborting
            | Stage::Compensating
            | Stage::Committed
            | Stage::Aborted
            | Stage::Completed
            | Stage::Compensated
            | Stage::Mixed => false,
        }
    }

    /// Whether something happens at its deadline.
    fn waits_for_deadline(&self) -> bool {
        let doing = |branch: &Branch| branch.state == BranchState::Doing;
        match self.state {
            Stage::Compensating => self.branches.values().any(doing),
            _ => self.can_turn_back(),
        }
    }

    /// Whether an agent may enlist what is its own.
    pub fn has_member(&self, agent: &AgentId) -> bool {
        self.begin.agent == *agent || self.begin.members.contains(agent)
    }

    fn note(&mut self, state: (fleet_types::Seq, Time), what: &str) {
        if self.log.len() >= LOG_MAX {
            self.log.remove(LOG_MAX / 2);
        }
        let (seq, at) = state;
        let what = Text::clip(what);
        self.log.push_back(LogEntry { seq, at, what });
    }
}

impl Txns {
    pub fn find(&self, id: TxnId) -> Option<&Txn> {
        self.by_id.get(&id)
    }

    /// Whether a transaction holds a permit, and which.
    pub fn holder_of(&self, permit: PermitId) -> Option<TxnId> {
        if self.permits.is_empty() {
            return None;
        }
        self.permits.get(&permit).copied()
    }

    pub fn begun_by(&self, agent: &AgentId, request: &RequestId) -> Option<&Txn> {
        let id = self.requests.get(&(agent.clone(), request.clone()))?;
        self.by_id.get(id)
    }
}

pub fn decide(state: &State, by: &Actor, command: &Command, now: Time) -> Decided {
    let decided = match command {
        Command::Begin(begin) => begin::decide(state, by, begin, now),
        Command::Enlist { txn, agent, branch } => enlist::branch(state, by, *txn, agent, branch),
        Command::Hold { txn, agent, permit } => enlist::permit(state, by, *txn, agent, *permit),
        Command::Commit { txn, agent } => end::commit(state, by, *txn, agent),
        Command::Abort { txn, agent, reason } => {
            end::abort(state, by, *txn, agent.as_ref(), reason)
        }
        Command::Report(report) => report::decide(state, by, report, now),
        Command::Resolve {
            txn,
            branch,
            verdict,
            reason,
        } => resolve::decide(state, by, *txn, branch, *verdict, reason),
    };
    decided.unwrap_or_else(Decided::Rejected)
}

/// A transaction that is remembered.
fn known(state: &State, id: TxnId) -> Result<&Txn, Rejection> {
    state.txns.find(id).ok_or_else(|| {
        let words = format!(
            "transaction {id} is not known: it never was, or it was over long ago; what is not known was not committed"
        );
        Rejection::new(Code::TransactionUnknown, words)
    })
}

/// Nothing new begins for whom a halt reaches; what has begun may end.
fn not_halted(state: &State, agent: &AgentId) -> Result<(), Rejection> {
    let Some(halt) = state.halts.over_named(state, agent) else {
        return Ok(());
    };
    let code = match halt.order.mode {
        Mode::Pause => Code::Paused,
        Mode::RiskReducingOnly => Code::RiskReducingOnly,
        Mode::Immediate | Mode::Graceful => Code::Halted,
    };
    let words = format!(
        "halt {} is in force over agent {agent}: {}",
        halt.id, halt.order.reason
    );
    Err(Rejection::new(code, words))
}

/// A transaction is past what is asked of it.
fn too_late(txn: &Txn, wanted: &str) -> Rejection {
    let stage = serde_json::to_value(txn.state).unwrap_or_default();
    let stage = stage.as_str().unwrap_or_default();
    let words = format!("transaction {} is {stage}: {wanted}", txn.id);
    Rejection::new(Code::TransactionState, words)
}

fn may_act_as(by: &Actor, agent: &AgentId) -> Result<(), Rejection> {
    match by.may_act_as(agent) {
        true => Ok(()),
        false => Err(crate::permit::request::not_yours_to_speak_for(agent)),
    }
}

/// As it stands, for the caller.
pub fn standing(state: &State, id: TxnId, branch: Option<&BranchId>) -> Reply {
    let Some(txn) = state.txns.find(id) else {
        return Reply::Unchanged;
    };
    Reply::Transaction(Standing {
        txn: id,
        state: txn.state,
        deadline: txn.deadline,
        gid: branch.and_then(|branch| gid(state, txn, branch)),
    })
}

/// The name of a branch's prepared transaction in the database.
pub fn gid(state: &State, txn: &Txn, id: &BranchId) -> Option<SmolStr> {
    let Participant::Postgres { connector } = &txn.branches.get(id)?.participant else {
        return None;
    };
    let connector = state.txns.connectors.get(connector)?;
    Some(fleet_types::txn::gid(connector.mark.as_str(), txn.id, id))
}

/// A permit that a transaction holds is not ended, renewed or extended by its holder.
pub fn guards(state: &State, command: &PermitCommand) -> Option<Decided> {
    if state.txns.permits.is_empty() {
        return None;
    }
    let permit = match command {
        // Whoever holds waits for no verdict.
        PermitCommand::Request(_) | PermitCommand::Judged(_) | PermitCommand::Rejudge(_) => {
            return None;
        }
        PermitCommand::JudgedExtend(judged) => judged.extend.permit,
        PermitCommand::Finish(finish) => finish.permit,
        PermitCommand::Renew { permit, .. } => *permit,
        PermitCommand::Extend(extend) => extend.permit,
    };
    let txn = state.txns.holder_of(permit)?;
    let words = format!("permit {permit} is held by transaction {txn} and ends with it");
    let rejection = Rejection::new(Code::TransactionState, words);
    Some(Decided::Rejected(rejection))
}

/// A permit that a transaction holds was granted, or is gone.
pub fn permit_moved(state: &mut State, permit: PermitId, gone: Option<Code>) {
    let Some(id) = state.txns.holder_of(permit) else {
        return;
    };
    if let Some(code) = gone {
        state.txns.permits.remove(&permit);
        if let Some(txn) = state.txns.by_id.get_mut(&id) {
            txn.permits.retain(|held| *held != permit);
            let is_over = txn.state.is_over();
            for branch in txn.branches.values_mut() {
                if branch.permit != Some(permit) {
                    continue;
                }
                branch.permit = None;
                // One that is over has ended it itself.
                if !is_over {
                    branch.reason = Text::clip(&format!("permit {permit}: {code}"));
                }
            }
        }
    }
    state.wakes.insert(Wake::Txn(id));
}

/// Whether a timer still fits the state.
pub fn is_live(state: &State, armed: Time, id: TxnId) -> bool {
    let txn = state.txns.find(id);
    txn.is_some_and(|txn| txn.deadline == armed && txn.waits_for_deadline())
}

/// Builds again what is derived, after a snapshot was read.
pub fn rebuild(state: &mut State) {
    let txns = &mut state.txns;
    for (id, txn) in &txns.by_id {
        let request = (txn.begin.agent.clone(), txn.begin.request_id.clone());
        txns.requests.insert(request, *id);
        txns.permits
            .extend(txn.permits.iter().map(|permit| (*permit, *id)));
        if !txn.state.is_over() {
            txns.live.insert(*id);
            state.timers.arm(txn.deadline, Timer::Txn(*id));
        }
    }
}
