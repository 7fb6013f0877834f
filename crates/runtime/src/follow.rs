//! A reader that follows the durable end of the journal for as long as the fleet lives, and takes whole batches without
//! copying them: for views.
//!
//! The scribe puts each durable batch into the follower's queue and goes on; it never waits for a follower. A follower
//! that lets its queue fill up misses what comes then, and reads that from the store.
use crate::handle::{Failure, Shared};
use fleet_types::{Record, Seq};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Records that may wait for a follower: about half a second of a busy fleet, some tens of MiB while they do.
const RECORDS_MAX: usize = 65_536;
/// Records read from the store at once.
const RECORDS_PER_READ: usize = 8_192;

/// A batch as it was made durable.
pub type Batch = Arc<Vec<Record>>;

/// Batches on their way to one follower.
#[derive(Default)]
pub(crate) struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    records: usize,
    /// It was full: what follows is missing until all of it is taken, so that there is one gap and not many.
    overflowed: bool,
}

impl Queue {
    /// Puts a batch in, if there is room.
    pub fn offer(&self, batch: &Batch) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.overflowed |= waiting.records + batch.len() > RECORDS_MAX;
        if !waiting.overflowed {
            waiting.records += batch.len();
            waiting.batches.push_back(batch.clone());
        }
    }

    fn take(&self) -> VecDeque<Batch> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting).batches
    }
}

/// Follows one fleet's journal. Dropping it ends that.
pub struct Follower {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    /// Taken, and not given yet because of a gap before it.
    ahead: VecDeque<Batch>,
    at: Seq,
}

impl Follower {
    pub(crate) fn new(shared: Arc<Shared>, after: Seq) -> Self {
        let queue = Arc::new(Queue::default());
        shared.tail.feed(&queue);
        Follower {
            shared,
            queue,
            ahead: VecDeque::new(),
            at: after,
        }
    }

    /// Goes on behind another place.
    pub fn seek(&mut self, after: Seq) {
        self.at = after;
    }

    /// The next batches, oldest first, without a gap; waits for at least one. The first may begin with records that
    /// were given before. Nothing is lost when it is not awaited to its end.
    ///
    /// # Errors
    /// When the fleet stops, or what comes next lies before what retention kept.
    pub async fn next(&mut self) -> Result<Vec<Batch>, Failure> {
        self.shared.tail.past(self.at).await?;
        self.ahead.extend(self.queue.take());
        let last = |batch: &Batch| batch.last().map_or(Seq(0), |record| record.seq);
        while self.ahead.front().is_some_and(|b| last(b) <= self.at) {
            self.ahead.pop_front();
        }
        let first = self.ahead.front().and_then(|batch| batch.first());
        if first.is_some_and(|record| record.seq.0 <= self.at.0 + 1) {
            let batches: Vec<Batch> = std::mem::take(&mut self.ahead).into();
            self.at = batches.last().map_or(self.at, last);
            return Ok(batches);
        }
        // What is read twice, from the store and from the queue, is dropped above.
        let records = self.shared.tail.after(self.at, RECORDS_PER_READ).await?;
        self.at = records.last().map_or(self.at, |record| record.seq);
        Ok(vec![Arc::new(records)])
    }
}
