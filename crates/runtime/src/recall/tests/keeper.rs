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

/// Chunks of 4 answers, as a replay brings them, all handed over.
fn life(shelf: &Arc<Shelf>, keeper: &Arc<Keeper>, answers: u64) -> Recall {
    let mut life = Recall::new(shelf.clone(), Some(keeper.clone()), 16);
    (0..answers).for_each(|number| life.push(evicted(number)));
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
