//! Waiting for a decision over HTTP: one follower of each fleet's journal for all who wait, and none when nobody does.
//!
//! A waiter is registered first and the state is read after that, so a decision in between is not missed.
use fleet_core::denial_of_waiter;
use fleet_runtime::Handle;
use fleet_types::lock::Held;
use fleet_types::permit::{Decision, Denial, Grant};
use fleet_types::{Code, Event, FleetId, PermitId, Record, Seq, TenantId, Token, TxnId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Who waits, by fleet.
#[derive(Default)]
pub struct Waits {
    hubs: Mutex<HashMap<(TenantId, FleetId), Arc<Hub>>>,
}

/// Who waits in one fleet.
#[derive(Default)]
struct Hub {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    by_permit: HashMap<PermitId, Vec<oneshot::Sender<Record>>>,
    by_txn: HashMap<TxnId, Vec<oneshot::Sender<()>>>,
    followed: bool,
}

impl Waits {
    /// Hears of the next decision about this permit. Read the state after this call and before waiting.
    pub fn on(
        &self,
        tenant: &TenantId,
        fleet: &FleetId,
        handle: &Handle,
        permit: PermitId,
    ) -> oneshot::Receiver<Record> {
        let hub = self.hub(tenant, fleet);
        let (sender, receiver) = oneshot::channel();
        let mut waiting = hub.lock();
        waiting.by_permit.entry(permit).or_default().push(sender);
        // The decision stands behind the permit's own place.
        hub.follow(&mut waiting, handle, permit.0);
        drop(waiting);
        receiver
    }

    /// Hears of the end of this transaction. Read the state after this call and before waiting.
    pub fn on_end(
        &self,
        tenant: &TenantId,
        fleet: &FleetId,
        handle: &Handle,
        txn: TxnId,
    ) -> oneshot::Receiver<()> {
        let hub = self.hub(tenant, fleet);
        let (sender, receiver) = oneshot::channel();
        let mut waiting = hub.lock();
        waiting.by_txn.entry(txn).or_default().push(sender);
        hub.follow(&mut waiting, handle, handle.durable());
        drop(waiting);
        receiver
    }

    fn hub(&self, tenant: &TenantId, fleet: &FleetId) -> Arc<Hub> {
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hubs.entry((tenant.clone(), fleet.clone())).or_default())
    }
}

impl Hub {
    fn follow(self: &Arc<Self>, waiting: &mut Waiting, handle: &Handle, from: Seq) {
        if !waiting.followed {
            waiting.followed = true;
            tokio::spawn(follow(Arc::clone(self), handle.clone(), from));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn follow(hub: Arc<Hub>, handle: Handle, mut at: Seq) {
    loop {
        let records = handle.records_after(at, 1_024).await;
        let mut waiting = hub.lock();
        match records {
            Ok(records) => {
                for record in &records {
                    each_decided(record, |permit| {
                        for waiter in waiting.by_permit.remove(&permit).unwrap_or_default() {
                            // It may have stopped waiting.
                            let _ = waiter.send(record.clone());
                        }
                    });
                    if let Event::TxnEnded(ended) = &record.event {
                        for waiter in waiting.by_txn.remove(&ended.txn).unwrap_or_default() {
                            let _ = waiter.send(()); // It may have stopped waiting.
                        }
                    }
                }
                at = records.last().map_or(at, |record| record.seq);
            }
            // Who waits hears that nobody will tell, and asks again.
            Err(_) => {
                waiting.by_permit.clear();
                waiting.by_txn.clear();
            }
        }
        waiting.by_permit.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
        waiting.by_txn.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
        if waiting.by_permit.is_empty() && waiting.by_txn.is_empty() {
            waiting.followed = false;
            return;
        }
    }
}

/// The permits that this record decides about.
fn each_decided(record: &Record, mut each: impl FnMut(PermitId)) {
    match &record.event {
        Event::PermitGranted(granted) => each(granted.permit),
        Event::PermitDenied(denied) => each(denied.denial.permit),
        Event::PermitFinished(finished) => each(finished.finish.permit),
        Event::PermitExpired(expired) => each(expired.permit),
        Event::PermitExtended(extended) => each(extended.permit),
        Event::PermitExtensionDenied(denied) => each(denied.denial.permit),
        _ => {
            let (taken_back, _) = taken_back(record);
            taken_back.iter().copied().for_each(each);
        }
    }
}

/// The permits that a record takes back, waiting ones too, and why.
fn taken_back(record: &Record) -> (&[PermitId], Code) {
    match &record.event {
        Event::HaltOrdered(event) => (&event.revoked, Code::Halted),
        Event::InstanceConnected(event) => (&event.released, Code::HolderGone),
        Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
            (&event.released, Code::HolderGone)
        }
        _ => (&[], Code::HolderGone),
    }
}

/// The decision about a permit that a record tells of.
#[must_use]
pub fn decision(record: &Record, permit: PermitId) -> Option<Decision> {
    match &record.event {
        Event::PermitGranted(granted) if granted.permit == permit => {
            Some(Decision::Granted(Grant {
                permit: granted.permit,
                resources: granted
                    .request
                    .resources
                    .iter()
                    .map(|claim| Held {
                        path: claim.path.clone(),
                        mode: claim.mode,
                        token: Token(record.seq.0),
                    })
                    .collect(),
                versions: granted.versions.clone(),
                expires_at: granted.expires_at,
                explain: granted.explain.clone(),
                changed: granted.policies.as_ref().and_then(|verdict| {
                    let original = verdict.original.as_ref();
                    original.map(|_| granted.request.clone())
                }),
            }))
        }
        Event::PermitDenied(denied) if denied.denial.permit == permit => {
            Some(Decision::Denied(Denial::clone(&denied.denial)))
        }
        Event::PermitExtensionDenied(denied) if denied.denial.permit == permit => {
            Some(Decision::Denied(Denial::clone(&denied.denial)))
        }
        _ => {
            let (taken_back, why) = taken_back(record);
            taken_back
                .contains(&permit)
                .then(|| Decision::Denied(denial_of_waiter(permit, why)))
        }
    }
}
