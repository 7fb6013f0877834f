//! The desk: frames in, frames out.
use super::desk::{Desk, Heard, Order, Step, What};
use super::signal::Signal;
use crate::error::{Error, Kind, Result};
use fleet_types::permit::Decision;
use fleet_types::{Code, PermitId, Seq};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::oneshot;

struct Bench {
    desk: Desk,
}

impl Bench {
    fn new() -> Self {
        Bench {
            desk: Desk::new(Arc::new(AtomicU64::new(100)), true),
        }
    }

    fn order(&mut self, id: u64, what: What) -> oneshot::Receiver<Result<Heard>> {
        let (reply, heard) = oneshot::channel();
        self.desk.order(Order {
            id,
            frame: format!("<{id}>").into(),
            what,
            reply,
        });
        heard
    }

    fn hear(&mut self, frame: &str) -> Step {
        self.desk.hear(serde_json::from_str(frame).unwrap())
    }

    fn sent(&mut self) -> String {
        let frames: Vec<String> = self
            .desk
            .out
            .drain(..)
            .map(|frame| frame.to_string())
            .collect();
        frames.join(" ")
    }
}

const ASK: What = What::Request { last_word: true };
const GRANTED_1: &str = r#"{"granted":{"id":1,"permit":"p7","expires_at":9}}"#;
const QUEUED_1: &str = r#"{"queued":{"id":1,"permit":"p7","position":0,"until":9,"waits_for":{"kind":"halt","halt":"h1"}}}"#;
const PUSHED: &str = r#"{"granted":{"permit":"p7","expires_at":9}}"#;
const HALT: &str =
    r#"{"halt":{"halt":"h3","order":{"target":"all","mode":"immediate","reason":"drill"}}}"#;

fn granted(heard: &mut oneshot::Receiver<Result<Heard>>) -> Option<(PermitId, bool)> {
    match heard.try_recv() {
        Ok(Ok(Heard::Turn(turn))) => match turn.decision {
            Decision::Granted(grant) => Some((grant.permit, turn.queued)),
            Decision::Queued(_) | Decision::Denied(_) => None,
        },
        _ => None,
    }
}

const P7: PermitId = PermitId(Seq(7));

#[test]
fn a_grant_comes_at_once_or_later() {
    let mut bench = Bench::new();
    let mut heard = bench.order(1, ASK);
    bench.hear(GRANTED_1);
    assert_eq!(granted(&mut heard), Some((P7, false)));

    let mut bench = Bench::new();
    let mut heard = bench.order(1, ASK);
    bench.hear(QUEUED_1);
    assert!(heard.try_recv().is_err());
    bench.hear(PUSHED);
    assert_eq!(granted(&mut heard), Some((P7, true)));

    // The push overtook the answer.
    let mut bench = Bench::new();
    let mut heard = bench.order(1, ASK);
    bench.hear(PUSHED);
    bench.hear(QUEUED_1);
    assert_eq!(granted(&mut heard), Some((P7, true)));
}

#[test]
fn who_wants_the_first_word_hears_the_last_as_a_signal() {
    let mut bench = Bench::new();
    let mut heard = bench.order(1, What::Request { last_word: false });
    bench.hear(QUEUED_1);
    assert!(
        matches!(heard.try_recv(), Ok(Ok(Heard::Turn(turn))) if matches!(turn.decision, Decision::Queued(_)))
    );
    bench.hear(PUSHED);
    assert!(
        matches!(bench.desk.signals.as_slice(), [Signal::Granted(grant)] if grant.permit == P7)
    );
}

#[test]
fn a_grant_that_nobody_waits_for_is_given_back() {
    let mut bench = Bench::new();
    drop(bench.order(1, ASK));
    bench.hear(GRANTED_1);
    assert_eq!(
        bench.sent(),
        r#"<1> {"finish":{"id":100,"permit":"p7","ending":"cancelled"}}"#
    );
}

#[test]
fn after_a_cut_a_repeat_is_confirmed_before_anyone_hears_of_it() {
    let mut bench = Bench::new();
    let mut one = bench.order(1, ASK);
    let mut two = bench.order(2, ASK);
    bench.hear(&QUEUED_1.replace("\"id\":1", "\"id\":2"));
    bench.sent();
    bench.desk.resume();
    assert_eq!(bench.sent(), "<1> <2>");
    bench.hear(&GRANTED_1.replace("p7", "p8"));
    assert!(one.try_recv().is_err());
    assert_eq!(bench.sent(), r#"{"renew":{"id":100,"permit":"p8"}}"#);
    bench.hear(r#"{"granted":{"id":100,"permit":"p8","expires_at":99}}"#);
    assert_eq!(granted(&mut one), Some((PermitId(Seq(8)), false)));
    // The other one had been granted meanwhile, and was lost again.
    bench.hear(&GRANTED_1.replace("\"id\":1", "\"id\":2"));
    bench.sent();
    bench.hear(r#"{"problem":{"id":101,"type":"t","title":"t","status":404,"code":"permit_unknown","detail":"gone"}}"#);
    assert!(matches!(two.try_recv(), Ok(Err(error)) if error.kind() == Kind::Lost));
}

#[test]
fn what_was_held_is_checked_after_a_cut() {
    let mut bench = Bench::new();
    let mut heard = bench.order(1, ASK);
    bench.hear(GRANTED_1);
    assert!(granted(&mut heard).is_some());
    bench.sent();
    bench.desk.resume();
    assert_eq!(bench.sent(), r#"{"renew":{"id":100,"permit":"p7"}}"#);
    bench.hear(r#"{"problem":{"id":100,"type":"t","title":"t","status":404,"code":"permit_unknown","detail":"gone"}}"#);
    assert_eq!(
        bench.desk.signals,
        [Signal::Revoked {
            permit: P7,
            code: Code::PermitUnknown
        }]
    );
}

#[test]
fn an_immediate_halt_takes_everything_and_is_acknowledged() {
    let mut bench = Bench::new();
    let mut held = bench.order(1, ASK);
    bench.hear(GRANTED_1);
    assert!(granted(&mut held).is_some());
    let _waits = bench.order(2, ASK);
    bench.hear(&QUEUED_1.replace("\"id\":1", "\"id\":2").replace("p7", "p8"));
    bench.sent();
    bench.hear(HALT);
    assert_eq!(
        bench.sent(),
        r#"<2> {"acknowledge_halt":{"halt":"h3","in_flight":0}}"#
    );
    assert!(matches!(
        bench.desk.signals.as_slice(),
        [
            Signal::Halted(_),
            Signal::Revoked {
                permit: P7,
                code: Code::Halted
            }
        ]
    ));
    bench.hear(r#"{"released":{"halt":"h3"}}"#);
    assert!(bench.desk.halts().is_empty());
}

#[test]
fn the_end_of_a_life_fails_whoever_waits() {
    let mut bench = Bench::new();
    let mut one = bench.order(1, ASK);
    bench.hear(QUEUED_1);
    let mut two = bench.order(2, What::Finish(P7));
    bench
        .desk
        .end(&Error::new(Kind::Lost, "gone"), Code::HolderGone);
    assert!(matches!(one.try_recv(), Ok(Err(_))));
    assert!(matches!(two.try_recv(), Ok(Err(_))));
    assert_eq!(bench.sent(), "");
}

#[test]
fn a_denial_of_a_stale_instance_ends_the_life() {
    let mut bench = Bench::new();
    let mut heard = bench.order(1, ASK);
    let denied = r#"{"denied":{"id":1,"permit":"p7","code":"instance_stale","gate":"agent_state","reason":"r"}}"#;
    assert_eq!(bench.hear(denied), Step::Ended);
    assert!(matches!(
        heard.try_recv(),
        Ok(Ok(Heard::Turn(turn))) if matches!(turn.decision, Decision::Denied(_))
    ));
}

#[test]
fn frames_of_our_own_that_fail_harm_nobody() {
    let mut bench = Bench::new();
    assert_eq!(bench.hear(r#"{"done":{"id":5}}"#), Step::Go);
    assert_eq!(bench.hear(r#"{"ended":{"epoch":5}}"#), Step::Ended);
    let told = bench.hear(r#"{"problem":{"type":"t","title":"t","status":401,"code":"unauthenticated","detail":"d"}}"#);
    assert!(matches!(told, Step::Told(error) if error.code() == Some(Code::Unauthenticated)));
}

#[test]
fn what_was_given_up_is_given_back_when_the_server_returns() {
    let mut bench = Bench::new();
    let mut heard = bench.order(1, ASK);
    bench.sent();
    bench.desk.give_up(&Error::new(Kind::Lost, "gone"));
    assert!(matches!(heard.try_recv(), Ok(Err(_))));
    bench.desk.resume();
    assert_eq!(bench.sent(), "<1>");
    bench.hear(GRANTED_1);
    bench.sent();
    bench.hear(r#"{"granted":{"id":100,"permit":"p7","expires_at":9}}"#);
    assert_eq!(
        bench.sent(),
        r#"{"finish":{"id":101,"permit":"p7","ending":"cancelled"}}"#
    );
}
