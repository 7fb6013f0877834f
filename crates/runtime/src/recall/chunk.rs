//! Answers on their way from memory to a run: found here until they are found there.
use super::spans::{Mark, Spans};
use fleet_core::{Evicted, Key, Remembered};
use fleet_types::Seq;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// No earlier entry with the same hash.
const NONE: u32 = u32::MAX;

/// Some answers in the order in which memory let them go.
#[derive(Default)]
pub struct Chunk {
    /// Behind which they were let go.
    after: Mark,
    entries: Vec<Filed>,
    /// The newest entry of each hash.
    newest: HashMap<u64, u32, ahash::RandomState>,
    /// Set when a run has them and can be seen.
    stored: AtomicBool,
}

struct Filed {
    hash: u64,
    /// The next older entry with the same hash.
    before: u32,
    seq: Seq,
    number: u64,
    entry: Remembered,
}

impl Chunk {
    /// With room for so many, so that it never grows; memory lets these go behind `after`.
    pub fn with_room(count: usize, after: Mark) -> Chunk {
        Chunk {
            after,
            entries: Vec::with_capacity(count),
            newest: HashMap::with_capacity_and_hasher(count, ahash::RandomState::default()),
            stored: AtomicBool::new(false),
        }
    }

    pub fn push(&mut self, evicted: Evicted) {
        let Evicted { seq, number, entry } = evicted;
        let hash = entry.key().hash();
        let at = self.entries.len() as u32; // Chunks are far smaller than 2^32.
        let before = self.newest.insert(hash, at).unwrap_or(NONE);
        self.entries.push(Filed {
            hash,
            before,
            seq,
            number,
            entry,
        });
    }

    /// The newest answer under a key.
    pub fn find(&self, hash: u64, key: Key<'_>) -> Option<&Remembered> {
        let mut at = *self.newest.get(&hash)?;
        while let Some(filed) = self.entries.get(at as usize) {
            if filed.entry.key() == key {
                return Some(&filed.entry);
            }
            at = filed.before;
        }
        None
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The record that let the last of them go.
    pub fn seq_last(&self) -> Seq {
        self.entries.last().map_or(Seq(0), |filed| filed.seq)
    }

    /// Where the last of them was let go.
    pub fn end(&self) -> Mark {
        let last = self.entries.last();
        last.map_or(self.after, |filed| Mark(filed.entry.at(), filed.number))
    }

    /// What it answers for.
    pub fn spans(&self) -> Spans {
        Spans::one(self.after, self.end())
    }

    /// The answers with their hashes, by hash.
    pub fn sorted(&self) -> Vec<(u64, &Remembered)> {
        let filed = self.entries.iter();
        let mut sorted: Vec<_> = filed.map(|filed| (filed.hash, &filed.entry)).collect();
        sorted.sort_by_key(|(hash, _)| *hash);
        sorted
    }

    pub fn is_stored(&self) -> bool {
        self.stored.load(Ordering::Acquire)
    }

    /// Call it when a run has them and can be seen.
    pub fn set_stored(&self) {
        self.stored.store(true, Ordering::Release);
    }
}
