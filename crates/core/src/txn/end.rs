//! Asking for the end: commit, or abort.
use super::{known, may_act_as, standing, too_late};
use crate::agent::AgentKey;
use crate::decide::Decided;
use crate::state::State;
use fleet_types::event::{TxnDecided, TxnPreparing};
use fleet_types::txn::{Decision, Kind, State as Stage};
use fleet_types::{Actor, AgentId, Code, Event, PermitId, Rejection, Text, TxnId};

pub fn commit(state: &State, by: &Actor, id: TxnId, agent: &AgentId) -> Result<Decided, Rejection> {
    let txn = known(state, id)?;
    may_act_as(by, agent)?;
    if txn.begin.agent != *agent {
        let words = format!("transaction {id} is agent {}'s to commit", txn.begin.agent);
        return Err(Rejection::new(Code::Forbidden, words));
    }
    if txn.begin.kind == Kind::Saga {
        let words = "a saga runs by itself; there is nothing to commit";
        return Err(Rejection::new(Code::Invalid, words).field("txn"));
    }
    match txn.state {
        Stage::Open => Ok(Decided::event(Event::TxnPreparing(TxnPreparing {
            txn: id,
        }))),
        // A repeat hears how far it is.
        Stage::Preparing | Stage::Committing | Stage::Committed | Stage::Mixed => {
            Ok(Decided::repeat(standing(state, id, None)))
        }
        Stage::Aborting
        | Stage::Aborted
        | Stage::Running
        | Stage::Compensating
        | Stage::Completed
        | Stage::Compensated => {
            let why = txn.verdict.as_ref().map(|verdict| verdict.reason.as_str());
            Err(too_late(txn, why.unwrap_or("it cannot commit any more")))
        }
    }
}

pub fn abort(
    state: &State,
    by: &Actor,
    id: TxnId,
    agent: Option<&AgentId>,
    reason: &Text,
) -> Result<Decided, Rejection> {
    let txn = known(state, id)?;
    match (by, agent) {
        (Actor::Agent(own), None) if !txn.has_member(own) => {
            let words = format!("agent {own} takes no part in transaction {id}");
            return Err(Rejection::new(Code::Forbidden, words));
        }
        (_, None) => {}
        (_, Some(agent)) => {
            may_act_as(by, agent)?;
            if !txn.has_member(agent) {
                let words = format!("agent {agent} takes no part in transaction {id}");
                return Err(Rejection::new(Code::Forbidden, words));
            }
        }
    }
    if txn.can_turn_back() {
        let reason = match reason.is_empty() {
            true => Text::clip("aborted by its asker"),
            false => reason.clone(),
        };
        return Ok(Decided::event(decided(id, Code::Cancelled, reason)));
    }
    match txn.state {
        Stage::Aborting | Stage::Aborted | Stage::Compensating | Stage::Compensated => {
            Ok(Decided::repeat(standing(state, id, None)))
        }
        Stage::Open
        | Stage::Preparing
        | Stage::Running
        | Stage::Committing
        | Stage::Committed
        | Stage::Completed
        | Stage::Mixed => Err(too_late(txn, "there is no way back")),
    }
}

/// The decision to abort.
pub fn decided(txn: TxnId, code: Code, reason: Text) -> Event {
    Event::TxnDecided(TxnDecided {
        txn,
        decision: Decision::Abort,
        code: Some(code),
        reason,
    })
}

/// Transactions that an immediate halt ends: those that can turn back, of whom it reaches. What is decided is carried to its
/// end.
pub fn halted(state: &State, why: &Text, reached: impl Fn(AgentKey) -> bool) -> Vec<Event> {
    let of = |agent: &AgentId| state.agents.key(agent).is_some_and(&reached);
    let live = state.txns.live.iter().filter_map(|id| state.txns.find(*id));
    let ends = live.filter(|txn| {
        let mut permits = txn.permits.iter();
        let holds = |id: &PermitId| state.permits.find(*id).is_some_and(|it| reached(it.agent));
        txn.can_turn_back() && (of(&txn.begin.agent) || permits.any(holds))
    });
    ends.map(|txn| decided(txn.id, Code::Halted, why.clone()))
        .collect()
}
