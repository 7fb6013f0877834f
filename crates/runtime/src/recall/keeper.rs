//! The threads that store and merge answers, away from the writers: one stores what all fleets let go, each fleet's in
//! order; one merges and drops, which may take minutes for large runs.
use super::chunk::Chunk;
use super::shelf::Shelf;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

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
    /// Fleets that have something to store, the next one first.
    queues: VecDeque<Queue>,
    shelves: Vec<Weak<Shelf>>,
    closed: bool,
    /// Whether nobody stores any more.
    ended: bool,
}

/// What one fleet has to store, in order; never empty. The chunk in hand stays first until it is stored.
struct Queue {
    shelf: Arc<Shelf>,
    chunks: VecDeque<Arc<Chunk>>,
    /// After a failure: not before this.
    wait_until: Option<Instant>,
}

/// Tells those who wait that nothing is stored any more, also when the thread dies of a broken invariant.
struct End<'a>(&'a Keeper);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut desk = self.0.lock();
        desk.ended = true;
        let queues = std::mem::take(&mut desk.queues);
        let shelves: Vec<Arc<Shelf>> = desk.shelves.iter().filter_map(Weak::upgrade).collect();
        drop(desk);
        let waiting = queues.into_iter().map(|queue| queue.shelf);
        waiting.chain(shelves).for_each(|shelf| shelf.give_up());
    }
}

impl Desk {
    fn queue(&mut self, shelf: &Arc<Shelf>) -> Option<&mut Queue> {
        let mut queues = self.queues.iter_mut();
        queues.find(|queue| Arc::ptr_eq(&queue.shelf, shelf))
    }

    fn forget(&mut self, shelf: &Arc<Shelf>) {
        self.queues
            .retain(|queue| !Arc::ptr_eq(&queue.shelf, shelf));
    }

    /// The next chunk of the fleet whose turn it is, if one may be tried now.
    fn next(&mut self, now: Instant) -> Option<(Arc<Shelf>, Arc<Chunk>)> {
        let is_ready = |queue: &Queue| queue.wait_until.is_none_or(|until| until <= now);
        let at = self.queues.iter().position(is_ready)?;
        let queue = self.queues.remove(at)?;
        let next = (queue.shelf.clone(), queue.chunks.front()?.clone());
        self.queues.push_back(queue);
        Some(next)
    }

    fn stored(&mut self, shelf: &Arc<Shelf>, chunk: &Arc<Chunk>) {
        // It may have been forgotten meanwhile.
        let Some(queue) = self.queue(shelf) else {
            return;
        };
        queue.wait_until = None;
        if let Some(first) = queue.chunks.front()
            && Arc::ptr_eq(first, chunk)
        {
            queue.chunks.pop_front();
        }
        if queue.chunks.is_empty() {
            self.forget(shelf);
        }
    }

    fn failed(&mut self, shelf: &Arc<Shelf>) {
        if let Some(queue) = self.queue(shelf) {
            queue.wait_until = Some(Instant::now() + RETRY);
        }
    }
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
        let mut desk = self.lock();
        if desk.ended {
            drop(desk);
            shelf.give_up();
            return;
        }
        match desk.queue(shelf) {
            Some(queue) => queue.chunks.push_back(chunk.clone()),
            None => desk.queues.push_back(Queue {
                shelf: shelf.clone(),
                chunks: VecDeque::from([chunk.clone()]),
                wait_until: None,
            }),
        }
        drop(desk);
        self.changed.notify_all();
    }

    /// Stores nothing more of what was put for a fleet, but for what is in hand.
    pub fn forget(&self, shelf: &Arc<Shelf>) {
        self.lock().forget(shelf);
    }

    /// Lets the threads end; what is not stored comes again from the journal at the next start.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The work of the thread that stores: a chunk of each fleet in turn, so that none waits for another's disk.
    pub fn store(&self) {
        let _end = End(self);
        while let Some((shelf, chunk)) = self.next() {
            match shelf.store(&chunk) {
                Ok(()) => self.lock().stored(&shelf, &chunk),
                Err(_) => self.lock().failed(&shelf), // The shelf has told.
            }
        }
    }

    /// Waits for something to store; `None` at the end.
    fn next(&self) -> Option<(Arc<Shelf>, Arc<Chunk>)> {
        let mut desk = self.lock();
        while !desk.closed {
            let now = Instant::now();
            if let Some(next) = desk.next(now) {
                return Some(next);
            }
            let waits = desk.queues.iter().filter_map(|queue| queue.wait_until);
            desk = match waits.min() {
                Some(until) => {
                    let span = until.saturating_duration_since(now);
                    let waited = self.changed.wait_timeout(desk, span);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.changed.wait(desk);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        None
    }

    /// The work of the thread that merges and drops.
    pub fn tidy(&self) {
        let mut failing = BTreeSet::new();
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
                        failing.remove(shelf.fleet());
                    }
                    Err(_) if self.is_closed() => return,
                    Err(error) => {
                        if failing.insert(shelf.fleet().clone()) {
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
