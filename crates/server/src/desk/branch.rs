//! The desk of one fleet.
use crate::config::Outside;
use fleet_core::{Due, State, due, due_of};
use fleet_effects::{Executors, Finding, Task};
use fleet_runtime::{Failure, Handle, Signal};
use fleet_types::instance::InstanceKey;
use fleet_types::txn::{Command as Txn, Order, Participant, Report};
use fleet_types::{Actor, BranchId, Command, Envelope, FleetId, TenantId, Time, TxnId};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

/// How soon an instance that has said nothing is told again.
const TOLD_AGAIN: Duration = Duration::from_secs(2);
/// How long to wait where the fleet does not take a command or a look now.
const PAUSE: Duration = Duration::from_millis(100);

/// Attempts of one fleet under way at once: each holds a socket, and a slow participant of one fleet keeps no other waiting.
const ATTEMPTS_MAX: usize = 64;

/// What all desks share.
pub struct Tools {
    pub executors: Executors,
    pub outside: Outside,
}

/// Which fleet, and how it is reached.
#[derive(Clone)]
pub struct Place {
    pub tenant: TenantId,
    pub fleet: FleetId,
    pub handle: Handle,
    pub tools: Arc<Tools>,
    attempts: Arc<Semaphore>,
}

type Key = (TxnId, BranchId);

/// Does what is due for the transactions of one fleet.
pub struct Desk {
    place: Place,
    slots: HashMap<Key, Slot>,
    working: JoinSet<Key>,
}

/// What is being done for one branch.
struct Slot {
    due: Due,
    work: AbortHandle,
    begun: Arc<Begun>,
    /// What comes after it.
    next: Option<Due>,
}

/// Whether an attempt has begun: then it is let come to its end.
#[derive(Default)]
struct Begun(AtomicU8);

impl Begun {
    /// Claims it for the attempt, or against it; true for whoever comes first.
    fn claim(&self, state: u8) -> bool {
        let claimed = self
            .0
            .compare_exchange(0, state, Ordering::AcqRel, Ordering::Acquire);
        claimed.is_ok()
    }
    fn begin(&self) -> bool {
        self.claim(1)
    }
    fn cancel(&self) -> bool {
        self.claim(2)
    }
}

impl Desk {
    pub fn new(tenant: TenantId, fleet: FleetId, handle: Handle, tools: Arc<Tools>) -> Self {
        Desk {
            place: Place {
                tenant,
                fleet,
                handle,
                tools,
                attempts: Arc::new(Semaphore::new(ATTEMPTS_MAX)),
            },
            slots: HashMap::new(),
            working: JoinSet::new(),
        }
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Works until the fleet is gone.
    pub async fn run(mut self) {
        // All that was due before; what changes from here on is told.
        for due in self.place.look(due).await {
            self.take(due);
        }
        let handle = self.place.handle.clone();
        loop {
            let changed = tokio::select! {
                changed = handle.changed_txns() => changed,
                Some(ended) = self.working.join_next() => match ended {
                    Ok(key) => self.ended(key),
                    Err(_) => BTreeSet::new(), // Cancelled before it had begun.
                },
            };
            if changed.is_empty() {
                continue;
            }
            let txns = changed.clone();
            let look = move |state: &State| -> Vec<Due> {
                txns.iter().flat_map(|txn| due_of(state, *txn)).collect()
            };
            let dues = self.place.look(look).await;
            let wanted: BTreeSet<Key> = dues.iter().map(key_of).collect();
            self.slots.retain(|key, slot| {
                if !changed.contains(&key.0) || wanted.contains(key) {
                    return true;
                }
                slot.next = None;
                !slot.give_up()
            });
            for due in dues {
                self.take(due);
            }
        }
    }

    /// What is due for a branch is this, and nothing else.
    fn take(&mut self, due: Due) {
        let key = key_of(&due);
        if let Some(slot) = self.slots.get_mut(&key) {
            if slot.due == due {
                slot.next = None;
                return;
            }
            if !slot.give_up() {
                slot.next = Some(due);
                return;
            }
        }
        let begun = Arc::new(Begun::default());
        let (place, told, its) = (self.place.clone(), due.clone(), begun.clone());
        let work = self.working.spawn(async move {
            let key = key_of(&told);
            place.carry_out(told, &its).await;
            key
        });
        let slot = Slot {
            due,
            work,
            begun,
            next: None,
        };
        self.slots.insert(key, slot);
    }

    /// An attempt has ended, and what it found is durable or was refused: the transaction is looked at once more.
    fn ended(&mut self, key: Key) -> BTreeSet<TxnId> {
        // One that was given up has another in its place.
        let over = self
            .slots
            .get(&key)
            .is_some_and(|slot| slot.work.is_finished());
        if over
            && let Some(slot) = self.slots.remove(&key)
            && let Some(next) = slot.next
        {
            self.take(next);
        }
        BTreeSet::from([key.0])
    }
}

impl Slot {
    /// Takes it back, if it has not begun.
    fn give_up(&self) -> bool {
        let given_up = self.begun.cancel();
        if given_up {
            self.work.abort();
        }
        given_up
    }
}

impl Place {
    /// Looks at the durable state, however long the fleet takes to answer.
    pub async fn look<R: Send + 'static>(
        &self,
        look: impl Fn(&State) -> R + Send + Sync + 'static,
    ) -> R {
        let look = Arc::new(look);
        loop {
            let look = look.clone();
            match self.handle.read(move |state| look(state)).await {
                Ok(seen) => return seen,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn carry_out(&self, due: Due, begun: &Begun) {
        let wait = due.at.micros_since(now());
        if wait > 0 {
            tokio::time::sleep(Duration::from_micros(wait)).await;
        }
        if let Participant::Session { agent, instance } = &due.participant {
            let key = InstanceKey {
                agent: agent.clone(),
                instance: instance.clone(),
            };
            // Until the branch has moved on: then this is given up.
            loop {
                self.handle
                    .tell(&key, Signal::Transaction(due.order.clone()));
                tokio::time::sleep(TOLD_AGAIN).await;
            }
        }
        let Ok(_attempt) = self.attempts.acquire().await else {
            return; // The server stops.
        };
        if !begun.begin() {
            return;
        }
        let Due { order, .. } = due;
        let finding = match due.connector {
            Some(connector) => {
                let task = Task {
                    order: order.clone(),
                    connector,
                    gid: due.gid,
                    evidence: due.evidence,
                };
                let executors = &self.tools.executors;
                executors.carry_out(&self.tenant, &self.fleet, &task).await
            }
            None => Finding::failed("its connector is gone; an admin must set it again"),
        };
        self.report(order, finding).await;
    }

    async fn report(&self, order: Order, finding: Finding) {
        let Order {
            txn,
            branch,
            phase,
            attempt,
            ..
        } = order;
        tracing::debug!(%txn, %branch, phase = phase.as_str(), attempt, outcome = ?finding.outcome, why = %finding.reason, "told a participant");
        let report = Report {
            txn,
            branch,
            phase,
            outcome: finding.outcome,
            attempt: Some(attempt),
            evidence: finding.evidence,
            reason: finding.reason,
        };
        let envelope = Envelope {
            by: Actor::System,
            command: Command::Txn(Txn::Report(Box::new(report))),
        };
        loop {
            match self.handle.call(envelope.clone()).await {
                Ok(Ok(_)) => return,
                Ok(Err(rejection)) => {
                    tracing::warn!(%txn, code = %rejection.code, why = %rejection.message, "a finding was refused");
                    tokio::time::sleep(PAUSE).await;
                    return;
                }
                // Not written, or nobody knows: said again, which changes nothing if it was.
                Err(Failure::Unavailable) => tokio::time::sleep(PAUSE * 5).await,
                Err(
                    Failure::Overloaded { .. }
                    | Failure::ReadOnly(_)
                    | Failure::Unknown
                    | Failure::Pruned(_),
                ) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

fn key_of(due: &Due) -> Key {
    (due.order.txn, due.order.branch.clone())
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Time(since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }))
}
