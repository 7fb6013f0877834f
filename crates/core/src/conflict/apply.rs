//! What the events of a conflict do to the state.
use super::decide::cast;
use super::due;
use crate::permit::{PermitKey, Phase, Rank, queue};
use crate::state::{State, Wake};
use crate::timers::Timer;
use crate::version;
use fleet_types::conflict::{
    Answered, Ends, Escalated, Opened, Raised, Resolution, Resolved, Seat, Split, Voted,
};
use fleet_types::{Actor, ConflictId, RuleId, Time};

/// A rule concerns one that waits: the conflict is taken up once it has lasted.
pub fn concerns(state: &mut State, id: Option<ConflictId>, rule: Option<&RuleId>) {
    let (Some(id), Some(rule)) = (id, rule) else {
        return;
    };
    let at = due::taken_up_at(state, rule, state.now);
    let record = state.conflicts.records.get_mut(&id);
    if let (Some(record), Some(at)) = (record, at)
        && record.pending.is_none()
        && record.dispute.is_none()
    {
        record.pending = Some(rule.clone());
        next(state, id, Some(at));
    }
}

/// When the conflict's next step is due.
fn next(state: &mut State, id: ConflictId, at: Option<Time>) {
    if let Some(record) = state.conflicts.records.get_mut(&id) {
        if record.next.is_some() {
            state.timers.forget_one();
        }
        record.next = at;
        if let Some(at) = at {
            state.timers.arm(at, Timer::Conflict(id));
        }
    }
}

/// Arms the timers again after a snapshot was read.
pub fn arm(state: &mut State) {
    for record in state.conflicts.records.values() {
        if let Some(at) = record.next {
            state.timers.arm(at, Timer::Conflict(record.id));
        }
    }
}

pub fn opened(state: &mut State, event: &Opened) {
    let dispute = &event.dispute;
    let span = dispute.deadline.micros_since(dispute.opened_at) / 2;
    let raise_at = Time(dispute.opened_at.0 + span);
    if let Some(record) = state.conflicts.records.get_mut(&event.conflict) {
        record.pending = None;
        record.dispute = Some(dispute.clone());
        next(state, event.conflict, Some(raise_at));
    }
}

pub fn raised(state: &mut State, event: &Raised) {
    seat(state, &event.seats);
    if let Some(record) = state.conflicts.records.get_mut(&event.conflict)
        && let Some(dispute) = &mut record.dispute
    {
        dispute.raised = true;
        let deadline = dispute.deadline;
        next(state, event.conflict, Some(deadline));
    }
}

pub fn answered(state: &mut State, event: &Answered) {
    if let Some(record) = state.conflicts.records.get_mut(&event.conflict)
        && let Some(dispute) = &mut record.dispute
    {
        dispute
            .offers
            .retain(|offer| offer.permit != event.offer.permit);
        dispute.offers.push(event.offer.clone());
    }
}

pub fn voted(state: &mut State, event: &Voted) {
    if let Some(record) = state.conflicts.records.get_mut(&event.conflict)
        && let Some(dispute) = &mut record.dispute
    {
        cast(dispute, event.vote.clone());
    }
}

pub fn escalated(state: &mut State, event: &Escalated) {
    if let Some(record) = state.conflicts.records.get_mut(&event.conflict)
        && let Some(dispute) = &mut record.dispute
    {
        dispute.before = Some(event.before.clone());
        dispute.deadline = event.deadline;
        next(state, event.conflict, Some(event.deadline));
    }
}

pub fn resolved(state: &mut State, event: &Resolved, by: &Actor) {
    let at = state.now;
    next(state, event.conflict, None);
    if let Some(record) = state.conflicts.records.get_mut(&event.conflict) {
        record.pending = None;
        record.dispute = None;
        record.resolution = Some(Resolution {
            how: event.how,
            winner: event.winner,
            by: by.clone(),
            reason: event.reason.clone(),
            at,
        });
    }
    seat(state, &event.seats);
    event.ends.iter().for_each(|ends| end_at(state, ends));
    if let Some(part) = &event.split {
        split(state, part);
    }
}

fn seat(state: &mut State, seats: &[Seat]) {
    for seat in seats {
        if let Some(key) = state.permits.key(seat.permit) {
            queue::reseat(state, key, Rank(seat.rank));
        }
    }
}

/// A holder has given way, or must: it cannot be renewed past this.
fn end_at(state: &mut State, ends: &Ends) {
    let Some(key) = state.permits.key(ends.permit) else {
        return;
    };
    if let Phase::Granted(granted) = &mut state.permits[key].phase {
        granted.gives_way = true;
        granted.expires_at = granted.expires_at.min(ends.expires_at);
        state.timers.forget_one();
        state
            .timers
            .arm(granted.expires_at, Timer::Lease(ends.permit));
    }
}

fn split(state: &mut State, split: &Split) {
    let Some(key) = state.permits.key(split.permit) else {
        return;
    };
    let mut let_go = Vec::new();
    if let Phase::Granted(granted) = &mut state.permits[key].phase {
        granted.held.retain(|held| {
            let goes = split.resources.contains(&held.path);
            if goes {
                let_go.push(held.clone());
            }
            !goes
        });
    }
    for held in let_go {
        part(state, key, &held);
    }
}

fn part(state: &mut State, key: PermitKey, held: &crate::permit::HeldLock) {
    if state.locks.let_go(held.node, key) {
        state.wakes.insert(Wake::Lock(held.path.text().clone()));
    }
    let permit = &state.permits[key];
    let (id, agent) = (permit.id, permit.request.agent.clone());
    version::ended(state, held, id, &agent);
}
