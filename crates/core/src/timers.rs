//! Deadlines of leases, waits, rates and approvals. Derived from the state, so never journaled nor part of a snapshot.
//!
//! Cancelling a timer is lazy: a due timer that no longer fits the state is dropped, and the heap is rebuilt
//! when more than half of it is stale.
use fleet_types::{ApprovalId, ConflictId, PermitId, Time, TxnId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a deadline is for; carries what it was armed for, so that a late one is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A lease ends.
    Lease(PermitId),
    /// A wait ends.
    Wait(PermitId),
    /// A wait for more ends.
    Extension(PermitId),
    /// The rate that a permit waits for has room again.
    Rate(PermitId),
    /// Those who are asked to approve must have answered.
    Deadline(ApprovalId),
    /// An approval should have been decided.
    Sla(ApprovalId),
    /// A transaction must be decided.
    Txn(TxnId),
    /// The next step of a conflict.
    Conflict(ConflictId),
}

/// Fewer stale ones are not worth a rebuild.
const STALE_MIN: usize = if cfg!(test) { 3 } else { 1_024 };

#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Time, Timer)>>,
    /// Timers known to be stale, at most this many are in the heap.
    stale: usize,
}

impl Timers {
    pub fn arm(&mut self, at: Time, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    /// Says that one armed timer will not be needed.
    pub fn forget_one(&mut self) {
        self.stale += 1;
    }

    /// Whether a rebuild from the state is worth it.
    pub fn wants_rebuild(&self) -> bool {
        self.stale > STALE_MIN && self.stale * 2 > self.heap.len()
    }

    /// Drops what `live` does not know.
    pub fn retain(&mut self, live: impl Fn(Time, Timer) -> bool) {
        self.heap.retain(|Reverse((at, timer))| live(*at, *timer));
        self.stale = 0;
    }

    pub fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Every armed timer, stale ones included.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (Time, Timer)> {
        self.heap.iter().map(|Reverse(entry)| *entry)
    }

    pub fn pop_due(&mut self, now: Time) -> Option<(Time, Timer)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}
