//! Who is connected here, and the delivery of signals to them.
use crate::handle::Outbox;
use fleet_core::signal::{Signal, To};
use fleet_types::Epoch;
use fleet_types::instance::InstanceKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Outboxes of the connected instances.
#[derive(Default)]
pub struct Post {
    boxes: Mutex<HashMap<InstanceKey, Attached>>,
}

struct Attached {
    epoch: Epoch,
    outbox: Arc<dyn Outbox>,
}

impl Post {
    /// Signals go to `outbox` from now on. Whoever received them before is told that its session has ended.
    pub fn attach(&self, key: &InstanceKey, epoch: Epoch, outbox: &Arc<dyn Outbox>) {
        let attached = Attached {
            epoch,
            outbox: outbox.clone(),
        };
        let before = self.lock().insert(key.clone(), attached);
        if let Some(before) = before
            && !Arc::ptr_eq(&before.outbox, outbox)
        {
            let epoch = before.epoch;
            before.outbox.signal(Signal::Ended { epoch });
            before.outbox.flush();
        }
    }

    /// This outbox receives nothing more; one that has taken its place stays.
    pub fn detach(&self, key: &InstanceKey, outbox: &Arc<dyn Outbox>) {
        let mut boxes = self.lock();
        let attached = boxes.get(key);
        if attached.is_some_and(|attached| Arc::ptr_eq(&attached.outbox, outbox)) {
            boxes.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceKey, Attached>> {
        self.boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out signals in order. Whoever is not connected learns the same when it comes back.
    pub fn deliver(&self, signals: Vec<(To, Signal)>) {
        if signals.is_empty() {
            return;
        }
        let mut touched: Vec<Arc<dyn Outbox>> = Vec::new();
        {
            let boxes = self.lock();
            for (to, signal) in signals {
                match to {
                    To::One(key) => {
                        if let Some(Attached { outbox, .. }) = boxes.get(&key) {
                            outbox.signal(signal);
                            touched.push(outbox.clone());
                        }
                    }
                    To::Everybody => {
                        for Attached { outbox, .. } in boxes.values() {
                            outbox.signal(signal.clone());
                            touched.push(outbox.clone());
                        }
                    }
                }
            }
        }
        for outbox in touched {
            outbox.flush();
        }
    }
}
