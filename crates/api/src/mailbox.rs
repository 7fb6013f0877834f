//! Signals for instances that poll because they cannot hold a WebSocket.
//!
//! Each signal has a number; it is kept until the instance has said that it saw it (`after`), so an answer that is lost
//! on the way costs nothing. Bounded: past [`SIGNALS_MAX`] the oldest are dropped and the instance is told so.
use crate::session::answer;
use fleet_runtime::{Failure, Outbox, Signal};
use fleet_types::instance::InstanceKey;
use fleet_types::session::ServerFrame;
use fleet_types::{Answer, Epoch, FleetId, TenantId};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use utoipa::ToSchema;

/// Most signals kept for one instance.
pub const SIGNALS_MAX: usize = 4_096;
/// An instance that has not polled for so long has no mailbox any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// Which instance of which fleet.
type Place = (TenantId, FleetId, InstanceKey);

/// All mailboxes.
#[derive(Default)]
pub struct Mailboxes {
    by_place: Mutex<HashMap<Place, Arc<Mailbox>>>,
}

/// One instance's signals.
pub struct Mailbox {
    epoch: Epoch,
    kept: Mutex<Kept>,
    news: Notify,
}

struct Kept {
    signals: VecDeque<Numbered>,
    next: u64,
    lost: bool,
    polled_at: Instant,
}

/// A signal and its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Numbered {
    /// Say it as `after` next time.
    pub number: u64,
    /// What happened: `granted`, `denied`, `revoked`, `approval`, `halt`, `released` or `ended`.
    pub signal: ServerFrame,
}

/// What has been told since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Signals {
    /// In order.
    pub signals: Vec<Numbered>,
    /// Some were dropped because nobody took them: read the permits and halts anew.
    pub lost: bool,
}

impl Mailboxes {
    /// A new mailbox for this life of an instance.
    pub fn open(
        &self,
        tenant: &TenantId,
        fleet: &FleetId,
        key: &InstanceKey,
        epoch: Epoch,
    ) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox {
            epoch,
            kept: Mutex::new(Kept {
                signals: VecDeque::new(),
                next: 1,
                lost: false,
                polled_at: Instant::now(),
            }),
            news: Notify::new(),
        });
        let mut by_place = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        by_place.retain(|_, mailbox| mailbox.lock().polled_at.elapsed() < FORGOTTEN_AFTER);
        by_place.insert(
            (tenant.clone(), fleet.clone(), key.clone()),
            Arc::clone(&mailbox),
        );
        mailbox
    }

    /// The mailbox of an instance that has connected.
    #[must_use]
    pub fn get(
        &self,
        tenant: &TenantId,
        fleet: &FleetId,
        key: &InstanceKey,
    ) -> Option<Arc<Mailbox>> {
        let by_place = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        by_place
            .get(&(tenant.clone(), fleet.clone(), key.clone()))
            .cloned()
    }

    /// Takes a mailbox away.
    pub fn close(
        &self,
        tenant: &TenantId,
        fleet: &FleetId,
        key: &InstanceKey,
    ) -> Option<Arc<Mailbox>> {
        let mut by_place = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        by_place.remove(&(tenant.clone(), fleet.clone(), key.clone()))
    }
}

impl Mailbox {
    /// The life it is for.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// What came after `after`, waiting up to `wait` for the first; what came before is forgotten.
    pub async fn take(&self, after: u64, wait: Duration) -> Signals {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let news = self.news.notified();
            let mut news = std::pin::pin!(news);
            // Registered before looking, so that what comes in between is not missed.
            news.as_mut().enable();
            {
                let mut kept = self.lock();
                kept.polled_at = Instant::now();
                kept.signals.retain(|signal| signal.number > after);
                let out_of_time = tokio::time::Instant::now() >= deadline;
                if !kept.signals.is_empty() || kept.lost || out_of_time {
                    return Signals {
                        signals: kept.signals.iter().cloned().collect(),
                        lost: std::mem::take(&mut kept.lost),
                    };
                }
            }
            // Either way it looks again.
            let _ = tokio::time::timeout_at(deadline, news).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for Mailbox {
    fn answer(&self, _: u64, _: Result<Answer, Failure>) {}

    fn signal(&self, signal: Signal) {
        let mut kept = self.lock();
        let number = kept.next;
        kept.next += 1;
        if kept.signals.len() == SIGNALS_MAX {
            kept.signals.pop_front();
            kept.lost = true;
        }
        let signal = answer::signal(signal);
        kept.signals.push_back(Numbered { number, signal });
    }

    fn flush(&self) {
        self.news.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_types::{HaltId, Seq};

    fn released(mailbox: &Mailbox, halt: u64) {
        mailbox.signal(Signal::Released {
            halt: HaltId(Seq(halt)),
        });
        mailbox.flush();
    }

    #[tokio::test]
    async fn signals_stay_until_they_were_seen() {
        let boxes = Mailboxes::default();
        let (tenant, fleet) = (TenantId::parse("t").unwrap(), FleetId::parse("f").unwrap());
        let key = InstanceKey {
            agent: "a".parse().unwrap(),
            instance: "i".parse().unwrap(),
        };
        let mailbox = boxes.open(&tenant, &fleet, &key, Epoch(1));
        assert!(mailbox.take(0, Duration::ZERO).await.signals.is_empty());
        released(&mailbox, 1);
        released(&mailbox, 2);
        assert_eq!(mailbox.take(0, Duration::ZERO).await.signals.len(), 2);
        assert_eq!(mailbox.take(1, Duration::ZERO).await.signals[0].number, 2);
        let waiting = Arc::clone(&mailbox);
        let task = tokio::spawn(async move { waiting.take(2, Duration::from_secs(5)).await });
        tokio::task::yield_now().await;
        released(&mailbox, 3);
        assert_eq!(task.await.unwrap().signals[0].number, 3);
        for halt in 0..=SIGNALS_MAX as u64 {
            released(&mailbox, halt);
        }
        let signals = mailbox.take(0, Duration::ZERO).await;
        assert!(signals.lost);
        assert_eq!(signals.signals.len(), SIGNALS_MAX);
        assert!(boxes.get(&tenant, &fleet, &key).is_some());
    }
}
