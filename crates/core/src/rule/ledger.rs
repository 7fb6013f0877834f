//! What permits of a case did, by thing: in flight, and done for as long as the window is.
use fleet_types::{AgentId, Time};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

/// Entries of one thing past which neighbours are put together, under the later time: such a sum falls later than it
/// could, never earlier.
const DONE_MAX: usize = if cfg!(test) { 8 } else { 4_096 };

/// Things are swept when there are this many, then when twice those that are left stand.
const SWEEP_MIN: usize = if cfg!(test) { 3 } else { 4_096 };

/// By thing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    tallies: BTreeMap<SmolStr, Tally>,
    sweep_at: usize,
}

/// What was done to one thing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// How many are in flight, by agent. Derived from the permits that hold.
    #[serde(skip)]
    pub in_flight: BTreeMap<AgentId, u32>,
    /// How much is in flight. Derived from the permits that hold.
    #[serde(skip)]
    pub in_flight_micros: u128,
    /// Oldest first.
    done: VecDeque<Done>,
    /// How much they are together. What was put together past the end of a number stays in it: that denies, never allows.
    done_micros: u128,
}

/// What was done at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub at: Time,
    /// By whom, the last of them if several were put together.
    pub agent: AgentId,
    /// How much, in millionths; one action is one where nothing is summed.
    pub micros: u64,
}

/// How much of what was done must be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All within the window.
    All,
    /// The last of each agent.
    LastOfEach,
    /// The last.
    Last,
}

impl Ledger {
    pub fn get(&self, key: &str) -> Option<&Tally> {
        self.tallies.get(key)
    }

    /// It is in flight from now on.
    pub fn begin(&mut self, key: &SmolStr, agent: &AgentId, micros: u64, now: Time, window: u64) {
        if self.tallies.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.sweep(now, window);
        }
        self.begin_again(key, agent, micros);
    }

    /// The same when a snapshot was read: nothing else changes.
    pub fn begin_again(&mut self, key: &SmolStr, agent: &AgentId, micros: u64) {
        let tally = self.tallies.entry(key.clone()).or_default();
        *tally.in_flight.entry(agent.clone()).or_default() += 1;
        tally.in_flight_micros += u128::from(micros);
    }

    /// It is in flight no more; `done` when it happened, or may have.
    pub fn end(
        &mut self,
        key: &SmolStr,
        agent: &AgentId,
        micros: u64,
        done: Option<Done>,
        keep: Keep,
        window: u64,
    ) {
        let Some(tally) = self.tallies.get_mut(key) else {
            return;
        };
        if let Some(count) = tally.in_flight.get_mut(agent) {
            *count -= 1;
            if *count == 0 {
                tally.in_flight.remove(agent);
            }
            tally.in_flight_micros -= u128::from(micros);
        }
        if let Some(done) = done.filter(|_| window > 0) {
            tally.forget(done.at, window);
            tally.push(done, keep);
        }
        if tally.in_flight.is_empty() && tally.done.is_empty() {
            self.tallies.remove(key);
        }
    }

    /// The tallies of a thing and, if `overlaps`, of those above and below it.
    pub fn around<'a>(
        &'a self,
        key: &'a str,
        overlaps: bool,
    ) -> impl Iterator<Item = (&'a SmolStr, &'a Tally)> {
        around(&self.tallies, key, overlaps)
    }

    /// Drops what nothing is in flight of, and of which all is older than the window.
    fn sweep(&mut self, now: Time, window: u64) {
        self.tallies.retain(|_, tally| {
            tally.forget(now, window);
            !tally.in_flight.is_empty() || !tally.done.is_empty()
        });
        self.sweep_at = self.tallies.len() * 2;
    }

    /// What was done counts no more.
    pub fn clear_done(&mut self, key: &str) {
        if let Some(tally) = self.tallies.get_mut(key) {
            tally.done.clear();
            tally.done_micros = 0;
        }
    }
}

impl Tally {
    fn push(&mut self, done: Done, keep: Keep) {
        match keep {
            Keep::All => {}
            Keep::LastOfEach => self.retain(|other| other.agent != done.agent),
            Keep::Last => self.retain(|_| false),
        }
        self.done_micros += u128::from(done.micros);
        if keep == Keep::All && self.done.len() >= DONE_MAX {
            let all = std::mem::take(&mut self.done);
            let mut all = all.into_iter();
            while let Some(first) = all.next() {
                self.done.push_back(match all.next() {
                    Some(second) => Done {
                        micros: first.micros.saturating_add(second.micros),
                        ..second
                    },
                    None => first,
                });
            }
        }
        self.done.push_back(done);
    }

    fn forget(&mut self, now: Time, window: u64) {
        let is_over = |done: &mut Done| !done.is_within(now, window);
        while let Some(done) = self.done.pop_front_if(is_over) {
            self.done_micros -= u128::from(done.micros);
        }
    }

    fn retain(&mut self, keep: impl Fn(&Done) -> bool) {
        self.done.retain(keep);
        self.done_micros = self.done.iter().map(|done| u128::from(done.micros)).sum();
    }

    /// How much was done within the window.
    pub fn micros_within(&self, now: Time, window: u64) -> u128 {
        let done = self.done.iter();
        let over = done.take_while(|done| !done.is_within(now, window));
        self.done_micros - over.map(|done| u128::from(done.micros)).sum::<u128>()
    }

    /// What was done within the window, oldest first.
    pub fn within(&self, now: Time, window: u64) -> impl DoubleEndedIterator<Item = &Done> {
        self.done
            .iter()
            .filter(move |done| done.is_within(now, window))
    }
}

impl Done {
    /// When it counts no more.
    pub fn until(&self, window: u64) -> Time {
        Time(self.at.0.saturating_add(window))
    }

    fn is_within(&self, now: Time, window: u64) -> bool {
        now < self.until(window)
    }
}

/// What a map has under a path, and if `overlaps` above and below it: parents, itself, children.
pub fn around<'a, T>(
    map: &'a BTreeMap<SmolStr, T>,
    key: &'a str,
    overlaps: bool,
) -> impl Iterator<Item = (&'a SmolStr, &'a T)> {
    let parents = key.match_indices('/').map(|(at, _)| &key[..at]);
    let parents = parents.filter(move |_| overlaps && !map.is_empty());
    let here_and_above = parents
        .chain(std::iter::once(key))
        .filter_map(move |key| map.get_key_value(key));
    let below = overlaps.then(|| {
        let (from, to) = (
            SmolStr::new(format!("{key}/")),
            SmolStr::new(format!("{key}0")),
        );
        map.range((Bound::Included(from), Bound::Excluded(to))) // '0' comes right behind '/'.
    });
    here_and_above.chain(below.into_iter().flatten())
}
