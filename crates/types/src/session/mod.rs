//! The session's frames: what an agent's instance and the server say to each other over one WebSocket,
//! and the parts of it that the plain HTTP door shares.
//!
//! Each frame is one JSON object with one key, its kind: `{"heartbeat":{}}`. An agent says `hello` first and hears
//! `welcome`; from then on it may send requests without waiting, each with an `id` of its own choice, and hears one
//! answer with that `id` for each, in any order. Frames without an `id` are told unasked. What a door may refuse
//! is a [`Problem`], the same body that HTTP answers with (RFC 9457).

mod body;
mod client;
mod problem;
mod server;

pub use body::{ExtendBody, FinishBody, PermitRequest, RenewBody};
pub use client::{
    AcknowledgeHalt, Answer, Ask, Bye, ClientFrame, Extend, Finish, Hello, Offer, Ready, Renew,
    Report, Vote,
};
pub use problem::{FieldError, Problem};
pub use server::{
    Approval, CountedFrame, Denied, DisputeFrame, Done, Ended, Finished, Granted, Halt,
    ProblemFrame, Released, Revoked, ServerFrame, Settled, Waiting, Welcome,
};

/// The version of these frames. A change that an older client cannot read gets a new number.
pub const PROTOCOL: u32 = 1;
/// Largest frame an agent may send, in bytes.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Most requests of one session that may be without their answer.
pub const IN_FLIGHT_MAX: usize = 1_024;
/// A session is closed at this many frames that could not be read.
pub const MALFORMED_MAX: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_as_the_schema_says() {
        for good in [
            r#"{"hello":{"id":1,"protocol":1,"agent":"a","instance":"i","resume":3,"labels":{}}}"#,
            r#"{"heartbeat":{}}"#,
            r#"{"request":{"id":2,"permit":{"action":"payment.send","resources":[{"path":"ledger/1","mode":"exclusive"}]}}}"#,
            r#"{"finish":{"id":3,"permit":"p17","ending":"completed"}}"#,
            r#"{"acknowledge_halt":{"halt":"h4"}}"#,
            r#"{"report":{"id":5,"report":{"txn":"t17","branch":"eu","phase":"prepare","outcome":"done"}}}"#,
            r#"{"bye":{"id":9}}"#,
        ] {
            serde_json::from_str::<ClientFrame>(good).unwrap();
        }
        for bad in [
            r#"{"heartbeat":{"x":1}}"#,
            r#"{"request":{"id":2,"permit":{"action":"payment.send","rush":true}}}"#,
            r#"{"dance":{}}"#,
            r#"{"bye":{"id":9},"heartbeat":{}}"#,
            r#"{"request":{"id":2,"permit":{"action":"a","resources":[{"path":"x","mode":"shared"},{"path":"x","mode":"shared"}]}}}"#,
        ] {
            assert!(
                serde_json::from_str::<ClientFrame>(bad).is_err(),
                "{bad} was taken"
            );
        }
    }
}
