//! Taking more while holding: new resources, or one held shared now wanted exclusively.
//!
//! This is the only way to hold and wait, so the only way to a deadlock, which is looked for here.
use super::gates::{Ask, Stop, pass_extension};
use super::{Extension, Granted, PermitKey, Phase, Rank, end, grant, request};
use crate::decide::{Decided, Events, invalid, rejected};
use crate::lock::check::{Asker, Obstacle, obstacles};
use crate::lock::deadlock;
use crate::rule::apply::KeptMark;
use crate::state::{State, Wake};
use crate::timers::Timer;
use crate::{conflict, rule, version};
use fleet_types::event::{Extended, ExtensionDenied, ExtensionQueued};
use fleet_types::explain::Gate;
use fleet_types::limit::Class;
use fleet_types::lock::{Claim, Mode};
use fleet_types::permit::{Blocker, Extend, Request};
use fleet_types::policy::Verdict;
use fleet_types::{Actor, Code, Event, PermitId, Reply, Seq, Time, Token};
use std::collections::BTreeSet;
use std::sync::Arc;

pub fn decide(
    state: &State,
    by: &Actor,
    extend: &Arc<Extend>,
    verdict: Option<&Verdict>,
    now: Time,
) -> Decided {
    let key = match end::owned(state, by, extend.permit, &extend.agent) {
        Ok(key) => key,
        Err(rejection) => return Decided::Rejected(rejection),
    };
    let permit = &state.permits[key];
    let Phase::Granted(granted) = &permit.phase else {
        return rejected(
            Code::PermitNotGranted,
            format!("permit {} still waits", permit.id),
        );
    };
    if granted.extension.is_some() {
        return rejected(
            Code::PermitExtending,
            format!("permit {} waits for more already", permit.id),
        );
    }
    let most = state.settings.wait_ms_max;
    if extend.wait_ms > most {
        let words = format!("wait_ms is more than this fleet's {}", most.0);
        return invalid("wait_ms", words);
    }
    let wanted = wanted(granted, extend);
    if wanted.is_empty() {
        // It has all of it: a repeat, maybe of one whose answer was lost, hears its tokens again.
        let grant = crate::reply::grant_now(state, extend.permit);
        return grant.map_or_else(Decided::unchanged, |grant| {
            Decided::repeat(Reply::Granted(grant))
        });
    }
    if granted.held.len() + wanted.len() > fleet_types::permit::CLAIMS_MAX {
        let most = fleet_types::permit::CLAIMS_MAX;
        return invalid(
            "resources",
            format!("a permit holds at most {most} resources"),
        );
    }
    let ask = ask(state, by, key, (permit.rank, verdict), now);
    let policies = || verdict.cloned().and_then(Verdict::filled);
    let stop = match pass_extension(&ask, &wanted) {
        Ok((rules, counts)) => {
            return Decided::event(Event::PermitExtended(Extended {
                permit: permit.id,
                resources: wanted,
                rules,
                policies: policies().filter(|_| counts),
            }));
        }
        Err(stop) if stop.code == Code::PolicyStale => return Decided::Stale,
        Err(stop) => stop,
    };
    let denied = |stop: Stop| {
        Event::PermitExtensionDenied(ExtensionDenied {
            denial: request::denial(permit.id, stop, Vec::new()),
            policies: policies(),
        })
    };
    if !stop.can_wait || extend.wait_ms.0 == 0 {
        return Decided::Events(denied_by(state, permit.id, *stop, policies()));
    }
    let mut victims = BTreeSet::new();
    let mut following = Vec::new();
    while let Some(cycle) = deadlock::cycle(state, key, ask.asker, &wanted, &victims) {
        let victim = deadlock::victim(state, &cycle);
        let stop = deadlocked(state, &cycle, victim);
        if victim == key {
            return Decided::event(denied(stop));
        }
        victims.insert(victim);
        following.push(Event::PermitExtensionDenied(ExtensionDenied {
            denial: request::denial(state.permits[victim].id, stop, Vec::new()),
            policies: None,
        }));
    }
    let Some(waits_for) = stop.blocker else {
        unreachable!("what one can wait for has a name")
    };
    let answer = Event::PermitExtensionQueued(ExtensionQueued {
        extend: Arc::new(Extend {
            resources: wanted,
            ..(**extend).clone()
        }),
        waits_for,
        until: now.after(extend.wait_ms),
        policies: policies(),
    });
    Decided::Events(Events {
        answer,
        then: following,
        keys: None,
    })
}

/// A gate's denial of more, and what follows from it.
fn denied_by(
    state: &State,
    permit: PermitId,
    stop: Stop,
    policies: Option<Box<Verdict>>,
) -> Events {
    let then = end::trips(state, &stop).into_iter().collect();
    let denial = request::denial(permit, stop, Vec::new());
    let answer = Event::PermitExtensionDenied(ExtensionDenied { denial, policies });
    Events {
        then,
        ..Events::one(answer)
    }
}

/// What it does not hold yet.
fn wanted(granted: &Granted, extend: &Extend) -> Vec<Claim> {
    let holds = |claim: &Claim| {
        let mut held = granted.held.iter();
        held.any(|held| covers(held.mode, claim.mode) && held.path == claim.path)
    };
    let claims = extend.resources.iter().filter(|claim| !holds(claim));
    claims.cloned().collect()
}

/// What policies are asked about a permit that wants more: its request, with what it does not hold yet.
pub fn asked(state: &State, extend: &Extend) -> Option<Request> {
    let permit = state.permits.find(extend.permit)?;
    let resources = wanted(permit.granted()?, extend);
    Some(Request {
        resources,
        ..(*permit.request).clone()
    })
}

/// Whether holding in one mode makes a claim in the other needless.
fn covers(held: Mode, wanted: Mode) -> bool {
    held == wanted || held == Mode::Exclusive
}

fn deadlocked(state: &State, cycle: &[PermitKey], victim: PermitKey) -> Stop {
    // Told from the victim's own place in the cycle.
    let at = cycle.iter().position(|key| *key == victim).unwrap_or(0);
    let order = cycle[at..].iter().chain(&cycle[..at]);
    let members: Vec<_> = order.map(|key| &state.permits[*key]).collect();
    let names: Vec<String> = members
        .iter()
        .map(|p| format!("{} ({})", p.id, p.request.agent))
        .collect();
    let mut stop = *Stop::deny(
        Gate::Locks,
        Code::Deadlock,
        format!(
            "permits wait for each other: {} → {}; release what this one holds, then ask again",
            names.join(" → "),
            names[0]
        ),
    );
    stop.blocker = Some(Blocker::Cycle {
        permits: members.iter().map(|p| p.id).collect(),
        agents: members.iter().map(|p| p.request.agent.clone()).collect(),
    });
    stop
}

fn ask<'s>(
    state: &'s State,
    by: &'s Actor,
    key: PermitKey,
    (rank, verdict): (Rank, Option<&'s Verdict>),
    now: Time,
) -> Ask<'s> {
    let permit = &state.permits[key];
    Ask {
        state,
        by,
        agent_key: permit.agent,
        agent: &state.agents.agents[permit.agent],
        request: &permit.request,
        verdict,
        class: Class::of(permit.priority),
        asker: Asker {
            permit: Some(key),
            place: super::Place {
                first_ask: false,
                rank,
                id: permit.id,
                permit: key,
            },
        },
        waits_for_limit: None,
        waits_for_agent: false,
        extends: true,
        explain: false,
        now,
    }
}

/// What a waiting extension waits for now; what stood in the way when the wait began may have gone since.
pub fn waits_for(state: &State, key: PermitKey) -> Option<Blocker> {
    let extension = state.permits.get(key)?.extension()?;
    let by = Actor::System;
    let judged = (extension.rank, extension.judged.as_deref());
    let ask = ask(state, &by, key, judged, state.now);
    let stop = pass_extension(&ask, &extension.extend.resources).err();
    let now_for = stop.and_then(|stop| stop.blocker);
    Some(now_for.unwrap_or_else(|| extension.blocker.clone()))
}

/// Tries a waiting extension again.
pub fn again(state: &State, key: PermitKey, now: Time) -> Option<Events> {
    let permit = state.permits.get(key)?;
    let extension = permit.extension()?;
    let by = Actor::System;
    let judged = (extension.rank, extension.judged.as_deref());
    let ask = ask(state, &by, key, judged, now);
    match pass_extension(&ask, &extension.extend.resources) {
        Ok((rules, counts)) => Some(Events::one(Event::PermitExtended(Extended {
            permit: permit.id,
            resources: extension.extend.resources.clone(),
            rules,
            policies: extension.judged.clone().filter(|_| counts),
        }))),
        Err(stop) if stop.can_wait => None,
        Err(stop) => {
            let policies = extension.judged.clone();
            Some(denied_by(state, permit.id, *stop, policies))
        }
    }
}

pub fn extended(state: &mut State, event: &Extended, seq: Seq) {
    let Some(key) = state.permits.key(event.permit) else {
        return;
    };
    leave(state, key);
    // An upgrade: the weaker hold on the same resource goes.
    if let Phase::Granted(granted) = &mut state.permits[key].phase {
        let mut weaker = Vec::new();
        granted.held.retain(|held| {
            let upgraded = event.resources.iter().any(|claim| claim.path == held.path);
            if upgraded {
                weaker.push(held.clone());
            }
            !upgraded
        });
        for held in weaker {
            if state.locks.let_go(held.node, key) {
                let path = held.path.text().clone();
                state.wakes.insert(Wake::Lock(path)); // The other mode may suit those who wait better.
            }
            let permit = &state.permits[key];
            let (id, agent) = (permit.id, permit.request.agent.clone());
            version::ended(state, &held, id, &agent); // It may have written by then.
        }
    }
    let more = grant::take(state, key, &event.resources, Token(seq.0));
    let permit = &state.permits[key];
    let agent = (permit.agent, &permit.request.agent.clone());
    let marks = event.rules.as_ref().map_or(&[][..], |rules| &rules.marks);
    let marks = rule::apply::begin(state, marks, None, agent, seq);
    if let Phase::Granted(granted) = &mut state.permits[key].phase {
        granted.held.extend(more);
        let kept = granted.marks.take().into_iter().chain(marks);
        let kept: Vec<KeptMark> = kept.flatten().collect();
        granted.marks = (!kept.is_empty()).then(|| kept.into());
    }
}

pub fn queued(state: &mut State, event: &ExtensionQueued, at: Time) {
    let Some(key) = state.permits.key(event.extend.permit) else {
        return;
    };
    let rank = urgency(state, key);
    let request = state.permits[key].request.clone();
    let id = event.extend.permit;
    let conflict = conflict::collided(state, &event.waits_for, id, &request);
    let permit = &mut state.permits[key];
    if let Phase::Granted(granted) = &mut permit.phase {
        granted.extension = Some(Box::new(Extension {
            extend: event.extend.clone(),
            since: at,
            until: event.until,
            rank,
            blocker: event.waits_for.clone(),
            judged: event.policies.clone(),
            conflict,
        }));
        state.totals.queued += 1;
        enter(state, key);
        inherit(state, rank, key, &event.extend.resources);
    }
}

/// The earliest turn of a permit and of those that wait for what it holds.
fn urgency(state: &State, key: PermitKey) -> Rank {
    let permit = &state.permits[key];
    let held = permit.granted().map_or(&[][..], |granted| &granted.held);
    let mut rank = permit.rank;
    for lock in held {
        for place in state.locks.waiters_around(lock.node) {
            let waiter = &state.permits[place.permit];
            let claims = match waiter.extension() {
                Some(extension) => &extension.extend.resources,
                None => &waiter.request.resources,
            };
            let wants = |claim: &Claim| {
                let related = claim.path.covers(&lock.path) || lock.path.covers(&claim.path);
                related && !claim.mode.compatible(lock.mode)
            };
            if place.rank < rank && claims.iter().any(wants) {
                rank = place.rank;
            }
        }
    }
    rank
}

pub fn denied(state: &mut State, event: &ExtensionDenied) {
    let denial = &event.denial;
    *state.totals.denied.entry(denial.code).or_default() += 1;
    version::refused(state, denial, None);
    if let Some(key) = state.permits.key(denial.permit) {
        let permit = &state.permits[key];
        let (waited, request) = (permit.extension().is_some(), permit.request.clone());
        if let Some(blocker) = denial.blocker.as_ref().filter(|_| !waited) {
            conflict::collided(state, blocker, denial.permit, &request);
        }
        leave(state, key);
    }
}

/// Puts a waiting extension into the queues of its resources.
pub fn enter(state: &mut State, key: PermitKey) {
    let permit = &state.permits[key];
    let Some(extension) = permit.extension() else {
        return;
    };
    let (place, id, extend) = (permit.place(key), permit.id, extension.extend.clone());
    let (conflict, since) = (extension.conflict, extension.since);
    state.timers.arm(extension.until, Timer::Extension(id));
    conflict::waits(state, conflict, since);
    for claim in &extend.resources {
        state.locks.wait(claim.path.as_str(), place, claim.mode);
    }
    state.permits.extending.insert(key);
}

/// Takes a waiting extension out of the queues.
pub fn leave(state: &mut State, key: PermitKey) {
    let Some(permit) = state.permits.get(key) else {
        return;
    };
    let place = permit.place(key);
    let Phase::Granted(granted) = &mut state.permits[key].phase else {
        return;
    };
    let Some(extension) = granted.extension.take() else {
        return;
    };
    state.timers.forget_one();
    conflict::waits_no_more(state, extension.conflict, extension.since);
    state.permits.extending.remove(&key);
    for claim in &extension.extend.resources {
        if state.locks.leave(claim.path.as_str(), place) {
            state.wakes.insert(Wake::Lock(claim.path.text().clone()));
        }
    }
}

/// Priority inheritance: whoever holds what a more urgent permit waits for, and itself waits for more, takes over
/// that permit's rank, and so on along the chain, so that urgency is not stopped by a patient holder.
pub fn inherit(state: &mut State, rank: Rank, waiter: PermitKey, claims: &[Claim]) {
    let mut open: Vec<(PermitKey, Arc<[Claim]>)> = vec![(waiter, claims.into())];
    while let Some((waiter, claims)) = open.pop() {
        let mut holders = BTreeSet::new();
        let asker = Asker {
            permit: Some(waiter),
            place: state.permits[waiter].place(waiter),
        };
        for claim in claims.iter() {
            obstacles(state, asker, claim, |obstacle| {
                if let Obstacle::Held { by, .. } = obstacle {
                    holders.insert(by);
                }
                true
            });
        }
        for holder in holders {
            let Some(extension) = state.permits[holder].extension() else {
                continue;
            };
            if extension.rank <= rank {
                continue;
            }
            let extend = extension.extend.clone();
            let former = state.permits[holder].place(holder);
            if let Phase::Granted(granted) = &mut state.permits[holder].phase
                && let Some(extension) = &mut granted.extension
            {
                extension.rank = rank;
            }
            let place = state.permits[holder].place(holder);
            for claim in &extend.resources {
                state.locks.leave(claim.path.as_str(), former);
                state.locks.wait(claim.path.as_str(), place, claim.mode);
            }
            open.push((holder, extend.resources.as_slice().into()));
        }
    }
}
