//! Where the runtime leaves answers and signals for one session.
//!
//! The runtime's own thread only moves them into a list and wakes the session once a batch; the session's task turns
//! them into bytes. The list is bounded: answers by the requests in flight, signals by [`SIGNALS_MAX`]; a session that
//! lets more pile up is cut, and learns the rest when it comes back.
use fleet_runtime::{Failure, Outbox, Signal};
use fleet_types::Answer;
use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Most signals that may wait to be written: a halt that takes back many permits at once fits.
pub const SIGNALS_MAX: usize = 65_536;

/// What waits to be told.
#[derive(Debug)]
pub enum Item {
    /// The answer to the frame with this id.
    Answer(u64, Result<Answer, Failure>),
    /// Told unasked.
    Signal(Signal),
}

/// One session's outbox.
#[derive(Default)]
pub struct Pile {
    items: Mutex<Vec<Item>>,
    waiting: AtomicBool,
    overflown: AtomicBool,
    waker: AtomicWaker,
}

impl Pile {
    /// Whether anything waits; if not, `waker` is woken when something does.
    pub fn is_waiting(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        self.waiting.load(Ordering::Acquire)
    }

    /// Takes what waits; `into` must be empty and lends its room.
    pub fn take(&self, into: &mut Vec<Item>) {
        let mut items = self.lock();
        self.waiting.store(false, Ordering::Release);
        std::mem::swap(&mut *items, into);
    }

    /// Whether signals were lost because nobody took them.
    pub fn is_overflown(&self) -> bool {
        self.overflown.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Item>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for Pile {
    fn answer(&self, tag: u64, answer: Result<Answer, Failure>) {
        self.lock().push(Item::Answer(tag, answer));
    }

    fn signal(&self, signal: Signal) {
        let mut items = self.lock();
        if items.len() < SIGNALS_MAX {
            items.push(Item::Signal(signal));
        } else {
            self.overflown.store(true, Ordering::Release);
        }
    }

    fn flush(&self) {
        self.waiting.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// For commands whose answer nobody wants.
pub struct Nobody;

impl Outbox for Nobody {
    fn answer(&self, _: u64, _: Result<Answer, Failure>) {}
    fn signal(&self, _: Signal) {}
    fn flush(&self) {}
}
