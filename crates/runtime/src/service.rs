//! The thread of one fleet: it feeds the writer from the inbox and hands its turns to the scribe.
use crate::clock::Clock;
use crate::handle::Failure;
use crate::inbox::{Woken, until};
use crate::readers::Readers;
use crate::recover::{Recovered, recover_into};
use crate::scribe::{Line, Scribe};
use crate::writer::{Turn, Work, Writer};
use fleet_types::instance::{Command as InstanceCommand, InstanceKey};
use fleet_types::{Actor, Command, Envelope, Epoch, Time};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Commands decided in one turn at most: about 5 ms of work, so that the first of them is soon on its way to disk.
const COMMANDS_PER_TURN_MAX: usize = 2_048;
/// While the scribe is idle it is given the first so many, and syncs them while the others are decided.
const COMMANDS_UNTIL_IDLE_MAX: usize = 32;
/// First pause before writes are tried again after the journal refused one; doubles up to the last.
const READ_ONLY_FIRST: Duration = Duration::from_millis(500);
const READ_ONLY_LAST: Duration = Duration::from_secs(10);

/// Everything the thread of a fleet works with.
pub struct Service {
    pub writer: Writer,
    pub line: Arc<Line>,
    pub scribe: Arc<Scribe>,
    pub clock: Arc<dyn Clock>,
    pub readers: Arc<Readers>,
    /// While set, commands are refused with this and reads are served.
    read_only: Option<ReadOnly>,
    /// The last pause, while it is not known whether writes go through again.
    probing: Option<Duration>,
}

struct ReadOnly {
    why: String,
    until: Instant,
    pause: Duration,
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
            read_only: None,
            probing: None,
        }
    }

    pub fn run(mut self) -> End {
        let shared = self.line.shared.clone();
        let mut work = VecDeque::new();
        let mut looked = Instant::now();
        loop {
            let now = self.clock.now();
            let mut sleep = self.term() / 4;
            if let Some(deadline) = self.writer.next_deadline()
                && self.read_only.is_none()
            {
                sleep = sleep.min(until(deadline, now));
            }
            let woken = shared
                .inbox
                .take(&mut work, COMMANDS_PER_TURN_MAX, Some(sleep));
            if let Some(failure) = self.line.broken(self.writer.epoch())
                && let Err(why) = self.recover(failure)
            {
                self.refuse(&mut work);
                shared.inbox.close();
                return End::Fatal(why);
            }
            self.writer.tend(self.line.shared.tail.durable());
            let mut turn = Turn::default();
            let wall = self.clock.now();
            for (count, work) in work.drain(..).enumerate() {
                if count > 0 && count % COMMANDS_UNTIL_IDLE_MAX == 0 && self.line.is_idle() {
                    let turn = std::mem::take(&mut turn);
                    self.scribe.append(&self.line, self.writer.epoch(), turn);
                }
                self.one(work, wall, &mut turn);
            }
            if self.read_only.is_none() {
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

    fn one(&mut self, work: Work, wall: Time, turn: &mut Turn) {
        if let (Some(read_only), Work::Command { outbox, tag, .. }) = (&self.read_only, &work) {
            if Instant::now() < read_only.until {
                outbox.answer(*tag, Err(Failure::ReadOnly(read_only.why.clone())));
                outbox.flush();
                return;
            }
            self.probing = Some(read_only.pause); // This one tries whether writes go through again.
            self.read_only = None;
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
        let pause = match self.probing.take() {
            Some(before) => (before * 2).min(READ_ONLY_LAST),
            None => READ_ONLY_FIRST,
        };
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
        self.line.shared.tail.reset(self.writer.seq());
        self.read_only = Some(ReadOnly {
            why,
            until: Instant::now() + pause,
            pause,
        });
        Ok(())
    }

    fn refuse(&self, work: &mut VecDeque<Work>) {
        for work in work.drain(..) {
            match work {
                Work::Command { outbox, tag, .. } => {
                    outbox.answer(tag, Err(Failure::Unavailable));
                    outbox.flush();
                }
                Work::Read(read) => read(self.writer.state())(Err(Failure::Unavailable)),
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
