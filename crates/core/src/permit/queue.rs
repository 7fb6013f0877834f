//! Waiting: which queue a permit stands in, where, and who is next when something changes.
//!
//! A waiting permit holds and consumes nothing (I7); when its turn comes it passes all gates again, from the first.
use super::gates::{self, Ask, Report, Stop, pass};
use super::{
    NOTHING, Permit, PermitKey, Phase, Place, Rank, Waiting, WaitsOn, end, extend, grant, request,
};
use crate::approval::ask::{self, Waiter};
use crate::decide::Events;
use crate::limit::Entry;
use crate::limit::check::{count_keys, counts_of};
use crate::lock::check::Asker;
use crate::policy;
use crate::state::{State, Wake};
use crate::timers::Timer;
use crate::{conflict, rule};
use fleet_types::approval::{Phase as ApprovalPhase, Source};
use fleet_types::event::{ApprovalMoot, Queued, Requeued};
use fleet_types::explain::Gate;
use fleet_types::limit::Each;
use fleet_types::lock::Mode;
use fleet_types::permit::{Blocker, Queued as QueuedAnswer, Request};
use fleet_types::rule::Notes;
use fleet_types::{Actor, ApprovalId, Event, PermitId, RuleId, Seq, Time};
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::ops::Bound;

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

fn waits_on(state: &State, blocker: &Blocker) -> WaitsOn {
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
        Blocker::Policy { .. } => WaitsOn::Policy,
        Blocker::Lock { .. } | Blocker::Turn { .. } => WaitsOn::Locks,
        Blocker::Budget { .. } | Blocker::Version { .. } | Blocker::Cycle { .. } => WaitsOn::Locks, // Never waited for.
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

fn stand(state: &mut State, key: PermitKey) {
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

fn step_out(state: &mut State, key: PermitKey) {
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

/// What happens next to those who wait for what has changed; `None` when nobody can go on.
///
/// `after` is who was tried last of those that a halt stopped: nobody's turn there depends on another's, so they are
/// gone through once, however many can go on.
pub fn next_for(
    state: &State,
    wake: &Wake,
    after: &mut Option<Place>,
    now: Time,
) -> Option<Events> {
    let place_of = |key: PermitKey| state.permits[key].place(key);
    let places: Vec<Place> = match wake {
        Wake::Halts => return next_halted(state, after, now),
        Wake::Txn(id) => return crate::txn::next::next(state, *id, now),
        Wake::Policies => return next_of(state, &state.policies.waiting, after, now),
        // It may have been denied a moment ago.
        Wake::Rejudged(id) => state.permits.key(*id).map(place_of).into_iter().collect(),
        Wake::Agent(key) => {
            let agent = state.agents.agents.get(*key)?;
            agent.waiting.first().copied().into_iter().collect()
        }
        Wake::Moved(key) => {
            let agent = state.agents.agents.get(*key)?;
            let mut places: Vec<Place> = state.permits.of(agent).map(place_of).collect();
            places.sort_unstable();
            places
        }
        Wake::Limit(key, count) => {
            let entry = state.limits.get(*key)?;
            let heads = entry.queue.heads(count, &entry.fair);
            heads
                .into_iter()
                .filter(|place| is_next(state, entry, *place))
                .collect()
        }
        Wake::Rule(key, thing) => state.rules.get(*key)?.waiters(thing),
        Wake::Lock(path) => state.locks.waiters_around_path(path),
        Wake::Approval(id) => return next_decided(state, *id, now),
        Wake::Approvals => return next_of(state, &state.approvals.waiting, after, now),
    };
    for place in places {
        // Whoever is asked out of turn goes on only if what it waits for does not concern it any more.
        let in_turn = !matches!(wake, Wake::Moved(_));
        let events = if state.permits[place.permit].granted().is_none() {
            again(state, place.permit, in_turn, now)
        } else {
            extend::again(state, place.permit, now)
        };
        if events.is_some() {
            return events;
        }
        match wake {
            // Whoever stands behind the first one cannot go either.
            Wake::Agent(_) => return None,
            Wake::Lock(path) if closes(state, place.permit, path) => return None,
            Wake::Halts
            | Wake::Policies
            | Wake::Rejudged(_)
            | Wake::Moved(_)
            | Wake::Limit(..)
            | Wake::Rule(..)
            | Wake::Lock(_)
            | Wake::Approval(_)
            | Wake::Approvals
            | Wake::Txn(_) => {}
        }
    }
    None
}

fn next_halted(state: &State, after: &mut Option<Place>, now: Time) -> Option<Events> {
    if after.is_none() {
        let mut extending = state.permits.extending.iter();
        let events = extending.find_map(|key| extend::again(state, *key, now));
        if events.is_some() {
            return events;
        }
    }
    next_of(state, &state.halts.waiting, after, now)
}

/// Goes once through those whose turns do not depend on each other's.
fn next_of(
    state: &State,
    waiting: &BTreeSet<Place>,
    after: &mut Option<Place>,
    now: Time,
) -> Option<Events> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut waiting = waiting.range((from, Bound::Unbounded));
    waiting.find_map(|place| {
        *after = Some(*place);
        again(state, place.permit, true, now)
    })
}

/// What follows from an approval that was decided, or that nothing waits for any more.
fn next_decided(state: &State, id: ApprovalId, now: Time) -> Option<Events> {
    let approval = state.approvals.get(id)?;
    let waiter = state.permits.key(approval.permit());
    let waiter = waiter.filter(|key| state.permits[*key].granted().is_none());
    match (approval.phase, waiter) {
        (ApprovalPhase::Open, None) => Some(Events::one(Event::ApprovalMoot(ApprovalMoot {
            approval: id,
        }))),
        (ApprovalPhase::Open, Some(_))
        | (ApprovalPhase::Approved | ApprovalPhase::Rejected | ApprovalPhase::Moot, None) => None,
        (ApprovalPhase::Approved, Some(key)) => again(state, key, true, now),
        // Wherever it stands meanwhile, it will not be granted.
        (ApprovalPhase::Rejected, Some(key)) => {
            let permit = &state.permits[key];
            let stop = gates::approval::rejected(state, id);
            let report = Report::default();
            Some(end::denial(
                state,
                permit.id,
                &permit.request,
                *stop,
                report,
            ))
        }
        (ApprovalPhase::Moot, Some(_)) => None,
    }
}

/// Whether it is a waiter's turn for every count of a limit that it needs.
pub fn is_next(state: &State, entry: &Entry, place: Place) -> bool {
    if entry.limit.each != Each::Resource {
        return true; // There is one count, and it is first in that line.
    }
    let permit = &state.permits[place.permit];
    let counts = counts_of(&entry.limit, &permit.request);
    entry
        .queue
        .is_next(permit.class(), place, &counts, &entry.fair)
}

/// Whether a waiter that wants all of a resource bars the way for all behind it.
fn closes(state: &State, key: PermitKey, path: &str) -> bool {
    let permit = &state.permits[key];
    let first_ask = permit.extension().is_none();
    first_ask
        && permit
            .request
            .resources
            .iter()
            .any(|claim| claim.mode == Mode::Exclusive && claim.path.as_str() == path)
}

/// Tries a waiting permit again, from the first gate.
pub fn again(state: &State, key: PermitKey, in_turn: bool, now: Time) -> Option<Events> {
    let permit = &state.permits[key];
    let Phase::Waiting(waiting) = &permit.phase else {
        return None;
    };
    let by = Actor::System; // Who asked was checked then and stands in the journal.
    let mut ask = ask(state, &by, key, permit, waiting, now);
    if !in_turn {
        ask.waits_for_limit = None;
        ask.waits_for_agent = false;
    }
    let mut report = Report::new(permit.request.explain);
    match pass(&ask, &mut report) {
        Ok(passed) => {
            let (id, request) = (permit.id, &permit.request);
            let asked = (id, permit.agent);
            Some(grant::events(
                state,
                asked,
                request,
                passed,
                (report, None),
                now,
            ))
        }
        Err(stop) if stop.can_wait => moved(state, permit, waiting, *stop, now),
        Err(stop) => {
            let (id, request) = (permit.id, &permit.request);
            Some(end::denial(state, id, request, *stop, report))
        }
    }
}

fn ask<'s>(
    state: &'s State,
    by: &'s Actor,
    key: PermitKey,
    permit: &'s Permit,
    waiting: &Waiting,
    now: Time,
) -> Ask<'s> {
    Ask {
        state,
        by,
        agent_key: permit.agent,
        agent: &state.agents.agents[permit.agent],
        request: &permit.request,
        verdict: permit.judged.as_deref(),
        class: permit.class(),
        asker: Asker {
            permit: Some(key),
            place: permit.place(key),
        },
        waits_for_limit: match waiting.on {
            WaitsOn::Limit(limit) => Some(limit),
            WaitsOn::Halt
            | WaitsOn::Agent
            | WaitsOn::Policy
            | WaitsOn::Rule(_)
            | WaitsOn::Approval
            | WaitsOn::Locks => None,
        },
        waits_for_agent: waiting.on == WaitsOn::Agent,
        extends: false,
        explain: permit.request.explain,
        now,
    }
}

/// A waiter that now waits for something else; nothing happens if it is the same as before.
fn moved(
    state: &State,
    permit: &Permit,
    waiting: &Waiting,
    stop: Stop,
    now: Time,
) -> Option<Events> {
    let mut then = Vec::new();
    if stop.gate == Gate::Approval {
        let waiter = Waiter::new(permit.id, &permit.request, waiting.by.clone());
        then = ask::events(state, &waiter, &stop.needs, now);
        if ask::is_full(state, &then) {
            let stop = ask::full(state, stop);
            let (id, request) = (permit.id, &permit.request);
            return Some(end::denial(state, id, request, stop, Report::default()));
        }
    }
    // Those who are asked stand behind the event that says so.
    let first = Seq(state.next_seq().0 + 1);
    let waits_for = ask::named(stop.blocker?, &then, first);
    let later = |blocker: &Blocker| match blocker {
        Blocker::Limit { free_at, .. } | Blocker::Rule { free_at, .. } => *free_at,
        _ => None,
    };
    let same = waits_on(state, &waits_for) == waiting.on
        && later(&waits_for) == later(&waiting.blocker)
        && thing(&waits_for) == thing(&waiting.blocker)
        && approval_of(&waits_for) == approval_of(&waiting.blocker);
    match same {
        // Others may be asked, or asked no more, besides.
        true if then.is_empty() => None,
        true => {
            let answer = then.remove(0);
            Some(Events {
                then,
                ..Events::one(answer)
            })
        }
        false => Some(Events {
            then,
            ..Events::one(Event::PermitRequeued(Requeued {
                permit: permit.id,
                waits_for,
            }))
        }),
    }
}

/// The approval that is waited for, if one is.
fn approval_of(blocker: &Blocker) -> Option<ApprovalId> {
    match blocker {
        Blocker::Approval { approval, .. } => *approval,
        _ => None,
    }
}

/// The thing that a rule stops, if one does.
pub fn thing(blocker: &Blocker) -> SmolStr {
    match blocker {
        Blocker::Rule { key, .. } => key.clone(),
        _ => SmolStr::default(),
    }
}

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
pub fn view(state: &State, id: PermitId) -> Option<QueuedAnswer> {
    let key = state.permits.key(id)?;
    let permit = &state.permits[key];
    let Phase::Waiting(waiting) = &permit.phase else {
        return None;
    };
    let by = Actor::System;
    let ask = ask(state, &by, key, permit, waiting, state.now);
    // What stands in the way may have changed since the wait began; say what does now.
    let now_for = pass(&ask, &mut Report::default())
        .err()
        .and_then(|stop| stop.blocker);
    let waits_for = now_for.unwrap_or_else(|| waiting.blocker.clone());
    Some(QueuedAnswer {
        permit: id,
        position: position(state, &ask, &waits_for),
        waits_for,
        until: waiting.until,
        explain: Vec::new(),
    })
}
