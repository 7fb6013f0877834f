//! The server without its threads: the real writer, and turns on their way to the journal as the scribe takes them.
use crate::files::Files;
use fleet_core::State;
use fleet_core::signal::Signal;
use fleet_journal::memory::Disk;
use fleet_journal::{Batch, FleetKey, Journal, Memory, Outcome, Reader, SnapshotSaver};
use fleet_runtime::recall::Shelf;
use fleet_runtime::turn::Turn;
use fleet_runtime::writer::Work;
use fleet_runtime::{
    Failure, Outbox, Recall, Recovered, Stored, Writer, recover_into, recover_with, snapshots,
};
use fleet_types::{Answer, Command, Envelope, Epoch, Record, Seq, Time};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Turns under way at most, as in the runtime.
const IN_FLIGHT_MAX: usize = 2;

/// Which message of which client an answer belongs to.
pub type Tag = u64;

/// Answers that have been let go.
#[derive(Default)]
pub struct Answers(Mutex<Vec<(Tag, Result<Answer, Failure>)>>);

impl Outbox for Answers {
    fn answer(&self, tag: u64, answer: Result<Answer, Failure>) {
        self.0.lock().expect("one thread").push((tag, answer));
    }
    fn signal(&self, _: Signal) {}
    fn flush(&self) {}
}

impl Answers {
    /// Takes what was let go since the last time.
    pub fn take(&self) -> Vec<(Tag, Result<Answer, Failure>)> {
        std::mem::take(&mut *self.0.lock().expect("one thread"))
    }
}

/// What became of a step of the journal.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// Nothing was under way.
    Nothing,
    /// Durable, and released.
    Committed,
    /// Certainly not written: the server has recovered and is read-only for a while.
    Failed,
    /// Not known: the process stops.
    Died,
}

/// What outlives the server, and how it is started on it.
#[derive(Clone)]
pub struct Machine {
    /// The journal's disk.
    pub disk: Disk,
    /// The directory of stored answers.
    pub files: Files,
    /// How many answers stay in memory.
    pub memory_max: usize,
}

impl Default for Machine {
    fn default() -> Self {
        Machine {
            disk: Disk::new(),
            files: Files::default(),
            memory_max: fleet_core::MEMORY_MAX,
        }
    }
}

impl Machine {
    /// The process ends; the machine goes on.
    pub fn kill(&self) {
        self.disk.kill();
        self.recover();
    }

    /// Power loss: of what was not synced, the first `kept` transactions survive.
    pub fn crash(&self, kept: usize) {
        self.disk.crash(kept);
        self.files.crash();
        self.recover();
    }

    fn recover(&self) {
        if self.files.has_died() {
            self.files.die_after(None);
        }
    }
}

/// A server in one of its lives.
pub struct Server {
    journal: Memory,
    fleet: FleetKey,
    /// The journal is durable so far.
    durable: Seq,
    /// How the stored answers were found at the last recovery.
    pub stored: Stored,
    writer: Writer,
    in_flight: VecDeque<(Epoch, Turn)>,
    /// Where answers go.
    pub answers: Arc<Answers>,
    /// Records that were released, in order: what the world knows to be durable.
    pub released: Vec<Record>,
    /// Signals that were delivered.
    pub signals: u64,
    /// Until when writes are refused after a full disk.
    pub read_only_until: Option<Time>,
    /// Lets answers go when they are decided: a planted mistake.
    pub release_early: bool,
}

impl Server {
    /// Starts on a machine: opens the journal and the answers, recovers the state.
    ///
    /// # Errors
    /// In words, when they cannot be trusted.
    pub fn start(machine: &Machine, fleet: &FleetKey) -> Result<Server, String> {
        let journal = Memory::open(&machine.disk).map_err(|error| error.chain())?;
        let shelf = Shelf::open(fleet.clone(), Box::new(machine.files.clone()));
        let shelf = Arc::new(shelf.map_err(|error| error.chain())?);
        let recall = Recall::new(shelf.clone(), None, machine.memory_max);
        let (recovered, recall) = recovered(&journal, fleet, recall)?;
        let state = &recovered.state;
        let cut = shelf.cut(state.seq(), state.now());
        cut.map_err(|error| error.chain())?;
        Ok(Server {
            journal,
            fleet: fleet.clone(),
            durable: state.seq(),
            stored: recovered.stored,
            writer: Writer::with_recall(recovered.state, recovered.epoch, recall),
            in_flight: VecDeque::new(),
            answers: Arc::new(Answers::default()),
            released: Vec::new(),
            signals: 0,
            read_only_until: None,
            release_early: false,
        })
    }

    /// The state, which may be ahead of what is durable.
    #[must_use]
    pub fn state(&self) -> &State {
        self.writer.state()
    }

    /// Puts another state in place: a planted mistake.
    pub fn replace_state(&mut self, mut state: State) {
        let recall = self.writer.recall().anew();
        state.set_memory_max(recall.memory_max());
        self.writer = Writer::with_recall(state, self.writer.epoch(), recall);
    }

    /// A reader of the journal.
    ///
    /// # Panics
    /// Never: the simulated disk can always be read.
    #[must_use]
    pub fn reader(&self) -> Box<dyn Reader> {
        self.journal
            .reader()
            .expect("the simulated disk can be read")
    }

    /// Whether another turn may begin.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.in_flight.len() < IN_FLIGHT_MAX
    }

    /// Whether a turn is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// When it wants to be called at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.writer.next_deadline()
    }

    /// One turn of the writer: commands, what is due, and those who went silent.
    pub fn turn(&mut self, commands: Vec<(Tag, Envelope)>, system: Vec<Command>, wall: Time) {
        self.writer.tend(self.durable);
        let mut turn = Turn::default();
        // It tries again by itself: what is due must not wait for somebody to ask.
        self.read_only_until = self.read_only_until.filter(|until| wall < *until);
        for (tag, envelope) in commands {
            if self.read_only_until.is_some() {
                self.answers
                    .answer(tag, Err(Failure::ReadOnly("no space".into())));
                continue;
            }
            let outbox: Arc<dyn Outbox> = self.answers.clone();
            self.writer.work(
                Work::Command {
                    envelope,
                    outbox,
                    tag,
                },
                wall,
                &mut turn,
            );
        }
        if self.read_only_until.is_none() {
            if self
                .writer
                .next_deadline()
                .is_some_and(|deadline| deadline <= wall)
            {
                self.writer.tick(wall, &mut turn);
            }
            for command in system {
                let by = fleet_types::Actor::System;
                // Nobody waits for the answer.
                let _ = self
                    .writer
                    .command(&Envelope { by, command }, wall, &mut turn);
            }
        }
        if self.release_early {
            let early = Turn {
                records: turn.records.clone(),
                releases: std::mem::take(&mut turn.releases),
                signals: std::mem::take(&mut turn.signals),
            };
            self.release(early, None, true);
        }
        if !turn.is_empty() {
            self.in_flight.push_back((self.writer.epoch(), turn));
        }
    }

    /// What the scribe does: some turns under way in one transaction, then their releases.
    pub fn write(&mut self, count: usize, wall: Time) -> Written {
        let count = count.min(self.in_flight.len());
        if count == 0 {
            return Written::Nothing;
        }
        let turns: Vec<(Epoch, Turn)> = self.in_flight.drain(..count).collect();
        let batches = turns
            .iter()
            .flat_map(|(epoch, turn)| turn.batches(&self.fleet, *epoch));
        let batches: Vec<Batch> = batches.collect();
        let outcome = match batches.is_empty() {
            true => Outcome::Committed,
            false => self.journal.append(&batches),
        };
        match outcome {
            Outcome::Committed => {
                let durable = !self.release_early; // Otherwise they were let go before.
                for (_, turn) in turns {
                    let last = turn.records.last().map(|record| record.seq);
                    self.durable = last.unwrap_or(self.durable);
                    self.release(turn, None, durable);
                }
                Written::Committed
            }
            Outcome::Failed(error) => {
                let failure = Failure::ReadOnly(error.chain());
                let rest: Vec<(Epoch, Turn)> = self.in_flight.drain(..).collect();
                for (_, turn) in turns.into_iter().chain(rest) {
                    self.release(turn, Some(failure.clone()), false);
                }
                let recall = self.writer.recall().anew();
                let Ok((recovered, recall)) = recovered(&self.journal, &self.fleet, recall) else {
                    return Written::Died;
                };
                let epoch = Epoch(recovered.epoch.0.max(self.writer.epoch().0 + 1));
                self.stored = recovered.stored;
                self.durable = recovered.state.seq();
                self.writer = Writer::with_recall(recovered.state, epoch, recall);
                self.read_only_until = Some(Time(wall.0 + 500_000));
                Written::Failed
            }
            Outcome::Unknown(_) => {
                let rest: Vec<(Epoch, Turn)> = self.in_flight.drain(..).collect();
                for (_, turn) in turns.into_iter().chain(rest) {
                    self.release(turn, Some(Failure::Unknown), false);
                }
                Written::Died
            }
        }
    }

    /// Lets go what a turn held back (I3).
    fn release(&mut self, mut turn: Turn, broken: Option<Failure>, durable: bool) {
        turn.answer(broken.as_ref(), |_, outbox, tag| {
            // No policies here: nobody sets any.
            outbox.answer(tag, Err(Failure::Unavailable));
            outbox.flush();
        });
        if broken.is_none() {
            self.signals += turn.signals.len() as u64;
        }
        if durable {
            self.released.extend(turn.records);
        }
    }

    /// Saves a snapshot of what is durable, as the follower does.
    ///
    /// # Errors
    /// In words.
    pub fn snapshot(&mut self) -> Result<(), String> {
        let mut saver = self.saver()?;
        let recall = self.writer.recall();
        let (shelf, memory_max) = (recall.shelf(), recall.memory_max());
        let (mut reader, saver) = (self.reader(), saver.as_mut());
        snapshots::save_by_following(reader.as_mut(), saver, shelf, memory_max).map(drop)
    }

    /// As [`Server::snapshot`], without the answers that it relies on: a planted mistake.
    ///
    /// # Errors
    /// In words.
    pub fn snapshot_alone(&mut self) -> Result<(), String> {
        let memory_max = self.writer.recall().memory_max();
        let recovered = recover_with(self.reader().as_mut(), &self.fleet, memory_max, &mut drop);
        let state = recovered.map_err(|error| error.to_string())?.state;
        snapshots::save(self.saver()?.as_mut(), &self.fleet, &state).map(drop)
    }

    /// The end of an orderly stop: saves the writer's own state. Nothing may be under way.
    ///
    /// # Errors
    /// In words: then the next start replays more.
    pub fn stop(mut self) -> Result<(), String> {
        assert!(!self.is_busy(), "a turn is under way");
        self.writer.flush()?;
        let mut saver = self.saver()?;
        snapshots::save(saver.as_mut(), &self.fleet, self.writer.state()).map(drop)
    }

    fn saver(&self) -> Result<Box<dyn SnapshotSaver>, String> {
        self.journal.snapshot_saver().map_err(|error| error.chain())
    }
}

fn recovered(
    journal: &Memory,
    fleet: &FleetKey,
    mut recall: Recall,
) -> Result<(Recovered, Recall), String> {
    let mut reader = journal.reader().map_err(|error| error.chain())?;
    let recovered = recover_into(reader.as_mut(), fleet, &mut recall);
    Ok((recovered.map_err(|error| error.to_string())?, recall))
}

/// Every record of a fleet's journal.
///
/// # Panics
/// When one cannot be decoded.
#[must_use]
pub fn all_records(reader: &mut dyn Reader, fleet: &FleetKey) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let from = records.last().map_or(1, |record| record.seq.0 + 1);
        let batches = reader
            .read(fleet, from, 1_000)
            .expect("the simulated disk can be read");
        if batches.is_empty() {
            return records;
        }
        for batch in batches {
            let more: Vec<Record> =
                serde_json::from_slice(&batch.events).expect("batches hold records");
            records.extend(more);
        }
    }
}
