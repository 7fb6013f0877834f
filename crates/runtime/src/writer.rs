//! The writer of one fleet, free of threads and clocks: commands in, a batch of records and what to release out.
use crate::handle::{Failure, Outbox};
use crate::recall::Recall;
use crate::recall::place::InMemory;
use crate::recall::shelf::Shelf;
use crate::turn::{Release, Then, Turn};
use fleet_core::signal::signals;
use fleet_core::{MEMORY_MAX, Remembered, State, next_deadline, step_recalled};
use fleet_journal::FleetKey;
use fleet_types::permit;
use fleet_types::{Actor, Answer, Code, Command, Envelope, Epoch, Rejection, Seq, Time};
use std::sync::Arc;

/// Something to do with the state.
pub enum Work {
    /// Carry out a command; the answer goes to the outbox with the tag.
    Command {
        /// The command.
        envelope: Envelope,
        /// Where the answer goes.
        outbox: Arc<dyn Outbox>,
        /// With which tag.
        tag: u64,
    },
    /// Look at the state; what comes out is run when all that was seen is durable, with whether it became so.
    Read(Read),
}

/// A look at the state. Returns what is to be run later.
pub type Read = Box<dyn FnOnce(&State) -> Then + Send>;
/// The one who changes a fleet's state.
pub struct Writer {
    state: State,
    epoch: Epoch,
    recall: Recall,
    /// What was answered before this time is forgotten once this record is durable.
    ageing: Option<(Seq, Time)>,
}

impl Writer {
    /// A writer over a recovered state, in a new epoch; what its memory lets go is kept as long as it lives.
    ///
    /// # Panics
    /// Never: nothing is stored yet.
    #[must_use]
    pub fn new(state: State, epoch: Epoch) -> Self {
        let fleet = FleetKey::new("memory", "memory").expect("it is a name");
        let place = Box::new(InMemory::with_room(usize::MAX));
        let shelf = Shelf::open(fleet, place).expect("an empty place can be read");
        Self::with_recall(state, epoch, Recall::new(Arc::new(shelf), None, MEMORY_MAX))
    }

    /// A writer over a recovered state, in a new epoch, with the answers that its memory had let go.
    #[must_use]
    pub fn with_recall(state: State, epoch: Epoch, recall: Recall) -> Self {
        Writer {
            state,
            epoch,
            recall,
            ageing: None,
        }
    }

    /// The answers that its memory has let go.
    #[must_use]
    pub fn recall(&self) -> &Recall {
        &self.recall
    }

    /// The journal is durable so far: answers may be stored that it tells of. Call it every turn.
    pub fn tend(&mut self, durable: Seq) {
        // The state may be ahead, and a recovery takes its time and its settings back: what was dropped stays dropped.
        let state = &self.state;
        let ageing = || (state.seq(), state.remembered_since(state.now()));
        let (seq, since) = *self.ageing.get_or_insert_with(ageing);
        if seq <= durable {
            self.recall.shelf().forget_before(since);
            self.ageing = None;
        }
        self.recall.tend(durable);
    }

    /// Stores all answers that its memory has let go; the journal must be durable so far.
    ///
    /// # Errors
    /// When they cannot be stored, in words: then no snapshot may be made of this state.
    pub fn flush(&mut self) -> Result<(), String> {
        self.recall.flush()
    }

    /// Its epoch: an older writer's appends are refused by the journal.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The state, which may be ahead of what is durable.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Where the state stands.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.state.seq()
    }

    /// When it wants to be called at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        next_deadline(&self.state)
    }

    /// Carries out one piece of work at `wall` time.
    pub fn work(&mut self, work: Work, wall: Time, turn: &mut Turn) {
        match work {
            Work::Command {
                envelope,
                outbox,
                tag,
            } => {
                let recalled = match self.recalled(&envelope.command) {
                    Ok(recalled) => recalled,
                    Err(failure) => {
                        outbox.answer(tag, Err(failure)); // Nothing happened, so there is nothing to wait for.
                        outbox.flush();
                        return;
                    }
                };
                let answer = self.carry_out(&envelope, recalled.as_ref(), wall, turn);
                turn.releases.push(match answer {
                    Err(rejection) if is_stale(&envelope.command, &rejection) => Release::Rejudge {
                        envelope,
                        outbox,
                        tag,
                    },
                    answer => Release::Answer {
                        outbox,
                        tag,
                        answer,
                    },
                });
            }
            Work::Read(read) => turn.releases.push(Release::Read(read(&self.state))),
        }
    }

    /// Lets the machine do what its deadlines ask for.
    pub fn tick(&mut self, wall: Time, turn: &mut Turn) {
        let envelope = Envelope {
            by: Actor::System,
            command: Command::Tick,
        };
        // A tick is answered by nobody and never refused.
        let _ = self.command(&envelope, wall, turn);
    }

    /// Carries out a command of the server's own, such as a missed heartbeat.
    pub fn command(&mut self, envelope: &Envelope, wall: Time, turn: &mut Turn) -> Answer {
        self.carry_out(envelope, None, wall, turn)
    }

    /// What memory has let go of a request's id. Asked before memory is: nearly always the filters say no, and a look
    /// into memory follows in the step anyway, which prefers what it finds there.
    fn recalled(&self, command: &Command) -> Result<Option<Remembered>, Failure> {
        let request = match command {
            Command::Permit(permit::Command::Request(request)) => request,
            Command::Permit(permit::Command::Judged(judged)) => &judged.request,
            _ => return Ok(None),
        };
        match self.recall.find(request) {
            Ok(Some(entry)) => Ok(Some(entry)),
            Ok(None) => match self.recall.is_full() {
                Some(why) if !self.state.remembers(request) => Err(Failure::ReadOnly(why)),
                Some(_) | None => Ok(None),
            },
            Err(_) if self.state.remembers(request) => Ok(None),
            Err(error) => {
                let why = error.chain();
                tracing::error!(fleet = %self.recall.shelf().fleet(), %why, "failed to read answers; a request is refused");
                Err(Failure::ReadOnly(why))
            }
        }
    }

    fn carry_out(
        &mut self,
        envelope: &Envelope,
        recalled: Option<&Remembered>,
        wall: Time,
        turn: &mut Turn,
    ) -> Answer {
        // Time never goes back, and no two commands share an instant.
        let now = wall.max(Time(self.state.now().0 + 1));
        let begin = turn.records.len();
        let answer = step_recalled(&mut self.state, envelope, recalled, now, &mut turn.records);
        for evicted in self.state.drain_evicted() {
            self.recall.push(evicted);
        }
        for record in &turn.records[begin..] {
            let answered = record.by == envelope.by && record.by != Actor::System;
            signals(&self.state, record, answered, |to, signal| {
                turn.signals.push((to, signal));
            });
        }
        answer
    }
}

/// Times that a command is judged anew because policies changed meanwhile; then whoever asked hears so.
const ATTEMPTS_MAX: u8 = 5;

/// Whether a command is to be judged by policies, anew or at all.
fn is_stale(command: &Command, rejection: &Rejection) -> bool {
    rejection.code == Code::PolicyStale
        && match command {
            Command::Permit(permit::Command::Judged(judged)) => judged.attempts < ATTEMPTS_MAX,
            Command::Permit(permit::Command::JudgedExtend(judged)) => {
                judged.attempts < ATTEMPTS_MAX
            }
            _ => true,
        }
}
