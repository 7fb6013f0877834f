//! The thread of one fleet: it feeds the writer from the inbox and hands its turns to the scribe.
use crate::clock::Clock;
use crate::handle::Failure;
use crate::inbox::{Woken, until};
use crate::policies;
use crate::readers::Readers;
use crate::recover::{Recovered, recover_into};
use crate::scribe::{Line, Scribe};
use crate::turn::Turn;
use crate::writer::{Work, Writer};
use crate::writes::Writes;
use fleet_types::instance::{Command as InstanceCommand, InstanceKey};
use fleet_types::{Actor, Command, Envelope, Epoch, Time};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Commands decided in one turn at most: about 5 ms of work, so that the first of them is soon on its way to disk.
const COMMANDS_PER_TURN_MAX: usize = 2_048;
/// While the scribe is idle it is given the first so many, and syncs them while the others are decided.
const COMMANDS_UNTIL_IDLE_MAX: usize = 32;
/// Everything the thread of a fleet works with.
pub struct Service {
    pub writer: Writer,
    pub line: Arc<Line>,
    pub scribe: Arc<Scribe>,
    pub clock: Arc<dyn Clock>,
    pub readers: Arc<Readers>,
    /// Whether commands are taken; reads are served in any case.
    writes: Writes,
}

/// Why the thread ended.
pub enum End {
    /// Asked to, after everything taken in was durable.
    Closed(Box<Writer>),
    /// It cannot go on; the process should stop and start again.
    Fatal(String),
}

impl Service {
    pub fn new(
        writer: Writer,
        line: Arc<Line>,
        scribe: Arc<Scribe>,
        clock: Arc<dyn Clock>,
        readers: Arc<Readers>,
    ) -> Self {
        Service {
            writer,
            line,
            scribe,
            clock,
            readers,
            writes: Writes::default(),
        }
    }

    pub fn run(mut self) -> End {
        let shared = self.line.shared.clone();
        let mut work = VecDeque::new();
        let mut looked = Instant::now();
        loop {
            let now = self.clock.now();
            let mut sleep = self.term() / 4;
            if let Some(deadline) = self.writer.next_deadline() {
                let pause = self.writes.pause_left(Instant::now());
                sleep = sleep.min(until(deadline, now).max(pause));
            }
            let woken = shared
                .inbox
                .take(&mut work, COMMANDS_PER_TURN_MAX, Some(sleep));
            if let Some(failure) = self.line.broken(self.writer.epoch())
                && let Err(why) = self.recover(failure)
            {
                shared.inbox.close();
                self.refuse_all(work);
                return End::Fatal(why);
            }
            let durable = shared.tail.durable();
            self.writer.tend(durable);
            self.writes.durable(durable);
            let mut turn = Turn::default();
            let wall = self.clock.now();
            for (count, work) in work.drain(..).enumerate() {
                if count > 0 && count % COMMANDS_UNTIL_IDLE_MAX == 0 && self.line.is_idle() {
                    let turn = std::mem::take(&mut turn);
                    self.scribe.append(&self.line, self.writer.epoch(), turn);
                }
                self.one(work, wall, &mut turn);
            }
            if self.is_open() {
                if self
                    .writer
                    .next_deadline()
                    .is_some_and(|deadline| deadline <= wall)
                {
                    self.writer.tick(wall, &mut turn);
                }
                if looked.elapsed() >= self.term() / 4 {
                    looked = Instant::now();
                    self.look_for_the_silent(wall, &mut turn);
                }
            }
            policies::tend(&shared, self.writer.state());
            if !turn.is_empty() {
                self.scribe.append(&self.line, self.writer.epoch(), turn);
            }
            if matches!(woken, Woken::Closed) {
                self.line.settle();
                return match self.line.broken(self.writer.epoch()) {
                    None => End::Closed(Box::new(self.writer)),
                    Some(failure) => End::Fatal(failure.to_string()),
                };
            }
        }
    }

    /// How long an instance may be silent.
    fn term(&self) -> Duration {
        let settings = self.writer.state().settings();
        let beats = u64::from(settings.heartbeats_missed_max);
        Duration::from_millis(settings.heartbeat_ms.0.saturating_mul(beats))
    }

    /// Whether writes may be tried; all who ask are told the same.
    fn is_open(&mut self) -> bool {
        let seq = self.writer.seq();
        let is_open = self.writes.refusal(Instant::now(), seq).is_none();
        let read_only = &self.line.shared.read_only;
        read_only.store(!is_open, Ordering::Relaxed);
        is_open
    }

    fn one(&mut self, work: Work, wall: Time, turn: &mut Turn) {
        if let Work::Command { outbox, tag, .. } = &work
            && let Some(why) = self.writes.refusal(Instant::now(), self.writer.seq())
        {
            outbox.answer(*tag, Err(Failure::ReadOnly(why.to_owned())));
            outbox.flush();
            return;
        }
        self.writer.work(work, wall, turn);
    }

    fn look_for_the_silent(&mut self, wall: Time, turn: &mut Turn) {
        let missed = self.writer.state().settings().heartbeats_missed_max;
        for (key, epoch) in self.line.shared.heartbeats.silent(self.term()) {
            let command = InstanceCommand::Miss { key, epoch, missed };
            let envelope = Envelope {
                by: Actor::System,
                command: Command::Instance(command),
            };
            // Harmless when it has come back under a new epoch meanwhile.
            let _ = self.writer.command(&envelope, wall, turn);
        }
    }

    /// The state is ahead of the journal: back to what is durable (I4).
    fn recover(&mut self, failure: Failure) -> Result<(), String> {
        self.line.settle();
        if failure == Failure::Unknown {
            return Err("the journal does not say whether the last append was written".into());
        }
        let mut recall = self.writer.recall().anew();
        let recovered = self
            .readers
            .lend(|reader| recover_into(reader, &self.line.key, &mut recall));
        let Recovered { state, epoch, .. } = recovered.map_err(|error| chain(&error))?;
        let why = match failure {
            Failure::ReadOnly(why) => why,
            other => other.to_string(),
        };
        tracing::warn!(fleet = %self.line.key, seq = state.seq().0, %why, "recovered after a failed append; serving reads");
        // Above the epoch that failed too, which left no trace in the journal.
        let epoch = Epoch(epoch.0.max(self.writer.epoch().0 + 1));
        self.writer = Writer::with_recall(state, epoch, recall);
        watch_all(&self.writer, &self.line);
        policies::forget(&self.line.shared);
        self.line.shared.tail.reset(self.writer.seq());
        self.writes.failed(why, Instant::now());
        Ok(())
    }

    /// Refuses what was taken in, and what still stands in the closed inbox.
    fn refuse_all(&self, mut works: VecDeque<Work>) {
        loop {
            for work in works.drain(..) {
                match work {
                    Work::Command { outbox, tag, .. } => {
                        outbox.answer(tag, Err(Failure::Unavailable));
                        outbox.flush();
                    }
                    Work::Read(read) => read(self.writer.state())(Err(Failure::Unavailable)),
                }
            }
            let inbox = &self.line.shared.inbox;
            if let Woken::Closed = inbox.take(&mut works, COMMANDS_PER_TURN_MAX, None) {
                return;
            }
        }
    }
}

/// Gives everybody who is connected a full term.
pub fn watch_all(writer: &Writer, line: &Line) {
    let heartbeats = &line.shared.heartbeats;
    heartbeats.clear();
    fleet_core::read::each_connected(writer.state(), |key: InstanceKey, epoch| {
        heartbeats.watch(key, epoch);
    });
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += ": ";
        text += &error.to_string();
        cause = error.source();
    }
    text
}
