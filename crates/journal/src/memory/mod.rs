//! The journal in memory, on a simulated disk: for tests and the simulator.
//!
//! It keeps the same promises as the real stores and breaks them on request: see [`Disk`]. Nothing
//! in it depends on a clock, chance or the order of a hash map.

mod contents;
mod damage;
mod disk;
mod image;

use crate::{Batch, Error, FleetKey, Journal, Outcome, Pruned, Reader, Snapshot, SnapshotSaver};

pub use damage::Part;
pub use disk::{Bug, Disk, Fate};

use disk::Generation;

/// A journal on a simulated [`Disk`].
pub struct Memory {
    disk: Disk,
    generation: Generation,
}

impl Memory {
    /// Opens the journal on `disk`, as a server that starts: locks, writes back what an earlier life
    /// left in the cache, verifies.
    pub fn open(disk: &Disk) -> Result<Memory, Error> {
        let generation = disk.open()?;
        let memory = Memory {
            disk: disk.clone(),
            generation,
        };
        crate::verify::check_before_serving(&mut *memory.reader()?, crate::Extent::Whole)?;
        Ok(memory)
    }

    /// A journal on a disk of its own.
    pub fn new() -> Memory {
        let disk = Disk::new();
        let generation = disk.lock_first();
        Memory { disk, generation }
    }

    /// The disk below, to inject faults.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.disk.close(self.generation);
    }
}

impl Journal for Memory {
    fn append(&mut self, batches: &[Batch]) -> Outcome {
        self.disk.append(self.generation, batches)
    }

    fn snapshot_saver(&self) -> Result<Box<dyn SnapshotSaver>, Error> {
        Ok(Box::new(Saver {
            disk: self.disk.clone(),
            generation: self.generation,
        }))
    }

    fn prune(&mut self, fleet: &FleetKey, upto_seq: u64) -> Result<Pruned, Error> {
        let plan = crate::prune::plan(&mut *self.reader()?, fleet, upto_seq, usize::MAX)?;
        self.disk.prune(self.generation, fleet, plan)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(self.disk.clone()))
    }
}

struct Saver {
    disk: Disk,
    generation: Generation,
}

impl SnapshotSaver for Saver {
    fn save(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let chain = crate::snapshot::chain_of(&mut self.disk, snapshot)?;
        let sealed = crate::SealedSnapshot::seal(snapshot, &chain);
        self.disk.save_snapshot(self.generation, sealed)
    }
}
