//! Dynamic limits: additive increase, multiplicative decrease (Chiu and Jain, 1989) on what permits report.
//!
//! A completion at or under the target latency raises the limit by 1/limit of a permit (one permit per round of
//! completions); a slow or failed one lowers it by a tenth, at most once per target latency, so that one
//! bad moment counts once.
use super::LimitKey;
use crate::state::State;
use fleet_types::Time;
use fleet_types::limit::Dynamic;

pub fn observe(state: &mut State, key: LimitKey, latency_us: u64, failed: bool, at: Time) {
    let Some(entry) = state.limits.get_mut(key) else {
        return;
    };
    let Some(Dynamic {
        floor,
        ceiling,
        latency_ms_target,
    }) = entry.limit.dynamic
    else {
        return;
    };
    let (current, max) = (entry.current_milli, entry.max());
    let congested = failed || latency_us > latency_ms_target.micros();
    if !congested {
        entry.current_milli = (current + (1_000_000 / current.max(1)).max(1)).min(ceiling * 1_000);
    } else if at.micros_since(entry.lowered_at) >= latency_ms_target.micros() {
        entry.current_milli = (current - current / 10).max(floor * 1_000);
        entry.lowered_at = at;
    }
    if entry.max() > max {
        state.limits.wake(key, &mut state.wakes);
    }
}
