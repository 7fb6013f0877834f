//! Answering, escalating, giving to others, commenting, delegating.
use super::seat::{self, Seat};
use super::{Approval, check, due};
use crate::decide::{Decided, Events, invalid, rejected};
use crate::state::State;
use fleet_types::approval::{
    Answer, Answered, Command, Comment, Delegate, Delegation, Means, Person, Phase, Proof,
    Reassign, Verb,
};
use fleet_types::event::{
    ApprovalAnswered, ApprovalCommented, ApprovalDecided, ApprovalDelegationEnded,
    ApprovalReassigned,
};
use fleet_types::{Actor, ApprovalId, Code, Event, Millis, Rejection, Role, Text, Time};

/// Most rounds of one approval.
const ROUNDS_MAX: u32 = 64;
/// Most comments on one approval.
const COMMENTS_MAX: usize = 100;
/// Most delegations of a fleet.
const DELEGATIONS_MAX: usize = if cfg!(test) { 3 } else { 10_000 };
/// Longest delegation: a year.
const DELEGATION_MS_MAX: u64 = 366 * 86_400_000;

/// Who asks, with all that is known of it.
struct Speaker<'c> {
    by: &'c Actor,
    person: Person,
    proof: &'c Proof,
    now: Time,
}

pub fn decide(state: &State, by: &Actor, command: &Command, now: Time) -> Decided {
    let speaker = match seat::speaker(by, command) {
        Ok(person) => Speaker {
            by,
            person,
            proof: &command.proof,
            now,
        },
        Err(rejection) => return Decided::Rejected(rejection),
    };
    if let Err(rejection) = seat::is_stopped(state, &speaker.person) {
        return Decided::Rejected(rejection);
    }
    let decided = match &command.verb {
        Verb::Answer(answer) => open(state, answer.approval)
            .and_then(|approval| self::answer(state, approval, &speaker, answer)),
        Verb::Escalate { approval, reason } => open(state, *approval)
            .and_then(|found| escalate(state, (*approval, found), &speaker, reason)),
        Verb::Reassign(others) => open(state, others.approval)
            .and_then(|approval| reassign(state, approval, &speaker, others)),
        Verb::Comment { approval, comment } => open(state, *approval)
            .and_then(|found| self::comment(state, (*approval, found), &speaker, comment)),
        Verb::Delegate(delegate) => self::delegate(state, &speaker, delegate),
        Verb::EndDelegation { from, reason } => {
            end_delegation(state, &speaker, from.as_ref(), reason)
        }
    };
    decided.unwrap_or_else(Decided::Rejected)
}

/// The approval, if it is open.
fn open(state: &State, id: ApprovalId) -> Result<&Approval, Rejection> {
    let Some(approval) = state.approvals.get(id) else {
        return Err(Rejection::new(
            Code::NotFound,
            format!("there is no approval {id}; what ended long ago stands in the journal only"),
        ));
    };
    let why = match (approval.phase, approval.means) {
        (Phase::Open, _) => return Ok(approval),
        (Phase::Approved, Some(Means::Deadline)) => "was approved by its deadline",
        (Phase::Rejected, Some(Means::Deadline)) => "was rejected by its deadline",
        (Phase::Approved, Some(Means::Answers) | None) => "was approved already",
        (Phase::Rejected, Some(Means::Answers) | None) => "was rejected already",
        (Phase::Moot, _) => "is pointless: what waited for it ended, or needs it no more",
    };
    Err(Rejection::new(
        Code::ApprovalClosed,
        format!("approval {id} {why}"),
    ))
}

fn answer(
    state: &State,
    approval: &Approval,
    speaker: &Speaker<'_>,
    answer: &Answer,
) -> Result<Decided, Rejection> {
    let id = answer.approval;
    not_own(state, approval, id, speaker)?;
    let seat = free_seat(state, approval, id, speaker)?;
    let Some(option) = approval.terms.option(&answer.option) else {
        let known: Vec<&str> = approval
            .terms
            .options
            .iter()
            .map(|option| option.id.as_str())
            .collect();
        let words = format!(
            "approval {id} has no option {}; choose one of {}",
            answer.option,
            known.join(", ")
        );
        return Err(Rejection::new(Code::Invalid, words).field("option"));
    };
    check::values(&approval.terms, &answer.fields)?;
    let voice = Answered {
        round: approval.round,
        person: speaker.person.clone(),
        seat: seat.assignee,
        in_place_of: seat.in_place_of,
        option: option.id.clone(),
        approves: option.approves,
        fields: answer.fields.clone(),
        comment: answer.comment.clone(),
        at: speaker.now,
    };
    let decided = |approved| {
        Event::ApprovalDecided(ApprovalDecided {
            approval: id,
            approved,
            by: Means::Answers,
        })
    };
    let then = match option.approves {
        false => vec![decided(false)],
        true if approval.approvals() + 1 >= approval.needed => vec![decided(true)],
        true => Vec::new(),
    };
    Ok(Decided::Events(Events {
        then,
        ..Events::one(Event::ApprovalAnswered(ApprovalAnswered {
            approval: id,
            voice,
        }))
    }))
}

fn not_own(
    state: &State,
    approval: &Approval,
    id: ApprovalId,
    speaker: &Speaker<'_>,
) -> Result<(), Rejection> {
    if !seat::is_own(state, approval, speaker.by, &speaker.person) {
        return Ok(());
    }
    let words = format!(
        "whoever asked for what approval {id} is about does not decide it, for whomever it speaks; another must"
    );
    Err(Rejection::new(Code::SelfApproval, words))
}

/// The first place of the speaker from which nobody has spoken in this round.
fn free_seat(
    state: &State,
    approval: &Approval,
    id: ApprovalId,
    speaker: &Speaker<'_>,
) -> Result<Seat, Rejection> {
    let has_spoken = |person: &Person| approval.has_spoken(person);
    let person = &speaker.person;
    let seats = seat::seats(
        state,
        approval,
        speaker.by,
        (person, speaker.proof),
        speaker.now,
    );
    if seats.is_empty() {
        return Err(not_an_assignee(approval, id, person));
    }
    let taken = || {
        let words =
            format!("{person}, or another in its place, has answered approval {id} already");
        Rejection::new(Code::AnsweredAlready, words)
    };
    if has_spoken(person) {
        return Err(taken());
    }
    let mut free = seats.into_iter();
    free.find(|seat| !seat.in_place_of.as_ref().is_some_and(has_spoken))
        .ok_or_else(taken)
}

fn not_an_assignee(approval: &Approval, id: ApprovalId, person: &Person) -> Rejection {
    let names: Vec<String> = approval.assignees.iter().map(ToString::to_string).collect();
    let words = format!(
        "{person} is none of those asked in approval {id}: {}",
        names.join(", ")
    );
    Rejection::new(Code::NotAnAssignee, words)
}

/// Whether the speaker is one of those who are asked, or an operator who reaches the asking agent.
fn may_steer(
    state: &State,
    approval: &Approval,
    id: ApprovalId,
    speaker: &Speaker<'_>,
) -> Result<(), Rejection> {
    let (person, proof) = (&speaker.person, speaker.proof);
    let is_asked =
        !seat::seats(state, approval, speaker.by, (person, proof), speaker.now).is_empty();
    let steers = !matches!(person, Person::Agent(_))
        && seat::reaches(state, &approval.asker.agent, proof, Role::Operator);
    match is_asked || steers {
        true => Ok(()),
        false => Err(not_an_assignee(approval, id, person)),
    }
}

fn escalate(
    state: &State,
    (id, approval): (ApprovalId, &Approval),
    speaker: &Speaker<'_>,
    reason: &Text,
) -> Result<Decided, Rejection> {
    not_own(state, approval, id, speaker)?;
    may_steer(state, approval, id, speaker)?;
    rounds_left(approval, id)?;
    match due::escalated(id, approval, reason, speaker.now) {
        Some(event) => Ok(Decided::event(event)),
        None => Err(Rejection::new(
            Code::Conflict,
            format!("nobody is left to whom approval {id} could be escalated"),
        )),
    }
}

fn rounds_left(approval: &Approval, id: ApprovalId) -> Result<(), Rejection> {
    if approval.round < ROUNDS_MAX {
        return Ok(());
    }
    let words = format!("approval {id} has had {ROUNDS_MAX} rounds; answer it");
    Err(Rejection::new(Code::Conflict, words))
}

fn reassign(
    state: &State,
    approval: &Approval,
    speaker: &Speaker<'_>,
    others: &Reassign,
) -> Result<Decided, Rejection> {
    let id = others.approval;
    not_own(state, approval, id, speaker)?;
    if !seat::reaches(state, &approval.asker.agent, speaker.proof, Role::Admin) {
        let words = format!(
            "only an admin whose key reaches the asking agent gives approval {id} to others"
        );
        return Err(Rejection::new(Code::Forbidden, words));
    }
    rounds_left(approval, id)?;
    let needed = others.needed.unwrap_or(approval.needed);
    check::assignees("assignees", &others.assignees, needed)?;
    Ok(Decided::event(Event::ApprovalReassigned(
        ApprovalReassigned {
            approval: id,
            round: approval.round + 1,
            assignees: others.assignees.clone(),
            needed,
            reason: others.reason.clone(),
        },
    )))
}

fn comment(
    state: &State,
    (id, approval): (ApprovalId, &Approval),
    speaker: &Speaker<'_>,
    comment: &Text,
) -> Result<Decided, Rejection> {
    if comment.is_empty() {
        return Ok(invalid("comment", "comment is empty"));
    }
    // Whoever asked may explain itself.
    if !seat::is_own(state, approval, speaker.by, &speaker.person) {
        may_steer(state, approval, id, speaker)?;
    }
    if approval.comments.len() >= COMMENTS_MAX {
        let words = format!("approval {id} has {COMMENTS_MAX} comments; answer it");
        return Ok(rejected(Code::Conflict, words));
    }
    Ok(Decided::event(Event::ApprovalCommented(
        ApprovalCommented {
            approval: id,
            comment: Comment {
                person: speaker.person.clone(),
                comment: comment.clone(),
                at: speaker.now,
            },
        },
    )))
}

/// Whose delegation it is: the speaker's own, or anybody's for an admin.
fn delegator(speaker: &Speaker<'_>, from: Option<&Person>) -> Result<Person, Rejection> {
    let from = from.unwrap_or(&speaker.person);
    let refused = |code, words: String| Err(Rejection::new(code, words).field("from"));
    if *from == Person::Local {
        let words = "say who delegates, such as {\"user\": \"KEY\"} or {\"agent\": \"AGENT\"}: without keys nobody can be told apart";
        return refused(Code::Invalid, words.into());
    }
    let is_admin = speaker.proof.role >= Role::Admin && speaker.proof.scope.is_none();
    if *from != speaker.person && !is_admin {
        let words = format!("only {from} itself or an admin delegates what is asked of {from}");
        return refused(Code::Forbidden, words);
    }
    Ok(from.clone())
}

fn delegate(
    state: &State,
    speaker: &Speaker<'_>,
    delegate: &Delegate,
) -> Result<Decided, Rejection> {
    let from = delegator(speaker, delegate.from.as_ref())?;
    let to = &delegate.to;
    if *to == Person::Local || *to == from {
        return Ok(invalid(
            "to",
            "to must be another, such as {\"user\": \"KEY\"} or {\"agent\": \"AGENT\"}",
        ));
    }
    if !(1..=DELEGATION_MS_MAX).contains(&delegate.for_ms.0) {
        let words = format!("for_ms must be 1–{DELEGATION_MS_MAX}");
        return Ok(invalid("for_ms", words));
    }
    let lasting = || {
        let all = state.approvals.delegations.iter();
        all.filter(|known| speaker.now < known.until)
    };
    // What was handed on once is not handed on again: whoever delegates must see who will answer.
    if let Some(next) = lasting().find(|known| known.from == *to) {
        let words = format!("{to} has delegated to {} itself; choose that one", next.to);
        return Ok(rejected(Code::Conflict, words));
    }
    if let Some(former) = lasting().find(|known| known.to == from) {
        let words = format!(
            "{} has delegated to {from}, which cannot hand it on; end that first",
            former.from
        );
        return Ok(rejected(Code::Conflict, words));
    }
    let others = lasting().filter(|known| known.from != from).count();
    if others >= DELEGATIONS_MAX {
        let words = format!("a fleet has at most {DELEGATIONS_MAX} delegations");
        return Ok(rejected(Code::Conflict, words));
    }
    Ok(Decided::event(Event::ApprovalDelegated(Delegation {
        from,
        to: to.clone(),
        until: speaker.now.after(Millis(delegate.for_ms.0)),
        reason: delegate.reason.clone(),
    })))
}

fn end_delegation(
    state: &State,
    speaker: &Speaker<'_>,
    from: Option<&Person>,
    reason: &Text,
) -> Result<Decided, Rejection> {
    let from = delegator(speaker, from)?;
    let mut known = state.approvals.delegations.iter();
    if !known.any(|known| known.from == from && speaker.now < known.until) {
        return Ok(Decided::unchanged());
    }
    Ok(Decided::event(Event::ApprovalDelegationEnded(
        ApprovalDelegationEnded {
            from,
            reason: reason.clone(),
        },
    )))
}
