//! Deadlines: what happens when nobody has answered in time.
use super::Approval;
use crate::state::State;
use crate::timers::{Timer, Timers};
use fleet_types::approval::{DeadlineEffect, Means, Phase};
use fleet_types::event::{ApprovalDecided, ApprovalEscalated, ApprovalSlaBreached};
use fleet_types::{ApprovalId, Event, Text, Time};

/// Arms what an open approval waits for.
pub fn arm(timers: &mut Timers, id: ApprovalId, approval: &Approval) {
    if let Some(at) = approval.deadline {
        timers.arm(at, Timer::Deadline(id));
    }
    if let Some(at) = approval.sla_at
        && !approval.sla_breached
    {
        timers.arm(at, Timer::Sla(id));
    }
}

/// Says that an approval's timers will not be needed.
pub fn disarm(timers: &mut Timers, approval: &Approval) {
    if approval.deadline.is_some() {
        timers.forget_one();
    }
    if approval.sla_at.is_some() && !approval.sla_breached {
        timers.forget_one();
    }
}

fn open(state: &State, id: ApprovalId) -> Option<&Approval> {
    let approval = state.approvals.get(id)?;
    (approval.phase == Phase::Open).then_some(approval)
}

pub fn is_deadline(state: &State, armed: Time, id: ApprovalId) -> bool {
    open(state, id).is_some_and(|approval| approval.deadline == Some(armed))
}

pub fn is_sla(state: &State, armed: Time, id: ApprovalId) -> bool {
    open(state, id).is_some_and(|approval| approval.sla_at == Some(armed) && !approval.sla_breached)
}

/// Nobody has answered in time.
pub fn deadline(state: &State, id: ApprovalId, now: Time) -> Option<Event> {
    let approval = open(state, id)?;
    let decided = |approved| {
        Event::ApprovalDecided(ApprovalDecided {
            approval: id,
            approved,
            by: Means::Deadline,
        })
    };
    // What the terms say holds for those who are asked first; of the others, the next are asked.
    let effect = match approval.level {
        0 => approval.terms.on_deadline,
        1.. => Some(DeadlineEffect::Escalate),
    };
    Some(match effect {
        Some(DeadlineEffect::Approve) => decided(true),
        Some(DeadlineEffect::Reject) | None => decided(false),
        Some(DeadlineEffect::Escalate) => {
            escalated(id, approval, &Text::default(), now).unwrap_or_else(|| decided(false))
        }
    })
}

/// It was not decided within the time it should be.
pub fn sla(state: &State, id: ApprovalId) -> Option<Event> {
    open(state, id)?;
    Some(Event::ApprovalSlaBreached(ApprovalSlaBreached {
        approval: id,
    }))
}

/// The next are asked; `None` where there are none.
pub fn escalated(id: ApprovalId, approval: &Approval, reason: &Text, now: Time) -> Option<Event> {
    let level = approval.level + 1;
    let (assignees, needed, span) = approval.terms.level(level as usize)?;
    Some(Event::ApprovalEscalated(ApprovalEscalated {
        approval: id,
        round: approval.round + 1,
        level,
        assignees: assignees.to_vec(),
        needed,
        deadline: span.map(|span| now.after(span)),
        reason: reason.clone(),
    }))
}
