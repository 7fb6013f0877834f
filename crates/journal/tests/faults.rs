//! Real files and real refusals of the system, and what `append` makes of them.
//!
//! | test | fault | shows |
//! |---|---|---|
//! | `limit_on_pages` | `max_page_count` | SQLITE_FULL while inserting; always runs |
//! | `full_file_system` | a tmpfs of 1 MiB | SQLITE_FULL from a real ENOSPC in the log; needs mount |
//! | `write_error` | a limit on file size | SQLITE_IOERR_WRITE in COMMIT |
//! | `failed_sync` | a shim that fails one fsync | SQLITE_IOERR_FSYNC in COMMIT; needs cc |
//!
//! What a failed sync then leaves on the platters no file system of this machine can tell; the
//! simulated disk plays both endings.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{batch, commit, tell};
use fleet_journal::{Batch, Error, Journal, Options, Outcome, Sqlite};

#[test]
#[ignore = "the program that other tests start"]
fn child() {
    common::child_main();
}

/// A batch that does not compress, of about `bytes` bytes.
fn noise(seq: u64, bytes: usize) -> Batch {
    let mut x = seq;
    let mut text = String::new();
    while text.len() < bytes {
        x = x
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text += &format!("{:x}", x >> 16);
    }
    let events = format!("[\"{text}\"]").into_bytes();
    Batch {
        events,
        ..batch("acme/main", seq, 1)
    }
}

/// Appends until refused, which must be as on a full disk; returns the last number committed.
fn append_until_full(journal: &mut Sqlite, mut next: u64) -> u64 {
    loop {
        match journal.append(&[noise(next, 20_000)]) {
            Outcome::Committed => next += 1,
            Outcome::Failed(Error::Full { .. }) => return next - 1,
            other => panic!("{}", tell(&other)),
        }
        assert!(next < 10_000, "never full");
    }
}

#[test]
fn limit_on_pages() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        pages_max: Some(100),
        ..Options::default()
    };
    let mut journal = Sqlite::open(dir.path(), options).unwrap();
    let last = append_until_full(&mut journal, 1);
    assert!(last > 3);
    assert_eq!(common::all_seqs(&journal, "acme/main").len() as u64, last);
    // Small ones may still fit; large ones stay refused; nothing is poisoned.
    assert_eq!(append_until_full(&mut journal, last + 1), last);
    drop(journal);
    let mut journal = Sqlite::open(dir.path(), Options::default()).unwrap();
    assert_eq!(common::all_seqs(&journal, "acme/main").len() as u64, last);
    commit(&mut journal, &[batch("acme/main", last + 1, 1)]);
}

struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn full_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(dir.path())
        .output();
    if !mount.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "SKIPPED full_file_system: mounting a tmpfs is not permitted here; ENOSPC was NOT tested"
        );
        return;
    }
    let _mounted = Mounted(dir.path());
    let mut journal = Sqlite::open(
        dir.path(),
        Options {
            log_pages: 0,
            ..Options::default()
        },
    )
    .unwrap();
    commit(&mut journal, &[batch("acme/main", 1, 3)]);
    let last = append_until_full(&mut journal, 4);
    assert_eq!(common::all_seqs(&journal, "acme/main").len() as u64, last);
    // Still full, still not poisoned, also when tended; a snapshot has no room either.
    let _ = journal.tend();
    let snapshot = fleet_journal::Snapshot {
        fleet: "acme/main".parse().unwrap(),
        seq: last,
        at: 1,
        format: 1,
        body: noise(1, 1 << 20).events,
    };
    assert!(matches!(
        journal.save_snapshot(&snapshot),
        Err(Error::Full { .. })
    ));
    let last = append_until_full(&mut journal, last + 1);
    drop(journal);

    // Opening on the full disk either serves what is there or names the lack of room.
    match Sqlite::open(
        dir.path(),
        Options {
            log_pages: 0,
            ..Options::default()
        },
    ) {
        Ok(journal) => assert_eq!(common::all_seqs(&journal, "acme/main").len() as u64, last),
        Err(error) => assert!(matches!(error, Error::Full { .. }), "{}", error.chain()),
    }
    // With room it goes on, everything acknowledged is there.
    let grow = Command::new("mount")
        .args(["-o", "remount,size=64m"])
        .arg(dir.path())
        .status();
    assert!(grow.unwrap().success());
    let mut journal = Sqlite::open(dir.path(), Options::default()).unwrap();
    assert_eq!(common::all_seqs(&journal, "acme/main").len() as u64, last);
    commit(&mut journal, &[batch("acme/main", last + 1, 1)]);
}

/// What a child must have said that met an IO error: commits, one unknown, then only refusals.
fn check_unknown(lines: &[String], cause: &str) {
    let (refusals, told) = (&lines[lines.len() - 3..], lines.join("\n"));
    assert!(
        lines.len() > 4
            && lines[1..lines.len() - 3]
                .iter()
                .all(|line| line.ends_with(" committed")),
        "{told}"
    );
    assert!(
        refusals[0].contains("unknown: failed to append to ") && refusals[0].contains(cause),
        "{told}"
    );
    for refusal in &refusals[1..] {
        assert!(
            refusal.contains(" failed to append to ")
                && refusal.contains("an earlier write failed"),
            "{told}"
        );
        assert!(!refusal.contains("unknown"), "{told}");
    }
}

#[test]
fn write_error() {
    let dir = tempfile::tempdir().unwrap();
    // No file may grow past 400 KiB; the log meets that limit first, in a COMMIT.
    let lines = common::run_child(dir.path(), |program| {
        let mut command = Command::new("bash");
        // A signal that is ignored stays ignored; the write then ends in EFBIG.
        command
            .args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\""])
            .arg(program);
        command
    });
    check_unknown(&lines, "disk I/O error");
    let acknowledged = common::last_acknowledged(&lines);
    let journal = Sqlite::open(dir.path(), Options::default()).unwrap();
    let found = common::all_seqs(&journal, "acme/main").len() as u64;
    assert!(
        found >= acknowledged,
        "acknowledged {acknowledged}, found {found}"
    );
}

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* The nth sync of a file whose name ends in -wal fails once. */
static int fails(int fd) {
  static int count = 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 4 || strncmp(path + n - 4, "-wal", 4) != 0) return 0;
  return ++count == atoi(getenv("FAIL_SYNC"));
}
int fsync(int fd) {
  if (fails(fd)) { errno = EIO; return -1; }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
int fdatasync(int fd) {
  if (fails(fd)) { errno = EIO; return -1; }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
"#;

#[test]
fn failed_sync() {
    let tools = tempfile::tempdir().unwrap();
    let (source, shim) = (tools.path().join("shim.c"), tools.path().join("shim.so"));
    std::fs::write(&source, SHIM).unwrap();
    let cc = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&shim)
        .arg(&source)
        .arg("-ldl")
        .output();
    if !cc.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED failed_sync: no C compiler here; a failed fsync was NOT tested");
        return;
    }
    for nth in [20, 50, 51, 90] {
        let dir = tempfile::tempdir().unwrap();
        let lines = common::run_child(dir.path(), |program| {
            let mut command = Command::new(program);
            command
                .env("LD_PRELOAD", &shim)
                .env("FAIL_SYNC", nth.to_string());
            command
        });
        check_unknown(&lines, "disk I/O error");
        let acknowledged = common::last_acknowledged(&lines);
        let mut journal = Sqlite::open(dir.path(), Options::default()).unwrap();
        let found = common::all_seqs(&journal, "acme/main").len() as u64;
        assert!(
            found >= acknowledged,
            "sync {nth}: acknowledged {acknowledged}, found {found}"
        );
        commit(&mut journal, &[batch("acme/main", found + 1, 1)]);
    }
}
