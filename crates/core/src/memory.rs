//! Which request ids were answered how (I5): a repeat gets the first answer, another body is refused.
//!
//! First in, first out by time: an entry is forgotten when it is older than the fleet's `request_memory_ms`,
//! or when more than [`COUNT_MAX`] stand, whichever comes first. While a request waits it is not forgotten.
//! Forgetting follows from the records, as everything does: replay forgets the same (I2).
//!
//! An entry knows its asker by name, not by the small key of an agent, which may come to mean another.
use fleet_types::permit::{Denial, Request};
use fleet_types::{Millis, PermitId, RequestId, Seq, Time};
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;

/// Most entries: about 130 bytes each.
pub const COUNT_MAX: usize = 4_000_000;

/// The first answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It still waits.
    Waiting(PermitId),
    /// It was granted.
    Granted {
        permit: PermitId,
        token: Seq,
        expires_at: Time,
    },
    /// It was denied.
    Denied(Box<Denial>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    at: Time,
    asker: u64,
    id: RequestId,
    fingerprint: u64,
    outcome: Outcome,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    entries: VecDeque<Entry>,
    /// How many entries were forgotten: the number of `entries[0]`.
    first: u64,
    #[serde(skip)]
    index: HashTable<u64>,
    #[serde(skip)]
    hasher: ahash::RandomState,
}

impl Memory {
    /// The first answer to a request's id from its agent, and whether it was for the same body.
    pub fn find(&self, request: &Request) -> Option<(&Outcome, bool)> {
        let entry = self.entry(asker(request), &request.request_id)?;
        Some((&entry.outcome, entry.fingerprint == fingerprint(request)))
    }

    /// Remembers an answer; a later answer to the same waiting request replaces it.
    pub fn remember(&mut self, at: Time, request: &Request, outcome: impl FnOnce() -> Outcome) {
        let asker = asker(request);
        let hash = self.hasher.hash_one((asker, &request.request_id));
        let (entries, first) = (&mut self.entries, self.first);
        let found = self.index.find(hash, |number| {
            let entry = &entries[(number - first) as usize];
            entry.asker == asker && entry.id == request.request_id
        });
        if let Some(number) = found {
            entries[(number - first) as usize].outcome = outcome();
            return;
        }
        let number = first + entries.len() as u64;
        entries.push_back(Entry {
            at,
            asker,
            id: request.request_id.clone(),
            fingerprint: fingerprint(request),
            outcome: outcome(),
        });
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.index.insert_unique(hash, number, |number| {
            let entry = &entries[(number - first) as usize];
            hasher.hash_one((entry.asker, &entry.id))
        });
    }

    /// Forgets what is older than `span`, a few at a time so that no record pays for many.
    pub fn forget(&mut self, now: Time, span: Millis) {
        let oldest = Time(now.0.saturating_sub(span.micros()));
        for _ in 0..4 {
            let due = |entry: &Entry| entry.at < oldest || self.entries.len() > COUNT_MAX;
            if !self.entries.front().is_some_and(due) {
                return;
            }
            let Some(mut entry) = self.entries.pop_front() else {
                return;
            };
            let number = self.first;
            self.first += 1;
            let hash = self.hasher.hash_one((entry.asker, &entry.id));
            let found = self.index.find_entry(hash, |other| *other == number);
            let Ok(mut found) = found else {
                continue;
            };
            if matches!(entry.outcome, Outcome::Waiting(_)) {
                *found.get_mut() = self.first + self.entries.len() as u64;
                entry.at = now; // Asked about again before it is forgotten.
                self.entries.push_back(entry);
            } else {
                found.remove();
            }
        }
    }

    /// Builds the index again after a snapshot was read.
    pub fn rebuild(&mut self) {
        let (entries, first, hasher) = (&self.entries, self.first, &self.hasher);
        let hash_of = |number: &u64| {
            let entry = &entries[(*number - first) as usize];
            hasher.hash_one((entry.asker, &entry.id))
        };
        let mut index = HashTable::with_capacity(entries.len());
        for number in first..first + entries.len() as u64 {
            index.insert_unique(hash_of(&number), number, hash_of);
        }
        self.index = index;
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, asker: u64, id: &RequestId) -> Option<&Entry> {
        let hash = self.hasher.hash_one((asker, id));
        let number = self.index.find(hash, |number| {
            let entry = &self.entries[(number - self.first) as usize];
            entry.asker == asker && entry.id == *id
        })?;
        self.entries.get((number - self.first) as usize)
    }
}

/// The asker's name as a number.
fn asker(request: &Request) -> u64 {
    let mut mixer = Mixer(SEED);
    mixer.text(request.agent.as_str());
    mixer.0
}

/// A number that differs when the body of a request differs (not a cryptographic one: it guards against
/// mistakes, as the id is the asker's own). Stored in snapshots, so the algorithm must not change.
///
/// Folded multiplication of 8-byte words, as in wyhash (Wang Yi, 2019).
pub fn fingerprint(request: &Request) -> u64 {
    let mut mixer = Mixer(SEED);
    mixer.text(request.agent.as_str());
    mixer.text(request.action.as_str());
    mixer.number(request.resources.len() as u64);
    for claim in &request.resources {
        mixer.text(claim.path.as_str());
        mixer.number(claim.mode as u64);
    }
    mixer.number(request.parameters.is_some().into());
    if let Some(parameters) = &request.parameters {
        mixer.object(parameters);
    }
    mixer.number(request.cost.money_micros);
    mixer.number(request.cost.tokens);
    mixer.number(request.priority.map_or(0, |p| u64::from(p.get())));
    mixer.number(request.wait_ms.0);
    mixer.number(request.ttl_ms.map_or(u64::MAX, |ttl| ttl.0));
    for (key, value) in request.labels.iter() {
        mixer.text(key);
        mixer.text(value);
    }
    mixer.0
}

/// Where every mixing begins.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

struct Mixer(u64);

impl Mixer {
    fn number(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word ^ 0xa076_1d64_78bd_642f)
            * u128::from(word.rotate_left(32) ^ 0xe703_7ed1_a0b4_28db);
        self.0 = (self.0.rotate_left(23)) ^ (wide as u64) ^ ((wide >> 64) as u64);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.number(u64::from_le_bytes(word));
        }
    }

    /// The order of keys does not matter.
    fn object(&mut self, map: &serde_json::Map<String, Value>) {
        let mut sum = 0u64;
        for (key, value) in map {
            let mut entry = Mixer(1);
            entry.text(key);
            entry.value(value);
            sum = sum.wrapping_add(entry.0);
        }
        self.number(sum);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.number(1),
            Value::Bool(bit) => self.number(2 + u64::from(*bit)),
            Value::Number(number) => self.text(&number.to_string()),
            Value::String(text) => self.text(text),
            Value::Array(list) => {
                self.number(5 + list.len() as u64);
                for value in list {
                    self.value(value);
                }
            }
            Value::Object(map) => self.object(map),
        }
    }
}
