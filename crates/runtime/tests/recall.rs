//! A fleet over a real SQLite journal whose memory holds few answers: the rest is on disk and is found there, whatever
//! happened in between, until it is older than was promised.
mod common;

use common::{ask, request, set_up, start};
use fleet_runtime::{Clock, Fleets, Handle, Options};
use fleet_types::permit::Decision;
use fleet_types::{Code, Time};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// 2026-11-02 08:00:00 UTC.
const MORNING: u64 = 1_793_606_400_000_000;

/// A clock that the test moves.
struct Hands(AtomicU64);

impl Clock for Hands {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::Relaxed))
    }
}

fn options(remembered_max: usize, snapshot_every: u64) -> Options {
    Options {
        remembered_max,
        snapshot_every,
        ..Options::default()
    }
}

/// What `kill -9` leaves: a copy of the files as they are.
fn image(dir: &Path) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        for entry in std::fs::read_dir(from).unwrap() {
            let (from, name) = entry
                .map(|entry| (entry.path(), entry.file_name()))
                .unwrap();
            let to = to.join(name);
            if from.is_dir() {
                std::fs::create_dir(&to).unwrap();
                copy(&from, &to);
            } else {
                std::fs::copy(from, to).unwrap();
            }
        }
    }
    let image = tempfile::tempdir().unwrap();
    copy(dir, image.path());
    image
}

fn files(dir: &Path, below: &str) -> Vec<PathBuf> {
    let dir = dir.join(below).join("acme").join("main");
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "no {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn nth(fleet: &Handle, number: usize) -> Decision {
    let path = format!("ledger/{number}");
    ask(fleet, request(&format!("r{number}"), "a", &path)).await
}

/// Asks for some more, then everything again.
async fn ask_all(fleet: &Handle, first: &mut Vec<Decision>, more: usize) {
    for number in first.len()..first.len() + more {
        first.push(nth(fleet, number).await);
    }
    for (number, decision) in first.iter().enumerate() {
        let again = nth(fleet, number).await;
        assert_eq!(again, *decision, "r{number} of {}", first.len());
    }
    let other = fleet.call(request("r1", "a", "ledger/other")).await;
    assert_eq!(other.unwrap().unwrap_err().code, Code::RequestIdReused);
}

async fn end(fleets: Fleets, fleet: Handle) {
    fleets.stop().await;
    drop((fleets, fleet));
}

#[tokio::test(flavor = "multi_thread")]
async fn first_answers_survive_restarts_and_kills() {
    let mut dir = tempfile::tempdir().unwrap();
    let mut first = Vec::new();
    for (round, more) in [30, 7, 1, 44, 3, 90, 2].into_iter().enumerate() {
        let fleets = start(dir.path(), options(16, 50));
        let fleet = set_up(&fleets).await;
        ask_all(&fleet, &mut first, more).await;
        if round % 2 == 0 {
            let image = image(dir.path());
            end(fleets, fleet).await;
            dir = image;
        } else {
            end(fleets, fleet).await;
        }
    }
    let fleets = start(dir.path(), options(4, 50)); // With another bound too.
    let fleet = set_up(&fleets).await;
    ask_all(&fleet, &mut first, 0).await;
    assert!(!files(dir.path(), "answers").is_empty());
    end(fleets, fleet).await;
}

/// The writer's own chunk is not full here, so nothing but the snapshot's keeper can have stored what the snapshot relies on.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_saved_after_the_answers_it_relies_on() {
    let dir = tempfile::tempdir().unwrap();
    let fleets = start(dir.path(), options(400, 100));
    let fleet = set_up(&fleets).await;
    let mut first = Vec::new();
    ask_all(&fleet, &mut first, 450).await;
    wait("snapshot past the answers", || {
        let found = files(dir.path(), "snapshots").pop();
        let seq = found.and_then(|path| path.file_stem()?.to_str()?.parse::<u64>().ok());
        seq.is_some_and(|seq| seq >= 430)
    });
    let image = image(dir.path());
    end(fleets, fleet).await;

    let fleets = start(image.path(), options(400, 100_000));
    let fleet = set_up(&fleets).await;
    ask_all(&fleet, &mut first, 0).await;
    end(fleets, fleet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_day_an_id_is_a_new_one_and_its_answer_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Arc::new(Hands(AtomicU64::new(MORNING)));
    let options = Options {
        clock: hands.clone(),
        ..options(16, 100_000)
    };
    let fleets = start(dir.path(), options.clone());
    let fleet = set_up(&fleets).await;
    let mut first = Vec::new();
    ask_all(&fleet, &mut first, 60).await;
    let day = Duration::from_hours(24).as_micros() as u64;
    hands.0.store(MORNING + day - 1_000_000, Ordering::Relaxed);
    ask_all(&fleet, &mut first, 0).await;
    end(fleets, fleet).await;

    hands.0.store(MORNING + day + 1_000_000, Ordering::Relaxed);
    let fleets = start(dir.path(), options);
    let fleet = set_up(&fleets).await;
    let before = files(dir.path(), "answers");
    assert!(!before.is_empty());
    let (Decision::Granted(old), Decision::Granted(new)) = (&first[0], nth(&fleet, 0).await) else {
        panic!("not granted")
    };
    assert_ne!(old.permit, new.permit);
    wait("room from what is forgotten", || {
        before.iter().all(|path| !path.exists())
    });
    end(fleets, fleet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_remembered_with_a_journal_in_memory() {
    let journal = Box::new(fleet_journal::Memory::default());
    let fleets = Fleets::start(journal, options(16, 50)).unwrap();
    let fleet = set_up(&fleets).await;
    ask_all(&fleet, &mut Vec::new(), 200).await;
    end(fleets, fleet).await;
}
