//! When what is done to the run.
use crate::options::Chaos;
use crate::random::Random;
use std::time::Duration;
use tokio::time::Instant;

/// Mischief that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mischief {
    /// Kill the agent of this seat.
    Kill(usize),
    /// Stop the agent of this seat for a while.
    Pause(usize),
    /// Let the agent of this seat think for too long.
    Stall(usize),
    /// Throw a halt.
    Halt,
    /// Release it.
    Release,
}

/// How often a halt is tried while the server is away, and how soon again.
const HALT_TRIES_MAX: u32 = 20;
const HALT_AGAIN: Duration = Duration::from_millis(500);

/// The timetable of a run.
#[derive(Debug)]
pub(super) struct Timetable {
    chaos: Chaos,
    random: Random,
    seats: u64,
    kill_at: Option<Instant>,
    pause_at: Option<Instant>,
    stall_at: Option<Instant>,
    halt_at: Option<Instant>,
    release_at: Option<Instant>,
    /// How often the halt may still be tried.
    halt_tries: u32,
}

impl Timetable {
    pub fn new(chaos: &Chaos, seed: u64, seats: usize, start: Instant) -> Self {
        Timetable {
            random: Random::split(seed, 0x6368_616F),
            seats: seats as u64,
            kill_at: chaos.kill_agents_every.map(|every| start + every),
            pause_at: chaos.pause_agents_every.map(|every| start + every),
            stall_at: chaos.stall_agents_every.map(|every| start + every),
            halt_at: chaos.halt_at.map(|after| start + after),
            release_at: None,
            halt_tries: HALT_TRIES_MAX,
            chaos: chaos.clone(),
        }
    }

    /// The halt could not be thrown: whether it is tried again.
    pub fn halt_again(&mut self) -> bool {
        self.release_at = None;
        self.halt_tries = self.halt_tries.saturating_sub(1);
        self.halt_at = (self.halt_tries > 0).then(|| Instant::now() + HALT_AGAIN);
        self.halt_tries > 0
    }

    /// What is due, one thing at a time.
    pub fn due(&mut self, now: Instant) -> Option<Mischief> {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.release_at) {
            self.release_at = None;
            return Some(Mischief::Release);
        }
        if due(self.halt_at) {
            self.halt_at = None;
            self.release_at = Some(now + self.chaos.halt_for);
            return Some(Mischief::Halt);
        }
        if due(self.kill_at) {
            self.kill_at = next(now, self.chaos.kill_agents_every);
            return Some(Mischief::Kill(self.random.below(self.seats) as usize));
        }
        if due(self.pause_at) {
            self.pause_at = next(now, self.chaos.pause_agents_every);
            return Some(Mischief::Pause(self.random.below(self.seats) as usize));
        }
        if due(self.stall_at) {
            self.stall_at = next(now, self.chaos.stall_agents_every);
            return Some(Mischief::Stall(self.random.below(self.seats) as usize));
        }
        None
    }
}

fn next(now: Instant, every: Option<Duration>) -> Option<Instant> {
    // Not twice in the same moment, whatever was asked for.
    every.map(|every| now + every.max(Duration::from_millis(10)))
}
