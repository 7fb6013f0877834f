//! What a participant says: a vote, a confirmation, how a step went.
//!
//! What comes late, twice, or for what is not asked any more changes nothing.
use super::{Branch, Txn, known, may_act_as};
use crate::decide::Decided;
use crate::state::State;
use fleet_types::event::TxnReported;
use fleet_types::txn::{BranchState, Outcome, Participant, Phase, Report, State as Stage};
use fleet_types::{Actor, Code, Event, Rejection, Time};

pub fn decide(state: &State, by: &Actor, report: &Report, now: Time) -> Result<Decided, Rejection> {
    let txn = known(state, report.txn)?;
    let Some(branch) = txn.branches.get(&report.branch) else {
        let words = format!("transaction {} has no branch {}", txn.id, report.branch);
        return Err(Rejection::new(Code::NotFound, words));
    };
    match (&branch.participant, by) {
        (Participant::Session { agent, .. }, by) => may_act_as(by, agent)?,
        (Participant::Webhook { .. } | Participant::Postgres { .. }, Actor::System) => {}
        (
            Participant::Webhook { .. } | Participant::Postgres { .. },
            Actor::Agent(_) | Actor::Key(_) | Actor::Local,
        ) => {
            let words = format!(
                "branch {} answers the server itself; a person settles it with resolve",
                report.branch
            );
            return Err(Rejection::new(Code::Forbidden, words));
        }
    }
    if branch.phase() != Some(report.phase) {
        return Ok(Decided::unchanged());
    }
    let late = report
        .attempt
        .is_some_and(|attempt| attempt != branch.attempt);
    let became = match became(txn, branch, report) {
        Some(became) => became,
        None if late => return Ok(Decided::unchanged()),
        None => branch.state,
    };
    let again = became == branch.state;
    Ok(Decided::event(Event::TxnReported(TxnReported {
        txn: txn.id,
        branch: report.branch.clone(),
        phase: report.phase,
        attempt: branch.attempt,
        outcome: report.outcome,
        became,
        again_at: again.then(|| now.after(branch.retry().pause(branch.attempt))),
        evidence: report.evidence.clone(),
        reason: report.reason.clone(),
    })))
}

/// What becomes of a branch; `None`: it is tried again.
fn became(txn: &Txn, branch: &Branch, report: &Report) -> Option<BranchState> {
    use BranchState as B;
    use Outcome as O;
    let last = branch.attempt >= branch.retry().attempts_max;
    Some(match (report.phase, report.outcome) {
        (Phase::Prepare, O::Done) => B::Prepared,
        (Phase::Prepare, O::ReadOnly) => B::ReadOnly,
        (Phase::Prepare, O::Refused | O::RolledBack) => B::Refused,
        (Phase::Prepare, O::Committed) => B::CommittedAlone,
        (Phase::Prepare, O::Lost) => B::Lost,
        (Phase::Prepare, O::Failed) => return None,

        (Phase::Commit, O::Done | O::ReadOnly | O::Committed) => B::Committed,
        (Phase::Commit, O::RolledBack) => B::AbortedAlone,
        (Phase::Commit, O::Lost) => B::Lost,
        (Phase::Commit, O::Refused | O::Failed) => return None,

        (Phase::Abort, O::Done | O::ReadOnly | O::RolledBack) => B::Aborted,
        (Phase::Abort, O::Committed) => B::CommittedAlone,
        (Phase::Abort, O::Lost) => B::Lost,
        (Phase::Abort, O::Refused | O::Failed) => return None,

        (Phase::Do, O::Done | O::ReadOnly | O::Committed) => B::Done,
        (Phase::Do, O::Refused | O::RolledBack) if txn.must_go_on() => B::Stuck,
        (Phase::Do, O::Refused | O::RolledBack) => B::Failed,
        (Phase::Do, O::Failed | O::Lost) if txn.state == Stage::Compensating => B::Unsure,
        (Phase::Do, O::Failed | O::Lost) if !last => return None,
        (Phase::Do, O::Failed | O::Lost) if txn.must_go_on() || is_pivot(branch) => B::Stuck,
        (Phase::Do, O::Failed | O::Lost) => B::Unsure,

        (Phase::Undo, O::Done | O::ReadOnly | O::RolledBack) => B::Undone,
        (Phase::Undo, O::Refused | O::Committed) => B::Stuck,
        (Phase::Undo, O::Failed | O::Lost) if last => B::Stuck,
        (Phase::Undo, O::Failed | O::Lost) => return None,
    })
}

fn is_pivot(branch: &Branch) -> bool {
    branch.step.as_ref().is_some_and(|step| step.pivot)
}
