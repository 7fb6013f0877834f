//! The simulated disk: a crash at every step, and proof that the checks would notice a store that
//! breaks its promise.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use common::batch;
use fleet_journal::memory::{Bug, Disk, Fate};
use fleet_journal::{FleetKey, Journal, Memory, Outcome, Snapshot};

/// One run: lives of a server on one disk, each cut short, and a power loss at the end.
/// Says what went wrong, if anything: acknowledged events that are gone, or damage.
fn run(bug: Option<Bug>, steps: u64, kept: usize, fate: Option<Fate>) -> Result<(), String> {
    let disk = Disk::new();
    bug.into_iter().for_each(|bug| disk.set_bug(bug));
    let fleet: FleetKey = "acme/main".parse().unwrap();
    let mut acknowledged = 0;
    for life in 0..3 {
        let mut journal = Memory::open(&disk).map_err(|error| error.chain())?;
        let mut next = journal
            .reader()
            .unwrap()
            .head(&fleet)
            .unwrap()
            .map_or(1, |head| head.last_seq + 1);
        if next <= acknowledged {
            return Err(format!(
                "life {life}: acknowledged {acknowledged}, found {}",
                next - 1
            ));
        }
        match life {
            0 => disk.die_after(Some(steps)),
            1 => fate.into_iter().for_each(|fate| disk.fail_next_sync(fate)),
            _ => {}
        }
        for count in [1, 3, 2] {
            match journal.append(&[
                batch("acme/main", next, count),
                batch("beta/main", next, count),
            ]) {
                Outcome::Committed => {
                    next += count;
                    acknowledged = next - 1;
                }
                Outcome::Failed(_) | Outcome::Unknown(_) => break,
            }
            let seen = journal
                .reader()
                .unwrap()
                .head(&fleet)
                .unwrap()
                .map_or(0, |head| head.last_seq);
            if seen != acknowledged {
                return Err(format!(
                    "life {life}: readers see {seen}, acknowledged {acknowledged}"
                ));
            }
        }
        let seen = journal
            .reader()
            .unwrap()
            .head(&fleet)
            .unwrap()
            .map_or(0, |head| head.last_seq);
        if seen > acknowledged && life == 0 {
            return Err(format!(
                "life {life}: readers see {seen}, acknowledged {acknowledged}"
            ));
        }
        if life == 1 {
            let snapshot = Snapshot {
                fleet: fleet.clone(),
                seq: acknowledged,
                at: 1,
                format: 1,
                body: vec![1],
            };
            let _ = journal.save_snapshot(&snapshot);
            disk.kill();
        } else {
            drop(journal);
            disk.crash(kept);
        }
    }
    let journal = Memory::open(&disk).map_err(|error| error.chain())?;
    let found = common::all_seqs(&journal, "acme/main");
    if (found.len() as u64) < acknowledged {
        return Err(format!(
            "at the end: acknowledged {acknowledged}, found {}",
            found.len()
        ));
    }
    Ok(())
}

fn failures(bug: Option<Bug>) -> Vec<String> {
    let mut failures = vec![];
    for steps in 0..12 {
        for kept in 0..3 {
            for fate in [None, Some(Fate::Kept), Some(Fate::Lost)] {
                if let Err(why) = run(bug, steps, kept, fate) {
                    failures.push(format!("steps {steps} kept {kept} fate {fate:?}: {why}"));
                }
            }
        }
    }
    failures
}

#[test]
fn a_crash_at_every_step_loses_nothing() {
    assert_eq!(failures(None), Vec::<String>::new());
}

#[test]
fn each_bug_is_noticed() {
    for bug in [
        Bug::AckWithoutSync,
        Bug::OpenWithoutWriteBack,
        Bug::ShowBeforeSync,
    ] {
        let failures = failures(Some(bug));
        println!(
            "{bug:?}: noticed in {} of 108 runs, first: {:?}",
            failures.len(),
            failures.first()
        );
        assert!(!failures.is_empty(), "{bug:?} went unnoticed");
    }
}

/// RELIABILITY §4, word for word: event 2's sync fails, a restart shows it, event 3 is acknowledged,
/// power is lost.
#[test]
fn the_story_of_the_failed_sync() {
    let story = |write_back: bool| {
        let disk = Disk::new();
        if !write_back {
            disk.set_bug(Bug::OpenWithoutWriteBack);
        }
        let mut journal = Memory::open(&disk).unwrap();
        common::commit(&mut journal, &[batch("acme/main", 1, 1)]);
        disk.fail_next_sync(Fate::Kept);
        assert!(matches!(
            journal.append(&[batch("acme/main", 2, 1)]),
            Outcome::Unknown(_)
        ));
        disk.kill();
        let mut journal = Memory::open(&disk).unwrap();
        assert_eq!(common::all_seqs(&journal, "acme/main"), [1, 2]);
        common::commit(&mut journal, &[batch("acme/main", 3, 1)]);
        disk.crash(0);
        let journal = Memory::open(&disk).unwrap();
        common::all_seqs(&journal, "acme/main")
    };
    assert_eq!(
        story(false),
        [1],
        "acknowledged work is lost without the write-back"
    );
    assert_eq!(story(true), [1, 2, 3]);
}

#[test]
fn an_ended_process_can_write_no_more() {
    let disk = Disk::new();
    let mut old = Memory::open(&disk).unwrap();
    disk.kill();
    let mut new = Memory::open(&disk).unwrap();
    assert!(matches!(
        old.append(&[batch("acme/main", 1, 1)]),
        Outcome::Failed(_)
    ));
    drop(old); // Does not release the lock of the new one.
    assert!(Memory::open(&disk).is_err());
    common::commit(&mut new, &[batch("acme/main", 1, 1)]);
}
