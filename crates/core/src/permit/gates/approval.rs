//! Has everybody approved who must? What earlier gates found to be needed is looked up among what was asked.
use super::{Ask, Report, Stop};
use crate::approval::ask::words;
use crate::state::State;
use fleet_types::approval::{Need, Phase};
use fleet_types::explain::Gate;
use fleet_types::permit::Blocker;
use fleet_types::{ApprovalId, Code};

/// The approvals that a grant rests on.
pub fn pass(
    ask: &Ask<'_>,
    needs: &[Need],
    report: &mut Report,
) -> Result<Vec<ApprovalId>, Box<Stop>> {
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    let approvals = &ask.state.approvals;
    let waiter = ask.asker.permit.map(|key| ask.state.permits[key].id);
    let mut given = Vec::new();
    let mut missing = None;
    for need in needs {
        let known = waiter.and_then(|permit| approvals.answering(permit, need));
        report.saw(
            || format!("{}.needed", need.source),
            known
                .map_or(need.terms.needed, |(_, known)| known.needed)
                .into(),
        );
        report.saw(
            || format!("{}.given", need.source),
            known.map_or(0, |(_, known)| known.approvals()).into(),
        );
        let blocker = match known {
            Some((id, known)) => match known.phase {
                Phase::Approved => {
                    given.push(id);
                    continue;
                }
                Phase::Rejected => return Err(rejected(ask.state, id)),
                Phase::Open | Phase::Moot => blocker_of(ask.state, id),
            },
            None => Some(Blocker::Approval {
                approval: None,
                source: need.source.clone(),
                assignees: need.terms.assignees.clone(),
                needed: need.terms.needed,
                deadline: None,
            }),
        };
        missing = missing.or(blocker);
    }
    let Some(blocker) = missing else {
        return Ok(given);
    };
    let told = match &blocker {
        Blocker::Approval {
            source,
            assignees,
            needed,
            ..
        } => words(source, assignees, *needed),
        _ => String::new(), // It was made above.
    };
    let told = format!("{told}; ask with a wait, and it is asked for");
    let mut stop = Stop::wait(Gate::Approval, Code::ApprovalRequired, told, blocker);
    stop.needs = needs.to_vec();
    Err(stop)
}

/// More for a permit that holds cannot wait for anybody: what was approved is what was asked then.
pub fn pass_extension(needs: &[Need]) -> Result<(), Box<Stop>> {
    let Some(need) = needs.first() else {
        return Ok(());
    };
    let told = words(&need.source, &need.terms.assignees, need.terms.needed);
    let mut stop = Stop::deny(
        Gate::Approval,
        Code::ApprovalRequired,
        format!("{told}; ask for a permit of its own"),
    );
    stop.blocker = Some(Blocker::Approval {
        approval: None,
        source: need.source.clone(),
        assignees: need.terms.assignees.clone(),
        needed: need.terms.needed,
        deadline: None,
    });
    Err(stop)
}

/// What stands in the way: an approval that was asked for.
fn blocker_of(state: &State, id: ApprovalId) -> Option<Blocker> {
    let known = state.approvals.get(id)?;
    Some(Blocker::Approval {
        approval: Some(id),
        source: known.source.clone(),
        assignees: known.assignees.clone(),
        needed: known.needed,
        deadline: known.deadline,
    })
}

/// An approval was refused.
pub fn rejected(state: &State, id: ApprovalId) -> Box<Stop> {
    let known = state.approvals.get(id);
    let voice = known.and_then(|known| known.voices().find(|voice| !voice.approves));
    let told = match voice {
        Some(voice) if voice.comment.is_empty() => {
            format!(
                "{} answered {} to approval {id}",
                voice.person, voice.option
            )
        }
        Some(voice) => format!(
            "{} answered {} to approval {id}: {}",
            voice.person, voice.option, voice.comment
        ),
        None => format!("nobody answered approval {id} in time"),
    };
    let mut stop = Stop::deny(Gate::Approval, Code::ApprovalRejected, told);
    stop.blocker = blocker_of(state, id);
    stop
}
