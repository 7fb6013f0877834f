//! The threads that store and merge answers, away from the writers: one stores what all fleets let go, in order; one
//! merges and drops, which may take minutes for large runs.
use super::chunk::Chunk;
use super::shelf::Shelf;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// How long until storing is tried again after it failed.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked whether there is something to merge or to drop.
const LOOK: Duration = Duration::from_secs(2);

/// The desk of the threads. Bounded by what each fleet may have pending.
#[derive(Default)]
pub struct Keeper {
    desk: Mutex<Desk>,
    changed: Condvar,
}

#[derive(Default)]
struct Desk {
    chunks: VecDeque<(Arc<Shelf>, Arc<Chunk>)>,
    shelves: Vec<Weak<Shelf>>,
    closed: bool,
}

impl Keeper {
    /// Looks after a fleet's runs from now on.
    pub fn add(&self, shelf: &Arc<Shelf>) {
        let mut desk = self.lock();
        desk.shelves.retain(|shelf| shelf.strong_count() > 0);
        desk.shelves.push(Arc::downgrade(shelf));
    }

    /// Stores a chunk soon.
    pub fn put(&self, shelf: &Arc<Shelf>, chunk: &Arc<Chunk>) {
        self.lock().chunks.push_back((shelf.clone(), chunk.clone()));
        self.changed.notify_all();
    }

    /// Lets the threads end; what is not stored comes again from the journal at the next start.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The work of the thread that stores.
    pub fn store(&self) {
        loop {
            let desk = self.lock();
            let idle = |desk: &mut Desk| desk.chunks.is_empty() && !desk.closed;
            let desk = self.changed.wait_while(desk, idle);
            let mut desk = desk.unwrap_or_else(PoisonError::into_inner);
            if desk.closed {
                return;
            }
            let Some((shelf, chunk)) = desk.chunks.pop_front() else {
                continue;
            };
            drop(desk);
            if shelf.store(&chunk).is_err() {
                // First again: they must be stored in order.
                self.lock().chunks.push_front((shelf, chunk));
                self.sleep(RETRY);
            }
        }
    }

    /// The work of the thread that merges and drops.
    pub fn tidy(&self) {
        let mut failing = false;
        while !self.is_closed() {
            let shelves: Vec<Arc<Shelf>> = {
                let desk = self.lock();
                desk.shelves.iter().filter_map(Weak::upgrade).collect()
            };
            let mut more = false;
            for shelf in shelves {
                match shelf.tidy(&|| self.is_closed()) {
                    Ok(again) => {
                        more |= again;
                        failing = false;
                    }
                    Err(_) if self.is_closed() => return,
                    Err(error) => {
                        if !std::mem::replace(&mut failing, true) {
                            let (fleet, why) = (shelf.fleet(), error.chain());
                            tracing::warn!(%fleet, %why, "failed to merge answers; trying again");
                        }
                    }
                }
            }
            if !more {
                self.sleep(LOOK);
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Sleeps, but not past the close.
    fn sleep(&self, span: Duration) {
        let desk = self.lock();
        let open = |desk: &mut Desk| !desk.closed;
        drop(self.changed.wait_timeout_while(desk, span, open));
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
