//! What ordering and releasing do to the state.
use super::{HISTORY_MAX, Halt, reaches};
use crate::agent::AgentKey;
use crate::map::Set;
use crate::permit;
use crate::state::{State, Wake};
use fleet_types::event::{HaltOrdered, HaltReleaseRequested, HaltReleased};
use fleet_types::halt::Target;
use fleet_types::{Actor, Code, HaltId, Seq, Time};
use std::sync::Arc;

pub fn ordered(state: &mut State, event: &HaltOrdered, by: &Actor, seq: Seq, at: Time) {
    let id = HaltId(seq);
    let target = &event.order.target;
    let reached = |agent: AgentKey| reaches(state, target, &state.agents.agents[agent]);
    let (pinned, awaited) = match target {
        Target::All => (Set::default(), state.agents.live.clone()), // It reaches everybody anyway.
        _ => {
            let agents = state.agents.agents.iter().map(|(key, _)| key);
            let live = state.agents.live.iter().filter(|(key, _)| reached(*key));
            (
                agents.filter(|key| reached(*key)).collect(),
                live.cloned().collect(),
            )
        }
    };
    let halt = Halt {
        id,
        order: Arc::new(event.order.clone()),
        by: by.clone(),
        at,
        release_by_two: event.release_by_two,
        release_requested_by: None,
        released_at: None,
        revoked: event.revoked.len() as u64,
        pinned,
        awaited,
        acknowledged_us: Vec::new(),
        in_flight: 0,
    };
    if state.halts.by_id.len() >= HISTORY_MAX + state.halts.active.len() {
        let oldest = state.halts.by_id.values().find(|h| h.released_at.is_some());
        if let Some(oldest) = oldest.map(|halt| halt.id) {
            state.halts.by_id.shift_remove(&oldest);
        }
    }
    state.halts.by_id.insert(id, halt);
    state.halts.active.push(id);
    for permit in &event.revoked {
        permit::end::revoked(state, *permit, Code::Halted);
    }
    if !state.permits.extending.is_empty() {
        state.wakes.insert(Wake::Halts); // Whoever holds on gets no more, and should hear so now.
    }
}

pub fn release_requested(state: &mut State, event: &HaltReleaseRequested, by: &Actor) {
    if let Some(halt) = state.halts.by_id.get_mut(&event.halt) {
        halt.release_requested_by = Some(by.clone());
    }
}

pub fn released(state: &mut State, event: &HaltReleased, at: Time) {
    if let Some(halt) = state.halts.by_id.get_mut(&event.halt) {
        halt.released_at = Some(at);
        halt.pinned.clear();
    }
    state.halts.active.retain(|id| *id != event.halt);
    // Steps of sagas may have been held back.
    let live = state.txns.live.iter();
    state.wakes.extend(live.map(|txn| Wake::Txn(*txn)));
    if !state.halts.waiting.is_empty() || !state.permits.extending.is_empty() {
        state.wakes.insert(Wake::Halts);
    }
}
