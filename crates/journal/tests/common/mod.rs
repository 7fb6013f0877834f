//! What the tests share: small batches, and a child process that appends and says what it was told.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses its part; a failed unwrap is a failed test"
)]

use std::path::Path;
use std::process::{Child, Command, Stdio};

use fleet_journal::{Batch, FleetKey, Journal, Options, Outcome, Sqlite};

/// `count` small events from `first_seq`.
pub fn batch(fleet: &str, first_seq: u64, count: u64) -> Batch {
    let fleet: FleetKey = fleet.parse().unwrap();
    let events: Vec<String> = (first_seq..first_seq + count)
        .map(|seq| format!(r#"{{"seq":{seq}}}"#))
        .collect();
    let events = format!("[{}]", events.join(",")).into_bytes();
    Batch {
        fleet,
        first_seq,
        last_seq: first_seq + count - 1,
        epoch: 1,
        at: first_seq * 1000,
        events,
    }
}

/// One line, with the error's causes.
pub fn tell(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Committed => "committed".to_owned(),
        Outcome::Failed(error) => format!("failed to {}", error.chain()),
        Outcome::Unknown(error) => format!("unknown: failed to {}", error.chain()),
    }
}

pub fn commit(journal: &mut dyn Journal, batches: &[Batch]) {
    let outcome = journal.append(batches);
    assert!(matches!(outcome, Outcome::Committed), "{}", tell(&outcome));
}

/// The journal's events text from the first to the last, after a check of the whole chain.
pub fn all_seqs(journal: &dyn Journal, fleet: &str) -> Vec<u64> {
    let fleet: FleetKey = fleet.parse().unwrap();
    let mut reader = journal.reader().unwrap();
    let report = fleet_journal::verify(&mut *reader, fleet_journal::Extent::Whole).unwrap();
    assert!(report.is_sound(), "{report}");
    let mut seqs = vec![];
    loop {
        let next = seqs.last().map_or(1, |last| last + 1);
        let batches = reader.read(&fleet, next, 100).unwrap();
        if batches.is_empty() {
            return seqs;
        }
        batches
            .iter()
            .for_each(|batch| seqs.extend(batch.first_seq..=batch.last_seq));
    }
}

const CHILD: &str = "FLEET_JOURNAL_CHILD";

/// What each test file's `child` test does when it was started as a child: appends batches of one to
/// seven events from where the journal ends, prints what becomes of each, and at an outcome other
/// than `Committed` tries twice more and ends.
pub fn child_main() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let mut journal = Sqlite::open(Path::new(&dir), Options::default()).unwrap();
    println!("\nopened"); // The harness has begun the line.
    let fleet = "acme/main".parse().unwrap();
    let mut next = journal
        .reader()
        .unwrap()
        .head(&fleet)
        .unwrap()
        .map_or(1, |head| head.last_seq + 1);
    let mut refusals = 0;
    while refusals < 3 && next < 100_000 {
        let batch = batch("acme/main", next, 1 + next % 7);
        let outcome = journal.append(std::slice::from_ref(&batch));
        println!("{}-{} {}", batch.first_seq, batch.last_seq, tell(&outcome));
        match outcome {
            Outcome::Committed => next = batch.last_seq + 1,
            Outcome::Failed(_) | Outcome::Unknown(_) => refusals += 1,
        }
        journal.tend().ok();
    }
}

/// Starts this test binary again as a child; `wrap` may put another program before it.
pub fn spawn_child(dir: &Path, wrap: impl FnOnce(&Path) -> Command) -> Child {
    let program = std::env::current_exe().unwrap();
    wrap(&program)
        .args([
            "child",
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a child to its end and returns the lines it said.
pub fn run_child(dir: &Path, wrap: impl FnOnce(&Path) -> Command) -> Vec<String> {
    let output = spawn_child(dir, wrap).wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter(|line| is_said_by_child(line))
        .map(str::to_owned)
        .collect()
}

pub fn is_said_by_child(line: &str) -> bool {
    line.starts_with("opened") || line.contains(" committed") || line.contains("failed to ")
}

/// The last number a child was told is committed.
pub fn last_acknowledged(lines: &[String]) -> u64 {
    let committed = lines
        .iter()
        .filter_map(|line| line.strip_suffix(" committed"));
    committed
        .filter_map(|range| range.split_once('-')?.1.parse().ok())
        .max()
        .unwrap_or(0)
}
