//! The fleet at a glance. Costs a pass over the agents' instances and what is in dispute or under way, not over permits.
use super::agents::state_of;
use crate::state::State;
use fleet_types::Time;
use fleet_types::conflict::State as Phase;
use fleet_types::view::Status;

/// The fleet at a glance; conflicts are over when nobody has collided for a while, so they want the time.
#[must_use]
pub fn status(state: &State, now: Time) -> Status {
    let now = now.max(state.now);
    let mut status = Status {
        seq: state.seq,
        at: state.now,
        agents: state.agents.len() as u64,
        permits_granted: state.permits.len() as u64 - state.permits.waiting,
        permits_waiting: state.permits.waiting,
        locks_held: state.locks.held as u64,
        halts: state.halts.active.len() as u64,
        approvals_open: state.approvals.open as u64,
        transactions: state.txns.live.len() as u64,
        requests_remembered: state.memory.len() as u64,
        totals: state.totals.clone(),
        ..Status::default()
    };
    for (key, agent) in state.agents.agents.iter() {
        for instance in agent.instances.values() {
            if let Some(seen) = state_of(state, key, instance) {
                *status.instances.entry(seen).or_default() += 1;
            }
        }
    }
    for record in state.conflicts.records.values() {
        match record.phase(now) {
            Phase::Open | Phase::Resolving => status.conflicts += 1,
            Phase::Escalated => {
                status.conflicts += 1;
                status.conflicts_escalated += 1;
            }
            Phase::Resolved => {}
        }
    }
    let live = state.txns.live.iter().filter_map(|id| state.txns.find(*id));
    status.transactions_stuck = live.filter(|txn| txn.is_stuck()).count() as u64;
    status
}
