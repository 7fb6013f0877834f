//! Which request ids were answered how (I5): a repeat gets the first answer, another body is refused.
//!
//! First in, first out, in the order of answering. An answer is forgotten when it is older than the fleet's
//! `request_memory_ms`. When more than [`COUNT_MAX`] stand, the oldest is handed out as [`Evicted`]: whoever drives the
//! machine keeps it and shows it to `step_recalled` when its id comes again, so that an id is remembered as long as was
//! promised and memory is bounded. A request that waits has no answer yet: it is found by its permit as long as it waits.
//! Both follow from the records, as everything does: replay forgets and hands out the same (I2). And that order is the
//! journal's alone: it is the same however many answers stand here.
//!
//! An entry knows its asker by name, not by the small key of an agent, which may come to mean another.
mod entries;
mod fingerprint;
mod index;

use crate::permit::{PermitKey, Permits};
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

/// How a request was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was granted.
    Granted {
        /// The permit.
        permit: PermitId,
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
    seq: Seq,
    asker: u64,
    id: RequestId,
    fingerprint: u64,
    outcome: Outcome,
}

impl Remembered {
    /// When it was answered.
    #[must_use]
    pub fn at(&self) -> Time {
        self.at
    }

    /// The record that answered it. That of a grant is its token.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Under what it is found again.
    #[must_use]
    pub fn key(&self) -> Key<'_> {
        Key::new(self.asker, &self.id)
    }

    /// The answer.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

/// What is known of a request's id.
pub enum Found<'a> {
    /// Its request waits.
    Waiting(PermitKey),
    /// Its request was answered.
    Answered(&'a Remembered),
}

/// An answer that memory no longer holds, although it is not old enough to be forgotten.
#[derive(Clone, Debug, PartialEq)]
pub struct Evicted {
    /// The record that brought it about.
    pub seq: Seq,
    /// How many answers the fleet gave before.
    pub number: u64,
    /// The answer.
    pub entry: Remembered,
}

/// A place in the order of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// When.
    pub at: Time,
    /// How many answers the fleet gave before.
    pub number: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    entries: Entries<Remembered>,
    /// How many entries have left: the number of `entries[0]`, counted from the fleet's first answer. The index knows numbers by their low 32 bits.
    first: u64,
    /// Where the last that was handed out stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evicted_last: Option<Answered>,
    #[serde(skip, default = "count_max")]
    pub count_max: usize,
    /// Entries handed out and not yet taken.
    #[serde(skip)]
    pub evicted: Vec<Evicted>,
    #[serde(skip)]
    index: Index,
    /// The permits of requests that wait, by the same hashes.
    #[serde(skip)]
    waiting: Index,
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
            waiting: Index::default(),
            hasher: ahash::RandomState::default(),
        }
    }
}

impl Memory {
    /// What is known of a request's id from its agent, and whether it was used for the same body; `recalled` is what was
    /// found of it elsewhere. What is known here is newer.
    pub fn find<'a>(
        &'a self,
        permits: &Permits,
        request: &Request,
        recalled: Option<&'a Remembered>,
    ) -> Option<(Found<'a>, bool)> {
        let here = self.entry(permits, request);
        let found = here.or_else(|| recalled.map(Found::Answered))?;
        let first = match found {
            Found::Waiting(permit) => fingerprint(permits[permit].asked()),
            Found::Answered(entry) => entry.fingerprint,
        };
        Some((found, first == fingerprint(request)))
    }

    /// Whether a request's id from its agent is known here.
    pub fn holds(&self, permits: &Permits, request: &Request) -> bool {
        self.entry(permits, request).is_some()
    }

    /// A request begins to wait.
    pub fn wait(&mut self, request: &Request, permit: PermitKey) {
        let hash = self.hash(asker(request), &request.request_id);
        self.waiting.insert(hash, permit);
    }

    /// A request waits no longer. It must be answered next.
    pub fn end_wait(&mut self, request: &Request, permit: PermitKey) {
        let hash = self.hash(asker(request), &request.request_id);
        self.waiting.remove(hash, permit);
    }

    /// Remembers the answer to a request whose id is not known.
    pub fn remember(&mut self, at: Time, seq: Seq, request: &Request, outcome: Outcome) {
        let asker = asker(request);
        let hash = self.hash(asker, &request.request_id);
        debug_assert!(self.number(hash, asker, &request.request_id).is_none());
        self.index.insert(hash, self.next_number());
        self.entries.push_back(Remembered {
            at,
            seq,
            asker,
            id: request.request_id.clone(),
            fingerprint: fingerprint(request),
            outcome,
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
            let Some(entry) = self.entries.pop_front() else {
                return;
            };
            let number = self.first;
            self.first += 1;
            let hash = self.hash(entry.asker, &entry.id);
            self.index.remove(hash, number as u32);
            if entry.at >= oldest {
                let at = entry.at;
                self.evicted_last = Some(Answered { at, number });
                self.evicted.push(Evicted { seq, number, entry });
            }
        }
    }

    /// Builds what is derived again after a snapshot was read.
    pub fn rebuild(&mut self, permits: &Permits) {
        let mut index = Index::default();
        for (number, entry) in (self.first..).zip(self.entries.iter()) {
            index.insert(self.hash(entry.asker, &entry.id), number as u32);
        }
        self.index = index;
        for (key, permit) in permits
            .iter()
            .filter(|(_, permit)| permit.granted().is_none())
        {
            self.wait(&permit.request, key);
        }
    }

    /// How many answers it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where the last that was handed out stood.
    pub fn evicted_last(&self) -> Option<Answered> {
        self.evicted_last
    }

    fn next_number(&self) -> u32 {
        (self.first + self.entries.len() as u64) as u32
    }

    /// Random by process, as a guard against ids that were made to collide; never observed.
    fn hash(&self, asker: u64, id: &RequestId) -> u32 {
        self.hasher.hash_one((asker, id)) as u32
    }

    fn entry<'a>(&'a self, permits: &Permits, request: &Request) -> Option<Found<'a>> {
        let (asker, id) = (asker(request), &request.request_id);
        let hash = self.hash(asker, id);
        if let Some(number) = self.number(hash, asker, id) {
            return Some(Found::Answered(self.numbered(number)));
        }
        let is_it = |permit| Key::of(&permits[permit].request) == Key::new(asker, id);
        self.waiting.find(hash, is_it).map(Found::Waiting)
    }

    fn number(&self, hash: u32, asker: u64, id: &RequestId) -> Option<u32> {
        let is_it = |number| self.numbered(number).key() == Key::new(asker, id);
        self.index.find(hash, is_it)
    }

    fn numbered(&self, number: u32) -> &Remembered {
        &self.entries[number.wrapping_sub(self.first as u32) as usize]
    }
}
