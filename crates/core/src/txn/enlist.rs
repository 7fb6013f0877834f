//! Taking part in a two-phase commit: participants, and permits that it holds to its end.
use super::begin::{name, participant};
use super::{known, may_act_as, standing, too_late};
use crate::decide::Decided;
use crate::state::State;
use fleet_types::event::{TxnEnlisted, TxnHeld};
use fleet_types::txn::{BRANCHES_MAX, Branch, PERMITS_MAX, State as Stage};
use fleet_types::{Actor, AgentId, Code, Event, PermitId, Rejection, TxnId};
use std::sync::Arc;

pub fn branch(
    state: &State,
    by: &Actor,
    id: TxnId,
    agent: &AgentId,
    branch: &Arc<Branch>,
) -> Result<Decided, Rejection> {
    let txn = known(state, id)?;
    member(state, by, id, agent)?;
    if let Some(known) = txn.branches.get(&branch.id) {
        let same = known.participant == branch.participant && known.payload == branch.payload;
        if same && known.step.is_none() {
            return Ok(Decided::repeat(standing(state, id, Some(&branch.id))));
        }
        let words = format!("transaction {id} has another branch {}", branch.id);
        return Err(Rejection::new(Code::Conflict, words).field("id"));
    }
    if txn.state != Stage::Open {
        return Err(too_late(txn, "nobody can be enlisted any more"));
    }
    let invalid = |field: &str, words: String| Rejection::new(Code::Invalid, words).field(field);
    name(&branch.id).map_err(|words| invalid("id", words))?;
    participant(state, &branch.participant).map_err(|words| invalid("participant", words))?;
    if txn.branches.len() >= BRANCHES_MAX {
        let words = format!("a transaction has at most {BRANCHES_MAX} branches");
        return Err(Rejection::new(Code::Conflict, words));
    }
    Ok(Decided::event(Event::TxnEnlisted(TxnEnlisted {
        txn: id,
        branch: branch.clone(),
    })))
}

pub fn permit(
    state: &State,
    by: &Actor,
    id: TxnId,
    agent: &AgentId,
    permit: PermitId,
) -> Result<Decided, Rejection> {
    let txn = known(state, id)?;
    member(state, by, id, agent)?;
    if txn.permits.contains(&permit) {
        return Ok(Decided::repeat(standing(state, id, None)));
    }
    if txn.state != Stage::Open {
        return Err(too_late(txn, "no permit can be enlisted any more"));
    }
    let key = crate::permit::end::owned(state, by, permit, agent)?;
    if let Some(other) = state.txns.holder_of(permit) {
        let words = format!("permit {permit} is held by transaction {other}");
        return Err(Rejection::new(Code::Conflict, words));
    }
    match state.permits[key].granted() {
        None => {
            let words = format!("permit {permit} still waits");
            return Err(Rejection::new(Code::PermitNotGranted, words));
        }
        Some(granted) if granted.extension.is_some() => {
            let words = format!("permit {permit} waits for more");
            return Err(Rejection::new(Code::PermitExtending, words));
        }
        Some(_) => {}
    }
    if txn.permits.len() >= PERMITS_MAX {
        let words = format!("a transaction holds at most {PERMITS_MAX} permits");
        return Err(Rejection::new(Code::Conflict, words));
    }
    Ok(Decided::event(Event::TxnHeld(TxnHeld {
        txn: id,
        permit,
        branch: None,
    })))
}

fn member(state: &State, by: &Actor, id: TxnId, agent: &AgentId) -> Result<(), Rejection> {
    may_act_as(by, agent)?;
    match known(state, id)?.has_member(agent) {
        true => Ok(()),
        false => {
            let words = format!(
                "agent {agent} takes no part in transaction {id}; name it in `members` when it begins"
            );
            Err(Rejection::new(Code::Forbidden, words))
        }
    }
}
