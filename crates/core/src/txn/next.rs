//! What follows from how a transaction stands: one event at a time, until nothing follows.
use super::end::decided;
use super::{Branch, Txn, saga};
use crate::decide::{Decided, Events};
use crate::permit;
use crate::state::State;
use fleet_types::event::{TxnDecided, TxnEnded};
use fleet_types::permit::{Ending, Finish};
use fleet_types::txn::{BranchState, Decision, Kind, State as Stage};
use fleet_types::{Actor, Code, Event, PermitId, Text, Time, TxnId};

pub fn next(state: &State, id: TxnId, now: Time) -> Option<Events> {
    let txn = state.txns.find(id)?;
    match (txn.state, txn.begin.kind) {
        (Stage::Open | Stage::Preparing, _) if now >= txn.deadline => {
            let words = Text::clip("nothing was decided in time");
            Some(Events::one(decided(id, Code::Timeout, words)))
        }
        (Stage::Preparing, _) => votes(txn),
        (Stage::Committing | Stage::Aborting, _) => confirmed(txn),
        (Stage::Running | Stage::Compensating, _) => saga::next(state, txn, now),
        (
            Stage::Committed
            | Stage::Aborted
            | Stage::Completed
            | Stage::Compensated
            | Stage::Mixed,
            _,
        ) => let_go(state, txn, now),
        (Stage::Open, Kind::TwoPhase | Kind::Saga) => None,
    }
}

/// One no is enough; a yes from all commits. Who has done something on its own makes it an abort, and mixed.
fn votes(txn: &Txn) -> Option<Events> {
    let refused = |branch: &Branch| {
        matches!(
            branch.state,
            BranchState::Refused | BranchState::CommittedAlone | BranchState::Lost
        )
    };
    if let Some((id, branch)) = txn.branches.iter().find(|(_, branch)| refused(branch)) {
        let words = match branch.reason.is_empty() {
            true => format!("branch {id} refused"),
            false => format!("branch {id} refused: {}", branch.reason),
        };
        let event = decided(txn.id, Code::Conflict, Text::clip(&words));
        return Some(Events::one(event));
    }
    let ready =
        |branch: &Branch| matches!(branch.state, BranchState::Prepared | BranchState::ReadOnly);
    txn.branches.values().all(ready).then(|| {
        Events::one(Event::TxnDecided(TxnDecided {
            txn: txn.id,
            decision: Decision::Commit,
            code: None,
            reason: Text::default(),
        }))
    })
}

fn confirmed(txn: &Txn) -> Option<Events> {
    let open = |branch: &Branch| branch.phase().is_some();
    if txn.branches.values().any(open) {
        return None;
    }
    let alone = |branch: &Branch| {
        matches!(
            branch.state,
            BranchState::CommittedAlone | BranchState::AbortedAlone | BranchState::Lost
        )
    };
    let state = match txn.state {
        _ if txn.branches.values().any(alone) => Stage::Mixed,
        Stage::Committing => Stage::Committed,
        _ => Stage::Aborted,
    };
    Some(ended(txn, state))
}

pub fn ended(txn: &Txn, state: Stage) -> Events {
    Events::one(Event::TxnEnded(TxnEnded { txn: txn.id, state }))
}

/// Its permits end with it, one after the other.
fn let_go(state: &State, txn: &Txn, now: Time) -> Option<Events> {
    let permit = *txn.permits.first()?;
    end_permit(state, permit, ending(txn, permit), now)
}

/// How a permit ends: what was undone was tried, what was not begun is given back.
fn ending(txn: &Txn, permit: PermitId) -> Ending {
    let step = txn
        .branches
        .values()
        .find(|branch| branch.permit == Some(permit));
    match (txn.state, step.map(|branch| branch.state)) {
        (_, Some(BranchState::Done | BranchState::Skipped)) => Ending::Completed,
        (_, Some(BranchState::Undone)) => Ending::Failed,
        (_, Some(_)) => Ending::Cancelled,
        (Stage::Aborted | Stage::Compensated, None) => Ending::Cancelled,
        (_, None) => Ending::Completed,
    }
}

/// Ends a permit, or withdraws it while it waits.
pub fn end_permit(state: &State, permit: PermitId, ending: Ending, now: Time) -> Option<Events> {
    let agent = state.permits.find(permit)?.request.agent.clone();
    let finish = Finish {
        permit,
        agent,
        ending,
        cost: None,
        latency_ms: None,
    };
    match permit::end::decide(state, &Actor::System, &finish, now) {
        Decided::Events(events) => Some(events),
        Decided::Repeat(_) | Decided::Rejected(_) | Decided::Stale => None,
    }
}
