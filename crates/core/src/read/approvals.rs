//! Approvals, and who answers in whose place.
use super::page;
use crate::approval::{Approval, seat};
use crate::state::State;
use fleet_types::approval::{
    Assignee, Delegation, Person, Phase, Proof, Sla, SlaState, Subject, View,
};
use fleet_types::view::Page;
use fleet_types::{Actor, ApprovalId, PermitId, ScopePath, Text, Time};

/// Which approvals to list. Every part that is given must match.
#[derive(Clone, Debug, Default)]
pub struct ApprovalFilter {
    /// In this state.
    pub state: Option<Phase>,
    /// Asked of this one now.
    pub assignee: Option<Assignee>,
    /// That permit's.
    pub permit: Option<PermitId>,
    /// That this one may answer now.
    pub mine: Option<Mine>,
    /// Asked by agents in this scope or below it, or of this one.
    pub seen_by: Option<(ScopePath, Mine)>,
}

/// Somebody, as a door has proved it.
#[derive(Clone, Debug)]
pub struct Mine {
    /// The credential.
    pub by: Actor,
    /// Who it speaks for.
    pub person: Person,
    /// What it was proved to be.
    pub proof: Proof,
}

/// Approvals, the newest first.
#[must_use]
pub fn approvals(
    state: &State,
    filter: &ApprovalFilter,
    now: Time,
    after: Option<&str>,
    count: usize,
) -> Page<View> {
    let after = after.and_then(|after| after.parse::<ApprovalId>().ok());
    let now = now.max(state.now);
    let rows = state.approvals.by_id.iter().rev();
    let rows = rows
        .filter(|(id, _)| after.is_none_or(|after| **id < after))
        .filter(|(_, approval)| matches(state, filter, approval, now))
        .map(|(id, approval)| (id.to_string(), view(*id, approval)));
    page(state, rows, None, count)
}

/// One approval; `None` also where somebody who is bound to a scope may not see it.
#[must_use]
pub fn approval(state: &State, filter: &ApprovalFilter, now: Time, id: ApprovalId) -> Option<View> {
    let approval = state.approvals.get(id)?;
    let now = now.max(state.now);
    matches(state, filter, approval, now).then(|| view(id, approval))
}

/// Who answers in whose place, by who is represented.
#[must_use]
pub fn delegations(
    state: &State,
    now: Time,
    after: Option<&str>,
    count: usize,
) -> Page<Delegation> {
    let now = now.max(state.now);
    let mut rows: Vec<(String, &Delegation)> = state
        .approvals
        .delegations
        .iter()
        .filter(|delegation| now < delegation.until)
        .map(|delegation| (delegation.from.to_string(), delegation))
        .collect();
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let rows = rows.into_iter().map(|(from, it)| (from, it.clone()));
    page(state, rows, after, count)
}

fn matches(state: &State, filter: &ApprovalFilter, approval: &Approval, now: Time) -> bool {
    filter.state.is_none_or(|state| approval.phase == state)
        && filter
            .assignee
            .as_ref()
            .is_none_or(|assignee| approval.assignees.contains(assignee))
        && filter
            .permit
            .is_none_or(|permit| approval.permit() == permit)
        && filter.mine.as_ref().is_none_or(|mine| {
            approval.phase == Phase::Open && may_answer(state, approval, mine, now)
        })
        && filter.seen_by.as_ref().is_none_or(|(scope, mine)| {
            let asker = state.agents.get(&approval.asker.agent);
            let own = asker.and_then(|agent| agent.speaks.scope.as_ref());
            own.is_some_and(|own| scope.covers(own)) || has_seat(state, approval, mine, now)
        })
}

fn has_seat(state: &State, approval: &Approval, mine: &Mine, now: Time) -> bool {
    let who = (&mine.person, &mine.proof);
    !seat::seats(state, approval, &mine.by, who, now).is_empty()
}

/// Whether somebody could give a voice now.
fn may_answer(state: &State, approval: &Approval, mine: &Mine, now: Time) -> bool {
    let has_spoken = |person: &Person| approval.has_spoken(person);
    let seats = seat::seats(state, approval, &mine.by, (&mine.person, &mine.proof), now);
    let mut free = seats
        .iter()
        .filter(|seat| !seat.in_place_of.as_ref().is_some_and(has_spoken));
    !seat::is_own(state, approval, &mine.by, &mine.person)
        && !has_spoken(&mine.person)
        && free.next().is_some()
}

/// An approval as seen.
pub fn view(id: ApprovalId, approval: &Approval) -> View {
    let terms = &approval.terms;
    let Subject::Permit { request, .. } = &approval.subject;
    let question = match terms.question.is_empty() {
        false => terms.question.clone(),
        true => Text::clip(&format!("may {} do {}?", request.agent, request.action)),
    };
    let about = request.approval.as_deref().cloned();
    let said = about.as_ref().and_then(|about| about.urgency);
    let levels = terms.escalate_to.len() as u32;
    View {
        approval: id,
        state: approval.phase,
        subject: approval.subject.clone(),
        source: approval.source.clone(),
        asker: approval.asker.clone(),
        asked_at: approval.asked_at,
        question,
        options: terms.options.clone(),
        urgency: said.map_or(terms.urgency, |said| said.max(terms.urgency)),
        terms: terms.clone(),
        about,
        assignees: approval.assignees.clone(),
        needed: approval.needed,
        approvals: approval.approvals(),
        round: approval.round,
        levels_left: levels.saturating_sub(approval.level),
        deadline: approval.deadline,
        sla: approval.sla_at.map(|due_at| Sla {
            due_at,
            state: match (approval.sla_breached, approval.phase) {
                (true, _) => SlaState::Breached,
                (false, Phase::Open) => SlaState::Pending,
                (false, Phase::Approved | Phase::Rejected | Phase::Moot) => SlaState::Within,
            },
        }),
        answers: approval.answers.clone(),
        comments: approval.comments.clone(),
        ended_at: approval.ended_at,
        by: approval.means,
    }
}
