//! How many come before a waiter, and what stands in its way now.
use super::stand::{thing, waits_on};
use super::turn;
use crate::permit::gates::{Ask, Report, pass};
use crate::permit::{Phase, Place, WaitsOn};
use crate::rule;
use crate::state::State;
use fleet_types::permit::{Blocker, Queued};
use fleet_types::{Actor, PermitId};

/// How many come before a request that will wait for this.
pub fn position(state: &State, ask: &Ask<'_>, waits_for: &Blocker) -> u64 {
    before(state, ask.agent_key, ask.asker.place, waits_for, || {
        let mut most = 0;
        for claim in &ask.request.resources {
            if let Some(node) = state.locks.node(claim.path.as_str()) {
                let waiters = &state.locks.get(node).waiters;
                most = most.max(waiters.range(..ask.asker.place).count());
            }
        }
        most as u64
    })
}

fn before(
    state: &State,
    agent: u32,
    place: Place,
    waits_for: &Blocker,
    in_locks: impl FnOnce() -> u64,
) -> u64 {
    match waits_on(state, waits_for) {
        WaitsOn::Halt => state.halts.waiting.range(..place).count() as u64,
        WaitsOn::Agent => state.agents.agents[agent].waiting.range(..place).count() as u64,
        WaitsOn::Policy => state.policies.waiting.range(..place).count() as u64,
        WaitsOn::Limit(key) => state.limits.get(key).map_or(0, |e| e.queue.before(place)),
        WaitsOn::Rule(key) => {
            let waiters = |entry: &rule::Entry| {
                let waiters = entry.waiters(&thing(waits_for));
                waiters.partition_point(|waiter| *waiter < place) as u64
            };
            state.rules.get(key).map_or(0, waiters)
        }
        WaitsOn::Approval => 0, // Nobody's turn there depends on another's.
        WaitsOn::Locks => in_locks(),
    }
}

/// Where a waiting permit stands now.
pub fn view(state: &State, id: PermitId) -> Option<Queued> {
    let key = state.permits.key(id)?;
    let permit = &state.permits[key];
    let Phase::Waiting(waiting) = &permit.phase else {
        return None;
    };
    let by = Actor::System;
    let ask = turn::ask(state, &by, key, permit, waiting, state.now);
    // What stands in the way may have changed since the wait began; say what does now.
    let now_for = pass(&ask, &mut Report::default())
        .err()
        .and_then(|stop| stop.blocker);
    let waits_for = now_for.unwrap_or_else(|| waiting.blocker.clone());
    Some(Queued {
        permit: id,
        position: position(state, &ask, &waits_for),
        waits_for,
        until: waiting.until,
        explain: Vec::new(),
    })
}
