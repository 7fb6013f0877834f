//! What follows in a saga: forward step by step, or back in reverse.
//!
//! - A step begins when all before it are done and its permit, if it wants one, is granted.
//! - Before the pivot is done, a step that cannot be done turns the saga back. Past it there is only forward: what cannot
//!   be done waits for a person.
//! - A step is undone when all that came after it are settled. One that was begun, and whose outcome is not known, is undone
//!   as well: compensations must bear that.
use super::end::decided;
use super::next::{end_permit, ended};
use super::{Branch, Txn};
use crate::decide::{Decided, Events};
use crate::permit::request;
use crate::state::State;
use fleet_types::event::{TxnHeld, TxnMoved, TxnReported};
use fleet_types::halt::Mode;
use fleet_types::permit::Ending;
use fleet_types::txn::{BranchState, Outcome, Phase, State as Stage, Step};
use fleet_types::{Actor, BranchId, Code, Event, RequestId, Text, Time};
use std::sync::Arc;

pub fn next(state: &State, txn: &Txn, now: Time) -> Option<Events> {
    match txn.state {
        Stage::Running => forward(state, txn, now),
        _ => back(state, txn, now),
    }
}

fn forward(state: &State, txn: &Txn, now: Time) -> Option<Events> {
    if txn.can_turn_back() {
        let broken =
            |branch: &Branch| matches!(branch.state, BranchState::Failed | BranchState::Unsure);
        if let Some((id, branch)) = txn.branches.iter().find(|(_, branch)| broken(branch)) {
            let words = match branch.reason.is_empty() {
                true => format!("step {id} cannot be done"),
                false => format!("step {id} cannot be done: {}", branch.reason),
            };
            let event = decided(txn.id, Code::Conflict, Text::clip(&words));
            return Some(Events::one(event));
        }
        if now >= txn.deadline {
            let words = Text::clip("its steps were not done in time");
            return Some(Events::one(decided(txn.id, Code::Timeout, words)));
        }
    }
    for (id, branch) in &txn.branches {
        let Some(step) = &branch.step else { continue };
        match branch.state {
            BranchState::Pending if is_ready(txn, step) => match step.permit {
                Some(_) => return Some(ask(state, txn, id, step, now)),
                // A permit would be asked for; a step without one begins only where one could be had. Past the pivot there
                // is no way but on.
                None if !txn.must_go_on() => match halted(state, txn) {
                    Some((Mode::Pause, _)) => {}
                    Some((_, why)) => return Some(Events::one(denied(txn, id, why))),
                    None => return Some(moved(txn, id, BranchState::Doing, "")),
                },
                None => return Some(moved(txn, id, BranchState::Doing, "")),
            },
            BranchState::Asking => match branch.permit.map(|permit| state.permits.find(permit)) {
                Some(Some(permit)) if permit.granted().is_some() => {
                    return Some(moved(txn, id, BranchState::Doing, ""));
                }
                Some(Some(_)) => {}
                Some(None) | None => {
                    let reason = branch.reason.clone();
                    return Some(Events::one(denied(txn, id, reason)));
                }
            },
            _ => {}
        }
    }
    let settled =
        |branch: &Branch| matches!(branch.state, BranchState::Done | BranchState::Skipped);
    txn.branches
        .values()
        .all(settled)
        .then(|| ended(txn, over(txn, Stage::Completed)))
}

/// The halt over whoever began it.
fn halted(state: &State, txn: &Txn) -> Option<(Mode, Text)> {
    let halt = state.halts.over_named(state, &txn.begin.agent)?;
    let why = format!("halt {} is in force: {}", halt.id, halt.order.reason);
    Some((halt.order.mode, Text::clip(&why)))
}

fn is_ready(txn: &Txn, step: &Step) -> bool {
    step.after.iter().all(|id| {
        let before = txn.branches.get(id);
        before.is_some_and(|it| matches!(it.state, BranchState::Done | BranchState::Skipped))
    })
}

/// Asks for a step's permit, and holds it.
fn ask(state: &State, txn: &Txn, id: &BranchId, step: &Step, now: Time) -> Events {
    let seq = state.next_seq();
    let request_id = RequestId::parse(&format!("{}.{id}.{seq}", txn.id));
    let (Some(permit), Ok(request_id)) = (&step.permit, request_id) else {
        unreachable!("a step that asks has a permit, and its name is within its bounds")
    };
    let permit = permit.as_ref().clone();
    let request = Arc::new(permit.complete(request_id, txn.begin.agent.clone(), None));
    let refused = |why: Text| Events::one(denied(txn, id, why));
    match request::decide(state, &Actor::System, &request, None, None, now) {
        Decided::Events(mut events) => {
            let (permit, denial) = match &events.answer {
                Event::PermitGranted(event) => (event.permit, None),
                Event::PermitQueued(event) => (event.permit, None),
                Event::PermitDenied(event) => (event.denial.permit, Some(event.denial.clone())),
                _ => unreachable!("a request is granted, queued or denied"),
            };
            let follows = match denial {
                None => Event::TxnHeld(TxnHeld {
                    txn: txn.id,
                    permit,
                    branch: Some(id.clone()),
                }),
                Some(denial) => {
                    let words = format!("permit {permit}: {}: {}", denial.code, denial.reason);
                    denied(txn, id, Text::clip(&words))
                }
            };
            // Who began the saga asks, not the fleet: and does not approve it.
            for event in &mut events.then {
                if let Event::ApprovalAsked(asked) = event {
                    asked.asker.by.clone_from(&txn.by);
                }
            }
            // Behind the questions that it asks: what waits for them knows them by their places.
            events.then.push(follows);
            events
        }
        Decided::Rejected(rejection) => refused(rejection.message),
        Decided::Stale => unreachable!("what the fleet asks for waits to be judged"),
        Decided::Repeat(_) => refused(Text::clip("its request's id was used by somebody else")),
    }
}

/// A step without its permit cannot be done.
fn denied(txn: &Txn, id: &BranchId, reason: Text) -> Event {
    Event::TxnReported(TxnReported {
        txn: txn.id,
        branch: id.clone(),
        phase: Phase::Do,
        attempt: 0,
        outcome: Outcome::Refused,
        became: match txn.must_go_on() {
            true => BranchState::Stuck,
            false => BranchState::Failed,
        },
        again_at: None,
        evidence: Text::default(),
        reason,
    })
}

fn moved(txn: &Txn, id: &BranchId, became: BranchState, reason: &str) -> Events {
    Events::one(Event::TxnMoved(TxnMoved {
        txn: txn.id,
        branch: id.clone(),
        became,
        reason: Text::clip(reason),
    }))
}

fn back(state: &State, txn: &Txn, now: Time) -> Option<Events> {
    for (id, branch) in &txn.branches {
        match branch.state {
            BranchState::Asking => {
                let waiting = branch
                    .permit
                    .filter(|permit| state.permits.find(*permit).is_some());
                return match waiting {
                    Some(permit) => end_permit(state, permit, Ending::Cancelled, now),
                    None => Some(moved(txn, id, BranchState::Dropped, "")),
                };
            }
            BranchState::Doing if now >= txn.deadline => {
                let words = "it did not say in time whether it was done";
                return Some(moved(txn, id, BranchState::Unsure, words));
            }
            BranchState::Done | BranchState::Unsure if is_last(txn, id) => {
                let undo = branch.step.as_ref().is_some_and(|step| step.undo.is_some());
                return Some(match undo {
                    true => moved(txn, id, BranchState::Undoing, ""),
                    false => moved(txn, id, BranchState::Undone, "there is nothing to undo"),
                });
            }
            _ => {}
        }
    }
    txn.branches
        .values()
        .all(is_settled)
        .then(|| ended(txn, over(txn, Stage::Compensated)))
}

/// Whether all that came after a step are settled.
fn is_last(txn: &Txn, id: &BranchId) -> bool {
    let after = |branch: &&Branch| {
        let step = branch.step.as_ref();
        step.is_some_and(|step| step.after.contains(id))
    };
    txn.branches.values().filter(after).all(is_settled)
}

fn is_settled(branch: &Branch) -> bool {
    matches!(
        branch.state,
        BranchState::Undone | BranchState::Dropped | BranchState::Failed | BranchState::Skipped
    )
}

fn over(txn: &Txn, wanted: Stage) -> Stage {
    let skipped = |branch: &Branch| branch.state == BranchState::Skipped;
    match txn.branches.values().any(skipped) {
        true => Stage::Mixed,
        false => wanted,
    }
}
