//! Answers that memory let go stay findable until they are older than the fleet's `request_memory_ms` (I5).
//!
//! ```text
//! core's memory → open chunk → sealed chunks → (journal durable so far) → run → merged run → (too old) dropped
//!                 └─────── pending, in memory ───────┘                    └── files beside the journal ──┘
//! ```
//!
//! Invariants
//! - **A snapshot at S is saved only when all that records up to S made memory let go is in durable runs.** A recovery
//!   begins at a snapshot and finds in the replay what was let go after it, so nothing pending is missed by a crash.
//!   Whoever makes a snapshot stores what is not yet covered itself, or does not make it (`snapshots`).
//! - An answer enters a run only when the record that let it go is durable. Its own record stands before that one, so no
//!   run tells of what a failed append took back. After one, all pending is thrown away and comes again by replay.
//! - A run says what it answers for in the order of letting go, and all of them together leave no gap: a missing one is noticed at
//!   the start, and its answers are taken from the journal again, if that still has them (`recover`).
//! - An answer may be in several places at once, as after a crash. Of several under one key the newest counts.
//! - A file is there wholly or not at all, and is never changed.
//!
//! Bounds. [`PENDING_MAX`] chunks may be pending. When storing fails for so long that they are full, requests with new ids
//! are refused as read-only: to take them would be to forget others before their time. All else goes on, storing is tried
//! again, and its success ends it. An answer that cannot be read is refused in the same way, never taken for new.
//!
//! Why not a table in SQLite: sorted files are written and merged in one pass, need no second copy in a log, give their
//! space back when they are removed, and carry their filter, so that a start reads 12 bits for each answer, not all.
pub(crate) mod chunk;
mod draft;
mod filter;
pub(crate) mod keeper;
pub mod look;
mod merge;
pub mod place;
mod run;
pub(crate) mod shelf;
pub(crate) mod spans;
#[cfg(test)]
mod tests;

pub use shelf::Shelf;

use chunk::Chunk;
use fleet_core::{Evicted, Key, Remembered};
use fleet_journal::Error;
use fleet_types::Seq;
use fleet_types::permit::Request;
use keeper::Keeper;
use shelf::Runs;
use spans::Mark;
use std::collections::VecDeque;
use std::sync::Arc;

/// Most answers in a chunk: a run of about 4 MB, and at 10,000 requests a second one file in 6 s.
const CHUNK_MAX: usize = 65_536;
/// Most chunks pending: about 120 bytes an answer, 120 MB a fleet, while the disk takes none.
const PENDING_MAX: usize = 16;
/// Chunks pending at most while a recovery replays and the disk takes them.
const REPLAY_PENDING_MAX: usize = 2;

/// What a fleet's writer has of the answers that memory let go.
pub struct Recall {
    shelf: Arc<Shelf>,
    /// Who stores; without one it is done on the spot, as in a simulation.
    keeper: Option<Arc<Keeper>>,
    /// How many answers stay in memory.
    memory_max: usize,
    runs: Runs,
    /// Behind which the open chunk was let go.
    after: Mark,
    open: Chunk,
    sealed: VecDeque<Arc<Chunk>>,
    /// How many of the sealed ones were given to the keeper.
    handed: usize,
    /// Whether a replay has seen an attempt to store fail, and none since that did not.
    fails: bool,
}

impl Recall {
    /// Over a fleet's stored answers, with so many in memory before they are let go.
    #[must_use]
    pub fn new(shelf: Arc<Shelf>, keeper: Option<Arc<Keeper>>, memory_max: usize) -> Recall {
        Recall {
            runs: shelf.runs(),
            shelf,
            keeper,
            memory_max,
            after: Mark::default(),
            open: Chunk::default(),
            sealed: VecDeque::new(),
            handed: 0,
            fails: false,
        }
    }

    /// What comes next is let go behind `after`.
    pub(crate) fn go_on_after(&mut self, after: Mark) {
        if self.open.len() > 0 {
            self.seal();
        }
        self.after = after;
    }

    /// The same without what is pending: for a recovery, which brings it again. The keeper forgets it too, or a disk that
    /// stays full would pile up more with each recovery.
    #[must_use]
    pub fn anew(&self) -> Recall {
        if let Some(keeper) = &self.keeper {
            keeper.forget(&self.shelf);
        }
        Recall::new(self.shelf.clone(), self.keeper.clone(), self.memory_max)
    }

    /// The stored answers.
    #[must_use]
    pub fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// How many answers stay in memory.
    #[must_use]
    pub fn memory_max(&self) -> usize {
        self.memory_max
    }

    /// Takes in what memory has let go.
    pub fn push(&mut self, evicted: Evicted) {
        let room = CHUNK_MAX.min(self.memory_max / 4).max(1);
        if self.open.len() >= room {
            self.seal();
        }
        if self.open.len() == 0 {
            self.open = Chunk::with_room(room, self.after);
        }
        self.open.push(evicted);
    }

    /// As [`Recall::push`], in a replay: waits for the disk, so that a long one does not fill memory.
    pub fn push_replayed(&mut self, evicted: Evicted) {
        self.push(evicted);
        if self.sealed.len() > REPLAY_PENDING_MAX {
            self.tend(Seq(u64::MAX)); // All that is replayed is durable.
            if let Some(chunk) = self.sealed.front().filter(|_| !self.fails) {
                // When it fails, more is pending meanwhile: whoever asks next is told.
                self.fails = self.wait_for(chunk).is_err();
            }
        }
    }

    /// Hands over what may be stored, now that the journal is durable so far, and lets go what was.
    pub fn tend(&mut self, durable: Seq) {
        while let Some(chunk) = self.sealed.get(self.handed)
            && chunk.seq_last() <= durable
        {
            match &self.keeper {
                Some(keeper) => keeper.put(&self.shelf, chunk),
                None if self.shelf.store(chunk).is_err() => break, // The shelf has told.
                None => {}
            }
            self.handed += 1;
        }
        let mut changed = false;
        while self.sealed.front().is_some_and(|chunk| chunk.is_stored()) {
            self.sealed.pop_front();
            self.handed -= 1;
            self.fails = false;
            changed = true;
        }
        if self.keeper.is_none() && changed {
            // What cannot be merged stays as it is.
            let _ = self.shelf.tidy(&|| false);
        }
        self.runs = self.shelf.runs();
    }

    /// Stores all that is pending; the journal must be durable so far.
    ///
    /// # Errors
    /// When it cannot be stored, and why.
    pub fn flush(&mut self) -> Result<(), String> {
        if self.open.len() > 0 {
            self.seal();
        }
        self.tend(Seq(u64::MAX));
        for chunk in &self.sealed {
            self.wait_for(chunk)?;
        }
        self.tend(Seq(u64::MAX));
        Ok(())
    }

    fn wait_for(&self, chunk: &Chunk) -> Result<(), String> {
        match self.keeper {
            Some(_) => self.shelf.wait_for(chunk),
            // It has just been tried.
            None if chunk.is_stored() => Ok(()),
            None => Err(self.shelf.failing().unwrap_or_default()),
        }
    }

    fn seal(&mut self) {
        let chunk = std::mem::take(&mut self.open);
        self.after = chunk.end();
        self.sealed.push_back(Arc::new(chunk));
    }

    /// The first answer to a request's id, if memory has let it go.
    ///
    /// # Errors
    /// When it may be stored and cannot be read.
    pub fn find(&self, request: &Request) -> Result<Option<Remembered>, Error> {
        if self.open.len() == 0 && self.sealed.is_empty() && self.runs.is_empty() {
            return Ok(None);
        }
        let key = Key::of(request);
        let hash = key.hash();
        let sealed = self.sealed.iter().rev().map(Arc::as_ref);
        let mut pending = std::iter::once(&self.open).chain(sealed);
        match pending.find_map(|chunk| chunk.find(hash, key)) {
            Some(entry) => Ok(Some(entry.clone())),
            None => Shelf::find(&self.runs, hash, key),
        }
    }

    /// Why no more ids can be taken in, if so.
    #[must_use]
    pub fn is_full(&self) -> Option<String> {
        (self.sealed.len() >= PENDING_MAX).then(|| {
            let why = self.shelf.failing();
            let why = why.unwrap_or_else(|| "the disk does not keep up".to_owned());
            format!("answers to earlier requests cannot be stored: {why}")
        })
    }
}
