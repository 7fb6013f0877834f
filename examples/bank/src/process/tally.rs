//! What an agent tells the orchestrator, a few times a second: one line of JSON on its standard output.
use fleet_types::Code;
use fleet_types::budget::Cost;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

/// How often it tells.
const EVERY: Duration = Duration::from_millis(250);

/// What happened since the last line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Steps carried out, whether they wrote money or not.
    pub steps: u64,
    /// Permits granted.
    pub granted: u64,
    /// Of those, and of those denied, how many had to wait first: conflicts that did not happen.
    pub queued: u64,
    /// Requests denied, by code.
    pub denied: BTreeMap<Code, u64>,
    /// Steps that began and were not carried out because a halt came or the server went.
    pub stopped: u64,
    /// Steps refused by the fence.
    pub stale: u64,
    /// Requests whose answer never came.
    pub lost: u64,
    /// What permits cost.
    pub cost: Cost,
    /// How long each granted permit was waited for, in microseconds.
    pub waits_us: Vec<u32>,
}

impl Tally {
    /// Adds the other one to this one, but for the waits.
    pub fn add(&mut self, other: &Tally) {
        self.steps += other.steps;
        self.granted += other.granted;
        self.queued += other.queued;
        for (code, count) in &other.denied {
            *self.denied.entry(*code).or_insert(0) += count;
        }
        self.stopped += other.stopped;
        self.stale += other.stale;
        self.lost += other.lost;
        self.cost.money_micros += other.cost.money_micros;
        self.cost.tokens += other.cost.tokens;
    }
}

/// Keeps a tally and tells it from time to time.
#[derive(Debug)]
pub(super) struct Teller {
    pub tally: Tally,
    told_at: Instant,
}

impl Teller {
    pub fn new() -> Self {
        Teller {
            tally: Tally::default(),
            told_at: Instant::now(),
        }
    }

    /// Tells, when it is time. Fails when nobody listens any more.
    pub fn tell_if_due(&mut self) -> std::io::Result<()> {
        if self.told_at.elapsed() < EVERY {
            return Ok(());
        }
        self.tell()
    }

    /// Tells now.
    pub fn tell(&mut self) -> std::io::Result<()> {
        self.told_at = Instant::now();
        if self.tally == Tally::default() {
            return Ok(());
        }
        let tally = std::mem::take(&mut self.tally);
        let mut line = serde_json::to_vec(&tally)?;
        line.push(b'\n');
        let mut output = std::io::stdout().lock();
        output.write_all(&line)?;
        output.flush()
    }
}
