//! The durable end of a journal: the last batches in memory, the rest from the store.
use crate::follow::{Batch, Queue};
use crate::handle::Failure;
use crate::readers::Readers;
use fleet_journal::FleetKey;
use fleet_types::{Record, Seq};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::watch;

/// Records kept in memory: enough for readers that keep up.
const RECORDS_MAX: usize = 4_096;
/// Batches read from the store at once.
const BATCHES_PER_READ: usize = 64;

/// The durable end of one fleet's journal.
pub struct Tail {
    fleet: FleetKey,
    batches: Mutex<Batches>,
    durable: watch::Sender<Seq>,
    readers: Arc<Readers>,
    /// Whoever follows; few.
    queues: Mutex<Vec<Weak<Queue>>>,
}

#[derive(Default)]
struct Batches {
    batches: VecDeque<Batch>,
    records: usize,
}

impl Tail {
    pub fn new(fleet: FleetKey, durable: Seq, readers: Arc<Readers>) -> Self {
        Tail {
            fleet,
            batches: Mutex::default(),
            durable: watch::Sender::new(durable),
            readers,
            queues: Mutex::default(),
        }
    }

    /// Batches go to this queue too, from now on, while somebody holds it.
    pub fn feed(&self, queue: &Arc<Queue>) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.push(Arc::downgrade(queue));
    }

    fn offer(&self, batch: &Batch) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| match queue.upgrade() {
            Some(queue) => {
                queue.offer(batch);
                true
            }
            None => false,
        });
    }

    pub fn durable(&self) -> Seq {
        *self.durable.borrow()
    }

    /// A batch is durable.
    pub fn push(&self, records: Vec<Record>) {
        let Some(last) = records.last().map(|record| record.seq) else {
            return;
        };
        let records = Arc::new(records);
        self.offer(&records);
        let mut gone = Vec::new();
        {
            let mut tail = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
            tail.records += records.len();
            tail.batches.push_back(records);
            while tail.records > RECORDS_MAX && tail.batches.len() > 1 {
                if let Some(batch) = tail.batches.pop_front() {
                    tail.records -= batch.len();
                    gone.push(batch); // Freed outside the lock.
                }
            }
        }
        self.durable.send_replace(last);
    }

    /// After a recovery: nothing in memory, the end as the journal says.
    pub fn reset(&self, durable: Seq) {
        *self.batches.lock().unwrap_or_else(PoisonError::into_inner) = Batches::default();
        self.durable.send_replace(durable);
    }

    /// Waits until something behind this place is durable.
    pub async fn past(&self, after: Seq) -> Result<(), Failure> {
        let mut durable = self.durable.subscribe();
        let reached = durable.wait_for(|durable| *durable > after).await;
        reached.map(drop).map_err(|_| Failure::Unavailable)
    }

    pub async fn after(&self, after: Seq, max: usize) -> Result<Vec<Record>, Failure> {
        self.past(after).await?;
        if let Some(records) = self.in_memory(after, max) {
            return Ok(records);
        }
        let (readers, fleet) = (self.readers.clone(), self.fleet.clone());
        let read = move || from_store(&readers, &fleet, after, max);
        match tokio::task::spawn_blocking(read).await {
            Ok(records) => records,
            Err(_) => Err(Failure::Unavailable),
        }
    }

    fn in_memory(&self, after: Seq, max: usize) -> Option<Vec<Record>> {
        let tail = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let first = tail.batches.front()?.first()?.seq;
        if after.0 + 1 < first.0 {
            return None;
        }
        let begin = tail
            .batches
            .partition_point(|batch| batch.last().is_some_and(|record| record.seq <= after));
        let records = tail.batches.range(begin..).flat_map(|batch| batch.iter());
        Some(
            records
                .filter(|record| record.seq > after)
                .take(max)
                .cloned()
                .collect(),
        )
    }
}

fn from_store(
    readers: &Readers,
    fleet: &FleetKey,
    after: Seq,
    max: usize,
) -> Result<Vec<Record>, Failure> {
    let refused = |error: fleet_journal::Error| {
        if let fleet_journal::Error::Pruned { pruned_seq, .. } = &error {
            return Failure::Pruned(pruned_seq + 1);
        }
        tracing::error!(%fleet, %error, "failed to read the journal for a stream");
        Failure::Unavailable
    };
    let batches = readers.lend(|reader| reader.read(fleet, after.0 + 1, BATCHES_PER_READ));
    let batches = batches.map_err(refused)?;
    let mut records = Vec::new();
    for batch in batches {
        let decoded: Vec<Record> = serde_json::from_slice(&batch.events).map_err(|error| {
            tracing::error!(%fleet, first_seq = batch.first_seq, %error, "failed to decode a batch");
            Failure::Unavailable
        })?;
        records.extend(decoded.into_iter().filter(|record| record.seq > after));
        if records.len() >= max {
            records.truncate(max);
            break;
        }
    }
    Ok(records)
}
