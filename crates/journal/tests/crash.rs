//! A process is killed at ten random moments while it appends: every batch it had acknowledged is
//! there afterwards, and the chain is whole.
//!
//! This shows that the order is right (write, sync, answer) and that opening recovers. It does not
//! show what a power loss does: the system's cache survives the process. tests/simulated.rs does.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::{Duration, SystemTime};

use fleet_journal::{Options, Sqlite};

#[test]
#[ignore = "the program that the other test starts"]
fn child() {
    common::child_main();
}

#[test]
fn acknowledged_batches_survive_kill() {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
    };
    println!("SEED={seed} rounds=10"); // Says which moments; the system's own timing cannot be replayed.
    let dir = tempfile::tempdir().unwrap();
    let mut random = seed;
    let mut acknowledged = 0;
    for round in 0..10 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let lifetime = Duration::from_micros((random >> 33) % 60_000);
        let before = acknowledged;
        let mut child = common::spawn_child(dir.path(), |program| Command::new(program));
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let opened = lines.by_ref().find(|line| common::is_said_by_child(line));
        assert_eq!(opened.as_deref(), Some("opened"), "round {round}");
        std::thread::sleep(lifetime);
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died; the last line may be cut.
        let lines: Vec<String> = lines.collect();
        acknowledged = common::last_acknowledged(&lines).max(before);

        let journal = Sqlite::open(dir.path(), Options::default()).unwrap();
        let seqs = common::all_seqs(&journal, "acme/main");
        let last = seqs.len() as u64;
        println!(
            "round {round}: killed after {lifetime:?}, acknowledged {acknowledged}, found {last}"
        );
        assert!(seqs.iter().copied().eq(1..=last), "round {round}: a hole");
        assert!(
            last >= acknowledged,
            "round {round}: acknowledged {acknowledged}, found {last}"
        );
    }
    assert!(
        acknowledged > 0,
        "nothing was ever acknowledged: this tests nothing"
    );
}
