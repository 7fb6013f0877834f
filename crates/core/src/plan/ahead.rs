//! What a plan runs into, as things stand: other plans, permits that hold, rules, rates, and the habits of others; and
//! an order in which the steps that collide do not.
use super::{Entry, Named};
use crate::lock::check::{Asker, Obstacle, obstacles};
use crate::permit::gates::Ask;
use crate::permit::{Place, Rank, request};
use crate::rule::around;
use crate::rule::judge::judge;
use crate::state::State;
use fleet_types::agent::Priority;
use fleet_types::lock::Claim;
use fleet_types::permit::Request;
use fleet_types::plan::{Ahead, Slot, Step, With};
use fleet_types::{
    Actor, AgentId, Millis, PermitId, PlanId, RequestId, ResourcePath, Seq, Text, Time,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Most collisions that are told.
const COUNT_MAX: usize = 100;
/// Who comes less likely than this is not told of, in thousandths.
const LIKELY_MIN: u32 = 500;

/// Collisions of a plan from `now` on, by step.
pub fn collisions(state: &State, id: PlanId, entry: &Entry, now: Time) -> Vec<Ahead> {
    let mut all = Vec::new();
    let steps = entry.plan.steps.iter().zip(entry.times()).enumerate();
    for (at, (step, (begins, ends))) in steps {
        if ends <= now {
            continue; // It is over, or should be.
        }
        let begins = begins.max(now);
        let mut found = Vec::new();
        let planned = plans(
            state,
            (id, &entry.plan.agent),
            step,
            (begins, ends),
            &mut found,
        );
        permits(state, &entry.plan.agent, step, begins, &mut found);
        judged(state, &entry.plan.agent, step, begins, &mut found);
        likely(
            state,
            &entry.plan.agent,
            step,
            (begins, ends),
            &planned,
            &mut found,
        );
        let found = found.into_iter().map(|(with, from, until)| Ahead {
            step: at as u32,
            with,
            from,
            until,
        });
        all.extend(found);
        if all.len() >= COUNT_MAX {
            all.truncate(COUNT_MAX);
            break;
        }
    }
    all
}

type Found = Vec<(With, Time, Option<Time>)>;

/// Steps of others that want what conflicts at the same time; who they are.
fn plans(
    state: &State,
    (own, agent): (PlanId, &AgentId),
    step: &Step,
    (begins, ends): (Time, Time),
    found: &mut Found,
) -> BTreeSet<AgentId> {
    let mut seen: BTreeSet<(PlanId, u32)> = BTreeSet::new();
    let mut planned = BTreeSet::new();
    for claim in &step.resources {
        for (path, named) in around(&state.plans.by_path, claim.path.as_str(), true) {
            let conflicts = |it: &&Named| it.plan != own && !it.mode.compatible(claim.mode);
            for Named { plan, step, .. } in named.iter().filter(conflicts) {
                let Some(entry) = state.plans.by_id.get(plan) else {
                    continue;
                };
                let times = entry.times().nth(*step as usize);
                let Some((from, until)) =
                    times.filter(|(from, until)| *from < ends && begins < *until)
                else {
                    continue;
                };
                let other = &entry.plan.agent;
                if other == agent || entry.expires_at() <= begins || !seen.insert((*plan, *step)) {
                    continue;
                }
                planned.insert(other.clone());
                if found.len() < COUNT_MAX
                    && let Ok(resource) = ResourcePath::parse(path)
                {
                    let with = With::Plan {
                        plan: *plan,
                        agent: other.clone(),
                        step: *step,
                        resource,
                    };
                    found.push((with, from.max(begins), Some(until.min(ends))));
                }
            }
        }
    }
    planned
}

/// Nobody who stands in a queue yet.
fn nobody(now: Time) -> Asker {
    Asker {
        permit: None,
        place: Place {
            first_ask: false,
            rank: Rank(now.0 as i64),
            id: PermitId(Seq(u64::MAX)),
            permit: crate::permit::NOTHING,
        },
    }
}

/// Permits of others that hold what conflicts, until their leases end.
fn permits(state: &State, agent: &AgentId, step: &Step, begins: Time, found: &mut Found) {
    let mut seen = BTreeSet::new();
    for claim in &step.resources {
        obstacles(state, nobody(begins), claim, |obstacle| {
            if let Obstacle::Held { node, by, .. } = obstacle {
                let permit = &state.permits[by];
                let until = permit.expires_at();
                if permit.request.agent != *agent
                    && until > begins
                    && seen.insert(permit.id)
                    && let Ok(resource) = ResourcePath::parse(&state.locks.get(node).path)
                {
                    let with = With::Permit {
                        permit: permit.id,
                        agent: permit.request.agent.clone(),
                        resource,
                    };
                    found.push((with, begins, Some(until)));
                }
            }
            found.len() < COUNT_MAX
        });
    }
}

/// What rules and limits of rate would say to it then, if nothing happened until then.
fn judged(state: &State, agent: &AgentId, step: &Step, begins: Time, found: &mut Found) {
    let Some(key) = state.agents.key(agent) else {
        return;
    };
    let asked = Request {
        request_id: RequestId::parse("plan").expect("a name"),
        agent: agent.clone(),
        instance: None,
        action: step.action.clone(),
        resources: step.resources.clone(),
        reads: Vec::new(),
        parameters: step.parameters.clone(),
        cost: fleet_types::budget::Cost::ZERO,
        priority: None,
        wait_ms: Millis(0),
        ttl_ms: None,
        labels: step.labels.clone(),
        explain: false,
        approval: None,
        parent: None,
    };
    let by = Actor::System;
    let agent = (key, &state.agents.agents[key]);
    let id = PermitId(state.next_seq());
    let (ask, _): (Ask<'_>, _) = request::first_ask(state, &by, agent, (&asked, None), id, begins);
    if let Some(broken) = judge(&ask).broken
        && let Some(entry) = state.rules.get(broken.rule)
    {
        let with = With::Rule {
            rule: entry.rule.id.clone(),
            key: broken.key,
            reason: Text::clip(&broken.words),
        };
        found.push((with, begins, broken.until));
    }
    if let Err(full) = crate::limit::check::check(&ask, |_, _, _| {})
        && full.free_at.is_some()
        && let Some(entry) = state.limits.get(full.limit)
    {
        let limit = entry.limit.id.clone();
        found.push((With::Limit { limit }, begins, full.free_at));
    }
}

/// Others that have often been there, and have not said what they plan.
fn likely(
    state: &State,
    agent: &AgentId,
    step: &Step,
    (begins, ends): (Time, Time),
    planned: &BTreeSet<AgentId>,
    found: &mut Found,
) {
    let Some(habits) = &state.plans.habits else {
        return;
    };
    for claim in &step.resources {
        for (other, permille) in habits.expected(claim, state.now, ends.micros_since(begins)) {
            if permille >= LIKELY_MIN && other != agent && !planned.contains(other) {
                let with = With::Likely {
                    agent: other.clone(),
                    resource: claim.path.clone(),
                    permille,
                };
                found.push((with, begins, Some(ends)));
            }
        }
    }
}

/// A step that is to be placed.
struct Item<'s> {
    plan: PlanId,
    agent: &'s AgentId,
    at: u32,
    step: &'s Step,
    priority: Priority,
    begins: Time,
    ends: Time,
    /// It must have begun by then.
    latest: Option<Time>,
}

/// An order of a plan's steps and of those they collide with in which none collides with another, nor with what is held:
/// the more urgent agent first, then whoever is done first. Each begins as early as those before it let it.
pub fn order(state: &State, id: PlanId, collisions: &[Ahead], now: Time) -> Vec<Slot> {
    let mut wanted: BTreeSet<(PlanId, u32)> = BTreeSet::new();
    for ahead in collisions {
        if let With::Plan { plan, step, .. } = &ahead.with {
            wanted.insert((*plan, *step));
        }
        wanted.insert((id, ahead.step));
    }
    let mut items: Vec<Item<'_>> = Vec::new();
    for (plan, at) in wanted {
        let Some(entry) = state.plans.by_id.get(&plan) else {
            continue;
        };
        let agent = &entry.plan.agent;
        let known = state.agents.get(agent);
        let times = entry.times().nth(at as usize);
        if let (Some(step), Some((begins, ends))) = (entry.plan.steps.get(at as usize), times) {
            items.push(Item {
                plan,
                agent,
                at,
                step,
                priority: known.map_or_else(Priority::default, |it| it.terms.priority),
                begins: begins.max(now),
                ends,
                latest: step.not_after_ms.map(|by| entry.at.after(by)),
            });
        }
    }
    items.sort_by_key(|it| (Reverse(it.priority), it.ends, it.plan, it.at));
    let held = held_until(collisions);
    let mut placed: Vec<(Slot, &Step)> = Vec::new();
    for item in &items {
        let before = placed.iter().filter(|(slot, _)| slot.plan == item.plan);
        let mut begins = before
            .map(|(slot, _)| slot.ends_at)
            .max()
            .unwrap_or(now)
            .max(item.begins);
        if item.plan == id {
            begins = held.get(&item.at).copied().unwrap_or(now).max(begins);
        }
        let span = item.step.duration_ms;
        // Each round goes past the end of one that is placed, so there are no more rounds than those.
        while let Some(end) = placed
            .iter()
            .filter(|(slot, step)| {
                slot.begins_at < begins.after(span)
                    && begins < slot.ends_at
                    && collide(step, item.step)
            })
            .map(|(slot, _)| slot.ends_at)
            .max()
        {
            begins = end;
        }
        let slot = Slot {
            plan: item.plan,
            agent: item.agent.clone(),
            step: item.at,
            begins_at: begins,
            ends_at: begins.after(span),
            late: item.latest.is_some_and(|latest| begins > latest),
        };
        placed.push((slot, item.step));
    }
    let mut slots: Vec<Slot> = placed.into_iter().map(|(slot, _)| slot).collect();
    slots.sort_by_key(|slot| (slot.begins_at, slot.plan, slot.step));
    slots
}

/// Until when what is not a plan is in the way of each step.
fn held_until(collisions: &[Ahead]) -> BTreeMap<u32, Time> {
    let mut held = BTreeMap::new();
    for ahead in collisions {
        let until = match &ahead.with {
            With::Permit { .. } | With::Rule { .. } | With::Limit { .. } => ahead.until,
            With::Plan { .. } | With::Likely { .. } => None,
        };
        if let Some(until) = until {
            let known = held.entry(ahead.step).or_insert(until);
            *known = until.max(*known);
        }
    }
    held
}

fn collide(one: &Step, other: &Step) -> bool {
    let against = |a: &Claim, b: &Claim| {
        (a.path.covers(&b.path) || b.path.covers(&a.path)) && !a.mode.compatible(b.mode)
    };
    let mut claims = one.resources.iter();
    claims.any(|a| other.resources.iter().any(|b| against(a, b)))
}
