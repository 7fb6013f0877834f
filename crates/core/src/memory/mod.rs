//! Which request ids were answered how (I5): a repeat gets the first answer, another body is refused.
//!
//! First in, first out by time. An entry is forgotten when it is older than the fleet's `request_memory_ms`. When more
//! than [`COUNT_MAX`] stand, the oldest is handed out as [`Evicted`]: whoever drives the machine keeps it and shows it to
//! `step_recalled` when its id comes again, so that an id is remembered as long as was promised and memory is bounded.
//! While a request waits it is neither forgotten nor handed out.
//! Both follow from the records, as everything does: replay forgets and hands out the same (I2).
//!
//! An entry knows its asker by name, not by the small key of an agent, which may come to mean another.
mod entries;
mod fingerprint;
mod index;

use entries::Entries;
use fingerprint::{asker, fingerprint};
use fleet_types::permit::{Denial, Request};
use fleet_types::{Millis, PermitId, RequestId, Seq, Time};
use index::Index;
use serde::{Deserialize, Serialize};

pub use fingerprint::Key;

/// Most entries in memory, about 100 bytes each: what comes again comes again soon, and the rest is found elsewhere.
/// Few in tests, so that scripts and the model come past it.
pub const COUNT_MAX: usize = if cfg!(test) { 5 } else { 262_144 };
/// Entries forgotten or handed out by one record at most, so that no record pays for many. More than one, so that
/// the memory shrinks although every record may bring one.
const PER_RECORD_MAX: usize = 4;

/// The first answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It still waits.
    Waiting(PermitId),
    /// It was granted.
    Granted {
        /// The permit.
        permit: PermitId,
        /// Where the grant stands in the journal, which is its token.
        token: Seq,
        /// When it ends if nobody renews it.
        expires_at: Time,
    },
    /// It was denied.
    Denied(Box<Denial>),
}

/// A request id and how it was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    at: Time,
    asker: u64,
    id: RequestId,
    fingerprint: u64,
    outcome: Outcome,
}

impl Remembered {
    /// When it was asked.
    #[must_use]
    pub fn at(&self) -> Time {
        self.at
    }

    /// Under what it is found again.
    #[must_use]
    pub fn key(&self) -> Key<'_> {
        Key::new(self.asker, &self.id)
    }

    /// The last place in the journal that it tells of.
    #[must_use]
    pub fn seq(&self) -> Seq {
        match &self.outcome {
            Outcome::Waiting(permit) => permit.0,
            Outcome::Granted { permit, token, .. } => permit.0.max(*token),
            Outcome::Denied(denial) => denial.permit.0,
        }
    }
}

/// An entry that memory no longer holds, although it is not old enough to be forgotten.
#[derive(Clone, Debug, PartialEq)]
pub struct Evicted {
    /// The record that brought it about.
    pub seq: Seq,
    /// The entry.
    pub entry: Remembered,
}

/// The last entry that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eviction {
    /// The record that brought it about.
    pub seq: Seq,
    /// When its request was asked.
    pub at: Time,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    entries: Entries<Remembered>,
    /// How many entries have left: the number of `entries[0]`. The index knows numbers by their low 32 bits.
    first: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evicted_last: Option<Eviction>,
    #[serde(skip, default = "count_max")]
    pub count_max: usize,
    /// Entries handed out and not yet taken.
    #[serde(skip)]
    pub evicted: Vec<Evicted>,
    #[serde(skip)]
    index: Index,
    #[serde(skip)]
    hasher: ahash::RandomState,
}

fn count_max() -> usize {
    COUNT_MAX
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            entries: Entries::default(),
            first: 0,
            evicted_last: None,
            count_max: COUNT_MAX,
            evicted: Vec::new(),
            index: Index::default(),
            hasher: ahash::RandomState::default(),
        }
    }
}

impl Memory {
    /// The first answer to a request's id from its agent, and whether it was for the same body; `recalled` is what was
    /// found of it elsewhere. What memory holds is newer.
    pub fn find<'a>(
        &'a self,
        request: &Request,
        recalled: Option<&'a Remembered>,
    ) -> Option<(&'a Outcome, bool)> {
        let entry = self.entry(request).or(recalled)?;
        Some((&entry.outcome, entry.fingerprint == fingerprint(request)))
    }

    /// Whether a request's id from its agent is in memory.
    pub fn holds(&self, request: &Request) -> bool {
        self.entry(request).is_some()
    }

    /// Remembers an answer; a later answer to the same waiting request replaces it.
    pub fn remember(&mut self, at: Time, request: &Request, outcome: impl FnOnce() -> Outcome) {
        let asker = asker(request);
        let hash = self.hash(asker, &request.request_id);
        if let Some(number) = self.number(hash, asker, &request.request_id) {
            self.entries[number.wrapping_sub(self.first as u32) as usize].outcome = outcome();
            return;
        }
        self.index.insert(hash, self.next_number());
        self.entries.push_back(Remembered {
            at,
            asker,
            id: request.request_id.clone(),
            fingerprint: fingerprint(request),
            outcome: outcome(),
        });
    }

    /// Forgets what is older than `span` and hands out what is too many, a few at a time.
    pub fn forget(&mut self, seq: Seq, now: Time, span: Millis) {
        let oldest = Time(now.0.saturating_sub(span.micros()));
        for _ in 0..PER_RECORD_MAX {
            let is_full = self.entries.len() > self.count_max;
            let due = |entry: &Remembered| is_full || entry.at < oldest;
            if !self.entries.front().is_some_and(due) {
                return;
            }
            let Some(mut entry) = self.entries.pop_front() else {
                return;
            };
            let hash = self.hash(entry.asker, &entry.id);
            let number = self.first as u32;
            self.first += 1;
            if matches!(entry.outcome, Outcome::Waiting(_)) {
                self.index.renumber(hash, number, self.next_number());
                entry.at = now; // Asked about again before it is forgotten.
                self.entries.push_back(entry);
                continue;
            }
            self.index.remove(hash, number);
            if entry.at >= oldest {
                let at = entry.at;
                self.evicted_last = Some(Eviction { seq, at });
                self.evicted.push(Evicted { seq, entry });
            }
        }
    }

    /// Builds the index again after a snapshot was read.
    pub fn rebuild(&mut self) {
        let mut index = Index::default();
        for (number, entry) in (self.first..).zip(self.entries.iter()) {
            index.insert(self.hash(entry.asker, &entry.id), number as u32);
        }
        self.index = index;
    }

    /// How many entries it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The last entry that was handed out.
    pub fn evicted_last(&self) -> Option<Eviction> {
        self.evicted_last
    }

    fn next_number(&self) -> u32 {
        (self.first + self.entries.len() as u64) as u32
    }

    /// Random by process, as a guard against ids that were made to collide; never observed.
    fn hash(&self, asker: u64, id: &RequestId) -> u32 {
        self.hasher.hash_one((asker, id)) as u32
    }

    fn number(&self, hash: u32, asker: u64, id: &RequestId) -> Option<u32> {
        self.index.find(hash, |number| {
            let entry = &self.entries[number.wrapping_sub(self.first as u32) as usize];
            entry.asker == asker && entry.id == *id
        })
    }

    fn entry(&self, request: &Request) -> Option<&Remembered> {
        let (asker, id) = (asker(request), &request.request_id);
        let number = self.number(self.hash(asker, id), asker, id)?;
        Some(&self.entries[number.wrapping_sub(self.first as u32) as usize])
    }
}
