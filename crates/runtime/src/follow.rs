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
const RECORDS_MAX: usize = if cfg!(test) { 64 } else { 65_536 };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fleets, Handle, Options};
    use fleet_types::{Actor, Command, Envelope, FleetId, TenantId, directory, scope};

    fn local(command: Command) -> Envelope {
        Envelope {
            by: Actor::Local,
            command,
        }
    }

    async fn fleet() -> (Fleets, Handle) {
        let journal = fleet_journal::Memory::default();
        let fleets = Fleets::start(Box::new(journal), Options::default()).unwrap();
        let (tenant, fleet): (TenantId, FleetId) = ("t".parse().unwrap(), "f".parse().unwrap());
        for command in [
            directory::Command::CreateTenant {
                tenant: tenant.clone(),
            },
            directory::Command::CreateFleet {
                tenant: tenant.clone(),
                fleet: fleet.clone(),
            },
        ] {
            let directory = fleets.directory();
            let done = directory.call(local(Command::Directory(command)));
            done.await.unwrap().unwrap();
        }
        let handle = fleets.get(&tenant, &fleet).await.unwrap().unwrap();
        (fleets, handle)
    }

    async fn work(fleet: &Handle, from: u64, count: u64) {
        for number in from..from + count {
            let scope = scope::Scope {
                path: format!("s-{number}").parse().unwrap(),
                description: Default::default(),
                labels: Default::default(),
            };
            let done = fleet.call(local(Command::Scope(scope::Command::Set(scope))));
            done.await.unwrap().unwrap();
        }
    }

    /// Takes everything up to the durable end; each record once, in order.
    async fn read(follower: &mut Follower, fleet: &Handle, mut at: u64) -> u64 {
        while at < fleet.durable().0 {
            for batch in follower.next().await.unwrap() {
                for record in batch.iter() {
                    assert!(record.seq.0 <= at + 1, "a gap");
                    at = at.max(record.seq.0);
                }
            }
        }
        at
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_missed_however_slow_it_is() {
        let (fleets, fleet) = fleet().await;
        work(&fleet, 0, 20).await;
        let mut follower = fleet.follow(Seq(0));
        let mut slow = fleet.follow(Seq(7));
        let mut at = 0;
        for round in 0..6 {
            work(&fleet, 20 + round * 20, 20).await;
            at = read(&mut follower, &fleet, at).await;
        }
        assert_eq!(at, fleet.durable().0);
        // More has come than waits for it.
        let waiting = slow.queue.0.lock().unwrap().records;
        assert!(waiting > 0 && waiting <= RECORDS_MAX, "{waiting}");
        assert!(slow.queue.0.lock().unwrap().overflowed);
        assert_eq!(read(&mut slow, &fleet, 7).await, at);
        work(&fleet, 200, 3).await;
        assert_eq!(read(&mut slow, &fleet, at).await, fleet.durable().0);
        slow.seek(Seq(5));
        assert_eq!(read(&mut slow, &fleet, 5).await, fleet.durable().0);
        drop(slow);
        work(&fleet, 300, 1).await;
        fleets.stop().await;
    }
}
