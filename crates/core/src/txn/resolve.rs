//! A person settles a branch that does not settle itself.
use super::{Txn, known, too_late};
use crate::decide::{Decided, invalid};
use crate::state::State;
use fleet_types::event::TxnResolved;
use fleet_types::txn::{BranchState, Phase, Verdict};
use fleet_types::{Actor, BranchId, Code, Event, Rejection, Text, TxnId};

pub fn decide(
    state: &State,
    by: &Actor,
    id: TxnId,
    branch: &BranchId,
    verdict: Verdict,
    reason: &Text,
) -> Result<Decided, Rejection> {
    let txn = known(state, id)?;
    if let Actor::Agent(agent) = by {
        let words = format!("agent {agent} cannot settle a branch; a person must");
        return Err(Rejection::new(Code::Forbidden, words));
    }
    if reason.is_empty() {
        return Ok(invalid("reason", "reason is empty: say how you know"));
    }
    let became = became(txn, branch, verdict)?;
    Ok(Decided::event(Event::TxnResolved(TxnResolved {
        txn: id,
        branch: branch.clone(),
        verdict,
        became,
        reason: reason.clone(),
    })))
}

fn became(txn: &Txn, id: &BranchId, verdict: Verdict) -> Result<BranchState, Rejection> {
    use BranchState as B;
    use Verdict as V;
    let Some(branch) = txn.branches.get(id) else {
        let words = format!("transaction {} has no branch {id}", txn.id);
        return Err(Rejection::new(Code::NotFound, words));
    };
    let wrong = |words: &str| Err(Rejection::new(Code::Invalid, words).field("as"));
    const NO_STEP: &str = "only a step can be skipped: say committed or aborted";
    match (branch.state, verdict) {
        (B::Preparing, V::Aborted) => Ok(B::Refused),
        (B::Preparing, V::Committed) => {
            wrong("nothing is decided yet: let it vote, or say aborted")
        }
        (B::Committing, V::Committed) => Ok(B::Committed),
        (B::Committing, V::Aborted) => Ok(B::AbortedAlone),
        (B::Aborting, V::Aborted) => Ok(B::Aborted),
        (B::Aborting, V::Committed) => Ok(B::CommittedAlone),
        (B::Preparing | B::Committing | B::Aborting, V::Skip) => wrong(NO_STEP),
        (B::Preparing | B::Committing | B::Aborting | B::Doing | B::Undoing, V::Retry) => {
            Ok(branch.state)
        }

        (B::Doing | B::Undoing | B::Stuck, _) if branch.told == Some(Phase::Undo) => {
            Ok(match verdict {
                V::Aborted => B::Undone,
                V::Committed | V::Skip => B::Skipped,
                V::Retry => B::Undoing,
            })
        }
        (B::Doing | B::Undoing | B::Stuck, V::Committed) => Ok(B::Done),
        (B::Doing | B::Undoing | B::Stuck, V::Skip) => Ok(B::Skipped),
        (B::Doing | B::Undoing | B::Stuck, V::Aborted) if txn.must_go_on() => {
            wrong("there is no way back past the pivot: say retry, committed or skip")
        }
        (B::Doing | B::Undoing | B::Stuck, V::Aborted) => Ok(B::Failed),
        (B::Stuck, V::Retry) if branch.told.is_none() => Ok(B::Pending), // Its permit was denied.
        (B::Stuck, V::Retry) => Ok(B::Doing),

        (
            B::Enlisted
            | B::Prepared
            | B::Refused
            | B::ReadOnly
            | B::Committed
            | B::Aborted
            | B::CommittedAlone
            | B::AbortedAlone
            | B::Lost
            | B::Pending
            | B::Asking
            | B::Done
            | B::Failed
            | B::Unsure
            | B::Undone
            | B::Dropped
            | B::Skipped,
            V::Committed | V::Aborted | V::Retry | V::Skip,
        ) => {
            let words = format!("branch {id} waits for nobody");
            Err(too_late(txn, &words))
        }
    }
}
