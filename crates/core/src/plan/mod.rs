//! Plans: what agents intend, so that collisions are seen before they happen. A plan stops nobody and holds nothing.
//!
//! - What a plan runs into is worked out when it is read, from the state as it stands.
//! - Plans end by themselves: one whose time is over counts as gone, and is dropped when the next is declared.
pub mod ahead;
pub mod habits;

use crate::decide::{Decided, invalid, rejected};
use crate::permit::request;
use crate::state::State;
use fleet_types::lock::Mode;
use fleet_types::plan::{Command, Declared, Plan, Withdrawn};
use fleet_types::{Actor, Code, Event, PlanId, Time};
use habits::Habits;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most plans at a time.
const COUNT_MAX: usize = if cfg!(test) { 4 } else { 10_000 };
/// Most steps of one.
const STEPS_MAX: usize = 32;
/// Most resources that all steps of one name.
const CLAIMS_MAX: usize = 64;
/// Longest life of a plan, and longest time ahead: a day.
const SPAN_MS_MAX: u64 = 86_400_000;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Plans {
    pub by_id: BTreeMap<PlanId, Entry>,
    /// Where agents have been, since the first plan was declared.
    pub habits: Option<Habits>,
    /// Steps by the resources they name. Derived.
    #[serde(skip)]
    pub by_path: BTreeMap<SmolStr, Vec<Named>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    pub plan: Arc<Plan>,
    pub at: Time,
}

/// A resource as a step names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    pub plan: PlanId,
    pub step: u32,
    pub mode: Mode,
}

impl Entry {
    pub fn expires_at(&self) -> Time {
        self.at.after(self.plan.ttl_ms)
    }

    /// When each step begins and ends, if nothing is in its way.
    pub fn times(&self) -> impl Iterator<Item = (Time, Time)> {
        let mut free = self.at;
        self.plan.steps.iter().map(move |step| {
            let begins = free.max(self.at.after(step.not_before_ms));
            free = begins.after(step.duration_ms);
            (begins, free)
        })
    }
}

impl Plans {
    fn insert(&mut self, id: PlanId, entry: Entry) {
        for (step, claim) in claims(&entry.plan) {
            let named = self.by_path.entry(claim.path.text().clone()).or_default();
            let mode = claim.mode;
            named.push(Named {
                plan: id,
                step,
                mode,
            });
        }
        self.by_id.insert(id, entry);
    }

    fn remove(&mut self, id: PlanId) {
        let Some(entry) = self.by_id.remove(&id) else {
            return;
        };
        for (_, claim) in claims(&entry.plan) {
            let path = claim.path.as_str();
            if let Some(named) = self.by_path.get_mut(path) {
                named.retain(|named| named.plan != id);
                if named.is_empty() {
                    self.by_path.remove(path);
                }
            }
        }
    }

    /// Builds what is derived again after a snapshot was read.
    pub fn rebuild(&mut self) {
        for (id, entry) in std::mem::take(&mut self.by_id) {
            self.insert(id, entry);
        }
    }
}

/// What the steps of a plan name.
fn claims(plan: &Plan) -> impl Iterator<Item = (u32, &fleet_types::lock::Claim)> {
    let steps = plan.steps.iter().enumerate();
    steps.flat_map(|(at, step)| step.resources.iter().map(move |claim| (at as u32, claim)))
}

pub fn decide(state: &State, by: &Actor, command: &Command, now: Time) -> Decided {
    match command {
        Command::Declare { plan } => {
            if let Err(rejection) = request::asker(state, by, &plan.agent) {
                return Decided::Rejected(rejection);
            }
            declare(state, plan, now)
        }
        Command::Withdraw { plan, agent } => {
            if !by.may_act_as(agent) {
                return Decided::Rejected(request::not_yours_to_speak_for(agent));
            }
            match state.plans.by_id.get(plan) {
                Some(entry) if entry.plan.agent != *agent => rejected(
                    Code::Forbidden,
                    format!("plan {plan} is another's than agent {agent}'s"),
                ),
                Some(entry) if entry.expires_at() > now => {
                    Decided::event(Event::PlanWithdrawn(Withdrawn { plan: *plan }))
                }
                Some(_) | None => rejected(
                    Code::NotFound,
                    format!("there is no plan {plan}: its time is over, or it never was"),
                ),
            }
        }
    }
}

fn declare(state: &State, plan: &Arc<Plan>, now: Time) -> Decided {
    let most = SPAN_MS_MAX;
    if !(1..=STEPS_MAX).contains(&plan.steps.len()) {
        return invalid("steps", format!("a plan has 1–{STEPS_MAX} steps"));
    }
    if !(1..=most).contains(&plan.ttl_ms.0) {
        return invalid("ttl_ms", format!("ttl_ms must be 1–{most}"));
    }
    if claims(plan).count() > CLAIMS_MAX {
        let words = format!("the steps of a plan name at most {CLAIMS_MAX} resources together");
        return invalid("steps", words);
    }
    for (at, step) in plan.steps.iter().enumerate() {
        let field = |name: &str| format!("steps[{at}].{name}");
        if !(1..=most).contains(&step.duration_ms.0) {
            let field = field("duration_ms");
            return invalid(&field, format!("{field} must be 1–{most}"));
        }
        if step.not_before_ms.0 > most {
            let field = field("not_before_ms");
            return invalid(&field, format!("{field} must be at most {most}"));
        }
        if step
            .not_after_ms
            .is_some_and(|by| by < step.not_before_ms || by.0 > most)
        {
            let (field, from) = (field("not_after_ms"), step.not_before_ms.0);
            return invalid(&field, format!("{field} must be {from}–{most}"));
        }
    }
    let live = state.plans.by_id.values();
    if live.filter(|entry| entry.expires_at() > now).count() >= COUNT_MAX {
        let words = format!("a fleet has at most {COUNT_MAX} plans at a time; withdraw some");
        return rejected(Code::Conflict, words);
    }
    Decided::event(Event::PlanDeclared(Declared { plan: plan.clone() }))
}

pub fn declared(state: &mut State, event: &Declared) {
    let now = state.now;
    let over = state
        .plans
        .by_id
        .iter()
        .filter(|(_, entry)| entry.expires_at() <= now);
    let over: Vec<PlanId> = over.map(|(id, _)| *id).collect();
    over.into_iter().for_each(|id| state.plans.remove(id));
    let entry = Entry {
        plan: event.plan.clone(),
        at: now,
    };
    state.plans.insert(PlanId(state.seq), entry);
    state.plans.habits.get_or_insert_with(|| Habits::since(now));
}

pub fn withdrawn(state: &mut State, event: &Withdrawn) {
    state.plans.remove(event.plan);
}
