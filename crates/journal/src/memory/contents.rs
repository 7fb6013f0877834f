//! What is on a simulated disk and how a write reaches it: cache, sync, faults. The contract is
//! told in `disk`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{Bug, Fate, Generation};
use super::image::Image;
use crate::{Batch, Error, FleetKey, GENESIS, Head, Row, SealedSnapshot};

#[derive(Default)]
pub(super) struct Contents {
    pub visible: Image,
    pub durable: Image,
    pub snapshots: BTreeMap<FleetKey, BTreeMap<u64, SealedSnapshot>>,
    pub cache: Vec<Written>,
    pub generation: Generation,
    pub locked: bool,
    pub poison: Option<String>,
    pub failing_sync: Option<Fate>,
    pub full: bool,
    /// Steps (writes and syncs) until the process dies.
    pub steps_left: Option<u64>,
    pub bugs: Vec<Bug>,
}

/// A transaction in the cache.
pub(super) struct Written {
    pub rows: Vec<Arc<Row>>,
    /// What a sync of this entry would achieve.
    pub state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Not synced yet.
    Dirty,
    /// Its sync failed: no later one will write it.
    Clean,
    /// On the disk, but behind something that is not.
    Synced,
}

impl Contents {
    pub fn has(&self, bug: Bug) -> bool {
        self.bugs.contains(&bug)
    }

    pub fn end_life(&mut self) {
        self.generation += 1;
        self.locked = false;
        self.poison = None;
        self.steps_left = None;
    }

    pub fn step(&mut self) -> Result<(), Error> {
        match &mut self.steps_left {
            None => Ok(()),
            Some(0) => Err(Error::Simulated {
                doing: "write to",
                why: "the process has died",
            }),
            Some(steps) => {
                *steps -= 1;
                Ok(())
            }
        }
    }

    pub fn may_write(&self, generation: Generation) -> Result<(), Error> {
        let store = PathBuf::from("the simulated disk");
        if generation != self.generation {
            return Err(Error::Simulated {
                doing: "write to",
                why: "this process has ended",
            });
        }
        if let Some(cause) = &self.poison {
            return Err(Error::Poisoned {
                store,
                cause: cause.clone(),
            });
        }
        match self.full {
            true => Err(Error::Full { path: store }),
            false => Ok(()),
        }
    }

    pub fn seal(&self, batches: &[Batch]) -> Result<Vec<Arc<Row>>, Error> {
        let mut heads: BTreeMap<&FleetKey, Head> = BTreeMap::new();
        let mut rows = vec![];
        for batch in batches {
            let stored = || {
                self.visible.head(&batch.fleet).unwrap_or(Head {
                    last_seq: 0,
                    hash: GENESIS,
                    epoch: 0,
                    at: 0,
                })
            };
            let head = heads.entry(&batch.fleet).or_insert_with(stored);
            if batch.first_seq != head.last_seq + 1 || batch.epoch < head.epoch {
                return Err(Error::Fenced {
                    fleet: batch.fleet.clone(),
                    first_seq: batch.first_seq,
                    epoch: batch.epoch,
                    head_seq: head.last_seq,
                    head_epoch: head.epoch,
                });
            }
            let row = Row::seal(batch, &head.hash)?;
            *head = Head {
                last_seq: row.last_seq,
                hash: row.hash,
                epoch: row.epoch,
                at: row.at,
            };
            rows.push(Arc::new(row));
        }
        Ok(rows)
    }

    pub fn write_and_sync(&mut self, rows: Vec<Arc<Row>>) -> Result<(), Error> {
        for _ in &rows {
            self.step()?; // Dying here leaves a torn transaction, which is none.
        }
        self.cache.push(Written {
            rows: rows.clone(),
            state: State::Dirty,
        });
        if self.has(Bug::ShowBeforeSync) {
            self.visible.write(&rows);
        }
        self.step()?;
        if let Some(fate) = self.failing_sync.take() {
            match fate {
                Fate::Kept => self
                    .cache
                    .iter_mut()
                    .for_each(|written| written.state = State::Clean),
                Fate::Lost => drop(self.cache.pop()),
            }
            return Err(Error::Simulated {
                doing: "sync",
                why: "the sync failed",
            });
        }
        if !self.has(Bug::AckWithoutSync) {
            self.sync();
        }
        self.visible.write(&rows);
        Ok(())
    }

    fn sync(&mut self) {
        let dirty = self
            .cache
            .iter_mut()
            .filter(|written| written.state == State::Dirty);
        dirty.for_each(|written| written.state = State::Synced);
        let reached = self
            .cache
            .iter()
            .take_while(|written| written.state == State::Synced)
            .count();
        for written in self.cache.drain(..reached) {
            self.durable.write(&written.rows);
        }
    }
}
