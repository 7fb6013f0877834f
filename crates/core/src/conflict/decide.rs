//! What parties offer, agents vote for and people decide.
use super::{Record, due, holders, line};
use crate::decide::{Decided, Events, invalid, rejected};
use crate::permit::{Permit, PermitKey, Place, request};
use crate::state::State;
use fleet_types::conflict::{
    Answer, Answered, Command, Dispute, Ends, Offer, Resolved, Seat, Split, Vote, Voted, Way,
};
use fleet_types::rule::Strategy;
use fleet_types::{
    Actor, AgentId, Code, ConflictId, Event, Millis, PermitId, Rejection, ResourcePath, Text, Time,
};

/// Longest that a party may go later at once.
const DEFER_MAX: Millis = Millis(86_400_000);
/// Most offers of a dispute.
const OFFERS_MAX: usize = 64;
/// Most votes of a dispute.
const VOTES_MAX: usize = 1_000;

pub fn decide(state: &State, by: &Actor, command: &Command, now: Time) -> Decided {
    let decided = match command {
        Command::Answer {
            conflict,
            permit,
            agent,
            answer,
        } => self::answer(state, by, *conflict, (*permit, agent), answer, now),
        Command::Vote {
            conflict,
            agent,
            winner,
        } => vote(state, by, *conflict, agent, *winner),
        Command::Resolve {
            conflict,
            winner,
            revoke,
            reason,
        } => resolve(state, by, *conflict, *winner, (*revoke, reason), now),
    };
    decided.unwrap_or_else(Decided::Rejected)
}

fn find(state: &State, id: ConflictId) -> Result<&Record, Rejection> {
    let ended = || match state.conflicts.find(id) {
        Some(_) => Rejection::new(Code::Conflict, format!("conflict {id} is over")),
        None => Rejection::new(Code::NotFound, format!("there is no conflict {id}")),
    };
    state.conflicts.records.get(&id).ok_or_else(ended)
}

fn dispute(record: &Record) -> Result<&Dispute, Rejection> {
    record.dispute.as_ref().ok_or_else(|| {
        let words = format!(
            "nothing is asked of anybody over conflict {}: no rule of resolution is at work on it",
            record.id
        );
        Rejection::new(Code::Conflict, words)
    })
}

/// Where a permit stands in a conflict.
enum Stand {
    Waits(Place),
    Holds(PermitKey),
}

fn stand(state: &State, record: &Record, id: PermitId) -> Result<Stand, Rejection> {
    let place = line(state, record).into_iter().find(|it| it.id == id);
    let holds = |key: &PermitKey| state.permits[*key].id == id;
    let holder = || holders(state, record).into_iter().find(holds);
    place
        .map(Stand::Waits)
        .or_else(|| holder().map(Stand::Holds))
        .ok_or_else(|| {
            let words = format!(
                "permit {id} neither waits in conflict {} nor holds what it is about",
                record.id
            );
            Rejection::new(Code::Conflict, words).field("permit")
        })
}

fn answer(
    state: &State,
    by: &Actor,
    conflict: ConflictId,
    (permit, agent): (PermitId, &AgentId),
    answer: &Answer,
    now: Time,
) -> Result<Decided, Rejection> {
    if !by.may_act_as(agent) {
        return Err(request::not_yours_to_speak_for(agent));
    }
    let record = find(state, conflict)?;
    let dispute = dispute(record)?;
    let stand = stand(state, record, permit)?;
    if state
        .permits
        .find(permit)
        .is_some_and(|it| it.request.agent != *agent)
    {
        let words = format!("permit {permit} belongs to another agent than {agent}");
        return Err(Rejection::new(Code::PermitNotYours, words));
    }
    let known = dispute.offers.iter().find(|offer| offer.permit == permit);
    if known.is_some_and(|offer| offer.answer == *answer) {
        return Ok(Decided::unchanged());
    }
    if known.is_none() && dispute.offers.len() >= OFFERS_MAX {
        let words = format!("a conflict takes at most {OFFERS_MAX} offers");
        return Err(Rejection::new(Code::Conflict, words));
    }
    let offer = Offer {
        permit,
        agent: agent.clone(),
        answer: answer.clone(),
    };
    let settled = match (answer, &stand) {
        (Answer::Yield {}, Stand::Waits(place)) => {
            Some(Event::ConflictResolved(goes_last(state, record, place)))
        }
        (Answer::Yield {}, Stand::Holds(key)) => {
            let held_until = state.permits[*key].expires_at();
            let ends = Ends {
                permit,
                expires_at: dispute.deadline.min(held_until),
            };
            Some(Event::ConflictResolved(Resolved {
                ends: vec![ends],
                ..settled(state, record, Way::Yield, Vec::new())
            }))
        }
        (Answer::Swap { with }, Stand::Waits(place)) => swap(state, record, dispute, place, *with)?,
        (Answer::Split { resources }, Stand::Holds(key)) => {
            Some(split(state, record, &state.permits[*key], resources)?)
        }
        (Answer::Defer { by }, Stand::Waits(place)) => {
            if !(1..=DEFER_MAX.0).contains(&by.0) {
                let words = format!("answer.defer.ms must be 1–{}", DEFER_MAX.0);
                return Ok(invalid("answer.defer.ms", words));
            }
            let rank = place.rank.0.saturating_add(by.micros() as i64);
            let seats = vec![Seat { permit, rank }];
            Some(Event::ConflictResolved(settled(
                state,
                record,
                Way::Defer,
                seats,
            )))
        }
        (Answer::Insist {}, Stand::Waits(_) | Stand::Holds(_)) => {
            let insists = |id: PermitId| {
                let mut offers = dispute.offers.iter();
                id == permit || offers.any(|it| it.permit == id && it.answer == Answer::Insist {})
            };
            let gone = |id: PermitId| state.permits.key(id).is_none();
            let mut parties = dispute.parties.iter().map(|party| party.permit);
            let all = parties.all(|id| insists(id) || gone(id));
            (all && dispute.before.is_none()).then(|| due::fallback(state, record, dispute, now))
        }
        (Answer::Swap { .. } | Answer::Defer { .. }, Stand::Holds(_)) => {
            let words = format!("permit {permit} holds, and waits for nothing; yield or split");
            return Err(Rejection::new(Code::Conflict, words).field("answer"));
        }
        (Answer::Split { .. }, Stand::Waits(_)) => {
            let words = format!("permit {permit} holds nothing to split; yield, swap or defer");
            return Err(Rejection::new(Code::Conflict, words).field("answer"));
        }
    };
    Ok(together(
        Event::ConflictAnswered(Answered { conflict, offer }),
        settled,
    ))
}

fn together(answer: Event, then: Option<Event>) -> Decided {
    Decided::Events(Events {
        then: then.into_iter().collect(),
        ..Events::one(answer)
    })
}

fn settled(state: &State, record: &Record, how: Way, seats: Vec<Seat>) -> Resolved {
    let moved = |id: PermitId| seats.iter().any(|seat| seat.permit == id);
    let mut line = line(state, record).into_iter();
    let first = line.find(|place| !moved(place.id)).map(|place| place.id);
    due::resolved(record, how, first, seats)
}

fn goes_last(state: &State, record: &Record, place: &Place) -> Resolved {
    let last = line(state, record).into_iter().next_back();
    let seats = last.filter(|last| last.id != place.id).map(|last| Seat {
        permit: place.id,
        rank: last.rank.0.saturating_add(1),
    });
    settled(state, record, Way::Yield, seats.into_iter().collect())
}

fn swap(
    state: &State,
    record: &Record,
    dispute: &Dispute,
    place: &Place,
    with: PermitId,
) -> Result<Option<Event>, Rejection> {
    let other = line(state, record).into_iter().find(|it| it.id == with);
    let Some(other) = other.filter(|other| other.id != place.id) else {
        let words = format!(
            "permit {with} is no other one that waits in conflict {}",
            record.id
        );
        return Err(Rejection::new(Code::Conflict, words).field("answer.swap.with"));
    };
    let same = Answer::Swap { with: place.id };
    let mut offers = dispute.offers.iter();
    if !offers.any(|offer| offer.permit == with && offer.answer == same) {
        return Ok(None);
    }
    let seats = vec![
        Seat {
            permit: place.id,
            rank: other.rank.0,
        },
        Seat {
            permit: with,
            rank: place.rank.0,
        },
    ];
    let first = if *place < other { with } else { place.id };
    let resolved = due::resolved(record, Way::Swap, Some(first), seats);
    Ok(Some(Event::ConflictResolved(resolved)))
}

fn split(
    state: &State,
    record: &Record,
    permit: &Permit,
    resources: &[ResourcePath],
) -> Result<Event, Rejection> {
    let held = permit.granted().map_or(&[][..], |granted| &granted.held);
    let holds = |path: &ResourcePath| held.iter().any(|held| held.path == *path);
    let field = "answer.split.resources";
    if let Some(other) = resources.iter().find(|path| !holds(path)) {
        let words = format!("permit {} does not hold {other}", permit.id);
        return Err(Rejection::new(Code::Conflict, words).field(field));
    }
    let kept = held.iter().any(|held| !resources.contains(&held.path));
    if resources.is_empty() || !kept {
        let words = "a split is a part of what is held; to let go of all of it, finish the permit";
        return Err(Rejection::new(Code::Invalid, words).field(field));
    }
    Ok(Event::ConflictResolved(Resolved {
        split: Some(Split {
            permit: permit.id,
            resources: resources.to_vec(),
        }),
        ..settled(state, record, Way::Split, Vec::new())
    }))
}

fn vote(
    state: &State,
    by: &Actor,
    conflict: ConflictId,
    agent: &AgentId,
    winner: PermitId,
) -> Result<Decided, Rejection> {
    if !by.may_act_as(agent) {
        return Err(request::not_yours_to_speak_for(agent));
    }
    let record = find(state, conflict)?;
    let dispute = dispute(record)?;
    let Strategy::Vote { voters } = &dispute.strategy else {
        let words = format!("conflict {conflict} is not settled by votes");
        return Err(Rejection::new(Code::Conflict, words));
    };
    let mut voters: Vec<&AgentId> = match voters {
        Some(group) => {
            let group = state.groups.by_id.get(group);
            group.map_or_else(Vec::new, |group| group.members.iter().collect())
        }
        None => dispute.parties.iter().map(|party| &party.agent).collect(),
    };
    voters.sort_unstable();
    voters.dedup();
    if !voters.contains(&agent) {
        let words = format!("agent {agent} has no vote over conflict {conflict}");
        return Err(Rejection::new(Code::Forbidden, words));
    }
    if !line(state, record).iter().any(|place| place.id == winner) {
        let words = format!("permit {winner} does not wait in conflict {conflict}");
        return Err(Rejection::new(Code::Conflict, words).field("winner"));
    }
    let vote = Vote {
        agent: agent.clone(),
        winner,
    };
    if dispute.votes.contains(&vote) {
        return Ok(Decided::unchanged());
    }
    if dispute.votes.len() >= VOTES_MAX {
        let words = format!("a conflict takes at most {VOTES_MAX} votes");
        return Err(Rejection::new(Code::Conflict, words));
    }
    let mut after = dispute.clone();
    cast(&mut after, vote.clone());
    let voted = |voter: &&AgentId| after.votes.iter().any(|vote| vote.agent == **voter);
    let elected = || due::elected(state, record, &after);
    let winner = voters.iter().all(voted).then(elected).flatten();
    let then = winner.map(|winner| {
        let seats = due::ahead(state, record, winner);
        Event::ConflictResolved(due::resolved(record, Way::Vote, Some(winner), seats))
    });
    Ok(together(
        Event::ConflictVoted(Voted { conflict, vote }),
        then,
    ))
}

/// An agent's last vote counts.
pub fn cast(dispute: &mut Dispute, vote: Vote) {
    dispute.votes.retain(|known| known.agent != vote.agent);
    dispute.votes.push(vote);
}

fn resolve(
    state: &State,
    by: &Actor,
    conflict: ConflictId,
    winner: Option<PermitId>,
    (revoke, reason): (bool, &Text),
    now: Time,
) -> Result<Decided, Rejection> {
    if matches!(by, Actor::Agent(_)) {
        let words = format!("an agent cannot decide conflict {conflict}; a person must");
        return Err(Rejection::new(Code::Forbidden, words));
    }
    let record = find(state, conflict)?;
    if record.waiting == 0 {
        return Ok(rejected(
            Code::Conflict,
            format!("nobody waits in conflict {conflict}: there is nothing to decide"),
        ));
    }
    let mut resolved = due::resolved(record, Way::Override, winner, Vec::new());
    resolved.reason = reason.clone();
    if let Some(winner) = winner {
        let waits = matches!(stand(state, record, winner)?, Stand::Waits(_));
        resolved.seats = due::ahead(state, record, winner);
        if revoke && waits {
            let holders = holders(state, record).into_iter();
            resolved.ends = holders
                .map(|key| Ends {
                    permit: state.permits[key].id,
                    expires_at: now,
                })
                .collect();
        }
    }
    Ok(Decided::event(Event::ConflictResolved(resolved)))
}
