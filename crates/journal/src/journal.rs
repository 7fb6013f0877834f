//! What every store of journals offers.
//!
//! Order of one append: check continuity, write rows and heads, sync, answer. Nothing is visible to
//! a reader before the sync.

use crate::{Batch, Error, FleetKey, Hash, Reader, Snapshot};

/// How an append ended.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// Every batch is durable and visible.
    Committed,
    /// Certainly nothing was written; the caller may go on, and try again when the cause is gone.
    Failed(Error),
    /// Maybe written: the caller must stop, open the journal anew and look.
    Unknown(Error),
}

/// Where a fleet's journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last event's number.
    pub last_seq: u64,
    /// The last row's hash.
    pub hash: Hash,
    /// The last writer's epoch.
    pub epoch: u64,
    /// When the last batch was made, in Unix microseconds.
    pub at: u64,
}

/// What stands for the batches before the kept ones: the chain is verified from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The last number before the kept batches; 0 when nothing was pruned.
    pub seq: u64,
    /// The hash of the row that held it; [`crate::GENESIS`] when nothing was pruned.
    pub hash: Hash,
}

/// What a prune did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Batches removed.
    pub batches: u64,
    /// Events removed.
    pub events: u64,
    /// The anchor now.
    pub anchor: Anchor,
    /// The archive file that holds what was removed, if archives are kept.
    pub archive: Option<std::path::PathBuf>,
}

/// A store of journals, held by its one writer.
pub trait Journal: Send {
    /// Appends batches (maybe of several fleets) in one transaction, durable on `Committed`.
    ///
    /// Each batch must continue its fleet: `first_seq` follows the head and the epoch does not go
    /// back, else [`Error::Fenced`] and nothing is written. No batches: `Committed`, without a sync.
    fn append(&mut self, batches: &[Batch]) -> Outcome;

    /// Saves a snapshot durably and drops the oldest beyond the number to keep (2).
    ///
    /// The snapshot's `seq` must already be durable in the journal and not before its anchor.
    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.snapshot_saver()?.save(snapshot)
    }

    /// Saves snapshots from another thread, so that a large one does not hold up `append`.
    fn snapshot_saver(&self) -> Result<Box<dyn SnapshotSaver>, Error>;

    /// Removes the batches wholly at or below `upto_seq` that lie before the oldest kept snapshot,
    /// oldest first, and leaves an anchor so that the rest stays verifiable. One call may leave some
    /// for the next, so as not to hold up appends: call it until it removes none.
    ///
    /// Never removes what no sound snapshot covers. Writes an archive first where one is configured.
    fn prune(&mut self, fleet: &FleetKey, upto_seq: u64) -> Result<Pruned, Error>;

    /// An independent reader; it sees what is durable, also what is appended later.
    fn reader(&self) -> Result<Box<dyn Reader>, Error>;

    /// The directory that the store has to itself, for what belongs beside the journal; `None` when it has none.
    fn dir(&self) -> Option<&std::path::Path> {
        None
    }

    /// Housekeeping that would otherwise delay some later append: call it when answers are out and
    /// nothing waits. A store may do nothing. An error is for the log: whether the journal can go on
    /// is said by the next append.
    fn tend(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Saves snapshots independently of the writer. See [`Journal::snapshot_saver`].
pub trait SnapshotSaver: Send {
    /// As [`Journal::save_snapshot`].
    fn save(&mut self, snapshot: &Snapshot) -> Result<(), Error>;
}
