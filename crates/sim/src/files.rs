//! The directory of stored answers on the simulated machine: it outlives the server, and fails when it is told to.
//!
//! A file is there wholly or not at all, as in the real directory, where it is synced before it has its name. That one is
//! removed is durable with the next that is written: until then a power loss brings it back.
use fleet_journal::Error;
use fleet_runtime::recall::place::{Fill, InMemory, Place, Sheet};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

/// The directory. Clones share it.
#[derive(Clone)]
pub struct Files {
    files: InMemory,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Default)]
struct Faults {
    full: bool,
    /// Writes until the process dies.
    writes_left: Option<u64>,
    /// What a power loss brings back.
    removed: Vec<(u64, Vec<u8>)>,
}

impl Default for Files {
    fn default() -> Self {
        Files {
            files: InMemory::with_room(usize::MAX),
            faults: Arc::default(),
        }
    }
}

impl Files {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("one thread")
    }

    /// While full, nothing is written.
    pub fn set_full(&self, full: bool) {
        self.faults().full = full;
    }

    /// Whether nothing can be written.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.faults().full
    }

    /// The process dies in the write after so many. `None` takes it back.
    pub fn die_after(&self, writes: Option<u64>) {
        self.faults().writes_left = writes;
    }

    /// Whether the process has died in a write.
    #[must_use]
    pub fn has_died(&self) -> bool {
        self.faults().writes_left == Some(0)
    }

    /// Power loss.
    pub fn crash(&self) {
        let removed = std::mem::take(&mut self.faults().removed);
        for (number, bytes) in removed {
            let back = self.files.write(number, &mut |out| out.write_all(&bytes));
            back.expect("there is room");
        }
    }

    /// Somebody removes a file, some way along all of them; whether there was one.
    pub fn lose(&self, at: usize) -> bool {
        let numbers = self.files.numbers().expect("memory can be listed");
        let number = numbers.iter().cycle().nth(at);
        number.is_some_and(|number| {
            self.faults()
                .removed
                .retain(|(removed, _)| removed != number);
            self.files.remove(*number).is_ok()
        })
    }
}

impl Place for Files {
    fn numbers(&self) -> Result<Vec<u64>, Error> {
        self.files.numbers()
    }

    fn write(&self, number: u64, fill: Fill<'_>) -> Result<(), Error> {
        let mut faults = self.faults();
        let path = self.name(number);
        if faults.full {
            return Err(Error::Full { path });
        }
        if let Some(left) = &mut faults.writes_left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                return Err(Error::io("write", &path, ErrorKind::BrokenPipe.into()));
            }
        }
        faults.removed.clear();
        self.files.write(number, fill)
    }

    fn open(&self, number: u64) -> Result<Box<dyn Sheet>, Error> {
        self.files.open(number)
    }

    fn remove(&self, number: u64) -> Result<(), Error> {
        let sheet = self.files.open(number)?;
        let mut bytes = vec![0; usize::try_from(sheet.size()).expect("it is in memory")];
        let read = sheet.read(0, &mut bytes);
        read.map_err(|error| Error::io("read", &self.name(number), error))?;
        self.faults().removed.push((number, bytes));
        self.files.remove(number)
    }

    fn name(&self, number: u64) -> PathBuf {
        self.files.name(number)
    }
}
