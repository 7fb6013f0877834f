//! Asking: which of the needs of a permit that will wait are not asked about yet.
use super::{Approval, OPEN_MAX};
use crate::permit::gates::Stop;
use crate::state::State;
use fleet_types::approval::{Asker, Assignee, Need, Person, Phase, Source, Subject};
use fleet_types::event::{ApprovalAsked, ApprovalMoot};
use fleet_types::permit::{Blocker, Request};
use fleet_types::{Actor, ApprovalId, Code, Event, Millis, PermitId, Seq, Time};
use std::sync::Arc;

/// Who waits for what.
pub struct Waiter<'s> {
    pub permit: PermitId,
    pub request: &'s Arc<Request>,
    pub asker: Asker,
}

impl<'s> Waiter<'s> {
    /// A permit, and whose credential brought its request.
    pub fn new(permit: PermitId, request: &'s Arc<Request>, by: Option<Actor>) -> Self {
        Waiter {
            permit,
            request,
            asker: Asker {
                agent: request.agent.clone(),
                by,
            },
        }
    }
}

/// What happens so that a waiter's needs are asked about: questions to come, and those that nobody needs any more.
pub fn events(state: &State, waiter: &Waiter<'_>, needs: &[Need], now: Time) -> Vec<Event> {
    let approvals = &state.approvals;
    let mut events = Vec::new();
    for id in approvals.of(waiter.permit) {
        let is_needed = |approval: &Approval| needs.iter().any(|need| approval.answers_to(need));
        if approvals
            .get(*id)
            .is_some_and(|known| known.phase == Phase::Open && !is_needed(known))
        {
            events.push(Event::ApprovalMoot(ApprovalMoot { approval: *id }));
        }
    }
    for need in needs {
        if approvals.answering(waiter.permit, need).is_some() {
            continue;
        }
        let terms = &need.terms;
        events.push(Event::ApprovalAsked(ApprovalAsked {
            subject: Subject::Permit {
                permit: waiter.permit,
                request: waiter.request.clone(),
            },
            source: need.source.clone(),
            asker: waiter.asker.clone(),
            deadline: terms.deadline_ms.map(|span| now.after(span)),
            sla_at: terms.sla_ms.map(|span| now.after(span)),
            terms: terms.clone(),
        }));
    }
    events
}

/// Names the approval in what a request will wait for, where it is asked for only now: by the event that will stand at
/// `first` in the journal, or one of those behind it.
pub fn named(mut waits_for: Blocker, asked: &[Event], first: Seq) -> Blocker {
    if let Blocker::Approval {
        approval: approval @ None,
        source: wanted,
        deadline,
        ..
    } = &mut waits_for
    {
        for (at, event) in asked.iter().enumerate() {
            if let Event::ApprovalAsked(event) = event
                && event.source == *wanted
            {
                *approval = Some(ApprovalId(Seq(first.0 + at as u64)));
                *deadline = event.deadline;
                break;
            }
        }
    }
    waits_for
}

/// Whether more would be open than people could answer.
pub fn is_full(state: &State, events: &[Event]) -> bool {
    let asks = |event: &&Event| matches!(event, Event::ApprovalAsked(_));
    let asked = events.iter().filter(asks).count();
    asked > 0 && state.approvals.open + asked > OPEN_MAX
}

/// The refusal of one that would make it too many.
pub fn full(state: &State, stop: Stop) -> Stop {
    Stop {
        code: Code::QueueFull,
        reason: format!("{} approvals are open already", state.approvals.open),
        retry_after: Some(Millis(1_000)),
        can_wait: false,
        ..stop
    }
}

/// What is wanted, for people.
pub fn words(source: &Source, assignees: &[Assignee], needed: u32) -> String {
    let names: Vec<String> = assignees.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    match (needed, assignees.len()) {
        (1, 1) => format!("{source} wants the approval of {names}"),
        (1, _) => format!("{source} wants the approval of one of {names}"),
        (needed, _) => format!("{source} wants {needed} approvals of {names}"),
    }
}

/// Whether somebody is who asked: the agent itself, or whoever holds the credential that brought the request.
pub fn is_asker(asker: &Asker, person: &Person) -> bool {
    match (person, &asker.by) {
        (Person::Agent(agent), _) => *agent == asker.agent,
        (Person::User(key), Some(Actor::Key(by))) => key == by,
        // Without keys nobody can be told apart.
        (Person::User(_), Some(Actor::Agent(_) | Actor::System | Actor::Local) | None)
        | (Person::Local, _) => false,
    }
}
