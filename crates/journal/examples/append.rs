//! What an append costs: p50 and p99 in µs and events a second, for several batch sizes, beside the
//! bare fdatasync of as many bytes.
//!
//! `cargo run --release -p fleet-journal --example append -- [directory] [seconds per row]`
//! The directory must be on the disk to be measured, not on a tmpfs.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use fleet_journal::{Batch, FleetKey, Journal, Options, Outcome, Sqlite};

fn main() {
    let mut args = std::env::args().skip(1);
    let root = args
        .next()
        .unwrap_or_else(|| "target/append-bench".to_owned());
    let seconds = args.next().map_or(5, |text| text.parse().unwrap());
    let span = Duration::from_secs(seconds);
    let root = Path::new(&root);
    let _ = std::fs::remove_dir_all(root);
    std::fs::create_dir_all(root).unwrap();
    println!(
        "SQLite {}, {} in {}",
        rusqlite::version(),
        support::events(1, 1).len(),
        root.display()
    );
    println!(
        "{:34} {:>9} {:>9} {:>9} {:>9} {:>12}",
        "", "p50 µs", "p99 µs", "p99.9 µs", "max µs", "events/s"
    );
    for (name, bytes, grow) in [
        ("fdatasync, 12 KiB in place", 12 << 10, false),
        ("fdatasync, 12 KiB growing", 12 << 10, true),
        ("fdatasync, 20 KiB in place", 20 << 10, false),
        ("fdatasync, 64 KiB in place", 64 << 10, false),
    ] {
        let mut times = bare(root, bytes, grow, span);
        print(name, 0, &mut times);
    }
    for (name, size, reserve, tend) in [
        ("append 1", 1, true, true),
        ("append 1, nobody tends", 1, true, false),
        ("append 1, log not extended", 1, false, true),
        ("append 64", 64, true, true),
        ("append 256", 256, true, true),
        ("append 1000", 1000, true, true),
        ("append 1000, nobody tends", 1000, true, false),
    ] {
        let dir = root.join(name.replace([' ', ','], "-"));
        let mut times = journal(&dir, size, reserve, tend, span);
        print(name, size, &mut times);
    }
    std::fs::remove_dir_all(root).unwrap();
}

fn bare(root: &Path, bytes: usize, grow: bool, span: Duration) -> Vec<Duration> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(root.join("bare"))
        .unwrap();
    let data = vec![7; bytes];
    let most = 20 << 20;
    if !grow {
        file.write_all_at(&vec![0; most + bytes], 0).unwrap();
        file.sync_all().unwrap();
    }
    let (start, mut at, mut times) = (Instant::now(), 0, vec![]);
    while start.elapsed() < span {
        let before = Instant::now();
        file.write_all_at(&data, at).unwrap();
        file.sync_data().unwrap();
        times.push(before.elapsed());
        at += bytes as u64;
        if !grow && at > most as u64 {
            at = 0;
        }
    }
    times
}

fn journal(dir: &Path, size: u64, reserve: bool, tend: bool, span: Duration) -> Vec<Duration> {
    let log_pages = if reserve {
        Options::default().log_pages
    } else {
        0
    };
    let mut journal = Sqlite::open(
        dir,
        Options {
            log_pages,
            ..Options::default()
        },
    )
    .unwrap();
    let fleet: FleetKey = "acme/main".parse().unwrap();
    let bodies: Vec<Vec<u8>> = (0..16)
        .map(|index| support::events(index * size, size))
        .collect();
    let (start, mut seq, mut times) = (Instant::now(), 0, vec![]);
    while start.elapsed() < span {
        let events = bodies[(seq / size % 16) as usize].clone();
        let batch = Batch {
            fleet: fleet.clone(),
            first_seq: seq + 1,
            last_seq: seq + size,
            epoch: 1,
            at: seq,
            events,
        };
        let before = Instant::now();
        match journal.append(&[batch]) {
            Outcome::Committed => {}
            other => panic!("{other:?}"),
        }
        times.push(before.elapsed());
        seq += size;
        if tend {
            journal.tend().unwrap();
        }
    }
    // What tending took counts for the throughput.
    times.push(start.elapsed());
    times
}

fn print(name: &str, size: u64, times: &mut Vec<Duration>) {
    let total = if size > 0 {
        times.pop().unwrap()
    } else {
        times.iter().sum()
    };
    let rate = times.len() as f64 * size.max(1) as f64 / total.as_secs_f64();
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    println!(
        "{name:34} {:9.0} {:9.0} {:9.0} {:9.0} {rate:12.0}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
