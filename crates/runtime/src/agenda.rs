//! Which transactions have changed, for whoever does what is due outside (I10).
//!
//! A set and no queue: what is due is worked out from the durable state when somebody looks, so nothing is lost when many
//! changes become one, and there are never more entries than live transactions and those that have just ended.
use fleet_types::{Event, Record, TxnId};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Transactions that have changed since somebody last looked.
#[derive(Default)]
pub struct Agenda {
    changed: Mutex<BTreeSet<TxnId>>,
    filled: Notify,
}

impl Agenda {
    /// These records are durable.
    pub fn follow(&self, records: &[Record]) {
        let mut changed = records.iter().filter_map(of).peekable();
        if changed.peek().is_none() {
            return;
        }
        self.lock().extend(changed);
        self.filled.notify_one();
    }

    /// Those that have changed; waits for at least one.
    pub async fn changed(&self) -> BTreeSet<TxnId> {
        loop {
            let changed = std::mem::take(&mut *self.lock());
            if !changed.is_empty() {
                return changed;
            }
            self.filled.notified().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<TxnId>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The transaction that a record changes.
fn of(record: &Record) -> Option<TxnId> {
    match &record.event {
        Event::TxnBegun(_) => Some(TxnId(record.seq)),
        Event::TxnPreparing(event) => Some(event.txn),
        Event::TxnReported(event) => Some(event.txn),
        Event::TxnDecided(event) => Some(event.txn),
        Event::TxnMoved(event) => Some(event.txn),
        Event::TxnResolved(event) => Some(event.txn),
        Event::TxnEnded(event) => Some(event.txn),
        _ => None, // Nothing follows outside.
    }
}
