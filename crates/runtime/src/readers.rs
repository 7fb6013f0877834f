//! A few readers of the store, lent out one at a time: for recovery, snapshots and streams that lag behind.
use fleet_journal::{Error, Journal, Reader};
use std::sync::{Condvar, Mutex, PoisonError};

/// More would only compete for the same disk.
const READERS: usize = 4;

/// Readers of one store.
pub struct Readers {
    free: Mutex<Vec<Box<dyn Reader>>>,
    returned: Condvar,
}

impl Readers {
    /// Opens them.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn open(journal: &dyn Journal) -> Result<Self, Error> {
        let readers: Result<Vec<_>, Error> = (0..READERS).map(|_| journal.reader()).collect();
        Ok(Readers {
            free: Mutex::new(readers?),
            returned: Condvar::new(),
        })
    }

    /// Lends a reader for as long as `use_it` runs; waits while all are lent.
    pub fn lend<R>(&self, use_it: impl FnOnce(&mut dyn Reader) -> R) -> R {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.returned.wait_while(free, |free| free.is_empty());
        let mut free = free.unwrap_or_else(PoisonError::into_inner);
        let Some(mut reader) = free.pop() else {
            unreachable!("waited until one was free")
        };
        drop(free);
        let result = use_it(reader.as_mut());
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(reader);
        drop(free);
        self.returned.notify_one();
        result
    }
}
