//! A simulated disk under [`super::Memory`], shared with the test that injects faults.
//!
//! Three places, as on a real machine: `visible` is what the running process shows its readers,
//! `cache` is what was written but is not known to have reached the disk (it survives the process,
//! not a power loss), `durable` is what survives both.
//!
//! Design decisions
//! - Transactions are atomic: a power loss keeps a prefix of whole transactions. SQLite's commit
//!   frame and PostgreSQL's commit record give the same.
//! - A sync that failed marks its data clean: later syncs do not write it again. Only writing it
//!   anew does, which is what opening does (RELIABILITY §4: the story of the lost acknowledgement).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::contents::{Contents, State};
use crate::prune::Plan;
use crate::{
    Anchor, Batch, Error, FleetKey, GENESIS, Head, Outcome, Pruned, Reader, Row, SealedSnapshot,
};

/// Snapshots kept per fleet.
const SNAPSHOTS_KEPT: usize = 2;

/// Counts lives of the server; an instance of an earlier life is dead.
pub(super) type Generation = u64;

/// What becomes of data whose sync failed, when the process ends and starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is still in the system's cache: the next life sees it.
    Kept,
    /// It is gone.
    Lost,
}

/// Mistakes a store could make, to prove that tests notice them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Acknowledges without making durable.
    AckWithoutSync,
    /// Opens without writing back what an earlier life left in the cache.
    OpenWithoutWriteBack,
    /// Shows batches to readers before they are durable.
    ShowBeforeSync,
}

/// A simulated disk. Clones share it.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<Contents>>);

impl Disk {
    /// An empty disk.
    pub fn new() -> Disk {
        Disk::default()
    }

    pub(super) fn contents(&self) -> MutexGuard<'_, Contents> {
        // A panic elsewhere is that test's failure, not a reason for a second one here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next sync fails: the append ends in `Unknown`.
    pub fn fail_next_sync(&self, fate: Fate) {
        self.contents().failing_sync = Some(fate);
    }

    /// While full, appends, snapshots and prunes are refused.
    pub fn set_full(&self, full: bool) {
        self.contents().full = full;
    }

    /// The process dies after so many more steps; each batch written, each sync, each snapshot and
    /// each prune is one. `None` takes it back.
    pub fn die_after(&self, steps: Option<u64>) {
        self.contents().steps_left = steps;
    }

    /// Switches a mistake on.
    pub fn set_bug(&self, bug: Bug) {
        self.contents().bugs.push(bug);
    }

    /// Transactions that a power loss now could take away.
    pub fn unsynced(&self) -> usize {
        self.contents()
            .cache
            .iter()
            .filter(|written| written.state != State::Synced)
            .count()
    }

    /// The process ends; the machine goes on, so what is in the cache stays.
    pub fn kill(&self) {
        self.contents().end_life();
    }

    /// Power loss: of what was not synced, the first `kept` transactions survive.
    pub fn crash(&self, kept: usize) {
        let mut contents = self.contents();
        contents.end_life();
        let mut unsynced = 0;
        for written in std::mem::take(&mut contents.cache) {
            if written.state != State::Synced {
                unsynced += 1;
                if unsynced > kept {
                    break; // What lies behind cannot be reached: the log ends here.
                }
            }
            contents.durable.write(&written.rows);
        }
        contents.visible = contents.durable.clone();
    }

    pub(super) fn lock_first(&self) -> Generation {
        let mut contents = self.contents();
        contents.locked = true;
        contents.generation
    }

    pub(super) fn open(&self) -> Result<Generation, Error> {
        let mut contents = self.contents();
        if contents.locked {
            let dir = PathBuf::from("the simulated disk");
            return Err(Error::Locked {
                dir,
                holder: "an earlier instance".to_owned(),
            });
        }
        contents.locked = true;
        contents.generation += 1;
        contents.visible = contents.durable.clone();
        let Contents { visible, cache, .. } = &mut *contents;
        cache
            .iter()
            .for_each(|written| visible.write(&written.rows));
        if !contents.has(Bug::OpenWithoutWriteBack) {
            contents.durable = contents.visible.clone();
            contents.cache.clear();
        }
        Ok(contents.generation)
    }

    pub(super) fn close(&self, generation: Generation) {
        let mut contents = self.contents();
        if contents.generation == generation && contents.locked {
            contents.end_life();
        }
    }

    pub(super) fn append(&self, generation: Generation, batches: &[Batch]) -> Outcome {
        let mut contents = self.contents();
        let rows = match contents
            .may_write(generation)
            .and_then(|()| contents.seal(batches))
        {
            Ok(rows) => rows,
            Err(error) => return Outcome::Failed(error),
        };
        if rows.is_empty() {
            return Outcome::Committed;
        }
        if let Err(error) = contents.write_and_sync(rows) {
            contents.poison = Some(error.chain());
            return Outcome::Unknown(error);
        }
        Outcome::Committed
    }

    pub(super) fn save_snapshot(
        &self,
        generation: Generation,
        sealed: SealedSnapshot,
    ) -> Result<(), Error> {
        let mut contents = self.contents();
        contents.may_write(generation)?;
        contents.step()?;
        let kept = contents.snapshots.entry(sealed.fleet.clone()).or_default();
        kept.insert(sealed.seq, sealed);
        while kept.len() > SNAPSHOTS_KEPT {
            kept.pop_first();
        }
        Ok(())
    }

    pub(super) fn prune(
        &self,
        generation: Generation,
        fleet: &FleetKey,
        plan: Plan,
    ) -> Result<Pruned, Error> {
        let mut contents = self.contents();
        contents.may_write(generation)?;
        let old = contents.visible.fleets.get(fleet).map(|fleet| fleet.anchor);
        let old = old.unwrap_or(Anchor {
            seq: 0,
            hash: GENESIS,
        });
        let Some(last) = plan.rows.last() else {
            return Ok(Pruned {
                batches: 0,
                events: 0,
                anchor: old,
                archive: None,
            });
        };
        contents.step()?;
        let anchor = Anchor {
            seq: last.last_seq,
            hash: last.hash,
        };
        contents.visible.prune(fleet, anchor);
        contents.durable.prune(fleet, anchor);
        Ok(Pruned {
            batches: plan.rows.len() as u64,
            events: plan.events,
            anchor,
            archive: None,
        })
    }
}

impl Reader for Disk {
    fn fleets(&mut self) -> Result<Vec<FleetKey>, Error> {
        Ok(self.contents().visible.fleets.keys().cloned().collect())
    }

    fn head(&mut self, fleet: &FleetKey) -> Result<Option<Head>, Error> {
        Ok(self.contents().visible.head(fleet))
    }

    fn anchor(&mut self, fleet: &FleetKey) -> Result<Anchor, Error> {
        let anchor = self
            .contents()
            .visible
            .fleets
            .get(fleet)
            .map(|fleet| fleet.anchor);
        Ok(anchor.unwrap_or(Anchor {
            seq: 0,
            hash: GENESIS,
        }))
    }

    fn rows(
        &mut self,
        fleet: &FleetKey,
        from_seq: u64,
        max_rows: usize,
    ) -> Result<Vec<Row>, Error> {
        Ok(self.contents().visible.rows(fleet, from_seq, max_rows))
    }

    fn snapshots(&mut self, fleet: &FleetKey) -> Result<Vec<u64>, Error> {
        let contents = self.contents();
        Ok(contents
            .snapshots
            .get(fleet)
            .map_or(vec![], |kept| kept.keys().copied().collect()))
    }

    fn snapshot(&mut self, fleet: &FleetKey, seq: u64) -> Result<Option<SealedSnapshot>, Error> {
        Ok(self
            .contents()
            .snapshots
            .get(fleet)
            .and_then(|kept| kept.get(&seq))
            .cloned())
    }
}
