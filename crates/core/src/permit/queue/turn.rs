//! Whose turn it is when something changes, and what happens then: the waiter passes all gates again, from the first.
use super::stand::{thing, waits_on};
use crate::approval::ask::{self, Waiter};
use crate::decide::Events;
use crate::limit::Entry;
use crate::limit::check::counts_of;
use crate::lock::check::Asker;
use crate::permit::gates::{self, Ask, Report, Stop, pass};
use crate::permit::{Permit, PermitKey, Phase, Place, Waiting, WaitsOn, end, extend, grant};
use crate::state::{State, Wake};
use fleet_types::approval::Phase as ApprovalPhase;
use fleet_types::event::{ApprovalMoot, Requeued};
use fleet_types::explain::Gate;
use fleet_types::limit::Each;
use fleet_types::lock::Mode;
use fleet_types::permit::Blocker;
use fleet_types::{Actor, ApprovalId, Event, Seq, Time};
use std::collections::BTreeSet;
use std::ops::Bound;

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

/// A waiter before the gates.
pub fn ask<'s>(
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
        let holder = state.txns.holder_of(permit.id);
        let began = holder.and_then(|id| state.txns.find(id)?.by.clone());
        let by = began.or_else(|| waiting.by.clone());
        let waiter = Waiter::new(permit.id, &permit.request, by);
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
