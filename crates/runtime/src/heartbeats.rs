//! Who was heard of when. Never journaled: that an instance went silent enters the core as a command.
//!
//! After a restart everybody starts with a full term, as nobody could be heard meanwhile.
use fleet_types::instance::InstanceKey;
use fleet_types::{Epoch, Event, Record};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When each connected instance was last heard of.
#[derive(Default)]
pub struct Heartbeats {
    heard: Mutex<HashMap<InstanceKey, (Epoch, Instant)>>,
}

impl Heartbeats {
    /// It is alive; an epoch that is not the current one is not heard.
    pub fn beat(&self, key: &InstanceKey, epoch: Epoch) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = heard.get_mut(key)
            && entry.0 == epoch
        {
            entry.1 = Instant::now();
        }
    }

    /// Watches an instance from now on.
    pub fn watch(&self, key: InstanceKey, epoch: Epoch) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(key, (epoch, Instant::now()));
    }

    /// Keeps the watch in step with what has happened.
    pub fn follow(&self, record: &Record) {
        match &record.event {
            Event::InstanceConnected(event) => self.watch(event.key.clone(), event.epoch),
            Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
                let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.remove(&event.key);
            }
            _ => {} // Other events say nothing about who is connected.
        }
    }

    /// Those that have not been heard of for longer than `term`; each is told of once.
    pub fn silent(&self, term: Duration) -> Vec<(InstanceKey, Epoch)> {
        let now = Instant::now();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut silent = Vec::new();
        heard.retain(|key, (epoch, at)| {
            let gone = now.duration_since(*at) > term;
            if gone {
                silent.push((key.clone(), *epoch));
            }
            !gone
        });
        silent.sort_unstable();
        silent
    }

    /// Forgets everybody: the writer is about to recover.
    pub fn clear(&self) {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
