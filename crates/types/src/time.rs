//! Time as data: points in Unix microseconds, spans in milliseconds. Nothing here reads a clock.
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A point in time: microseconds since 1970-01-01 UTC. Fits a JSON number exactly until the year 2255.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = u64, example = 1_795_000_000_000_000_u64)]
pub struct Time(pub u64);

impl Time {
    /// The start of the epoch; also "never yet".
    pub const ZERO: Time = Time(0);
    /// Later than every real time.
    pub const MAX: Time = Time(u64::MAX);

    /// This time plus a span; stops at [`Time::MAX`].
    #[must_use]
    pub const fn after(self, span: Millis) -> Time {
        Time(self.0.saturating_add(span.micros()))
    }

    /// Microseconds from `earlier` to this time; zero if it lies ahead.
    #[must_use]
    pub const fn micros_since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole milliseconds until `later`, rounded up, so that waiting this long is enough.
    #[must_use]
    pub const fn millis_until(self, later: Time) -> u64 {
        later.0.saturating_sub(self.0).div_ceil(1_000)
    }
}

/// A span of time in milliseconds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = u64, example = 30_000)]
pub struct Millis(pub u64);

impl Millis {
    /// The span in microseconds; stops at the largest number.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0.saturating_mul(1_000)
    }
}
