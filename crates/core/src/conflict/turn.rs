//! What rules of order make of a request's turn: allocation, and those resolutions that are an order.
//!
//! A place in an order is worth some time of waiting, as a step of priority is: turns stay what they are from the asking
//! on, also in a restart, and whoever has waited long enough goes before all that ask later.
//!
//! Parties that take turns have a clock each: a request is ranked as if it were asked when its party has had its turn for
//! the requests before it. A party that asks for much at once stands in line behind itself, not before others.
use crate::agent::Agent;
use crate::rule::Entry;
use crate::state::State;
use fleet_types::agent::Priority;
use fleet_types::conflict::{Share, Turn};
use fleet_types::permit::Request;
use fleet_types::rule::{Allocation, Form, Order, Stage, Strategy};
use fleet_types::{Millis, Time};
use smol_str::SmolStr;

/// Parties whose clocks one rule keeps; past it those whose turn has come are forgotten.
const PARTIES_MAX: usize = if cfg!(test) { 3 } else { 4_096 };

/// A party is at most so many turns behind, however much it had.
const TURNS_MAX: u64 = 64;

/// The turn that rules of order give a request; `None` where none concerns it.
pub fn of(
    state: &State,
    agent: &Agent,
    request: &Request,
    priority: Priority,
    now: Time,
) -> Option<Box<Turn>> {
    if state.rules.orders.is_empty() {
        return None;
    }
    let mut turn = Turn::default();
    let (mut allocated, mut settled) = (false, false);
    for (key, case) in state.rules.orders.candidates(agent, request) {
        let Some(entry) = state.rules.get(key) else {
            continue;
        };
        if entry.rule.stage != Stage::Enforce || !case.matches(agent, request, now) {
            continue;
        }
        match &entry.rule.form {
            Form::Allocation(allocation) if !allocated => {
                allocated = true;
                allocate(entry, allocation, agent, request, now, &mut turn);
            }
            Form::Resolution(resolution) if !settled => {
                settled = true;
                turn.resolution = Some(entry.rule.id.clone());
                let head_start = i64::from(priority.get());
                let head_start = head_start * state.settings.age_step_ms.micros() as i64;
                match &resolution.strategy {
                    Strategy::FirstCome {} => turn.head_start_us -= head_start,
                    Strategy::FairShare { turn_ms } => {
                        turn.head_start_us -= head_start;
                        let party = request.agent.as_str().into();
                        share(entry, party, *turn_ms, now, &mut turn);
                    }
                    Strategy::Priority {}
                    | Strategy::Negotiation {}
                    | Strategy::Vote { .. }
                    | Strategy::Escalation {} => {}
                }
            }
            Form::Allocation(_) | Form::Resolution(_) => {} // The first one speaks.
            Form::Bounds(_)
            | Form::Contradiction(_)
            | Form::Exclusion(_)
            | Form::Sequence(_)
            | Form::Separation(_)
            | Form::CoolingOff(_)
            | Form::Quota(_)
            | Form::Throttle(_)
            | Form::Approval(_) => {}
        }
    }
    (turn != Turn::default()).then(|| Box::new(turn))
}

fn allocate(
    entry: &Entry,
    allocation: &Allocation,
    agent: &Agent,
    request: &Request,
    now: Time,
    turn: &mut Turn,
) {
    let (place, count) = match &allocation.order {
        Order::Label { key, values } => {
            let own = request.labels.get(key);
            let place = values.iter().position(|value| own == Some(value));
            (place, values.len())
        }
        Order::Agents(patterns) => {
            let mut all = patterns.iter();
            let place = all.position(|pattern| pattern.matches(agent.id.as_str()));
            (place, patterns.len())
        }
        Order::Groups(groups) => {
            let place = groups.iter().position(|group| agent.groups.contains(group));
            (place, groups.len())
        }
        Order::Shares { groups, turn_ms } => {
            let own = groups
                .iter()
                .find(|(group, _)| agent.groups.contains(group));
            let (party, shares) = own.map_or((SmolStr::default(), 1), |(group, shares)| {
                (group.as_str().into(), *shares)
            });
            let turn_ms = Millis(turn_ms.0.div_ceil(u64::from(shares.max(1))));
            return share(entry, party, turn_ms, now, turn);
        }
    };
    if let Some(place) = place {
        let places = (count - place) as i64;
        turn.head_start_us += places * allocation.place_ms.micros() as i64;
    }
}

/// The party's next turn.
fn share(entry: &Entry, party: SmolStr, turn_ms: Millis, now: Time, turn: &mut Turn) {
    let had = entry.shares.get(&party).copied();
    let most = now.after(Millis(turn_ms.0.saturating_mul(TURNS_MAX)));
    let begins = had.map_or(now, |had| had.clamp(now, most));
    turn.head_start_us -= (begins.0 - now.0) as i64;
    turn.share = Some(Share {
        rule: entry.rule.id.clone(),
        party,
        until: begins.after(turn_ms),
    });
}

/// A party has had a turn.
pub fn taken(state: &mut State, turn: Option<&Turn>) {
    let now = state.now;
    if let Some(share) = turn.and_then(|turn| turn.share.as_ref())
        && let Some(rule) = state.rules.key(&share.rule)
        && let Some(entry) = state.rules.get_mut(rule)
    {
        entry.shares.insert(share.party.clone(), share.until);
        if entry.shares.len() > PARTIES_MAX {
            entry.shares.retain(|_, until| *until > now);
        }
        if entry.shares.len() > PARTIES_MAX
            && let Some(first) = entry.shares.iter().min_by_key(|(_, until)| **until)
        {
            let first = first.0.clone();
            entry.shares.remove(&first);
        }
    }
}
