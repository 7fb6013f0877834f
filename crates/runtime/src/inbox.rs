//! The bounded queue in front of a writer (I13).
//!
//! Work is taken in the order it came. How much may wait depends on its lane: the less urgent, the earlier it is
//! refused, so that under overload the lowest priority goes first and halts always find room. What gives
//! something back (finish, renew, good-bye) is urgent: refusing it would make the overload worse.
use crate::handle::Failure;
use crate::writer::Work;
use fleet_types::limit::Class;
use fleet_types::permit::{self, Request};
use fleet_types::{Command, Time};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most work that waits: at 100,000 commands a second this is a wait of 160 ms, past which an answer is late anyway.
const WAITING_MAX: usize = 16_384;
/// When whoever is refused may come again: the time in which a full queue is worked off.
const RETRY_AFTER_MS: u64 = 200;

/// How urgent work is, from the first to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Requests of priority 1–3.
    Low,
    /// Requests of priority 4–6.
    Normal,
    /// Reads by people and tools.
    Read,
    /// Requests of priority 7–8.
    High,
    /// Requests of priority 9–10.
    Critical,
    /// What gives something back, and changes by operators.
    Return,
    /// Halts and their acknowledgements: refused by nothing but the end of memory's bound.
    Exempt,
}

impl Lane {
    pub fn of(command: &Command) -> Lane {
        match command {
            Command::Permit(permit::Command::Request(request)) => Lane::of_request(request),
            Command::Permit(permit::Command::Judged(judged)) => Lane::of_request(&judged.request),
            Command::Halt(_) => Lane::Exempt,
            Command::Instance(fleet_types::instance::Command::AcknowledgeHalt { .. }) => {
                Lane::Exempt
            }
            Command::Permit(_)
            | Command::Instance(_)
            | Command::Agent(_)
            | Command::Scope(_)
            | Command::Group(_)
            | Command::Action(_)
            | Command::Limit(_)
            | Command::Rule(_)
            | Command::Policy(_)
            | Command::Tool(_)
            | Command::Version(_)
            | Command::Conflict(_)
            | Command::Plan(_)
            | Command::Budget(_)
            | Command::Graph(_)
            | Command::Approval(_)
            | Command::Txn(_)
            | Command::Connector(_)
            | Command::Configure(_)
            | Command::Directory(_)
            | Command::Tick => Lane::Return,
        }
    }

    fn of_request(request: &Request) -> Lane {
        // Without a word the core takes the agent's own priority, which the door does not know.
        match request.priority.map_or(Class::Normal, Class::of) {
            Class::Low => Lane::Low,
            Class::Normal => Lane::Normal,
            Class::High => Lane::High,
            Class::Critical => Lane::Critical,
        }
    }

    /// What whoever finds no room hears.
    pub const fn full() -> Failure {
        Failure::Overloaded {
            retry_after_ms: RETRY_AFTER_MS,
        }
    }

    /// How much may wait for work of this lane to be taken in.
    pub const fn room(self) -> usize {
        match self {
            Lane::Low => WAITING_MAX * 50 / 100,
            Lane::Normal => WAITING_MAX * 70 / 100,
            Lane::Read => WAITING_MAX * 75 / 100,
            Lane::High => WAITING_MAX * 80 / 100,
            Lane::Critical => WAITING_MAX * 90 / 100,
            Lane::Return => WAITING_MAX,
            Lane::Exempt => WAITING_MAX * 4,
        }
    }
}

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    /// Whether the writer sleeps and must be woken.
    asleep: bool,
    /// Whether the writer must look up although there is no work.
    nudged: bool,
    closed: bool,
}

/// The queue in front of a writer.
#[derive(Default)]
pub struct Inbox {
    queue: Mutex<Queue>,
    filled: Condvar,
}

/// Why the writer was woken.
pub enum Woken {
    /// There is work, or the time has come.
    Up,
    /// Nothing more will come.
    Closed,
}

impl Inbox {
    pub fn push(&self, lane: Lane, work: Work) -> Result<(), Failure> {
        let mut queue = self.lock();
        Self::admit(&queue, lane)?;
        queue.work.push_back(work);
        self.wake(queue);
        Ok(())
    }

    pub fn push_all(
        &self,
        works: impl Iterator<Item = (Lane, u64, Work)>,
    ) -> Result<(), (u64, Failure)> {
        let mut queue = self.lock();
        let mut refused = Ok(());
        for (lane, tag, work) in works {
            if let Err(failure) = Self::admit(&queue, lane) {
                refused = Err((tag, failure));
                break;
            }
            queue.work.push_back(work);
        }
        self.wake(queue);
        refused
    }

    fn admit(queue: &Queue, lane: Lane) -> Result<(), Failure> {
        if queue.closed {
            return Err(Failure::Unavailable);
        }
        if queue.work.len() >= lane.room() {
            return Err(Lane::full());
        }
        Ok(())
    }

    fn wake(&self, mut queue: MutexGuard<'_, Queue>) {
        let asleep = std::mem::replace(&mut queue.asleep, false);
        drop(queue);
        if asleep {
            self.filled.notify_one();
        }
    }

    /// Makes the writer look up.
    pub fn nudge(&self) {
        let mut queue = self.lock();
        queue.nudged = true;
        self.wake(queue);
    }

    /// Takes up to `max` pieces of work; sleeps until there is some, `timeout` has passed, or it was nudged.
    pub fn take(&self, into: &mut VecDeque<Work>, max: usize, timeout: Option<Duration>) -> Woken {
        let mut queue = self.lock();
        if queue.work.is_empty() && !queue.closed && !queue.nudged {
            queue.asleep = true;
            let asleep = |queue: &mut Queue| queue.asleep;
            queue = match timeout {
                None => {
                    let woken = self.filled.wait_while(queue, asleep);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
                Some(timeout) => {
                    let woken = self.filled.wait_timeout_while(queue, timeout, asleep);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            queue.asleep = false;
        }
        queue.nudged = false;
        if queue.work.len() <= max && into.is_empty() {
            std::mem::swap(&mut queue.work, into);
        } else {
            let count = max.min(queue.work.len());
            into.extend(queue.work.drain(..count));
        }
        if into.is_empty() && queue.closed {
            return Woken::Closed;
        }
        Woken::Up
    }

    /// Takes nothing in any more; what waits is still worked off.
    pub fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        self.wake(queue);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to sleep until a deadline; zero when it has passed.
pub fn until(deadline: Time, now: Time) -> Duration {
    Duration::from_micros(deadline.0.saturating_sub(now.0))
}
