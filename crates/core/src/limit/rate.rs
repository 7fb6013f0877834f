//! GCRA: the generic cell rate algorithm (ITU-T I.371), "virtual scheduling", in whole nanoseconds.
//!
//! A bucket is one number: the theoretical arrival time of the next permit if they came evenly.
use fleet_types::Time;
use fleet_types::limit::{Limit, Rate};
use serde::{Deserialize, Serialize};

/// The theoretical arrival time, in nanoseconds of the fleet's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bucket(pub u64);

/// How fast a bucket refills and how far ahead it may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Nanoseconds between even permits; rounded up, so the limit is never passed.
    interval: u64,
    /// How far the theoretical arrival may lie ahead.
    tolerance: u64,
}

impl Pace {
    /// The pace of `part` out of `whole` permits of a rate; `None` when the part is nothing.
    pub fn of(rate: &Rate, part: u64, whole: u64) -> Option<Pace> {
        if part == 0 {
            return None;
        }
        let interval = (rate.per_ms.0.saturating_mul(1_000_000))
            .div_ceil(part)
            .max(1);
        let mut burst = rate.burst.unwrap_or(rate.permits);
        if part != whole {
            let share = u128::from(burst) * u128::from(part) / u128::from(whole.max(1));
            burst = u64::try_from(share).unwrap_or(u64::MAX);
        }
        let burst = burst.max(1);
        Some(Pace {
            interval,
            tolerance: interval.saturating_mul(burst - 1),
        })
    }
}

impl Bucket {
    /// When the next permit fits; now or earlier means it fits now.
    pub fn free_at(self, pace: Pace) -> u64 {
        self.0.saturating_sub(pace.tolerance)
    }

    pub fn fits(self, pace: Pace, now: u64) -> bool {
        self.free_at(pace) <= now
    }

    #[must_use]
    pub fn charged(self, pace: Pace, now: u64) -> Bucket {
        Bucket(self.0.max(now).saturating_add(pace.interval))
    }

    #[must_use]
    pub fn refunded(self, pace: Pace) -> Bucket {
        Bucket(self.0.saturating_sub(pace.interval))
    }

    /// Permits of the burst that are used at `now`.
    pub fn used(self, pace: Pace, now: u64) -> u64 {
        self.0.saturating_sub(now).div_ceil(pace.interval)
    }
}

/// Nanoseconds of a time.
pub fn nanos(time: Time) -> u64 {
    time.0.saturating_mul(1_000)
}

/// What is left for all classes together when each has its reserved part of `max`.
pub fn shared_part(limit: &Limit, max: u64) -> u64 {
    max.saturating_sub(limit.reserved.total())
}
