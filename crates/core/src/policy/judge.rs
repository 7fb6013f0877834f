//! Which policies a request meets, and whether a verdict is about them as they stand now.
use super::PolicyKey;
use crate::agent::Agent;
use crate::decide::{Decided, rejected};
use crate::permit::gates::Stop;
use crate::permit::{Phase, WaitsOn, request};
use crate::state::State;
use crate::tool;
use fleet_types::event::{Denied, PermitRejudged};
use fleet_types::explain::Gate;
use fleet_types::permit::Request;
use fleet_types::policy::{Rejudged, Verdict};
use fleet_types::rule::Stage;
use fleet_types::{Actor, Code, Event, PolicyId, Rejection, Time};
use smallvec::SmallVec;

/// Policies that a request meets, by id.
pub type Met = SmallVec<[PolicyKey; 4]>;

/// The policies that a request meets, as it was asked.
pub fn met(state: &State, agent: &Agent, asked: &Request, now: Time) -> Met {
    let mut met = Met::new();
    if !state.asks_policies() {
        return met;
    }
    let policies = &state.policies;
    for key in policies.index.candidates(agent, asked) {
        let case = policies.get(key).and_then(|entry| entry.case.as_ref());
        if case.is_some_and(|case| case.matches(agent, asked, now)) {
            met.push(key);
        }
    }
    if met.len() > 1 {
        met.sort_unstable_by_key(|key| policies.get(*key).map(|entry| &entry.policy.id));
    }
    met
}

/// Whether a verdict is about exactly these policies, as they stand now.
pub fn is_current(state: &State, met: &Met, verdict: Option<&Verdict>) -> bool {
    let policies = &state.policies;
    let Some(verdict) = verdict else {
        return met.is_empty();
    };
    let is_about = |(key, judged): (&PolicyKey, &fleet_types::policy::Judgement)| {
        policies.get(*key).is_some_and(|entry| {
            entry.policy.id == judged.policy
                && entry.set_at == judged.set_at
                && (entry.stage(state.settings.policy_stage) == Stage::Observe) == judged.observed
        })
    };
    met.len() == verdict.judged.len()
        && met.iter().zip(&verdict.judged).all(is_about)
        && (met.is_empty() || verdict.data_at == policies.data_at)
}

/// The names of policies.
pub fn names(state: &State, met: &Met) -> Vec<PolicyId> {
    let entries = met.iter().filter_map(|key| state.policies.get(*key));
    entries.map(|entry| entry.policy.id.clone()).collect()
}

/// A permit that waits to be judged anew was. A verdict that is out of date again changes nothing: it waits on.
pub fn rejudge(state: &State, by: &Actor, rejudged: &Rejudged, now: Time) -> Decided {
    if *by != Actor::System {
        return rejected(
            Code::Forbidden,
            "only the server judges waiting requests anew",
        );
    }
    let Some(permit) = state.permits.find(rejudged.permit) else {
        return Decided::unchanged();
    };
    match &permit.phase {
        Phase::Waiting(waiting) if waiting.on == WaitsOn::Policy => {}
        Phase::Waiting(_) | Phase::Granted(_) => return Decided::unchanged(),
    }
    let agent = &state.agents.agents[permit.agent];
    let verdict = Some(&rejudged.verdict);
    if !tool::judge::is_current(state, &rejudged.request, verdict) {
        return Decided::unchanged();
    }
    // Where its tool refuses the arguments no policy was asked.
    if !tool::judge::refuses(verdict) {
        let asked = tool::judge::asked(state, permit.asked());
        let met = met(state, agent, &asked, now);
        if !is_current(state, &met, verdict) {
            return Decided::unchanged();
        }
    }
    // What people approved, or are asked to, is the request as it was: they are asked about another one anew.
    if rejudged.request != permit.request && !state.approvals.of(permit.id).is_empty() {
        let words = "policies or its tool have changed what it asks for, and approvals were asked for it as it was; ask again";
        let stop = Stop::deny(Gate::Policy, Code::PolicyStale, words);
        return Decided::event(Event::PermitDenied(Denied {
            request: permit.request.clone(),
            denial: request::denial(permit.id, *stop, Vec::new()),
            rules: None,
            policies: permit.judged.clone(),
        }));
    }
    Decided::event(Event::PermitRejudged(PermitRejudged {
        permit: permit.id,
        request: rejudged.request.clone(),
        policies: Box::new(rejudged.verdict.clone()),
    }))
}

/// What whoever asked hears when a verdict was out of date too often.
pub fn stale() -> Rejection {
    let words =
        "policies changed each time the request was judged; ask again with the same request id";
    Rejection::new(Code::PolicyStale, words).retry_after(100)
}
