//! Answers and signals as frames.
use crate::problem::Problem;
use crate::session::wire;
use fleet_runtime::{Failure, Signal};
use fleet_types::permit::Decision;
use fleet_types::session::{
    Approval, CountedFrame, Denied, DisputeFrame, Done, Ended, Finished, Granted, Halt,
    ProblemFrame, Released, Revoked, ServerFrame, Settled, Waiting,
};
use fleet_types::{Answer, Code, Reply};

/// The answer to the frame with this id.
#[must_use]
pub fn frame(id: u64, answer: Result<Answer, Failure>) -> ServerFrame {
    let reply = match answer {
        Ok(Ok(reply)) => reply,
        Ok(Err(rejection)) => return problem(Some(id), rejection.into()),
        Err(failure) => return problem(Some(id), failure.into()),
    };
    match reply {
        Reply::Decision(Decision::Granted(grant)) | Reply::Granted(grant) => {
            ServerFrame::Granted(Granted::new(Some(id), grant))
        }
        Reply::Decision(Decision::Queued(queued)) => ServerFrame::Queued(Waiting::new(id, queued)),
        Reply::Decision(Decision::Denied(denial)) => {
            ServerFrame::Denied(Denied::new(Some(id), denial))
        }
        Reply::Extending(queued) => ServerFrame::Extending(Waiting::new(id, queued)),
        Reply::Finished(finished) => ServerFrame::Finished(Finished {
            id,
            permit: finished.finish.permit,
            ending: finished.finish.ending,
            posted: finished.posted,
            overrun: finished.overrun,
        }),
        Reply::Done { seq } => ServerFrame::Done(Done { id, seq: Some(seq) }),
        Reply::Counted(counted) => ServerFrame::Counted(CountedFrame { id, counted }),
        Reply::Unchanged => ServerFrame::Done(Done { id, seq: None }),
        // No frame asks for these.
        Reply::Connected { .. }
        | Reply::Halted { .. }
        | Reply::ReleaseRequested { .. }
        | Reply::Transaction(_) => problem(
            Some(id),
            Problem::new(
                Code::Internal,
                "an answer to another question; tell who runs the server",
            ),
        ),
    }
}

/// A signal as a frame.
#[must_use]
pub fn signal(signal: Signal) -> ServerFrame {
    match signal {
        Signal::Granted(grant) => ServerFrame::Granted(Granted::new(None, grant)),
        Signal::Denied(denial) => ServerFrame::Denied(Denied::new(None, denial)),
        Signal::Extended(grant) => ServerFrame::Extended(Granted::new(None, grant)),
        Signal::ExtensionDenied(denial) => ServerFrame::ExtensionDenied(Denied::new(None, denial)),
        Signal::Revoked { permit, code } => ServerFrame::Revoked(Revoked { permit, code }),
        Signal::Approval(approval) => ServerFrame::Approval(Approval { approval }),
        Signal::Halted { halt, order } => ServerFrame::Halt(Halt { halt, order }),
        Signal::Released { halt } => ServerFrame::Released(Released { halt }),
        Signal::Transaction(order) => ServerFrame::Transaction(order),
        Signal::Disputed { conflict, dispute } => {
            ServerFrame::Dispute(DisputeFrame { conflict, dispute })
        }
        Signal::Settled {
            conflict,
            how,
            winner,
        } => ServerFrame::Settled(Settled {
            conflict,
            how,
            winner,
        }),
        Signal::Ended { epoch } => ServerFrame::Ended(Ended { epoch }),
    }
}

/// A problem as a frame.
#[must_use]
pub fn problem(id: Option<u64>, problem: Problem) -> ServerFrame {
    ServerFrame::Problem(ProblemFrame {
        id,
        problem: problem.into_body(),
    })
}

/// Writes a frame.
pub fn write(out: &mut Vec<u8>, frame: &ServerFrame) {
    wire::text(out, frame);
}
