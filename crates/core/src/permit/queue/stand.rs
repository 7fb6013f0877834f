//! The queue that a waiting permit stands in: which it is, going into it, going out of it.
use crate::conflict;
use crate::limit::check::counts_of;
use crate::permit::{PermitKey, Phase, WaitsOn};
use crate::state::{State, Wake};
use crate::timers::Timer;
use fleet_types::permit::Blocker;
use smol_str::SmolStr;

/// Which queue whoever is stopped by this stands in.
pub fn waits_on(state: &State, blocker: &Blocker) -> WaitsOn {
    match blocker {
        Blocker::Halt { .. } => WaitsOn::Halt,
        Blocker::AgentConcurrency { .. } => WaitsOn::Agent,
        Blocker::Limit { limit, .. } => match state.limits.key(limit) {
            Some(key) => WaitsOn::Limit(key),
            None => WaitsOn::Locks,
        },
        Blocker::Rule { rule, .. } => match state.rules.key(rule) {
            Some(key) => WaitsOn::Rule(key),
            None => WaitsOn::Locks,
        },
        Blocker::Approval { .. } => WaitsOn::Approval,
        Blocker::Policy { .. } | Blocker::Tool { .. } => WaitsOn::Policy,
        Blocker::Lock { .. } | Blocker::Turn { .. } => WaitsOn::Locks,
        Blocker::Delegation { .. }
        | Blocker::Budget { .. }
        | Blocker::Version { .. }
        | Blocker::Cycle { .. } => WaitsOn::Locks, // Never waited for.
    }
}

/// Puts a waiting permit into the queue it belongs to.
pub fn enter(state: &mut State, key: PermitKey) {
    stand(state, key);
    if let Phase::Waiting(waiting) = &state.permits[key].phase {
        let (conflict, since) = (waiting.conflict, waiting.since);
        conflict::waits(state, conflict, since);
    }
}

/// Into the queue alone: whoever changes its turn comes back at once.
pub fn stand(state: &mut State, key: PermitKey) {
    let permit = &state.permits[key];
    let Phase::Waiting(waiting) = &permit.phase else {
        return;
    };
    let (place, class, agent, id) = (permit.place(key), permit.class(), permit.agent, permit.id);
    let (on, free_at, request) = (waiting.on, waiting.free_at(), permit.request.clone());
    let thing = waiting.thing();
    state.timers.arm(waiting.until, Timer::Wait(id));
    state.permits.waiting += 1;
    match on {
        WaitsOn::Halt => {
            state.halts.waiting.insert(place);
        }
        WaitsOn::Agent => {
            state.agents.agents[agent].waiting.insert(place);
        }
        WaitsOn::Limit(limit) => {
            if let Some(at) = free_at {
                state.timers.arm(at, Timer::Rate(id));
            }
            if let Some(entry) = state.limits.get_mut(limit) {
                let counts = counts_of(&entry.limit, &request);
                entry.queue.insert(class, agent, place, &counts);
            }
        }
        WaitsOn::Policy => {
            state.policies.waiting.insert(place);
        }
        WaitsOn::Rule(rule) => {
            if let Some(at) = free_at {
                state.timers.arm(at, Timer::Rate(id));
            }
            state.rules.waiting += 1;
            if let Some(entry) = state.rules.get_mut(rule) {
                entry.waiting.entry(thing).or_default().insert(place);
            }
        }
        WaitsOn::Approval => {
            state.approvals.waiting.insert(place);
        }
        WaitsOn::Locks => {
            for claim in &request.resources {
                state.locks.wait(claim.path.as_str(), place, claim.mode);
            }
        }
    }
}

/// Takes a waiting permit out of its queue; those behind it may get a try.
pub fn leave(state: &mut State, key: PermitKey) {
    step_out(state, key);
    if let Phase::Waiting(waiting) = &state.permits[key].phase {
        let (conflict, since) = (waiting.conflict, waiting.since);
        conflict::waits_no_more(state, conflict, since);
    }
}

/// Out of the queue alone.
pub fn step_out(state: &mut State, key: PermitKey) {
    let permit = &state.permits[key];
    let Phase::Waiting(waiting) = &permit.phase else {
        return;
    };
    let (place, class, agent) = (permit.place(key), permit.class(), permit.agent);
    let (on, request, thing) = (waiting.on, permit.request.clone(), waiting.thing());
    state.timers.forget_one();
    if waiting.free_at().is_some() {
        state.timers.forget_one();
    }
    state.permits.waiting -= 1;
    match on {
        WaitsOn::Halt => {
            state.halts.waiting.remove(&place);
        }
        WaitsOn::Agent => {
            state.agents.agents[agent].waiting.remove(&place);
            state.wake_agent(agent);
        }
        WaitsOn::Limit(limit) => {
            let Some(entry) = state.limits.get_mut(limit) else {
                return;
            };
            let counts = counts_of(&entry.limit, &request);
            entry.queue.remove(class, agent, place, &counts);
            for count in counts {
                state.limits.wake_count(limit, &count, &mut state.wakes);
            }
        }
        WaitsOn::Policy => {
            state.policies.waiting.remove(&place);
        }
        WaitsOn::Rule(rule) => {
            state.rules.waiting -= 1;
            let Some(entry) = state.rules.get_mut(rule) else {
                return;
            };
            if let Some(line) = entry.waiting.get_mut(&thing) {
                line.remove(&place);
                if line.is_empty() {
                    entry.waiting.remove(&thing);
                }
            }
            if !entry.waiting.is_empty() {
                state.wakes.insert(Wake::Rule(rule, thing)); // Those behind it may go now.
            }
        }
        WaitsOn::Approval => {
            state.approvals.waiting.remove(&place);
        }
        WaitsOn::Locks => {
            for claim in &request.resources {
                if state.locks.leave(claim.path.as_str(), place) {
                    state.wakes.insert(Wake::Lock(claim.path.text().clone()));
                }
            }
        }
    }
}

/// The thing that a rule stops, if one does.
pub fn thing(blocker: &Blocker) -> SmolStr {
    match blocker {
        Blocker::Rule { key, .. } => key.clone(),
        _ => SmolStr::default(),
    }
}
