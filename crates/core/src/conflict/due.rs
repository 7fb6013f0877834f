//! What time brings to a conflict: its strategy begins, those that wait are moved ahead, a deadline decides.
use super::{NAMED_MAX, Record, around, holders, line, rule_of};
use crate::permit::{Permit, PermitKey};
use crate::state::State;
use fleet_types::conflict::{
    Dispute, Escalated, Level, Opened, Party, Raised, Resolved, Seat, Way,
};
use fleet_types::rule::{Fallback, Form, Resolution, Strategy};
use fleet_types::{ConflictId, Event, Millis, PermitId, RuleId, ScopePath, Text, Time};
use std::collections::BTreeMap;

/// Most that are moved ahead at once.
const RAISED_MAX: usize = 64;
/// What a deadline that is near is worth, in steps of priority: as much as the highest.
const RAISE: i64 = 10;
/// The deadline of a dispute whose rule is gone.
const DEADLINE: Millis = Millis(60_000);

/// Whether a deadline still fits the state.
pub fn is_live(state: &State, armed: Time, id: ConflictId) -> bool {
    let record = state.conflicts.records.get(&id);
    record.is_some_and(|record| {
        let pending = record.pending.as_ref();
        record.next == Some(armed)
            && (record.dispute.is_some() || pending.is_some_and(|rule| form(state, rule).is_some()))
    })
}

/// What a rule of resolution says now.
fn form<'s>(state: &'s State, rule: &RuleId) -> Option<&'s Resolution> {
    match &state.rules.get(state.rules.key(rule)?)?.rule.form {
        Form::Resolution(resolution) => Some(resolution),
        Form::Bounds(_)
        | Form::Contradiction(_)
        | Form::Exclusion(_)
        | Form::Sequence(_)
        | Form::Separation(_)
        | Form::CoolingOff(_)
        | Form::Quota(_)
        | Form::Throttle(_)
        | Form::Approval(_)
        | Form::Allocation(_) => None,
    }
}

/// When a conflict that begins to concern a rule is taken up.
pub fn taken_up_at(state: &State, rule: &RuleId, since: Time) -> Option<Time> {
    form(state, rule).map(|form| since.after(form.after_ms))
}

/// What is due in a conflict at the time for which its timer was armed.
pub fn due(state: &State, armed: Time, id: ConflictId) -> Option<Event> {
    let record = state.conflicts.records.get(&id)?;
    match &record.dispute {
        None => opened(state, record, armed),
        Some(dispute) if armed < dispute.deadline => Some(raised(state, record, dispute)),
        Some(dispute) => Some(over(state, record, dispute, armed)),
    }
}

fn opened(state: &State, record: &Record, at: Time) -> Option<Event> {
    let rule = record.pending.as_ref()?;
    let form = form(state, rule)?;
    let party = |key: &PermitKey, holds| {
        let permit = &state.permits[*key];
        Party {
            permit: permit.id,
            agent: permit.request.agent.clone(),
            holds,
        }
    };
    let line = line(state, record);
    let holders = holders(state, record);
    let held = holders.iter().map(|key| party(key, true));
    let wait = line.iter().map(|place| party(&place.permit, false));
    let parties: Vec<Party> = held.chain(wait).take(NAMED_MAX).collect();
    let before = match form.strategy {
        Strategy::Escalation {} => Some(first_level(state, record)),
        Strategy::Priority {}
        | Strategy::FirstCome {}
        | Strategy::FairShare { .. }
        | Strategy::Negotiation {}
        | Strategy::Vote { .. } => None,
    };
    Some(Event::ConflictOpened(Opened {
        conflict: record.id,
        dispute: Dispute {
            rule: rule.clone(),
            strategy: form.strategy.clone(),
            opened_at: at,
            deadline: at.after(form.deadline_ms),
            parties,
            offers: Vec::new(),
            votes: Vec::new(),
            raised: false,
            before,
        },
    }))
}

/// The scope of whoever is first in line.
fn first_level(state: &State, record: &Record) -> Level {
    let first = line(state, record).into_iter().next();
    let scope = first.and_then(|place| {
        let agent = state.permits[place.permit].agent;
        state.agents.agents[agent].speaks.scope.clone()
    });
    Level { scope }
}

fn raised(state: &State, record: &Record, dispute: &Dispute) -> Event {
    let ahead = RAISE * state.settings.age_step_ms.micros() as i64;
    let places = line(state, record).into_iter().filter(|place| {
        let permit = &state.permits[place.permit];
        rule_of(permit) == Some(&dispute.rule)
    });
    let seats = places.take(RAISED_MAX).map(|place| Seat {
        permit: place.id,
        rank: place.rank.0.saturating_sub(ahead),
    });
    Event::ConflictRaised(Raised {
        conflict: record.id,
        seats: seats.collect(),
    })
}

/// A deadline has passed.
fn over(state: &State, record: &Record, dispute: &Dispute, at: Time) -> Event {
    if let Some(level) = &dispute.before {
        let Some(scope) = &level.scope else {
            let fallback = form(state, &dispute.rule).map(|form| form.fallback);
            return match fallback {
                Some(Fallback::FirstCome) => first_come(state, record),
                Some(Fallback::Priority | Fallback::Escalation) | None => {
                    by_turns(state, record, Way::Priority)
                }
            };
        };
        let above = scope.as_str().rsplit_once('/');
        let scope = above.and_then(|(above, _)| ScopePath::parse(above).ok());
        return escalated(state, record, dispute, Level { scope }, at);
    }
    match &dispute.strategy {
        Strategy::Priority {} => by_turns(state, record, Way::Priority),
        Strategy::FirstCome {} => by_turns(state, record, Way::FirstCome),
        Strategy::FairShare { .. } => by_turns(state, record, Way::FairShare),
        Strategy::Vote { .. } => match elected(state, record, dispute) {
            Some(winner) => won(state, record, winner, Way::Vote),
            None => fallback(state, record, dispute, at),
        },
        Strategy::Negotiation {} | Strategy::Escalation {} => fallback(state, record, dispute, at),
    }
}

/// What decides when nobody does.
pub fn fallback(state: &State, record: &Record, dispute: &Dispute, at: Time) -> Event {
    match form(state, &dispute.rule).map_or(Fallback::Priority, |form| form.fallback) {
        Fallback::Priority => by_turns(state, record, Way::Priority),
        Fallback::FirstCome => first_come(state, record),
        Fallback::Escalation => escalated(state, record, dispute, first_level(state, record), at),
    }
}

fn escalated(state: &State, record: &Record, dispute: &Dispute, before: Level, at: Time) -> Event {
    let span = form(state, &dispute.rule).map_or(DEADLINE, |form| form.deadline_ms);
    Event::ConflictEscalated(Escalated {
        conflict: record.id,
        before,
        deadline: at.after(span),
    })
}

/// Turns stay as they are.
fn by_turns(state: &State, record: &Record, how: Way) -> Event {
    let winner = line(state, record).first().map(|place| place.id);
    Event::ConflictResolved(resolved(record, how, winner, Vec::new()))
}

fn first_come(state: &State, record: &Record) -> Event {
    let line = line(state, record);
    let asked = |key: PermitKey| (state.permits[key].asked_at, state.permits[key].id);
    match line.iter().min_by_key(|place| asked(place.permit)) {
        Some(first) => won(state, record, first.id, Way::FirstCome),
        None => by_turns(state, record, Way::FirstCome),
    }
}

/// Whoever most votes are for, of those that still wait; of equals the one whose turn is first.
pub fn elected(state: &State, record: &Record, dispute: &Dispute) -> Option<PermitId> {
    let mut votes: BTreeMap<PermitId, usize> = BTreeMap::new();
    for vote in &dispute.votes {
        *votes.entry(vote.winner).or_default() += 1;
    }
    let line = line(state, record);
    let count = |id: PermitId| votes.get(&id).copied().unwrap_or(0);
    let most = line.iter().map(|place| count(place.id)).max()?;
    let mut equals = line.iter().filter(|place| count(place.id) == most);
    (most > 0).then(|| equals.next().map(|place| place.id))?
}

fn won(state: &State, record: &Record, winner: PermitId, how: Way) -> Event {
    let seats = ahead(state, record, winner);
    Event::ConflictResolved(resolved(record, how, Some(winner), seats))
}

/// The place before all that wait for the thing; none where it is first already, or does not wait.
pub fn ahead(state: &State, record: &Record, winner: PermitId) -> Vec<Seat> {
    let waits = |permit: &Permit| permit.granted().is_none();
    let first = around(state, record).into_iter().next();
    match (first, state.permits.find(winner)) {
        (Some(first), Some(permit)) if first.id != winner && waits(permit) => vec![Seat {
            permit: winner,
            rank: first.rank.0.saturating_sub(1),
        }],
        _ => Vec::new(),
    }
}

pub fn resolved(record: &Record, how: Way, winner: Option<PermitId>, seats: Vec<Seat>) -> Resolved {
    Resolved {
        conflict: record.id,
        how,
        winner,
        reason: Text::default(),
        seats,
        ends: Vec::new(),
        split: None,
    }
}
