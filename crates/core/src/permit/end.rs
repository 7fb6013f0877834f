//! Every way a permit ends: finished by its holder, denied, expired, revoked. Each gives everything back.
use super::gates::{Report, Stop};
use super::{Phase, extend, grant, queue, request};
use crate::budget::decide::{post, soft_reached};
use crate::decide::{Decided, Events, invalid, rejected};
use crate::memory::Outcome;
use crate::rule::tally::How;
use crate::state::State;
use crate::timers::Timer;
use crate::{approval, budget, conflict, limit, policy, txn, version};
use fleet_types::budget::Cost;
use fleet_types::event::{Denied, Expired, ExtensionDenied, Finished, RuleTripped};
use fleet_types::explain::Gate;
use fleet_types::permit::{Blocker, BudgetCharge, COST_MAX, Denial, Ending, Finish, Request};
use fleet_types::{Actor, AgentId, Code, Event, Millis, PermitId, Rejection, Time};
use std::sync::Arc;

/// The permit, if it is live and belongs to this agent, for which the caller speaks.
pub fn owned(state: &State, by: &Actor, id: PermitId, agent: &AgentId) -> Result<u32, Rejection> {
    if !by.may_act_as(agent) {
        return Err(request::not_yours_to_speak_for(agent));
    }
    let Some(key) = state.permits.key(id) else {
        return Err(Rejection::new(
            Code::PermitUnknown,
            format!("permit {id} is not known: it was finished, expired or revoked, or never was"),
        ));
    };
    if state.permits[key].request.agent != *agent {
        return Err(Rejection::new(
            Code::PermitNotYours,
            format!("permit {id} belongs to another agent than {agent}"),
        ));
    }
    Ok(key)
}

pub fn decide(state: &State, by: &Actor, finish: &Finish, now: Time) -> Decided {
    let key = match owned(state, by, finish.permit, &finish.agent) {
        Ok(key) => key,
        Err(rejection) => return Decided::Rejected(rejection),
    };
    let permit = &state.permits[key];
    if let Some(cost) = finish.cost
        && (cost.money_micros > COST_MAX || cost.tokens > COST_MAX)
    {
        return invalid("cost", format!("cost is more than {COST_MAX}"));
    }
    match (&permit.phase, finish.ending) {
        (Phase::Waiting(_), Ending::Cancelled) => {
            let stop = Stop::deny(Gate::Locks, Code::Cancelled, "withdrawn by its asker");
            Decided::event(Event::PermitDenied(Denied {
                request: permit.request.clone(),
                denial: request::denial(permit.id, *stop, Vec::new()),
                rules: None,
                policies: None,
            }))
        }
        (Phase::Waiting(_), Ending::Completed | Ending::Failed) => rejected(
            Code::PermitNotGranted,
            format!("permit {} still waits; cancel it to withdraw", permit.id),
        ),
        (Phase::Granted(granted), _) => {
            let mut posted = Vec::with_capacity(granted.reservations.len());
            let (mut overrun, mut soft) = (Cost::ZERO, Vec::new());
            for (key, account, reserved) in &granted.reservations {
                let Some(entry) = state.budgets.get(*key) else {
                    continue;
                };
                let unit = entry.budget.unit;
                let actual = match (finish.cost, finish.ending) {
                    (Some(cost), _) => cost.of(unit),
                    (None, Ending::Cancelled) => 0,
                    (None, Ending::Completed | Ending::Failed) => *reserved,
                };
                let (amount, over) = post(state, *key, account, *reserved, actual, now);
                match unit {
                    fleet_types::budget::Unit::Money => {
                        overrun.money_micros = overrun.money_micros.max(over);
                    }
                    fleet_types::budget::Unit::Tokens => overrun.tokens = overrun.tokens.max(over),
                }
                let charge = BudgetCharge {
                    budget: entry.budget.id.clone(),
                    account: (!account.is_empty()).then(|| account.clone()),
                    amount,
                };
                if amount > *reserved {
                    let more = BudgetCharge {
                        amount: amount - reserved,
                        ..charge.clone()
                    };
                    soft.extend(soft_reached(entry, &more, now));
                }
                posted.push(charge);
            }
            let answer = Event::PermitFinished(Finished {
                finish: finish.clone(),
                posted,
                overrun,
            });
            Decided::Events(Events {
                answer,
                then: soft,
                keys: None,
            })
        }
    }
}

pub fn finished(state: &mut State, event: &Finished, at: Time) {
    let finish = &event.finish;
    let Some(key) = state.permits.key(finish.permit) else {
        return;
    };
    extend::leave(state, key);
    state.unlink(key);
    let Some(permit) = state.permits.remove(key) else {
        return;
    };
    let Phase::Granted(granted) = &permit.phase else {
        return;
    };
    state.timers.forget_one();
    let cancelled = finish.ending == Ending::Cancelled;
    let how = match finish.ending {
        Ending::Completed => Some(How::Completed),
        Ending::Failed => Some(How::Failed),
        Ending::Cancelled => None,
    };
    grant::give_back(state, granted, key, &permit, how);
    budget::apply::post(state, &granted.reservations, &event.posted, at);
    if !event.overrun.is_zero() {
        budget::apply::overrun(state, &granted.reservations, event.overrun);
    }

    let latency = finish.latency_ms.map(Millis::micros);
    let latency = latency.unwrap_or_else(|| at.micros_since(granted.at));
    if !cancelled {
        let failed = finish.ending == Ending::Failed;
        let mut last = None;
        for limit in granted.charges.iter().map(|charge| charge.limit) {
            if last.replace(limit) != Some(limit) {
                // One that has several counts hears of one completion.
                limit::dynamic::observe(state, limit, latency, failed, at);
            }
        }
    }
    let cost = finish.cost.unwrap_or(if cancelled {
        Cost::ZERO
    } else {
        permit.request.cost
    });
    let usage = &mut state.agents.agents[permit.agent].usage;
    usage.money_micros = usage.money_micros.saturating_add(cost.money_micros);
    usage.tokens = usage.tokens.saturating_add(cost.tokens);
    match finish.ending {
        Ending::Completed => {
            usage.completed += 1;
            usage.latency_us_total = usage.latency_us_total.saturating_add(latency);
            state.totals.completed += 1;
        }
        Ending::Failed => {
            usage.failed += 1;
            state.totals.failed += 1;
        }
        Ending::Cancelled => state.totals.cancelled += 1,
    }
    txn::permit_moved(state, finish.permit, Some(Code::PermitUnknown));
}

/// A throttle that is passed for the first time stops the thing from now on.
pub fn trips(state: &State, stop: &Stop) -> Option<Event> {
    let Some(Blocker::Rule { rule, key, .. }) = &stop.blocker else {
        return None;
    };
    let entry = state.rules.get(state.rules.key(rule)?)?;
    let is_new = stop.code == Code::RuleTripped && !entry.tripped.contains(key);
    is_new.then(|| {
        Event::RuleTripped(RuleTripped {
            rule: rule.clone(),
            key: key.clone(),
        })
    })
}

/// A denial by a gate, and what follows from it.
pub fn denial(
    state: &State,
    permit: PermitId,
    request: &Arc<Request>,
    stop: Stop,
    report: Report,
) -> Events {
    let then = trips(state, &stop).into_iter().collect();
    let answer = Event::PermitDenied(Denied {
        request: request.clone(),
        rules: report.notes(),
        policies: report.policies,
        denial: request::denial(permit, stop, report.gates),
    });
    Events {
        then,
        ..Events::one(answer)
    }
}

/// A request that was denied at once, or after waiting.
pub fn denied(state: &mut State, event: &Denied, at: Time) {
    let denial = &event.denial;
    if let Some(blocker) = &denial.blocker {
        collided(state, denial.permit, blocker, &event.request);
    }
    let original = event
        .policies
        .as_ref()
        .and_then(|verdict| verdict.original.clone());
    let mut asked = original.unwrap_or_else(|| event.request.clone());
    if let Some(key) = state.permits.key(denial.permit) {
        queue::leave(state, key);
        state.memory.end_wait(&event.request, key);
        state.unlink(key);
        if let Some(permit) = state.permits.remove(key) {
            asked = permit.asked().clone();
        }
        approval::apply::settle(state, denial.permit);
    } else {
        if let Some(blocker) = &denial.blocker {
            queue::stopped(state, blocker, &event.request);
        }
        queue::observed(state, event.rules.as_deref());
        policy::apply::count(state, event.policies.as_deref());
    }
    if let Some(agent) = state.agents.key(&event.request.agent) {
        state.agents.agents[agent].usage.denied += 1;
    }
    version::refused(state, denial, Some(&event.request));
    let outcome = Outcome::Denied(denial.clone());
    state.memory.remember(at, state.seq, &asked, outcome);
    txn::permit_moved(state, denial.permit, Some(denial.code));
    if denial.code == Code::Cancelled {
        state.totals.cancelled += 1;
    } else {
        *state.totals.denied.entry(denial.code).or_default() += 1;
    }
}

/// A request that is denied at once runs into what stands in its way; one that waited did so when it began to.
fn collided(state: &mut State, permit: PermitId, blocker: &Blocker, request: &Request) {
    let waited = state.permits.key(permit).is_some();
    if !waited || matches!(blocker, Blocker::Version { .. }) {
        conflict::collided(state, blocker, permit, request);
    }
}

/// A lease ran out. What was reserved is given back: nothing was reported as spent.
pub fn expired(state: &mut State, id: PermitId) {
    if let Some(agent) = taken_back(state, id, Code::Timeout) {
        state.agents.agents[agent].usage.expired += 1;
        state.totals.expired += 1;
    }
}

/// Taken back because of a halt (`halted`) or because the holder is gone. A waiting one is denied by the same event.
pub fn revoked(state: &mut State, id: PermitId, why: Code) {
    if taken_back(state, id, why).is_some() {
        state.totals.revoked += 1;
    }
}

fn taken_back(state: &mut State, id: PermitId, why: Code) -> Option<u32> {
    let key = state.permits.key(id)?;
    queue::leave(state, key);
    extend::leave(state, key);
    state.unlink(key);
    let permit = state.permits.remove(key)?;
    match &permit.phase {
        Phase::Granted(granted) => {
            state.timers.forget_one();
            grant::give_back(state, granted, key, &permit, Some(How::Unknown));
        }
        Phase::Waiting(_) => {
            state.memory.end_wait(&permit.request, key);
            approval::apply::settle(state, id);
            let (at, seq) = (state.now, state.seq);
            let outcome = Outcome::Denied(Box::new(denial_of_waiter(id, why)));
            state.memory.remember(at, seq, permit.asked(), outcome);
        }
    }
    txn::permit_moved(state, id, Some(why));
    Some(permit.agent)
}

/// The answer to a request that waited when a halt was ordered (`halted`) or when its holder was gone.
#[must_use]
pub fn denial_of_waiter(id: PermitId, why: Code) -> Denial {
    let (gate, words) = match why {
        Code::Halted => (Gate::Halt, "a halt was ordered while it waited"),
        _ => (Gate::AgentState, "its holder was gone while it waited"),
    };
    *request::denial(id, *Stop::deny(gate, why, words), Vec::new())
}

/// What a timer that has come due means, if it still fits the state.
pub fn due(state: &State, armed: Time, timer: Timer, now: Time) -> Option<Event> {
    if !is_live(state, armed, timer) {
        return None;
    }
    match timer {
        Timer::Lease(permit) => Some(Event::PermitExpired(Expired {
            permit,
            request: state.permits.find(permit)?.request.clone(),
        })),
        Timer::Wait(id) => {
            let permit = state.permits.find(id)?;
            let Phase::Waiting(waiting) = &permit.phase else {
                return None;
            };
            let words = match waiting.on {
                super::WaitsOn::Approval => "it was not approved when the wait ended",
                super::WaitsOn::Policy => "its policies had not been asked when the wait ended",
                super::WaitsOn::Halt
                | super::WaitsOn::Agent
                | super::WaitsOn::Limit(_)
                | super::WaitsOn::Rule(_)
                | super::WaitsOn::Locks => "its turn had not come when the wait ended",
            };
            let mut stop = Stop::deny(Gate::Locks, Code::WaitTimeout, words);
            stop.blocker = Some(waiting.blocker.clone());
            stop.gate = match waiting.on {
                super::WaitsOn::Halt => Gate::Halt,
                super::WaitsOn::Agent => Gate::AgentState,
                super::WaitsOn::Limit(_) => Gate::Limits,
                super::WaitsOn::Policy => Gate::Policy,
                super::WaitsOn::Rule(_) => Gate::Rules,
                super::WaitsOn::Approval => Gate::Approval,
                super::WaitsOn::Locks => Gate::Locks,
            };
            Some(Event::PermitDenied(Denied {
                request: permit.request.clone(),
                denial: request::denial(id, *stop, Vec::new()),
                rules: None,
                policies: None,
            }))
        }
        Timer::Extension(id) => {
            let extension = state.permits.find(id)?.extension()?;
            let mut stop = Stop::deny(
                Gate::Locks,
                Code::WaitTimeout,
                "its turn had not come when the wait ended",
            );
            stop.blocker = Some(extension.blocker.clone());
            Some(Event::PermitExtensionDenied(ExtensionDenied {
                denial: request::denial(id, *stop, Vec::new()),
                policies: None,
            }))
        }
        Timer::Rate(_) | Timer::Txn(_) => None, // Handled where they wake who waits.
        Timer::Deadline(id) => approval::due::deadline(state, id, now),
        Timer::Sla(id) => approval::due::sla(state, id),
        Timer::Conflict(id) => conflict::due::due(state, armed, id),
    }
}

/// Whether a timer still fits the state.
pub fn is_live(state: &State, armed: Time, timer: Timer) -> bool {
    match timer {
        Timer::Lease(id) => {
            state
                .permits
                .find(id)
                .and_then(super::Permit::granted)
                .is_some_and(|granted| granted.expires_at == armed)
                && state.txns.holder_of(id).is_none()
        } // What a transaction holds ends with it.
        Timer::Txn(id) => txn::is_live(state, armed, id),
        Timer::Wait(id) => state
            .permits
            .find(id)
            .is_some_and(|permit| match &permit.phase {
                Phase::Waiting(waiting) => waiting.until == armed,
                Phase::Granted(_) => false,
            }),
        Timer::Extension(id) => state
            .permits
            .find(id)
            .and_then(super::Permit::extension)
            .is_some_and(|extension| extension.until == armed),
        Timer::Conflict(id) => conflict::due::is_live(state, armed, id),
        Timer::Rate(id) => state
            .permits
            .find(id)
            .is_some_and(|permit| match &permit.phase {
                Phase::Waiting(waiting) => waiting.free_at() == Some(armed),
                Phase::Granted(_) => false,
            }),
        Timer::Deadline(id) => approval::due::is_deadline(state, armed, id),
        Timer::Sla(id) => approval::due::is_sla(state, armed, id),
    }
}
