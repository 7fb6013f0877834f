//! `replay`: a journal of a million requests, each decided anew twice: under the rules as they were, and under others.
//! Beside it: the same journal only applied, as a start without a snapshot does.
use crate::figures::{Figures, round};
use crate::world::{LARGE, ask, finish, local};
use fleet_core::{State, step};
use fleet_journal::{Batch, FleetKey, Journal as _, Outcome, Sqlite, sqlite};
use fleet_replay::{Candidate, Journal, Options, replay};
use fleet_types::permit::Decision;
use fleet_types::rule::{self, Rule};
use fleet_types::{Answer, Command, Envelope, Record, Reply, Text, Time};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

/// Requests in the journal.
const REQUESTS: u64 = 1_000_000;
/// Microseconds between two commands.
const STEP_US: u64 = 5_000;
/// Records of one batch.
const BATCH: usize = 1_000;
/// Permits in flight.
const IN_FLIGHT: usize = 64;

/// Writes what the core decides, without sockets and with one sync for each batch.
struct Recorder {
    state: State,
    journal: Sqlite,
    fleet: FleetKey,
    now: Time,
    records: Vec<Record>,
}

impl Recorder {
    fn run(&mut self, envelope: &Envelope) -> Answer {
        self.now = Time(self.now.0 + STEP_US);
        let answer = step(&mut self.state, envelope, self.now, &mut self.records);
        self.state.drain_evicted().for_each(drop);
        if self.records.len() >= BATCH {
            self.flush();
        }
        answer
    }

    fn flush(&mut self) {
        let (Some(first), Some(last)) = (self.records.first(), self.records.last()) else {
            return;
        };
        let batch = Batch {
            fleet: self.fleet.clone(),
            first_seq: first.seq.0,
            last_seq: last.seq.0,
            epoch: 1,
            at: last.at.0,
            events: serde_json::to_vec(&self.records).expect("records have a JSON form"),
        };
        assert!(
            matches!(self.journal.append(&[batch]), Outcome::Committed),
            "the journal takes it"
        );
        self.records.clear();
    }
}

fn rule(text: Value) -> Rule {
    serde_json::from_value(text).expect("a rule")
}

/// Some rules that were there, so that their memory is worked on too.
fn rules_then() -> [Rule; 3] {
    let pay = json!({"action": "payment.send"});
    let freeze = json!({"action": "account.freeze"});
    [
        rule(
            json!({"id": "freeze-pay", "when": freeze, "form": {"contradiction": {"with": pay, "within_ms": 60_000}}}),
        ),
        rule(
            json!({"id": "busy", "when": pay, "form": {"quota": {"max": 1_000, "window_ms": 600_000, "per": ["agent"]}}}),
        ),
        rule(
            json!({"id": "slow", "stage": "observe", "when": pay, "form": {"cooling_off": {"for_ms": 1_000}}}),
        ),
    ]
}

fn record(dir: &Path) {
    let journal = Sqlite::open(dir, sqlite::Options::default()).expect("a fresh journal opens");
    let mut recorder = Recorder {
        state: State::default(),
        journal,
        fleet: FleetKey::new("bench", "main").expect("a name"),
        now: Time(1_793_606_400_000_000),
        records: Vec::new(),
    };
    for envelope in LARGE.build() {
        recorder.run(&envelope).expect("it is taken");
    }
    for rule in rules_then() {
        let command = rule::Command::Set {
            rule: Box::new(rule),
            reason: Text::default(),
        };
        let done = recorder.run(&local(Command::Rule(command)));
        done.expect("it is taken");
    }
    let mut open = VecDeque::new();
    for number in 0..REQUESTS {
        let request = LARGE.request(number);
        let agent = request.agent.clone();
        if let Ok(Reply::Decision(Decision::Granted(grant))) = recorder.run(&ask(request)) {
            open.push_back((grant.permit, agent));
        }
        if open.len() > IN_FLIGHT
            && let Some((permit, agent)) = open.pop_front()
        {
            recorder.run(&finish(permit, agent)).expect("it holds");
        }
    }
    recorder.flush();
}

pub fn run(dir: Option<&Path>) -> Figures {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let began = Instant::now();
    if !dir.join(sqlite::FILE).is_file() {
        record(dir);
    }
    let recorded_s = began.elapsed().as_secs_f64();
    let fleet = FleetKey::new("bench", "main").expect("a name");

    let began = Instant::now();
    let mut reader = sqlite::reader(dir).expect("it can be read");
    let applied = fleet_runtime::recover(reader.as_mut(), &fleet).expect("it is sound");
    let applied_s = began.elapsed().as_secs_f64();
    let events = applied.replayed;
    drop(applied);

    let pay = json!({"action": "payment.*"});
    let candidate = Candidate {
        rules: vec![
            rule(json!({"id": "slow", "when": pay, "form": {"cooling_off": {"for_ms": 60_000}}})),
            rule(
                json!({"id": "hourly", "when": pay, "form": {"quota": {"max": 60, "window_ms": 3_600_000, "per": ["agent"]}}}),
            ),
        ],
        ..Candidate::default()
    };
    let began = Instant::now();
    let reader = sqlite::reader(dir).expect("it can be read");
    let mut source = Journal::open(reader, fleet.clone()).expect("it is there");
    let options = Options::default();
    let report = replay(&mut source, &fleet, &candidate, &options, &mut |_| {})
        .expect("it can be decided anew");
    let replayed_s = began.elapsed().as_secs_f64();
    assert_eq!(
        report.unlike_the_record, 0,
        "the same rules answer as the record does"
    );

    Figures {
        beside: Some(json!({
            "what": "the same journal only applied, as a start without a snapshot does",
            "seconds": round(applied_s), "events": events,
        })),
        ratio: Some(round(replayed_s / applied_s)),
        ..Figures::new("replay")
    }
    .with("requests", report.requests)
    .with("replayed_s", round(replayed_s))
    .with(
        "requests_per_s",
        (report.requests as f64 / replayed_s).round() as u64,
    )
    .with("newly_denied", report.changed.newly_denied)
    .with(
        "of_which_had_completed",
        report.changed.newly_denied_completed,
    )
    .with("unlike_the_record", report.unlike_the_record)
    .with("resident_most_mib", resident_most_mib())
    .with("recording_s", round(recorded_s))
}

/// The most memory that this process ever had.
fn resident_most_mib() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the process may ask about itself");
    usage.max_rss() as u64 / 1_024
}
