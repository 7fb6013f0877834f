//! What a grant consumes, all at once (I7).
use super::gates::{Passed, Report};
use super::{HeldLock, NOTHING, Permit, PermitKey, Phase, Rank, request};
use crate::agent::AgentKey;
use crate::budget::BudgetKey;
use crate::budget::decide::soft_reached;
use crate::decide::Events;
use crate::limit::LimitKey;
use crate::lock::Holder;
use crate::memory::Outcome;
use crate::rule::judge::MarkKey;
use crate::rule::tally::How;
use crate::state::{State, Wake};
use crate::timers::Timer;
use crate::{approval, budget, conflict, limit, rule, txn, version};
use fleet_types::conflict::Turn;
use fleet_types::event::Granted;
use fleet_types::limit::Each;
use fleet_types::lock::Claim;
use fleet_types::permit::Request;
use fleet_types::policy::Verdict;
use fleet_types::rule::Notes;
use fleet_types::{Event, Millis, PermitId, Seq, Time, Token};
use smallvec::SmallVec;
use std::sync::Arc;

/// What a grant charges, with the small keys under which that was found.
pub struct Found<C> {
    pub charges: Vec<C>,
    /// One for each charge.
    pub keys: SmallVec<[u32; 4]>,
}

impl<C> Default for Found<C> {
    fn default() -> Self {
        Found {
            charges: Vec::new(),
            keys: SmallVec::new(),
        }
    }
}

impl<C> Found<C> {
    pub fn push(&mut self, key: u32, charge: C) {
        if self.charges.capacity() == 0 {
            self.charges = Vec::with_capacity(4);
        }
        self.charges.push(charge);
        self.keys.push(key);
    }
}

/// The small keys of what a grant names, so that applying it right after deciding looks no name up again.
pub struct Keys {
    pub agent: AgentKey,
    /// One for each mark.
    pub rules: Vec<MarkKey>,
    /// One for each charge.
    pub limits: SmallVec<[LimitKey; 4]>,
    /// One for each charge.
    pub budgets: SmallVec<[BudgetKey; 4]>,
}

/// The events of a grant: the grant itself, and thresholds it reaches.
pub fn events(
    state: &State,
    (permit, agent): (PermitId, AgentKey),
    request: &Arc<Request>,
    passed: Passed,
    (report, turn): (Report, Option<Box<Turn>>),
    now: Time,
) -> Events {
    let ttl = request.ttl_ms.unwrap_or(state.settings.ttl_ms_default);
    let Passed {
        marks,
        limits,
        budgets,
        approvals,
    } = passed;
    let rules = Notes {
        marks: marks.marks,
        observed: report.observed.to_vec(),
    };
    let reserved = budgets.keys.iter().zip(&budgets.charges);
    let then = reserved.filter_map(|(key, charge)| {
        let entry = state.budgets.get(*key)?;
        soft_reached(entry, charge, now)
    });
    Events {
        then: then.collect(),
        answer: Event::PermitGranted(Granted {
            permit,
            request: request.clone(),
            expires_at: now.after(ttl),
            limits: limits.charges,
            budgets: budgets.charges,
            rules: rules.filled(),
            chain: super::delegation::chain(state, request),
            approvals,
            policies: report.policies,
            turn,
            versions: version::versions(state, &request.resources),
            explain: report.gates,
        }),
        keys: Some(Keys {
            agent,
            rules: marks.keys,
            limits: limits.keys,
            budgets: budgets.keys,
        }),
    }
}

pub fn granted(state: &mut State, event: &Granted, keys: Option<&Keys>, seq: Seq, at: Time) {
    let request = &event.request;
    let agent = match keys {
        Some(keys) => Some(keys.agent),
        None => state.agents.key(&request.agent),
    };
    let Some(agent) = agent else {
        return;
    };
    let phase = Phase::Granted(super::Granted {
        at,
        ttl: Millis((event.expires_at.0 - at.0) / 1_000),
        expires_at: event.expires_at,
        held: SmallVec::new(),
        charges: SmallVec::new(),
        reservations: SmallVec::new(),
        marks: None,
        extension: None,
        gives_way: false,
    });
    let key = match state.permits.key(event.permit) {
        Some(key) => {
            super::queue::leave(state, key);
            state.memory.end_wait(request, key);
            approval::apply::settle(state, event.permit);
            book(state, event, agent);
            state.permits[key].phase = phase;
            txn::permit_moved(state, event.permit, None);
            state.permits[key].judged = kept(event);
            state.permits[key].chain = event.chain.clone().into();
            key
        }
        None => {
            super::queue::observed(state, event.rules.as_deref());
            crate::policy::apply::count(state, event.policies.as_deref());
            let priority = request::priority(state, agent, request);
            let turn = event.turn.as_deref();
            let rank = Rank::of(at, priority, state.settings.age_step_ms).with(turn);
            conflict::turn::taken(state, turn);
            let key = state.permits.insert(Permit {
                id: event.permit,
                agent,
                request: request.clone(),
                judged: kept(event),
                chain: event.chain.clone().into(),
                priority,
                asked_at: at,
                rank,
                phase,
                next: NOTHING,
                prev: NOTHING,
            });
            state.link(key);
            key
        }
    };
    let class = state.permits[key].class();
    let charges = {
        let keys = keys.map(|keys| &keys.limits[..]);
        limit::apply::charge(state, &event.limits, keys, class, at)
    };
    let reservations = {
        let keys = keys.map(|keys| &keys.budgets[..]);
        budget::apply::reserve(state, &event.budgets, keys, at)
    };
    let marks = event.rules.as_ref().and_then(|rules| {
        let keys = keys.map(|keys| &keys.rules[..]);
        rule::apply::begin(state, &rules.marks, keys, (agent, &request.agent), seq)
    });
    let held = take(state, key, &request.resources, Token(seq.0));
    if let Phase::Granted(granted) = &mut state.permits[key].phase {
        granted.held = held;
        granted.charges = charges;
        granted.reservations = reservations;
        granted.marks = marks;
    }
    state
        .timers
        .arm(event.expires_at, Timer::Lease(event.permit));
    let usage = &mut state.agents.agents[agent];
    usage.in_flight += 1;
    usage.usage.granted += 1;
    usage.usage.last_active_at = at;
    state.totals.granted += 1;
    version::used(state, request);
    if let Some(habits) = &mut state.plans.habits {
        habits.visit(&request.agent, &request.resources, at);
    }
    let outcome = Outcome::Granted {
        permit: event.permit,
        expires_at: event.expires_at,
    };
    let original = event
        .policies
        .as_ref()
        .and_then(|verdict| verdict.original.as_deref());
    let asked = original.unwrap_or(request);
    state.memory.remember(at, seq, asked, outcome);
}

/// What policies said, where it must be known as long as the permit holds: how they changed it.
fn kept(event: &Granted) -> Option<Box<Verdict>> {
    let policies = event.policies.as_ref();
    policies
        .filter(|verdict| verdict.original.is_some())
        .cloned()
}

/// Books a permit that waited in the fair queues of the limits it is charged to.
fn book(state: &mut State, event: &Granted, agent: AgentKey) {
    let weight = state.agents.agents[agent].terms.weight;
    for charge in &event.limits {
        if let Some(limit) = state.limits.key(&charge.limit)
            && let Some(entry) = state.limits.get_mut(limit)
        {
            entry.fair.book(agent, weight);
            if entry.limit.each == Each::Resource {
                state.limits.wake(limit, &mut state.wakes); // Another may be next in some line now.
            }
        }
    }
}

/// Takes the locks that were found free.
pub fn take(
    state: &mut State,
    key: PermitKey,
    claims: &[Claim],
    token: Token,
) -> SmallVec<[HeldLock; 1]> {
    let mut held = SmallVec::new();
    for claim in claims {
        let holder = Holder {
            permit: key,
            mode: claim.mode,
            token,
        };
        held.push(HeldLock {
            path: claim.path.clone(),
            mode: claim.mode,
            token,
            node: state.locks.take(claim.path.as_str(), holder),
        });
    }
    held
}

/// Puts back what a permit holds, after a snapshot was read.
pub fn hold_again(state: &mut State, key: PermitKey) {
    let Phase::Granted(granted) = &mut state.permits[key].phase else {
        return;
    };
    for lock in &mut granted.held {
        let holder = Holder {
            permit: key,
            mode: lock.mode,
            token: lock.token,
        };
        lock.node = state.locks.take(lock.path.as_str(), holder);
    }
    let expires_at = granted.expires_at;
    let id = state.permits[key].id;
    state.timers.arm(expires_at, Timer::Lease(id));
}

/// Gives back everything a permit holds: locks, limits, reservations. `how` is how what it was for ended, if that began.
pub fn give_back(
    state: &mut State,
    granted: &super::Granted,
    key: PermitKey,
    permit: &Permit,
    how: Option<How>,
) {
    let (agent, class) = (permit.agent, permit.class());
    for lock in &granted.held {
        if state.locks.let_go(lock.node, key) {
            let path = lock.path.text().clone();
            state.wakes.insert(Wake::Lock(path));
        }
        if how.is_some() {
            version::ended(state, lock, permit.id, &permit.request.agent);
        }
    }
    limit::apply::release(state, &granted.charges, class, how.is_none());
    if let Some(marks) = &granted.marks {
        let at = state.now;
        rule::apply::end(state, marks, how, at);
    }
    budget::apply::release(state, &granted.reservations);
    let agent_entry = &mut state.agents.agents[agent];
    agent_entry.in_flight -= 1;
    state.wake_agent(agent);
}
