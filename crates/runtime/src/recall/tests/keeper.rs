//! The keeper's thread over disks that fail.
use super::{Disk, evicted, shelf};
use crate::recall::chunk::Chunk;
use crate::recall::keeper::Keeper;
use crate::recall::{Recall, Shelf};
use fleet_types::Seq;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// A keeper whose thread stores until the test ends.
struct Running(Arc<Keeper>);

impl Running {
    fn start() -> Running {
        let keeper = Arc::new(Keeper::default());
        let storing = keeper.clone();
        std::thread::spawn(move || storing.store());
        Running(keeper)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn wait(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(10), "no {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn full() -> Disk {
    let disk = Disk::new();
    disk.full.store(true, Ordering::Relaxed);
    disk
}

/// Chunks of 4 answers, as a replay brings them, all handed over; and one answer more.
fn life(shelf: &Arc<Shelf>, keeper: &Arc<Keeper>, answers: u64) -> Recall {
    let mut life = Recall::new(shelf.clone(), Some(keeper.clone()), 16);
    (0..=answers).for_each(|number| life.push(evicted(number)));
    life.tend(Seq(u64::MAX));
    life
}

fn pending(recall: &Recall) -> Vec<Weak<Chunk>> {
    recall.sealed.iter().map(Arc::downgrade).collect()
}

fn are_gone(chunks: &[Weak<Chunk>]) -> bool {
    chunks.iter().all(|chunk| chunk.strong_count() == 0)
}

#[test]
fn a_recovery_on_a_full_disk_leaves_nothing_behind() {
    let keeper = Arc::new(Keeper::default());
    let (shelf, other) = (shelf(full()), shelf(full()));
    let mut recall = life(&shelf, &keeper, 40);
    let others = life(&other, &keeper, 40);
    for _ in 0..3 {
        let old = pending(&recall);
        assert_eq!(old.len(), 10);
        drop(recall.anew());
        drop(recall);
        assert!(are_gone(&old), "the keeper still has them");
        recall = life(&shelf, &keeper, 40);
    }
    let others_left = pending(&others);
    drop(others);
    assert!(others_left.iter().all(|chunk| chunk.strong_count() == 1));
}

#[test]
fn a_chunk_in_hand_is_forgotten_when_storing_it_fails() {
    let disk = full();
    let shelf = shelf(disk.clone());
    let keeper = Running::start();
    let old = {
        let writing = disk.writing.lock().unwrap();
        let recall = life(&shelf, &keeper.0, 8);
        wait("attempt", || disk.attempts.load(Ordering::Relaxed) > 0);
        let old = pending(&recall);
        drop(recall.anew());
        drop(recall);
        assert!(!are_gone(&old), "the first is in hand");
        drop(writing);
        old
    };
    wait("end of them", || are_gone(&old));
    assert!(shelf.failing().is_some());
    disk.full.store(false, Ordering::Relaxed);
    let mut again = life(&shelf, &keeper.0, 8);
    wait("run", || shelf.runs().len() == 2);
    again.flush().unwrap();
    assert!(again.sealed.is_empty() && shelf.failing().is_none());
}

#[test]
fn what_has_failed_once_fails_nothing_later() {
    let disk = full();
    let shelf = shelf(disk.clone());
    let keeper = Running::start();
    let mut old = life(&shelf, &keeper.0, 8);
    assert!(old.flush().unwrap_err().contains("no space"));
    // Nobody tries those again.
    drop(old.anew());
    drop(old);
    disk.full.store(false, Ordering::Relaxed);
    assert!(shelf.failing().is_some());
    // The next are stored, though not at once.
    let writing = disk.writing.lock().unwrap();
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let (other, keeping) = (shelf.clone(), keeper.0.clone());
    let storing = std::thread::spawn(move || {
        let mut next = life(&other, &keeping, 8);
        tell.send(()).unwrap();
        next.flush()
    });
    told.recv().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert!(!storing.is_finished(), "it does not wait");
    drop(writing);
    storing.join().unwrap().unwrap();
    assert!(shelf.failing().is_none() && shelf.runs().len() == 3);
}

#[test]
fn a_replay_waits_for_a_disk_that_had_failed() {
    let disk = full();
    let shelf = shelf(disk.clone());
    let keeper = Running::start();
    let failed = life(&shelf, &keeper.0, 8);
    wait("failure", || shelf.failing().is_some());
    drop(failed.anew());
    disk.full.store(false, Ordering::Relaxed);
    let mut replay = Recall::new(shelf.clone(), Some(keeper.0.clone()), 16);
    for number in 0..400 {
        replay.push_replayed(evicted(number));
        assert!(replay.sealed.len() <= 4, "{} pending", replay.sealed.len());
    }
    // One that fails in it is not waited for again and again.
    disk.full.store(true, Ordering::Relaxed);
    let began = Instant::now();
    (400..600).for_each(|number| replay.push_replayed(evicted(number)));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert!(replay.sealed.len() > 40);
}

#[test]
fn a_fleet_on_a_full_disk_holds_up_no_other() {
    let keeper = Running::start();
    let (disk, good) = (full(), shelf(Disk::new()));
    let failing = shelf(disk.clone());
    let mut stuck = life(&failing, &keeper.0, 40);
    wait("failure", || failing.failing().is_some());
    life(&good, &keeper.0, 80);
    wait("runs", || good.runs().len() == 20);
    assert!(failing.runs().is_empty());
    // It is tried again by itself, and in order.
    disk.full.store(false, Ordering::Relaxed);
    wait("runs", || failing.runs().len() == 10);
    let runs = failing.runs();
    assert!(runs.iter().is_sorted_by_key(|run| run.meta.seq_last));
    stuck.flush().unwrap();
}

#[test]
fn nobody_waits_for_a_thread_that_has_died() {
    let keeper = Running::start();
    let disk = Disk::new();
    disk.broken.store(true, Ordering::Relaxed);
    let (tell, told) = std::sync::mpsc::sync_channel(2);
    // The second is handed over when nobody stores any more.
    for _ in 0..2 {
        let (keeper, shelf, tell) = (keeper.0.clone(), shelf(disk.clone()), tell.clone());
        std::thread::spawn(move || {
            let mut recall = life(&shelf, &keeper, 8);
            let flushed = recall.flush();
            let full = life(&shelf, &keeper, 400).is_full();
            tell.send((flushed, full)).unwrap();
        });
        let (flushed, full) = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(flushed.unwrap_err().contains("ended"));
        assert!(full.unwrap().contains("ended"));
    }
}
