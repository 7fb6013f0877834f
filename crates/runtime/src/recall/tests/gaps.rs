//! Runs that are not there.
use super::{Disk, MORNING, World, body, key, recovered, request, shelf};
use crate::recall::look::{Look, look};
use crate::recall::place::{Directory, Place};
use crate::recall::spans::Mark;
use crate::recall::{Recall, Shelf};
use crate::recover::{Stored, recover_into};
use crate::snapshots::save_by_following;
use crate::writer::Writer;
use fleet_core::Key;
use fleet_journal::{Journal, Memory};
use fleet_types::lock::Mode;
use fleet_types::permit::Decision;
use fleet_types::{Millis, Reply, Time};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const DAY: u64 = 24 * 3_600 * 1_000_000;

/// A fleet that was asked so much, with a snapshot at its end.
fn lived(disk: &Disk, count: u64) -> (World, Memory) {
    let mut world = World::new(&shelf(disk.clone()), 16);
    let mut journal = Memory::new();
    (0..count).for_each(|id| drop(world.granted(&request(id))));
    world.writer.flush().unwrap();
    world.append(&mut journal);
    journal.save_snapshot(&world.snapshot()).unwrap();
    (world, journal)
}

/// A fleet with so many answers in memory goes on from its journal.
fn resumed(journal: &Memory, shelf: Arc<Shelf>, memory_max: usize) -> (World, Stored) {
    let mut recall = Recall::new(shelf, None, memory_max);
    let mut reader = journal.reader().unwrap();
    let recovered = recover_into(reader.as_mut(), &key(), &mut recall).unwrap();
    let world = World {
        writer: Writer::with_recall(recovered.state, recovered.epoch, recall),
        wall: MORNING,
        records: Vec::new(),
    };
    (world, recovered.stored)
}

/// Whether each answer of these is found.
fn all_are_there(shelf: &Arc<Shelf>, count: u64) -> bool {
    let runs = shelf.runs();
    (0..count).all(|id| {
        let request = request(id);
        let key = Key::of(&request);
        Shelf::find(&runs, key.hash(), key).unwrap().is_some()
    })
}

fn copy(disk: &Disk, without: Option<u64>) -> Disk {
    let copy = Disk::new();
    for number in disk.numbers().unwrap() {
        if Some(number) == without {
            continue;
        }
        let sheet = disk.open(number).unwrap();
        let mut bytes = vec![0; sheet.size() as usize];
        sheet.read(0, &mut bytes).unwrap();
        let write = &mut |out: &mut dyn std::io::Write| out.write_all(&bytes);
        copy.write(number, write).unwrap();
    }
    copy
}

#[test]
fn any_missing_run_is_noticed_and_found_again() {
    let disk = Disk::new();
    let (_, journal) = lived(&disk, 100);
    let runs = disk.numbers().unwrap();
    assert!(runs.len() > 4, "{runs:?}");
    let whole = copy(&disk, None);
    assert_eq!(recovered(&journal, shelf(whole)).stored, Stored::Whole);
    for run in runs {
        let disk = copy(&disk, Some(run));
        let holed = shelf(disk.clone());
        assert!(!all_are_there(&holed, 83), "run {run} has nothing");
        let found = recovered(&journal, holed.clone());
        assert_eq!(found.stored, Stored::Restored, "run {run}");
        assert!(all_are_there(&holed, 83), "run {run}");
        assert_eq!(recovered(&journal, shelf(disk)).stored, Stored::Whole);
    }
    let none = shelf(Disk::new());
    assert_eq!(recovered(&journal, none.clone()).stored, Stored::Restored);
    assert!(all_are_there(&none, 83));
}

#[test]
fn who_waits_while_answers_are_found_again_is_missed_like_all() {
    let alone = |id: u64, wait: u64| {
        let mut request = Arc::unwrap_or_clone(body(id, "ledger/2"));
        request.resources[0].mode = Mode::Exclusive;
        request.ttl_ms = Some(Millis(20_000));
        request.wait_ms = Millis(wait);
        Arc::new(request)
    };
    // Runs are merged now and then: with some of these counts the one with the waiter's answer is not.
    for (memory_max, more) in [1, 16, 40]
        .into_iter()
        .flat_map(|max| [(max, 50), (max, 60), (max, 70)])
    {
        let disk = Disk::new();
        let mut world = World::new(&shelf(disk.clone()), 16);
        let mut journal = Memory::new();
        (0..50).for_each(|id| drop(world.granted(&request(id))));
        world.granted(&alone(50, 0));
        let waits = world.ask(&alone(51, 60_000)).unwrap().unwrap();
        assert!(matches!(waits, Reply::Decision(Decision::Queued(_))));
        (52..100).for_each(|id| drop(world.granted(&request(id))));
        world.writer.flush().unwrap();
        world.append(&mut journal);
        journal.save_snapshot(&world.snapshot()).unwrap();

        // All is found again, by a fleet with another memory perhaps. Then who waited is answered, and let go at last.
        let files = disk.numbers().unwrap().into_iter();
        files.for_each(|number| disk.remove(number).unwrap());
        let (mut world, stored) = resumed(&journal, shelf(disk.clone()), memory_max);
        assert_eq!(stored, Stored::Restored);
        world.wall = Time(MORNING.0 + 21_000_000);
        (100..100 + more).for_each(|id| drop(world.granted(&request(id))));
        world.writer.flush().unwrap();
        world.append(&mut journal);
        journal.save_snapshot(&world.snapshot()).unwrap();
        let let_go = 100 + more - (memory_max as u64 + 1);
        assert!(all_are_there(&shelf(disk.clone()), let_go));
        for run in disk.numbers().unwrap() {
            let holed = shelf(copy(&disk, Some(run)));
            let _ = resumed(&journal, holed.clone(), memory_max);
            assert!(
                all_are_there(&holed, let_go),
                "run {run} of {memory_max}, {more}"
            );
        }
    }
}

#[test]
fn a_gap_is_not_merged_away() {
    let disk = Disk::new();
    let (_, journal) = lived(&disk, 100);
    for run in disk.numbers().unwrap() {
        let holed = shelf(copy(&disk, Some(run)));
        while holed.tidy(&|| false).unwrap() {}
        assert!(holed.runs().len() < 10);
        let stored = recovered(&journal, holed).stored;
        assert_eq!(stored, Stored::Restored, "run {run}");
    }
}

#[test]
fn what_the_journal_has_no_longer_is_told_at_every_start() {
    let disk = Disk::new();
    let (mut world, mut journal) = lived(&disk, 100);
    journal.prune(&key(), u64::MAX).unwrap();
    assert_eq!(
        recovered(&journal, shelf(disk.clone())).stored,
        Stored::Whole
    );
    assert_eq!(
        recovered(&journal, shelf(Disk::new())).stored,
        Stored::Missing
    );
    let first = disk.numbers().unwrap()[0];
    disk.remove(first).unwrap();
    for _ in 0..2 {
        assert_eq!(
            recovered(&journal, shelf(disk.clone())).stored,
            Stored::Missing
        );
    }

    // Newer ones do not stand for them, neither those of the replay.
    (100..200).for_each(|id| drop(world.granted(&request(id))));
    world.append(&mut journal);
    let newer = shelf(Disk::new());
    assert_eq!(recovered(&journal, newer.clone()).stored, Stored::Missing);
    assert!(!newer.runs().is_empty());
    // Who was told of it goes on: there are snapshots again.
    let (mut reader, mut saver) = (journal.reader().unwrap(), journal.snapshot_saver().unwrap());
    save_by_following(reader.as_mut(), saver.as_mut(), &newer, 16).unwrap();

    world.wall = Time(MORNING.0 + DAY + 1_000_000);
    world.granted(&request(200));
    world.append(&mut journal);
    let forgotten = recovered(&journal, shelf(Disk::new()));
    assert_eq!(forgotten.stored, Stored::Whole, "they are forgotten anyway");
}

#[test]
fn a_snapshot_is_not_saved_without_the_answers_it_relies_on() {
    let disk = Disk::new();
    let (mut world, mut journal) = lived(&disk, 100);
    (100..200).for_each(|id| drop(world.granted(&request(id))));
    world.append(&mut journal);
    let first = disk.numbers().unwrap()[0];
    let holed = shelf(copy(&disk, Some(first)));
    let (mut reader, mut saver) = (journal.reader().unwrap(), journal.snapshot_saver().unwrap());
    let mut save = |shelf: &Shelf| save_by_following(reader.as_mut(), saver.as_mut(), shelf, 16);
    let why = save(&holed).unwrap_err();
    assert!(why.contains("not stored"), "{why}");
    assert_eq!(save(&shelf(disk)), Ok(world.writer.seq()));
}

#[test]
fn nothing_is_given_up_when_there_is_no_room_to_find_it_again() {
    let disk = Disk::new();
    let (_, journal) = lived(&disk, 400);
    let empty = Disk::new();
    empty.full.store(true, Ordering::Relaxed);
    let mut recall = Recall::new(shelf(empty.clone()), None, 16);
    let mut reader = journal.reader().unwrap();
    let refused = recover_into(reader.as_mut(), &key(), &mut recall);
    let told = refused.err().unwrap().to_string();
    assert!(
        told.contains("missing answers") && told.contains("no space"),
        "{told}"
    );
    empty.full.store(false, Ordering::Relaxed);
    let again = shelf(empty);
    assert_eq!(recovered(&journal, again.clone()).stored, Stored::Restored);
    assert!(all_are_there(&again, 383));
}

#[test]
fn what_was_dropped_is_not_missed_when_memory_is_made_longer() {
    for room in [true, false] {
        let disk = Disk::new();
        let (_, journal) = lived(&disk, 100);
        let shorter = shelf(disk.clone());
        let first = shorter.runs()[0].clone();
        shorter.forget_before(Time(first.meta.at_last.0 + 1));
        disk.full.store(!room, Ordering::Relaxed);
        assert!(shorter.tidy(&|| false).unwrap());
        disk.full.store(false, Ordering::Relaxed);
        assert!(!disk.numbers().unwrap().contains(&first.number));
        let longer = recovered(&journal, shelf(disk));
        // A full disk has no room to note it; then more is found than was promised.
        let expected = if room {
            Stored::Whole
        } else {
            Stored::Restored
        };
        assert_eq!(longer.stored, expected);
    }
}

#[test]
fn an_older_journal_takes_the_time_back() {
    let disk = Disk::new();
    let (_, journal) = lived(&disk, 100);
    let until = recovered(&journal, shelf(disk.clone())).state.now();
    let shelf = shelf(disk);
    let (middle, end) = (Time(until.0 - 40), Mark::at_end_of);
    assert_eq!(shelf.gap(Time(0), end(Time(middle.0 - 20))), None);
    shelf.cut(fleet_types::Seq(60), middle).unwrap();
    assert_eq!(shelf.gap(Time(0), end(Time(middle.0 - 20))), None);
    assert_eq!(
        shelf.gap(Time(0), end(until)),
        Some((end(middle), end(until)))
    );
}

#[test]
fn whoever_looks_from_outside_sees_files_damage_and_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let looked = || look(dir.path(), &key());
    assert_eq!(looked().unwrap(), Look::default());
    let place = || Directory::open(dir.path(), &key()).unwrap();
    let mut world = World::new(&shelf(place()), 16);
    (0..100).for_each(|id| drop(world.granted(&request(id))));
    world.writer.flush().unwrap();
    let sound = looked().unwrap();
    assert_eq!((sound.answers, sound.gap), (83, None));
    assert!(sound.runs > 4 && sound.bytes > 2_000, "{sound:?}");

    let numbers = place().numbers().unwrap();
    let (second, third) = (place().name(numbers[1]), place().name(numbers[2]));
    std::fs::rename(&second, dir.path().join("away")).unwrap();
    let (after, until) = looked().unwrap().gap.unwrap();
    assert!(after < until && after > MORNING);
    let mut bytes = std::fs::read(&third).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&third, bytes).unwrap();
    let told = looked().unwrap_err().chain();
    assert!(told.contains(third.to_str().unwrap()), "{told}");
}
