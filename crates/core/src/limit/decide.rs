//! Setting and removing limits.
use crate::decide::{Decided, rejected};
use crate::state::State;
use fleet_types::event::LimitRemoved;
use fleet_types::limit::{COUNT_MAX, Command, Limit, Measure};
use fleet_types::{Code, Event, Rejection};
use std::sync::Arc;

/// Largest number in a limit.
const VALUE_MAX: u64 = 1_000_000_000;
/// Faster rates could not be told apart in whole nanoseconds.
const PER_SECOND_MAX: u128 = 1_000_000;
const DAYS_31_MS: u64 = 31 * 86_400_000;

pub fn decide(state: &State, command: &Command) -> Decided {
    match command {
        Command::Set(limit) => set(state, limit),
        Command::Remove { limit } if state.limits.key(limit).is_some() => {
            Decided::event(Event::LimitRemoved(LimitRemoved {
                limit: limit.clone(),
            }))
        }
        Command::Remove { limit } => rejected(Code::NotFound, format!("there is no limit {limit}")),
    }
}

fn set(state: &State, limit: &Limit) -> Decided {
    let known = state
        .limits
        .key(&limit.id)
        .and_then(|key| state.limits.get(key));
    if known.is_some_and(|entry| *entry.limit == *limit) {
        return Decided::unchanged();
    }
    if known.is_none() && state.limits.by_id.len() >= COUNT_MAX {
        return rejected(
            Code::Conflict,
            format!("a fleet has at most {COUNT_MAX} limits"),
        );
    }
    if let Err(rejection) = check(limit) {
        return Decided::Rejected(rejection);
    }
    Decided::event(Event::LimitSet(Arc::new(limit.clone())))
}

fn check(limit: &Limit) -> Result<(), Rejection> {
    let invalid = |field: &str, message: String| {
        Err(Rejection::new(Code::Invalid, format!("{field} {message}")).field(field))
    };
    let max = match &limit.measure {
        Measure::Concurrency(concurrency) => {
            if !(1..=VALUE_MAX).contains(&concurrency.max) {
                return invalid("measure.concurrency.max", format!("must be 1–{VALUE_MAX}"));
            }
            concurrency.max
        }
        Measure::Rate(rate) => {
            if !(1..=VALUE_MAX).contains(&rate.permits) {
                return invalid("measure.rate.permits", format!("must be 1–{VALUE_MAX}"));
            }
            if !(1..=DAYS_31_MS).contains(&rate.per_ms.0) {
                return invalid("measure.rate.per_ms", format!("must be 1–{DAYS_31_MS}"));
            }
            if u128::from(rate.permits) * 1_000 > PER_SECOND_MAX * u128::from(rate.per_ms.0) {
                return invalid(
                    "measure.rate.permits",
                    format!("must be at most {PER_SECOND_MAX} per second"),
                );
            }
            if rate
                .burst
                .is_some_and(|burst| !(1..=VALUE_MAX).contains(&burst))
            {
                return invalid("measure.rate.burst", format!("must be 1–{VALUE_MAX}"));
            }
            rate.permits
        }
    };
    if limit.reserved.total() > max {
        return invalid(
            "reserved",
            format!(
                "adds up to {}, more than the whole of {max}",
                limit.reserved.total()
            ),
        );
    }
    if let Some(dynamic) = &limit.dynamic {
        let ordered = 1 <= dynamic.floor && dynamic.floor <= dynamic.ceiling;
        if !ordered || dynamic.ceiling > VALUE_MAX {
            return invalid(
                "dynamic",
                format!("needs 1 ≤ floor ≤ ceiling ≤ {VALUE_MAX}"),
            );
        }
        if dynamic.latency_ms_target.0 == 0 {
            return invalid("dynamic.latency_ms_target", "must be at least 1".into());
        }
        if dynamic.floor < limit.reserved.total() {
            return invalid("dynamic.floor", "must cover what is reserved".into());
        }
    }
    Ok(())
}
