//! A writer whose memory holds few answers, over runs on a disk that fails when it is told to.
use super::place::{Directory, Fill, InMemory, Place, Sheet};
use super::{Recall, Shelf};
use crate::handle::{Failure, Outbox};
use crate::recover::{Recovered, SNAPSHOT_FORMAT, recover_into};
use crate::turn::{Release, Turn};
use crate::writer::{Work, Writer};
use fleet_core::{Evicted, Key, State};
use fleet_journal::{Batch, Error, FleetKey, Journal, Memory, Outcome, Snapshot};
use fleet_types::permit::{Command as Permits, Decision, Request};
use fleet_types::settings::{DefaultDecision, Settings};
use fleet_types::{
    Actor, Answer, Code, Command, Envelope, Epoch, Millis, Record, Reply, Seq, Time, agent,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

mod gaps;
mod keeper;
mod run;

const MORNING: Time = Time(1_793_606_400_000_000);

/// A place that can be full.
#[derive(Clone)]
struct Disk {
    files: InMemory,
    full: Arc<AtomicBool>,
    /// Whether a write panics.
    broken: Arc<AtomicBool>,
    /// Who holds it holds up every write.
    writing: Arc<Mutex<()>>,
    /// Writes so far, with the one that is held up.
    attempts: Arc<AtomicU64>,
}

impl Disk {
    fn new() -> Disk {
        Disk {
            files: InMemory::with_room(usize::MAX),
            full: Arc::default(),
            broken: Arc::default(),
            writing: Arc::default(),
            attempts: Arc::default(),
        }
    }
}

impl Place for Disk {
    fn numbers(&self) -> Result<Vec<u64>, Error> {
        self.files.numbers()
    }
    fn write(&self, number: u64, fill: Fill<'_>) -> Result<(), Error> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        drop(self.writing.lock());
        assert!(!self.broken.load(Ordering::Relaxed), "as it was told to");
        match self.full.load(Ordering::Relaxed) {
            true => Err(Error::Full {
                path: self.name(number),
            }),
            false => self.files.write(number, fill),
        }
    }
    fn open(&self, number: u64) -> Result<Box<dyn Sheet>, Error> {
        self.files.open(number)
    }
    fn remove(&self, number: u64) -> Result<(), Error> {
        self.files.remove(number)
    }
    fn name(&self, number: u64) -> PathBuf {
        self.files.name(number)
    }
}

#[derive(Default)]
struct Refusals(Mutex<Vec<Failure>>);

impl Outbox for Refusals {
    fn answer(&self, _: u64, answer: Result<Answer, Failure>) {
        self.0.lock().unwrap().extend(answer.err());
    }
    fn signal(&self, _: crate::Signal) {}
    fn flush(&self) {}
}

fn key() -> FleetKey {
    FleetKey::new("acme", "main").unwrap()
}

fn shelf(place: impl Place + 'static) -> Arc<Shelf> {
    Arc::new(Shelf::open(key(), Box::new(place)).unwrap())
}

/// A fleet in which everything is granted.
struct World {
    writer: Writer,
    wall: Time,
    /// Decided and not appended.
    records: Vec<Record>,
}

impl World {
    fn new(shelf: &Arc<Shelf>, memory_max: usize) -> World {
        let mut state = State::default();
        state.set_memory_max(memory_max);
        let recall = Recall::new(shelf.clone(), None, memory_max);
        let writer = Writer::with_recall(state, Epoch(1), recall);
        let mut world = World {
            writer,
            wall: MORNING,
            records: Vec::new(),
        };
        world.local(Command::Configure(Box::new(Settings {
            default_decision: DefaultDecision::Allow,
            ..Settings::default()
        })));
        let definition = agent::Definition::new("ann".parse().unwrap());
        let register = agent::Command::Register(Box::new(definition));
        world.local(Command::Agent(register));
        world
    }

    /// Makes durable what was decided since the last call.
    fn append(&mut self, journal: &mut Memory) {
        let records = std::mem::take(&mut self.records);
        let last = records.last().unwrap();
        let batch = Batch {
            fleet: key(),
            first_seq: records[0].seq.0,
            last_seq: last.seq.0,
            epoch: 1,
            at: last.at.0,
            events: serde_json::to_vec(&records).unwrap(),
        };
        assert!(matches!(journal.append(&[batch]), Outcome::Committed));
    }

    fn snapshot(&self) -> Snapshot {
        let state = self.writer.state();
        Snapshot {
            fleet: key(),
            seq: state.seq().0,
            at: state.now().0,
            format: SNAPSHOT_FORMAT,
            body: state.to_snapshot(),
        }
    }

    fn local(&mut self, command: Command) {
        let by = Actor::Local;
        let envelope = Envelope { by, command };
        let mut turn = Turn::default();
        let answer = self.writer.command(&envelope, self.wall, &mut turn);
        answer.unwrap();
        self.records.extend(turn.records);
    }

    /// Asks; the journal is durable at once.
    fn ask(&mut self, request: &Arc<Request>) -> Result<Answer, Failure> {
        let answer = self.ask_early(request);
        self.writer.tend(self.writer.seq());
        answer
    }

    fn ask_early(&mut self, request: &Arc<Request>) -> Result<Answer, Failure> {
        let refusals = Arc::new(Refusals::default());
        let outbox: Arc<dyn Outbox> = refusals.clone();
        let command = Command::Permit(Permits::Request(request.clone()));
        let (by, tag) = (Actor::Local, 0);
        let envelope = Envelope { by, command };
        let work = Work::Command {
            envelope,
            outbox,
            tag,
        };
        let mut turn = Turn::default();
        self.writer.work(work, self.wall, &mut turn);
        self.records.extend(turn.records);
        match (turn.releases.pop(), refusals.0.lock().unwrap().pop()) {
            (Some(Release::Answer { answer, .. }), None) => Ok(answer),
            (None, Some(failure)) => Err(failure),
            (_, _) => panic!("neither an answer nor a refusal"),
        }
    }

    fn granted(&mut self, request: &Arc<Request>) -> Decision {
        match self.ask(request).unwrap().unwrap() {
            Reply::Decision(decision @ Decision::Granted(_)) => decision,
            other => panic!("not granted: {other:?}"),
        }
    }

    fn refused(&mut self, request: &Arc<Request>) -> String {
        match self.ask(request) {
            Err(Failure::ReadOnly(why)) => why,
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// A fleet from its journal, over these answers.
fn recovered(journal: &Memory, shelf: Arc<Shelf>) -> Recovered {
    let mut recall = Recall::new(shelf, None, 16);
    let mut reader = journal.reader().unwrap();
    recover_into(reader.as_mut(), &key(), &mut recall).unwrap()
}

fn body(id: u64, path: &str) -> Arc<Request> {
    let text = format!(
        r#"{{"request_id":"r-{id}","agent":"ann","action":"payment.send","resources":[{{"path":"{path}","mode":"shared"}}]}}"#
    );
    Arc::new(serde_json::from_str(&text).unwrap())
}

fn request(id: u64) -> Arc<Request> {
    body(id, "ledger/1")
}

#[test]
fn an_old_id_gets_its_first_answer_and_another_body_is_refused() {
    let shelf = shelf(Disk::new());
    let mut world = World::new(&shelf, 16);
    let first: Vec<Decision> = (0..1_000).map(|id| world.granted(&request(id))).collect();
    assert_eq!(
        fleet_core::read::status(world.writer.state(), fleet_types::Time(0)).requests_remembered,
        17, // What is too many is let go by the next record.
    );
    let seq = world.writer.seq();
    for (id, decision) in first.iter().enumerate() {
        assert_eq!(world.granted(&request(id as u64)), *decision);
    }
    assert_eq!(world.writer.seq(), seq, "a repeat is not journaled");
    let other = world.ask(&body(3, "ledger/2")).unwrap().unwrap_err();
    let young = world.ask(&body(999, "ledger/2")).unwrap().unwrap_err();
    assert_eq!(
        (other.code, young.code),
        (Code::RequestIdReused, Code::RequestIdReused)
    );
    assert_eq!(world.writer.seq().0, seq.0 + 2, "a refusal is journaled");
    // 245 chunks of 4: 3 runs of 256, 6 of 32, 5 of 4.
    let runs = shelf.runs();
    assert_eq!(runs.len(), 14);
    let stored: u64 = runs.iter().map(|run| run.meta.count).sum();
    assert_eq!(stored, 980);
}

#[test]
fn an_id_is_found_while_it_is_let_go() {
    let mut world = World::new(&shelf(Disk::new()), 16);
    let short = |id: u64| {
        let mut request = request(id);
        Arc::make_mut(&mut request).ttl_ms = Some(Millis(5_000));
        request
    };
    let first: Vec<Decision> = (0..17).map(|id| world.granted(&short(id))).collect();
    // Leases have ended: that they have is written before the repeat is looked at, and lets go what it asks for.
    world.wall = Time(world.wall.0 + 6_000_000);
    assert_eq!(world.granted(&short(0)), first[0]);
}

#[test]
fn what_is_older_than_promised_is_forgotten_and_dropped() {
    let shelf = shelf(Disk::new());
    let mut world = World::new(&shelf, 16);
    let first = world.granted(&request(0));
    (1..100).for_each(|id| drop(world.granted(&request(id))));
    let day = 24 * 3_600 * 1_000_000;
    world.wall = Time(MORNING.0 + day - 1_000_000);
    assert_eq!(world.granted(&request(0)), first);
    world.wall = Time(MORNING.0 + day + 1_000_000);
    let anew = world.granted(&request(0));
    assert_ne!(anew, first);
    // It has two answers by now, and the newer one counts also when both are stored.
    (100..200).for_each(|id| drop(world.granted(&request(id))));
    assert_eq!(world.granted(&request(0)), anew);
    while shelf.tidy(&|| false).unwrap() {}
    let runs = shelf.runs();
    let full = runs.iter().filter(|run| run.meta.count > 0);
    let oldest = full.map(|run| run.meta.at_last).min();
    assert!(oldest > Some(world.wall.min(Time(MORNING.0 + day))));
}

#[test]
fn nothing_is_dropped_for_a_time_that_is_not_durable() {
    let shelf = shelf(Disk::new());
    let mut world = World::new(&shelf, 16);
    (0..100).for_each(|id| drop(world.granted(&request(id))));
    let durable = world.writer.seq();
    let is_there = || {
        while shelf.tidy(&|| false).unwrap() {}
        let request = request(0);
        let key = Key::of(&request);
        let found = Shelf::find(&shelf.runs(), key.hash(), key);
        found.unwrap().is_some()
    };
    let day = 24 * 3_600 * 1_000_000;
    world.wall = Time(MORNING.0 + day + 1_000_000);
    world.ask_early(&request(100)).unwrap().unwrap();
    let late = world.writer.seq();
    world.writer.tend(durable);
    assert!(is_there(), "its append may fail");
    world.ask_early(&request(101)).unwrap().unwrap();
    world.writer.tend(late);
    assert!(!is_there(), "it is too old, whatever is under way");
}

#[test]
fn nothing_is_stored_before_the_journal_is_durable() {
    let disk = Disk::new();
    let shelf = shelf(disk.clone());
    let mut world = World::new(&shelf, 16);
    (0..100).for_each(|id| drop(world.ask_early(&request(id))));
    world.writer.tend(Seq(0));
    assert!(disk.numbers().unwrap().is_empty());
    let durable = Seq(50);
    world.writer.tend(durable);
    let stored = shelf.runs();
    assert!(!stored.is_empty() && stored.iter().all(|run| run.meta.seq_last <= durable));
    assert!(shelf.covered() < durable);
    // After a failed append the pending ones are gone, and what they told of with them.
    let anew = world.writer.recall().anew();
    assert!(anew.find(&request(80)).unwrap().is_none());
    assert!(anew.find(&request(0)).unwrap().is_some());
}

#[test]
fn a_full_disk_refuses_new_ids_and_forgets_none() {
    let disk = Disk::new();
    let shelf = shelf(disk.clone());
    let mut world = World::new(&shelf, 16);
    let first: Vec<Decision> = (0..30).map(|id| world.granted(&request(id))).collect();
    disk.full.store(true, Ordering::Relaxed);
    let mut id = 30;
    let why = loop {
        match world.ask(&request(id)) {
            Ok(_) => id += 1,
            Err(Failure::ReadOnly(why)) => break why,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert!(why.contains("no space left"), "{why}");
    assert_eq!(id, 94, "16 chunks of 4 are pending, and one more");
    assert!(shelf.failing().is_some() && world.writer.flush().is_err());
    for (id, decision) in first.iter().enumerate() {
        assert_eq!(world.granted(&request(id as u64)), *decision);
    }
    world.granted(&request(id - 1)); // Still in memory.
    disk.full.store(false, Ordering::Relaxed);
    world.refused(&request(id)); // It is tried again after this one.
    world.granted(&request(id));
    assert!(shelf.failing().is_none() && world.writer.flush().is_ok());
}

#[test]
fn damage_is_refused_and_not_taken_for_new() {
    let directory = tempfile::tempdir().unwrap();
    let place = || Directory::open(directory.path(), &key()).unwrap();
    let shelf = shelf(place());
    let mut world = World::new(&shelf, 16);
    (0..22).for_each(|id| drop(world.granted(&request(id))));
    assert_eq!(place().numbers().unwrap(), [1]);
    let damage = |path: &Path, at: usize| {
        let mut bytes = std::fs::read(path).unwrap();
        let at = if at < bytes.len() {
            at
        } else {
            bytes.len() - 30
        };
        bytes[at] ^= 0x40;
        std::fs::write(path, bytes).unwrap();
    };
    let path = place().name(1);
    damage(&path, 60);
    let why = world.refused(&request(0));
    assert!(why.contains("000000000001.run"), "{why}");
    world.granted(&request(21));
    world.granted(&request(22));
    damage(&path, 60);
    world.granted(&request(0));
    damage(&path, usize::MAX);
    let error = Shelf::open(key(), Box::new(place())).err().unwrap();
    let told = error.chain();
    assert!(
        matches!(error, Error::Corrupt { .. }) && told.contains("1.run"),
        "{told}"
    );
    damage(&path, usize::MAX);
    let other = FleetKey::new("acme", "other").unwrap();
    assert!(Shelf::open(other, Box::new(place())).is_err());
    assert!(Shelf::open(key(), Box::new(place())).is_ok());
}

#[test]
fn an_older_journal_makes_newer_answers_unknown() {
    let disk = Disk::new();
    let before = shelf(disk.clone());
    let mut world = World::new(&before, 16);
    (0..100).for_each(|id| drop(world.granted(&request(id))));
    let end = Seq(40);
    let again = shelf(disk);
    again.cut(end, Time(u64::MAX)).unwrap();
    let runs = again.runs();
    assert!(runs.iter().all(|run| run.meta.seq_last <= end));
    let find = |id: u64| {
        let request = request(id);
        let key = Key::of(&request);
        Shelf::find(&runs, key.hash(), key).unwrap()
    };
    for id in 0..80 {
        let known = 3 + id <= end.0; // Two records came before the first request.
        assert_eq!(find(id).is_some(), known, "r-{id}");
    }
}

/// An answer as memory lets it go, without a fleet around it.
fn evicted(number: u64) -> Evicted {
    // Ten thousand agents, a body of its own each.
    let mix = |number: u64| (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let asker = mix(mix(number) % 10_000);
    let entry = serde_json::json!({
        "at": MORNING.0 + 100 * number, "seq": number, "asker": asker, "id": format!("r-{number}"), "fingerprint": mix(number),
        "outcome": {"Granted": {
            "permit": format!("p{number}"), "expires_at": MORNING.0 + 100 * number + 30_000_000,
        }},
    });
    Evicted {
        seq: Seq(number + 100),
        number,
        entry: serde_json::from_value(entry).unwrap(),
    }
}

#[test]
fn the_same_answer_from_two_lives_is_merged_into_one() {
    let shelf = shelf(Disk::new());
    for _ in 0..2 {
        let mut life = Recall::new(shelf.clone(), None, 400);
        (0..400).for_each(|number| life.push(evicted(number)));
        life.flush().unwrap();
    }
    let runs = shelf.runs();
    let counts: Vec<u64> = runs.iter().map(|run| run.meta.count).collect();
    assert_eq!(counts, [400]);
}

/// `cargo nextest run --release --workspace -E 'test(long_recall)' --run-ignored only --no-capture` shows the figures.
#[test]
#[ignore = "half a minute in release: some million ids, on a real disk"]
fn long_recall_of_millions() {
    let count: u64 = std::env::var("FLEET_COUNT")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(4_000_000);
    let directory = tempfile::tempdir().unwrap();
    let place = Directory::open(directory.path(), &key()).unwrap();
    let shelf = shelf(place);
    let mut recall = Recall::new(shelf.clone(), None, fleet_core::MEMORY_MAX);
    let began = std::time::Instant::now();
    let mut pushing = std::time::Duration::ZERO;
    for number in 0..count {
        let evicted = evicted(number);
        let began = std::time::Instant::now();
        recall.push(evicted);
        pushing += began.elapsed();
        if number % 10_000 == 0 {
            recall.tend(Seq(u64::MAX));
        }
    }
    recall.flush().unwrap();
    let stored = began.elapsed();
    let runs = shelf.runs();
    let place = Directory::open(directory.path(), &key()).unwrap();
    let files = runs.iter().map(|run| place.name(run.number));
    let bytes: u64 = files
        .map(|file| std::fs::metadata(file).unwrap().len())
        .sum();
    let find = |number: u64| {
        let entry = evicted(number).entry;
        let began = std::time::Instant::now();
        let hash = entry.key().hash();
        let found = Shelf::find(&runs, hash, entry.key()).unwrap();
        (found, began.elapsed())
    };
    let (mut hit, mut miss) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
    let mut misses = Vec::new();
    let looks = 20_000;
    for look in 0..looks {
        let number = look * 7_919 % count;
        let (found, took) = find(number);
        assert_eq!(found, Some(evicted(number).entry));
        hit += took;
    }
    for look in 0..looks {
        let (found, took) = find(count + look);
        assert!(found.is_none());
        miss += took;
        misses.push(took);
    }
    misses.sort();
    println!(
        "{count} ids in {} runs, {:.1} s, {} bytes an id on disk; push {:?}, hit {:?}, miss {:?}, its median {:?}",
        runs.len(),
        stored.as_secs_f64(),
        bytes / count,
        pushing / count as u32,
        hit / looks as u32,
        miss / looks as u32,
        misses[misses.len() / 2],
    );
    assert!(runs.len() <= 14 + 7, "{} runs", runs.len());
}
