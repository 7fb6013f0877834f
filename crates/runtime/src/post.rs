//! Who is connected here, and the delivery of signals to them.
use crate::handle::Outbox;
use fleet_core::signal::{Signal, To};
use fleet_types::Epoch;
use fleet_types::instance::InstanceKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Outboxes of the connected instances.
#[derive(Default)]
pub struct Post {
    boxes: Mutex<HashMap<InstanceKey, (Epoch, Arc<dyn Outbox>)>>,
}

impl Post {
    pub fn attach(&self, key: &InstanceKey, epoch: Epoch, outbox: &Arc<dyn Outbox>) {
        let mut boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
        boxes.insert(key.clone(), (epoch, outbox.clone()));
    }

    pub fn detach(&self, key: &InstanceKey, epoch: Epoch) {
        let mut boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
        if boxes
            .get(key)
            .is_some_and(|(attached, _)| *attached == epoch)
        {
            boxes.remove(key);
        }
    }

    /// Hands out signals in order. Whoever is not connected learns the same when it comes back.
    pub fn deliver(&self, signals: Vec<(To, Signal)>) {
        if signals.is_empty() {
            return;
        }
        let mut touched: Vec<Arc<dyn Outbox>> = Vec::new();
        {
            let boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
            for (to, signal) in signals {
                match to {
                    To::One(key) => {
                        if let Some((_, outbox)) = boxes.get(&key) {
                            outbox.signal(signal);
                            touched.push(outbox.clone());
                        }
                    }
                    To::Everybody => {
                        for (_, outbox) in boxes.values() {
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
