//! What setting, charging and giving back do to limits.
use super::check::{counts_of, paces};
use super::rate::nanos;
use super::{Count, Entry, LimitKey, fair};
use crate::map::Map;
use crate::selector::Compiled;
use crate::state::State;
use fleet_types::Time;
use fleet_types::event::LimitRemoved;
use fleet_types::limit::{Class, Limit, Measure};
use fleet_types::permit::LimitCharge;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::sync::Arc;

/// What a permit was charged, kept with it until it ends.
pub type Charges = SmallVec<[Charge; 3]>;

/// One count that a permit was charged to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Charge {
    pub limit: LimitKey,
    pub count: SmolStr,
    /// Whether it was taken from its class's own part of a rate.
    pub own: bool,
}

/// Idle counts are swept when there are this many, then when twice the live ones stand.
const SWEEP_MIN: usize = if cfg!(test) { 3 } else { 4_096 };

pub fn set(state: &mut State, limit: &Arc<Limit>) {
    let key = match state.limits.key(&limit.id) {
        Some(key) => key,
        None => {
            let key = state.limits.entries.len() as LimitKey;
            state.limits.by_id.insert(limit.id.clone(), key);
            state.limits.entries.push(Some(Entry {
                limit: limit.clone(),
                current_milli: 0,
                lowered_at: Time::ZERO,
                sole: Count::default(),
                counts: Map::default(),
                sweep_at: SWEEP_MIN,
                fair: fair::Shares::default(),
                queue: fair::FairQueue::default(),
                compiled: None,
            }));
            key
        }
    };
    let Some(entry) = &mut state.limits.entries[key as usize] else {
        return;
    };
    if let Some(former) = &entry.compiled {
        state.limits.index.remove(key, former);
    }
    let waiting: Vec<_> = entry.queue.places().collect();
    let counts_differ = entry.limit.each != limit.each || entry.limit.selector != limit.selector;
    if counts_differ {
        entry.queue = fair::FairQueue::default();
    }
    entry.limit = limit.clone();
    if let Some(dynamic) = limit.dynamic {
        let start = match &limit.measure {
            Measure::Rate(rate) => rate.permits,
            Measure::Concurrency(concurrency) => concurrency.max,
        };
        let start = if entry.current_milli == 0 {
            start * 1_000
        } else {
            entry.current_milli
        };
        entry.current_milli = start.clamp(dynamic.floor * 1_000, dynamic.ceiling * 1_000);
    } else {
        entry.current_milli = 0;
    }
    if counts_differ {
        for place in waiting {
            let permit = &state.permits[place.permit];
            let counts = counts_of(limit, &permit.request);
            let (class, agent) = (permit.class(), permit.agent);
            if let Some(entry) = state.limits.get_mut(key) {
                entry.queue.insert(class, agent, place, &counts);
            }
            state.wake_moved(agent); // It may be none of its business any more.
        }
    }
    compile(state, key);
    state.limits.wake(key, &mut state.wakes);
}

/// Files a limit under its selector; also when a snapshot was read.
pub fn compile(state: &mut State, key: LimitKey) {
    let Some(Some(entry)) = state.limits.entries.get_mut(key as usize) else {
        return;
    };
    let scopes = &mut state.scopes;
    let compiled = Compiled::new(&entry.limit.selector, |path| scopes.ensure(path.as_str()));
    state.limits.index.insert(key, &compiled);
    entry.compiled = Some(compiled);
}

/// Those who wait for it are let through to the next gate.
pub fn removed(state: &mut State, event: &LimitRemoved) {
    let Some(key) = state.limits.by_id.swap_remove(&event.limit) else {
        return;
    };
    let Some(entry) = state.limits.entries[key as usize].as_mut() else {
        return;
    };
    if let Some(compiled) = entry.compiled.take() {
        state.limits.index.remove(key, &compiled);
    }
    if entry.queue.is_empty() {
        state.limits.entries[key as usize] = None;
    } else {
        state.limits.wake(key, &mut state.wakes); // Kept, unfiled, until the last waiter has left.
    }
}

/// Charges what a grant names. A limit that is gone by now is passed over. `keys` are the limits', if known.
pub fn charge(
    state: &mut State,
    charges: &[LimitCharge],
    keys: Option<&[LimitKey]>,
    class: Class,
    at: Time,
) -> Charges {
    let mut kept = Charges::new();
    for (number, charge) in charges.iter().enumerate() {
        let key = match keys {
            Some(keys) => Some(keys[number]),
            None => state.limits.key(&charge.limit),
        };
        let Some(key) = key else {
            continue;
        };
        let Some(entry) = state.limits.get_mut(key) else {
            continue;
        };
        let count_key = charge.key.clone().unwrap_or_default();
        sweep(entry, at);
        let limit = entry.limit.clone();
        let (own, shared) = match &limit.measure {
            Measure::Rate(rate) => paces(entry, rate, class),
            Measure::Concurrency(_) => (None, None),
        };
        let count = entry.count_mut(&count_key);
        count.granted += 1;
        let index = class as usize;
        count.in_flight[index] += 1;
        let mut from_own = false;
        match (own, shared) {
            (Some(pace), shared)
                if shared.is_none() || count.reserved[index].fits(pace, nanos(at)) =>
            {
                count.reserved[index] = count.reserved[index].charged(pace, nanos(at));
                from_own = true;
            }
            (_, Some(pace)) => count.shared = count.shared.charged(pace, nanos(at)),
            (_, None) => {} // A concurrency has no paces.
        }
        kept.push(Charge {
            limit: key,
            count: count_key,
            own: from_own,
        });
    }
    kept
}

/// Gives back what was in flight; a rate only when the action was not begun.
pub fn release(state: &mut State, charges: &Charges, class: Class, refund: bool) {
    for charge in charges {
        let Some(entry) = state.limits.get_mut(charge.limit) else {
            continue;
        };
        let (own, shared) = match &entry.limit.measure {
            Measure::Rate(rate) if refund => paces(entry, rate, class),
            Measure::Rate(_) | Measure::Concurrency(_) => (None, None),
        };
        let count = match charge.count.as_str() {
            "" => Some(&mut entry.sole),
            key => entry.counts.get_mut(key),
        };
        if let Some(count) = count {
            let in_flight = &mut count.in_flight[class as usize];
            *in_flight = in_flight.saturating_sub(1);
            match (charge.own, own, shared) {
                (true, Some(pace), _) => {
                    let bucket = &mut count.reserved[class as usize];
                    *bucket = bucket.refunded(pace);
                }
                (false, _, Some(pace)) => count.shared = count.shared.refunded(pace),
                (true, None, _) | (false, _, None) => {}
            }
        }
        let wakes = &mut state.wakes;
        state.limits.wake_count(charge.limit, &charge.count, wakes);
    }
}

/// Counts in flight again what a permit holds, when a snapshot was read.
pub fn recount(state: &mut State, charges: &Charges, class: Class) {
    for charge in charges {
        if let Some(entry) = state.limits.get_mut(charge.limit) {
            let count = entry.count_mut(&charge.count);
            count.in_flight[class as usize] += 1;
        }
    }
}

/// Drops counts that are as good as new, when many stand.
fn sweep(entry: &mut Entry, at: Time) {
    if entry.counts.len() < entry.sweep_at {
        return;
    }
    let now = nanos(at);
    let idle = |count: &Count| {
        count.in_flight.iter().all(|n| *n == 0)
            && count.shared.0 <= now
            && count.reserved.iter().all(|bucket| bucket.0 <= now)
    };
    entry.counts.retain(|_, count| !idle(count));
    entry.sweep_at = SWEEP_MIN.max(entry.counts.len() * 2);
}
