//! What questions, voices and deadlines do to approvals, and what the end of a permit does.
use super::{Approval, HISTORY_MAX, due};
use crate::state::{State, Wake};
use fleet_types::approval::{Delegation, Phase};
use fleet_types::event::{
    ApprovalAnswered, ApprovalAsked, ApprovalCommented, ApprovalDecided, ApprovalDelegationEnded,
    ApprovalEscalated, ApprovalReassigned, ApprovalSlaBreached,
};
use fleet_types::{ApprovalId, PermitId, Seq, Time};

pub fn asked(state: &mut State, event: &ApprovalAsked, seq: Seq, at: Time) {
    let id = ApprovalId(seq);
    let approval = Approval {
        subject: event.subject.clone(),
        source: event.source.clone(),
        terms: event.terms.clone(),
        asker: event.asker.clone(),
        asked_at: at,
        phase: Phase::Open,
        round: 1,
        level: 0,
        assignees: event.terms.assignees.clone(),
        needed: event.terms.needed,
        deadline: event.deadline,
        sla_at: event.sla_at,
        sla_breached: false,
        answers: Vec::new(),
        comments: Vec::new(),
        ended_at: None,
        means: None,
    };
    due::arm(&mut state.timers, id, &approval);
    let approvals = &mut state.approvals;
    let of_permit = approvals.by_permit.entry(approval.permit()).or_default();
    of_permit.push(id);
    approvals.open += 1;
    approvals.by_id.insert(id, approval);
}

pub fn answered(state: &mut State, event: &ApprovalAnswered) {
    if let Some(approval) = state.approvals.by_id.get_mut(&event.approval) {
        approval.answers.push(event.voice.clone());
    }
}

pub fn decided(state: &mut State, event: &ApprovalDecided, at: Time) {
    let phase = match event.approved {
        true => Phase::Approved,
        false => Phase::Rejected,
    };
    close(state, event.approval, phase, at);
    if let Some(approval) = state.approvals.by_id.get_mut(&event.approval) {
        approval.means = Some(event.by);
        state.wakes.insert(Wake::Approval(event.approval));
    }
}

/// What waited for it has ended, or needs it no more.
pub fn moot(state: &mut State, id: ApprovalId, at: Time) {
    close(state, id, Phase::Moot, at);
    let approvals = &mut state.approvals;
    let Some(approval) = approvals.by_id.get(&id) else {
        return;
    };
    let permit = approval.permit();
    if let Some(of_permit) = approvals.by_permit.get_mut(&permit) {
        of_permit.retain(|known| *known != id);
        if of_permit.is_empty() {
            approvals.by_permit.remove(&permit);
        }
    }
    remember(state, id);
}

fn close(state: &mut State, id: ApprovalId, phase: Phase, at: Time) {
    let approvals = &mut state.approvals;
    if let Some(approval) = approvals.by_id.get_mut(&id)
        && approval.phase == Phase::Open
    {
        due::disarm(&mut state.timers, approval);
        approval.phase = phase;
        approval.ended_at = Some(at);
        approvals.open -= 1;
    }
}

/// One that nothing waits for any more is history.
fn remember(state: &mut State, id: ApprovalId) {
    let approvals = &mut state.approvals;
    approvals.settled.push_back(id);
    if approvals.settled.len() > HISTORY_MAX
        && let Some(oldest) = approvals.settled.pop_front()
    {
        approvals.by_id.remove(&oldest);
    }
}

pub fn escalated(state: &mut State, event: &ApprovalEscalated) {
    let Some(approval) = state.approvals.by_id.get_mut(&event.approval) else {
        return;
    };
    if approval.deadline.is_some() {
        state.timers.forget_one();
    }
    approval.round = event.round;
    approval.level = event.level;
    approval.assignees.clone_from(&event.assignees);
    approval.needed = event.needed;
    approval.deadline = event.deadline;
    if let Some(at) = event.deadline {
        let timer = crate::timers::Timer::Deadline(event.approval);
        state.timers.arm(at, timer);
    }
}

pub fn reassigned(state: &mut State, event: &ApprovalReassigned) {
    if let Some(approval) = state.approvals.by_id.get_mut(&event.approval) {
        approval.round = event.round;
        approval.assignees.clone_from(&event.assignees);
        approval.needed = event.needed;
    }
}

pub fn commented(state: &mut State, event: &ApprovalCommented) {
    if let Some(approval) = state.approvals.by_id.get_mut(&event.approval) {
        approval.comments.push(event.comment.clone());
    }
}

pub fn sla_breached(state: &mut State, event: &ApprovalSlaBreached) {
    if let Some(approval) = state.approvals.by_id.get_mut(&event.approval) {
        approval.sla_breached = true;
    }
}

pub fn delegated(state: &mut State, delegation: &Delegation, at: Time) {
    let delegations = &mut state.approvals.delegations;
    delegations.retain(|known| at < known.until && known.from != delegation.from);
    delegations.push(delegation.clone());
}

pub fn delegation_ended(state: &mut State, event: &ApprovalDelegationEnded) {
    let delegations = &mut state.approvals.delegations;
    delegations.retain(|known| known.from != event.from);
}

/// A permit waits no more, for whatever reason: what was decided for it is history, and what is open is pointless,
/// which its own event will say.
pub fn settle(state: &mut State, permit: PermitId) {
    if state.approvals.by_permit.is_empty() {
        return;
    }
    for id in state
        .approvals
        .by_permit
        .remove(&permit)
        .unwrap_or_default()
    {
        let approval = state.approvals.by_id.get(&id);
        if approval.is_some_and(|approval| approval.phase == Phase::Open) {
            state.wakes.insert(Wake::Approval(id));
        } else {
            remember(state, id);
        }
    }
}
