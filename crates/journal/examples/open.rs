//! How long a restart takes: opening a journal of a million events, by how they were
//! batched and by how much is verified.
//!
//! `cargo run --release -p fleet-journal --example open -- [directory] [events]`

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::path::Path;
use std::time::Instant;

use fleet_journal::sqlite::VerifyAtStart;
use fleet_journal::{Batch, FleetKey, Journal, Options, Outcome, Snapshot, Sqlite};

fn main() {
    let mut args = std::env::args().skip(1);
    let root = args
        .next()
        .unwrap_or_else(|| "target/open-bench".to_owned());
    let count: u64 = args.next().map_or(1_000_000, |text| text.parse().unwrap());
    let dir = Path::new(&root);
    for size in [1, 64, 1000] {
        let _ = std::fs::remove_dir_all(dir);
        write(dir, size, count);
        let bytes = std::fs::metadata(dir.join("journal.db")).unwrap().len();
        println!("{count} events in batches of {size}: {} MiB", bytes >> 20);
        for (name, verify) in [
            ("tail, no snapshot", VerifyAtStart::Tail),
            ("whole", VerifyAtStart::Whole),
            ("auto", VerifyAtStart::Auto),
        ] {
            let before = Instant::now();
            drop(
                Sqlite::open(
                    dir,
                    Options {
                        verify,
                        ..Options::default()
                    },
                )
                .unwrap(),
            );
            println!(
                "  {name:30} {:6.0} ms",
                before.elapsed().as_secs_f64() * 1e3
            );
        }
        let mut journal = Sqlite::open(dir, Options::default()).unwrap();
        let fleet: FleetKey = "acme/main".parse().unwrap();
        let snapshot = Snapshot {
            fleet,
            seq: count - 10_000,
            at: 1,
            format: 1,
            body: vec![b'x'; 1 << 20],
        };
        journal.save_snapshot(&snapshot).unwrap();
        drop(journal);
        let before = Instant::now();
        drop(
            Sqlite::open(
                dir,
                Options {
                    verify: VerifyAtStart::Tail,
                    ..Options::default()
                },
            )
            .unwrap(),
        );
        println!(
            "  {:30} {:6.0} ms",
            "tail, snapshot 10,000 before",
            before.elapsed().as_secs_f64() * 1e3
        );
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// Many batches a transaction, to have it done.
fn write(dir: &Path, size: u64, count: u64) {
    let mut journal = Sqlite::open(dir, Options::default()).unwrap();
    let fleet: FleetKey = "acme/main".parse().unwrap();
    let mut seq = 0;
    while seq < count {
        let batches: Vec<Batch> = (0..(10_000 / size))
            .map(|index| {
                let first_seq = seq + 1 + index * size;
                let events = support::events(first_seq, size);
                Batch {
                    fleet: fleet.clone(),
                    first_seq,
                    last_seq: first_seq + size - 1,
                    epoch: 1,
                    at: seq,
                    events,
                }
            })
            .collect();
        match journal.append(&batches) {
            Outcome::Committed => seq = batches.last().unwrap().last_seq,
            other => panic!("{other:?}"),
        }
    }
}
