//! What only the SQLite store has: its files, its lock, its archives.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use common::{batch, commit};
use fleet_journal::sqlite::VerifyAtStart;
use fleet_journal::{
    Error, Extent, FleetKey, Journal, Options, Snapshot, Sqlite, audit, audit_archives, verify,
};
use rusqlite::Connection;
use std::path::Path;

fn open(dir: &Path) -> Result<Sqlite, Error> {
    Sqlite::open(dir, Options::default())
}

fn failure(dir: &Path) -> String {
    match open(dir) {
        Ok(_) => "opened".to_owned(),
        Err(error) => {
            format!("failed to {}", error.chain()).replace(&dir.display().to_string(), "<dir>")
        }
    }
}

fn sql(dir: &Path, sql: &str) {
    Connection::open(dir.join("journal.db"))
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}

fn save_snapshot(journal: &mut dyn Journal, fleet: &str, seq: u64) {
    let fleet = fleet.parse().unwrap();
    journal
        .save_snapshot(&Snapshot {
            fleet,
            seq,
            at: 1,
            format: 1,
            body: vec![b'x'; 3000],
        })
        .unwrap();
}

#[test]
fn foreign_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("journal.db"), vec![7; 5000]).unwrap();
    assert_eq!(
        failure(dir.path()),
        "failed to open <dir>/journal.db: file is not a database"
    );
    std::fs::remove_file(dir.path().join("journal.db")).unwrap();
    sql(dir.path(), "CREATE TABLE x (y); PRAGMA application_id = 7;");
    assert_eq!(
        failure(dir.path()),
        "failed to open <dir>/journal.db: it is not a journal; choose another directory"
    );
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    sql(dir.path(), "PRAGMA user_version = 9;");
    assert_eq!(
        failure(dir.path()),
        "failed to open <dir>/journal.db: it has format 9 and this program reads 1; use the release that wrote it"
    );
}

/// The schema as it lies in the file is the documented one.
#[test]
fn schema_is_documented() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let conn = Connection::open(dir.path().join("journal.db")).unwrap();
    let mut statement = conn
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
        .unwrap();
    let tables: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let documented = include_str!("../README.md");
    for table in tables {
        assert!(documented.contains(&table), "README.md lacks:\n{table}");
    }
}

/// Fields of the wrong shape are damage with a name, not a crash.
#[test]
fn misshapen_fields() {
    for (change, told) in [
        (
            "hash = x'00'",
            "batch at 3 of acme/main: undecodable: Invalid column type Blob at index: 5, name: not 32 bytes",
        ),
        (
            "epoch = -1",
            "batch at 3 of acme/main: undecodable: Invalid column type Integer at index: 2, name: a number below zero",
        ),
        (
            "encoding = 300",
            "batch at 3 of acme/main: undecodable: Integer 300 out of range at index 6",
        ),
        (
            "encoding = 2",
            "batch 3..=4 of acme/main: undecodable: encoding 2 is not known",
        ),
        (
            "encoding = 1, body = x'28b52ffd'",
            "batch 3..=4 of acme/main: undecodable: the bytes are not a zstd frame",
        ),
        (
            "encoding = 1, body = x'28b52ffd e0 0000000001000000'",
            "batch 3..=4 of acme/main: undecodable: 4294967296 declared bytes pass the limit of 67108864",
        ),
        (
            "body = zeroblob(0)",
            "batch 3..=4 of acme/main: hash mismatch: stored dcf06d65, computed ",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path()).unwrap();
        commit(
            &mut journal,
            &[batch("acme/main", 1, 2), batch("acme/main", 3, 2)],
        );
        drop(journal);
        sql(
            dir.path(),
            &format!(
                "UPDATE batch SET {} WHERE first_seq = 3",
                change.replace("ffd e0 ", "ffde0")
            ),
        );
        let report = audit(dir.path()).unwrap();
        let said = report.damage().unwrap().to_string();
        assert!(
            said.starts_with(told.split("stored").next().unwrap()),
            "{change}\n{said}\n{told}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path()).unwrap();
    commit(
        &mut journal,
        &[batch("acme/main", 1, 2), batch("beta/main", 1, 2)],
    );
    drop(journal);
    sql(dir.path(), "DELETE FROM head WHERE fleet = 'acme/main'");
    assert_eq!(
        failure(dir.path()),
        "failed to trust <dir>/journal.db: the head of fleet number 1 is missing, its batches are there; \
         restore the data directory from a backup, and keep this one for study"
    );
}

#[test]
fn verification_at_start_begins_at_the_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path()).unwrap();
    for seq in [1, 3, 5, 7] {
        commit(&mut journal, &[batch("acme/main", seq, 2)]);
    }
    save_snapshot(&mut journal, "acme/main", 4);
    drop(journal);
    sql(dir.path(), "UPDATE batch SET at = 7 WHERE first_seq = 1");
    let at_start = |extent| {
        Sqlite::open(
            dir.path(),
            Options {
                verify: extent,
                ..Options::default()
            },
        )
        .is_ok()
    };
    assert!(
        at_start(VerifyAtStart::Tail),
        "the damage lies before the snapshot"
    );
    assert!(!at_start(VerifyAtStart::Whole));
    assert!(
        !at_start(VerifyAtStart::Auto),
        "a small journal is verified whole"
    );
    sql(dir.path(), "UPDATE batch SET at = 7 WHERE first_seq = 7");
    assert!(!at_start(VerifyAtStart::Tail));
}

/// A snapshot from another copy of the data has the right numbers and another history.
#[test]
fn a_snapshot_of_another_history_is_noticed() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (dir, at) in [(&one, 1), (&other, 2)] {
        let mut journal = open(dir.path()).unwrap();
        commit(
            &mut journal,
            &[fleet_journal::Batch {
                at,
                ..batch("acme/main", 1, 2)
            }],
        );
        save_snapshot(&mut journal, "acme/main", 2);
    }
    let file = "snapshots/acme/main/00000000000000000002.snapshot";
    std::fs::copy(other.path().join(file), one.path().join(file)).unwrap();
    let said = audit(one.path()).unwrap().damage().unwrap().to_string();
    assert!(
        said.starts_with("snapshot 2 of acme/main: broken link: names "),
        "{said}"
    );
    let journal = open(one.path()).unwrap();
    assert_eq!(
        journal
            .reader()
            .unwrap()
            .latest_snapshot(&"acme/main".parse().unwrap())
            .unwrap(),
        None
    );
}

#[test]
fn audit_runs_beside_a_server_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path()).unwrap();
    commit(&mut journal, &[batch("acme/main", 1, 2)]);
    let (done, is_done) = (
        std::sync::atomic::AtomicBool::new(false),
        std::sync::atomic::Ordering::Relaxed,
    );
    std::thread::scope(|scope| {
        let auditor = scope.spawn(|| {
            let mut audits = 0;
            while !done.load(is_done) {
                let report = audit(dir.path()).unwrap();
                assert!(report.is_sound(), "{report}");
                audits += 1;
            }
            audits
        });
        for seq in 3..800 {
            commit(&mut journal, &[batch("acme/main", seq, 1)]);
            if seq % 50 == 0 {
                save_snapshot(&mut journal, "acme/main", seq);
                journal.prune(&"acme/main".parse().unwrap(), seq).unwrap();
            }
            journal.tend().unwrap();
        }
        done.store(true, is_done);
        assert!(auditor.join().unwrap() > 0);
    });
    drop(journal);
    let before = std::fs::read(dir.path().join("journal.db")).unwrap();
    assert!(audit(dir.path()).unwrap().is_sound());
    assert_eq!(
        std::fs::read(dir.path().join("journal.db")).unwrap(),
        before
    );
}

#[test]
fn archives_continue_the_chain() {
    let (dir, archives) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = Options {
        archive: Some(archives.path().to_owned()),
        prune_batches_max: 10,
        ..Options::default()
    };
    let mut journal = Sqlite::open(dir.path(), options).unwrap();
    let fleet: FleetKey = "acme/main".parse().unwrap();
    for index in 0..40 {
        commit(&mut journal, &[batch("acme/main", 1 + index * 100, 100)]);
    }
    save_snapshot(&mut journal, "acme/main", 2500);
    let mut pruned = vec![];
    loop {
        let step = journal.prune(&fleet, 4000).unwrap();
        if step.batches == 0 {
            break;
        }
        pruned.push((step.batches, step.anchor.seq));
    }
    assert_eq!(pruned, [(10, 1000), (10, 2000), (5, 2500)]);
    let reports = audit_archives(archives.path(), Some(dir.path())).unwrap();
    assert_eq!(
        reports.iter().map(|report| report.events).sum::<u64>(),
        2500
    );
    assert_eq!(
        reports[2].end,
        journal.reader().unwrap().anchor(&fleet).unwrap()
    );
    let report = verify(&mut *journal.reader().unwrap(), Extent::Whole).unwrap();
    assert!(report.is_sound(), "{report}");

    // The tool that everybody has reads it.
    let path = &reports[0].path;
    if let Ok(output) = std::process::Command::new("zstd")
        .args(["-dc"])
        .arg(path)
        .output()
    {
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), 11);
        assert!(
            text.lines()
                .nth(1)
                .unwrap()
                .contains(r#""events":[{"seq":1},{"seq":2},"#)
        );
    }
    // One bit anywhere is noticed, and so is a missing file.
    let bytes = std::fs::read(path).unwrap();
    for at in (4..bytes.len()).step_by(bytes.len() / 40) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        std::fs::write(path, &damaged).unwrap();
        if let Ok(report) = fleet_journal::archive::verify(path) {
            assert_eq!(report, reports[0], "a bit that means nothing to zstd");
        }
    }
    std::fs::write(path, &bytes).unwrap();
    std::fs::remove_file(&reports[1].path).unwrap();
    let error = audit_archives(archives.path(), None)
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("it begins after 2000, the one before ends at 1000"),
        "{error}"
    );
}

#[test]
fn a_crash_between_archive_and_removal_is_repaired() {
    let (dir, archives) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = Options {
        archive: Some(archives.path().to_owned()),
        ..Options::default()
    };
    let mut journal = Sqlite::open(dir.path(), options.clone()).unwrap();
    let fleet: FleetKey = "acme/main".parse().unwrap();
    for seq in 1..=4 {
        commit(&mut journal, &[batch("acme/main", seq, 1)]);
    }
    save_snapshot(&mut journal, "acme/main", 4);
    drop(journal);
    // The archive is written, the removal is not: as if the process had died in between.
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(
        dir.path().join("journal.db"),
        copy.path().join("journal.db"),
    )
    .unwrap();
    Sqlite::open(dir.path(), options.clone())
        .unwrap()
        .prune(&fleet, 2)
        .unwrap();
    std::fs::copy(
        copy.path().join("journal.db"),
        dir.path().join("journal.db"),
    )
    .unwrap();
    audit_archives(archives.path(), Some(dir.path())).unwrap();
    let mut journal = Sqlite::open(dir.path(), options).unwrap();
    assert_eq!(journal.prune(&fleet, 3).unwrap().anchor.seq, 3);
    let reports = audit_archives(archives.path(), Some(dir.path())).unwrap();
    assert_eq!(
        reports
            .iter()
            .map(|report| (report.begin.seq, report.end.seq))
            .collect::<Vec<_>>(),
        [(0, 3)]
    );
}

#[test]
fn large_batches_and_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path()).unwrap();
    let big = fleet_journal::Batch {
        events: format!("[\"{}\"]", "payment ".repeat(1 << 20)).into_bytes(),
        ..batch("acme/main", 1, 1)
    };
    commit(&mut journal, std::slice::from_ref(&big));
    assert_eq!(
        journal
            .reader()
            .unwrap()
            .find(&big.fleet, 1)
            .unwrap()
            .as_ref(),
        Some(&big)
    );
    let body: Vec<u8> = (0..5_000_000u32)
        .map(|i| (i.wrapping_mul(i) >> 7) as u8)
        .collect();
    let snapshot = Snapshot {
        fleet: big.fleet.clone(),
        seq: 1,
        at: 1,
        format: 1,
        body,
    };
    // From another thread, beside the writer.
    let mut saver = journal.snapshot_saver().unwrap();
    let saved = snapshot.clone();
    let saving = std::thread::spawn(move || saver.save(&saved));
    commit(&mut journal, &[batch("acme/main", 2, 1)]);
    saving.join().unwrap().unwrap();
    assert_eq!(
        journal
            .reader()
            .unwrap()
            .latest_snapshot(&big.fleet)
            .unwrap(),
        Some(snapshot)
    );
    let too_big = fleet_journal::Batch {
        events: vec![b'1'; (64 << 20) + 1],
        ..batch("acme/main", 3, 1)
    };
    assert!(matches!(
        journal.append(&[too_big]),
        fleet_journal::Outcome::Failed(Error::Batch { .. })
    ));
}
