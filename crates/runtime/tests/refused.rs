//! What a fleet tells while the journal takes no writes: nothing that is not durable, and it goes on by itself.
#[allow(dead_code, reason = "other tests use the rest of it")]
mod common;

use common::{ask, request, set_up};
use fleet_journal::memory::Disk;
use fleet_journal::{
    Batch, Error, FleetKey, Journal, Memory, Outcome, Pruned, Reader, SnapshotSaver,
};
use fleet_runtime::{Failure, Fleets, Options};
use fleet_types::permit::{self, Decision};
use fleet_types::{Command, Envelope, Millis};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Tells that it has begun; goes on when it is told to.
type Hold = (SyncSender<()>, Receiver<()>);

/// A journal whose next append, when told so, says that it has begun and waits for leave.
struct Held {
    inner: Memory,
    next: Arc<Mutex<Option<Hold>>>,
}

impl Journal for Held {
    fn append(&mut self, batches: &[Batch]) -> Outcome {
        if let Some((begun, leave)) = self.next.lock().unwrap().take() {
            begun.send(()).unwrap();
            leave.recv().unwrap();
        }
        self.inner.append(batches)
    }
    fn snapshot_saver(&self) -> Result<Box<dyn SnapshotSaver>, Error> {
        self.inner.snapshot_saver()
    }
    fn prune(&mut self, fleet: &FleetKey, upto_seq: u64) -> Result<Pruned, Error> {
        self.inner.prune(fleet, upto_seq)
    }
    fn reader(&self) -> Result<Box<dyn Reader>, Error> {
        self.inner.reader()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_seen_of_a_failed_turn_is_not_told() {
    let disk = Disk::new();
    let next = Arc::default();
    let journal = Held {
        inner: Memory::open(&disk).unwrap(),
        next: Arc::clone(&next),
    };
    let fleets = Fleets::start(Box::new(journal), Options::default()).unwrap();
    let fleet = set_up(&fleets).await;
    let (begun, has_begun) = sync_channel(1);
    let (leave, may_leave) = sync_channel(1);
    *next.lock().unwrap() = Some((begun, may_leave));

    let asking = fleet.clone();
    let asked = tokio::spawn(async move { asking.call(request("r1", "a", "ledger/1")).await });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap())
        .await
        .unwrap();
    // While the grant is on its way to the disk, somebody looks at the state that has it …
    let (look, has_looked) = sync_channel(1);
    let (told, may_tell) = sync_channel::<()>(1);
    let looking = fleet.clone();
    let seen = tokio::spawn(async move {
        let read = move |state: &fleet_core::State| {
            look.send(()).unwrap();
            may_tell.recv().unwrap();
            fleet_core::read::status(state, state.now()).permits_granted
        };
        looking.read(read).await
    });
    tokio::task::spawn_blocking(move || has_looked.recv().unwrap())
        .await
        .unwrap();
    // … the disk is full, the grant never was, and only then the look is over.
    disk.set_full(true);
    leave.send(()).unwrap();
    let refused = asked.await.unwrap();
    assert!(matches!(refused, Err(Failure::ReadOnly(_))), "{refused:?}");
    told.send(()).unwrap();
    let seen = seen.await.unwrap();
    assert!(matches!(seen, Err(Failure::ReadOnly(_))), "{seen:?}");
    fleets.stop_now();
}

/// Makes a request for a permit that ends after this time.
fn last(envelope: &mut Envelope, ttl: Millis) {
    if let Command::Permit(permit::Command::Request(request)) = &mut envelope.command {
        Arc::make_mut(request).ttl_ms = Some(ttl);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_end_when_there_is_room_again_though_nobody_asks() {
    let disk = Disk::new();
    let journal = Memory::open(&disk).unwrap();
    let fleets = Fleets::start(Box::new(journal), Options::default()).unwrap();
    let fleet = set_up(&fleets).await;
    let mut lease = request("r1", "a", "ledger/1");
    last(&mut lease, Millis(300));
    let granted = ask(&fleet, lease).await;
    assert!(matches!(granted, Decision::Granted(_)), "{granted:?}");
    disk.set_full(true);
    // The end of the lease cannot be written; then it can, and nobody but the clock asks for it.
    tokio::time::sleep(Duration::from_millis(600)).await;
    disk.set_full(false);
    let before = fleet.durable();
    let ended = fleet.records_after(before, 1);
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
    let ended = ended.expect("it goes on by itself").unwrap();
    assert_eq!(ended[0].event.name(), "permit.expired");
    fleets.stop_now();
}
