//! Limits: how often, or how many at once. All that apply are checked together and charged together (I7).
//!
//! - A rate is a GCRA (ITU-T I.371, "virtual scheduling") in whole nanoseconds; a class's reserved part has a
//!   bucket of its own and is tried before the shared one.
//! - A concurrency limit counts permits in flight per class; a class may always have its reserved part.
//! - Whoever finds no room and can wait stands in the limit's fair queue; nobody who comes later goes past it.
pub mod apply;
pub mod check;
pub mod decide;
pub mod dynamic;
pub mod fair;
pub mod rate;

use crate::map::Map;
use crate::selector::{Compiled, Index};
use crate::state::Wake;
use fair::FairQueue;
use fleet_types::limit::{Class, Limit, Measure};
use fleet_types::{LimitId, Time};
use rate::Bucket;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The small number of a limit; never used again for another.
pub type LimitKey = u32;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Limits {
    pub by_id: Map<LimitId, LimitKey>,
    pub entries: Vec<Option<Entry>>,
    #[serde(skip)]
    pub index: Index,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    pub limit: Arc<Limit>,
    /// Where a dynamic limit stands, in thousandths; the declared value otherwise.
    pub current_milli: u64,
    /// When a dynamic limit was last lowered.
    pub lowered_at: Time,
    /// The count that all share; its key is empty.
    pub sole: Count,
    /// One count per agent, resource or action, where each has its own.
    pub counts: Map<SmolStr, Count>,
    /// Sweep idle counts away when there are this many.
    pub sweep_at: usize,
    pub fair: fair::Shares,
    #[serde(skip)]
    pub queue: FairQueue,
    #[serde(skip)]
    pub compiled: Option<Compiled>,
}

/// One count of a limit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Count {
    /// Rate: the shared bucket, then one per class.
    pub shared: Bucket,
    pub reserved: [Bucket; 4],
    /// In flight per class, for rates too, which may be made a concurrency. Derived from the permits that hold.
    #[serde(skip)]
    pub in_flight: [u64; 4],
    pub granted: u64,
    pub stopped: u64,
}

impl Count {
    /// In flight beyond what their classes have reserved.
    pub fn in_shared(&self, limit: &Limit) -> u64 {
        let classes = Class::ALL.into_iter();
        classes
            .map(|class| self.in_flight[class as usize].saturating_sub(limit.reserved.of(class)))
            .sum()
    }
}

impl Limits {
    pub fn get(&self, key: LimitKey) -> Option<&Entry> {
        self.entries.get(key as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, key: LimitKey) -> Option<&mut Entry> {
        self.entries.get_mut(key as usize)?.as_mut()
    }

    pub fn key(&self, id: &LimitId) -> Option<LimitKey> {
        self.by_id.get(id).copied()
    }

    /// Marks every count of a limit as changed for those who wait for it.
    pub fn wake(&self, key: LimitKey, wakes: &mut BTreeSet<Wake>) {
        let counts = self.get(key).into_iter().flat_map(|e| e.queue.counts());
        wakes.extend(counts.map(|count| Wake::Limit(key, count.clone())));
    }

    /// Marks one count of a limit as changed for those who wait for it.
    pub fn wake_count(&self, key: LimitKey, count: &SmolStr, wakes: &mut BTreeSet<Wake>) {
        if self.get(key).is_some_and(|entry| entry.queue.waits(count)) {
            wakes.insert(Wake::Limit(key, count.clone()));
        }
    }
}

impl Entry {
    /// The count with this key, if anything was ever counted there.
    pub fn count(&self, key: &str) -> Option<&Count> {
        if key.is_empty() {
            Some(&self.sole)
        } else {
            self.counts.get(key)
        }
    }

    /// The count with this key, a fresh one if need be.
    pub fn count_mut(&mut self, key: &SmolStr) -> &mut Count {
        if key.is_empty() {
            &mut self.sole
        } else {
            self.counts.entry(key.clone()).or_default()
        }
    }

    /// Every count with its key; the sole one's is empty.
    pub fn all_counts(&self) -> impl Iterator<Item = (&str, &Count)> {
        let sole = matches!(self.limit.each, fleet_types::limit::Each::All);
        let sole = sole.then_some(("", &self.sole));
        sole.into_iter()
            .chain(self.counts.iter().map(|(key, count)| (key.as_str(), count)))
    }

    /// The most it allows now: at once, or per span.
    pub fn max(&self) -> u64 {
        let declared = match &self.limit.measure {
            Measure::Rate(rate) => rate.permits,
            Measure::Concurrency(concurrency) => concurrency.max,
        };
        match self.limit.dynamic {
            Some(_) => self.current_milli / 1_000,
            None => declared,
        }
    }
}
