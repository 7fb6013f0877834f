//! Waiting: which queue a permit stands in, where, and who is next when something changes.
//!
//! A waiting permit holds and consumes nothing (I7); when its turn comes it passes all gates again, from the first.
mod position;
mod stand;
mod turn;

pub use position::{position, view};
pub use stand::{enter, leave, thing};
pub use turn::next_for;
#[cfg(test)]
pub use turn::{again, is_next};

use super::{NOTHING, Permit, PermitKey, Phase, Rank, Waiting, WaitsOn, extend, request};
use crate::conflict;
use crate::limit::check::{count_keys, counts_of};
use crate::policy;
use crate::state::{State, Wake};
use fleet_types::approval::Source;
use fleet_types::event::{Queued, Requeued};
use fleet_types::permit::{Blocker, Request};
use fleet_types::rule::Notes;
use fleet_types::{Actor, PermitId, RuleId, Time};
use stand::{stand, step_out, waits_on};

pub fn queued(state: &mut State, event: &Queued, by: &Actor, at: Time) {
    let Some(agent) = state.agents.key(&event.request.agent) else {
        return;
    };
    let priority = request::priority(state, agent, &event.request);
    let turn = event.turn.as_deref();
    conflict::turn::taken(state, turn);
    let conflict = conflict::collided(state, &event.waits_for, event.permit, &event.request);
    let resolution = turn.and_then(|turn| turn.resolution.clone());
    let key = state.permits.insert(Permit {
        id: event.permit,
        agent,
        request: event.request.clone(),
        judged: event.policies.clone(),
        chain: event.chain.clone().into(),
        priority,
        asked_at: at,
        rank: Rank::of(at, priority, state.settings.age_step_ms).with(turn),
        phase: Phase::Waiting(Waiting {
            on: waits_on(state, &event.waits_for),
            blocker: event.waits_for.clone(),
            until: event.until,
            by: Some(by.clone()),
            since: at,
            conflict,
            resolution: resolution.clone(),
        }),
        next: NOTHING,
        prev: NOTHING,
    });
    state.link(key);
    state.totals.queued += 1;
    stopped(state, &event.waits_for, &event.request);
    observed(state, event.rules.as_deref());
    policy::apply::count(state, event.policies.as_deref());
    enter(state, key);
    inherit(state, key);
    conflict::apply::concerns(state, conflict, resolution.as_ref());
    state.memory.wait(&event.request, key);
}

pub fn requeued(state: &mut State, event: &Requeued) {
    let Some(key) = state.permits.key(event.permit) else {
        return;
    };
    leave(state, key);
    let on = waits_on(state, &event.waits_for);
    let request = state.permits[key].request.clone();
    let conflict = conflict::collided(state, &event.waits_for, event.permit, &request);
    let now = state.now;
    let mut resolution = None;
    if let Phase::Waiting(waiting) = &mut state.permits[key].phase {
        waiting.on = on;
        waiting.blocker = event.waits_for.clone();
        waiting.since = now;
        waiting.conflict = conflict;
        resolution.clone_from(&waiting.resolution);
    }
    enter(state, key);
    inherit(state, key);
    conflict::apply::concerns(state, conflict, resolution.as_ref());
}

/// A waiting permit goes in another's turn; those around it are asked again.
pub fn reseat(state: &mut State, key: PermitKey, rank: Rank) {
    let Phase::Waiting(waiting) = &state.permits[key].phase else {
        return;
    };
    let (on, thing) = (waiting.on, waiting.thing());
    step_out(state, key);
    state.permits[key].rank = rank;
    stand(state, key);
    inherit(state, key);
    match on {
        WaitsOn::Locks => {
            let request = state.permits[key].request.clone();
            let paths = request.resources.iter();
            let wakes = paths.map(|claim| Wake::Lock(claim.path.text().clone()));
            state.wakes.extend(wakes);
        }
        WaitsOn::Rule(rule) => {
            state.wakes.insert(Wake::Rule(rule, thing));
        }
        // Conflicts are about locks and rules.
        WaitsOn::Halt
        | WaitsOn::Agent
        | WaitsOn::Limit(_)
        | WaitsOn::Approval
        | WaitsOn::Policy => {}
    }
}

/// Whoever holds what a waiter wants, and waits for more, takes over its turn if that is earlier.
fn inherit(state: &mut State, key: PermitKey) {
    let permit = &state.permits[key];
    if let Phase::Waiting(waiting) = &permit.phase
        && waiting.on == WaitsOn::Locks
    {
        let (rank, request) = (permit.rank, permit.request.clone());
        extend::inherit(state, rank, key, &request.resources);
    }
}

/// The rate that a permit waits for has room again, or the window of a rule is over: it may go, if it is next. If not,
/// whoever is has a timer of its own, and one of those behind, which a restart arms once more, must not bring that forward.
pub fn rate_has_room(state: &mut State, armed: Time, id: PermitId) {
    let Some(key) = state.permits.key(id) else {
        return;
    };
    let permit = &state.permits[key];
    let Phase::Waiting(waiting) = &permit.phase else {
        return;
    };
    if waiting.free_at() != Some(armed) {
        return;
    }
    if let WaitsOn::Rule(rule) = waiting.on {
        state.wakes.insert(Wake::Rule(rule, waiting.thing()));
    } else if let WaitsOn::Limit(limit) = waiting.on
        && let Some(entry) = state.limits.get(limit)
    {
        let counts = counts_of(&entry.limit, &permit.request);
        let (class, place) = (permit.class(), permit.place(key));
        if entry.queue.is_next(class, place, &counts, &entry.fair) {
            for count in &counts {
                state.limits.wake_count(limit, count, &mut state.wakes);
            }
        }
    }
}

/// Counts a request that a limit or a rule stopped.
pub fn stopped(state: &mut State, blocker: &Blocker, request: &Request) {
    if let Blocker::Rule { rule, .. }
    | Blocker::Approval {
        source: Source::Rule(rule),
        ..
    } = blocker
    {
        count_rule(state, rule);
    }
    if let Blocker::Limit { limit, .. } = blocker
        && let Some(key) = state.limits.key(limit)
        && let Some(entry) = state.limits.get_mut(key)
    {
        let limit = entry.limit.clone();
        count_keys(&limit, request, |count_key| {
            entry.count_mut(&count_key).stopped += 1;
        });
    }
}

/// Counts a request that rules would have stopped, were they enforced.
pub fn observed(state: &mut State, rules: Option<&Notes>) {
    for rule in rules.into_iter().flat_map(|rules| &rules.observed) {
        count_rule(state, rule);
    }
}

fn count_rule(state: &mut State, rule: &RuleId) {
    if let Some(key) = state.rules.key(rule)
        && let Some(entry) = state.rules.get_mut(key)
    {
        entry.stopped += 1;
    }
}
