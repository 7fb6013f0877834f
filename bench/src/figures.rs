//! What a benchmark reports.
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

/// The figures of one benchmark.
#[derive(Default, Serialize)]
pub struct Figures {
    /// Which benchmark.
    pub name: &'static str,
    /// Pairs of request and complete a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permits_per_s: Option<f64>,
    /// Of one request, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<f64>,
    /// Of one request, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<f64>,
    /// Processor time of this process per operation, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_us_per_op: Option<f64>,
    /// What ran beside it in the same call, with its figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<Value>,
    /// Ours to theirs; what it compares is named in `beside`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Figures {
    pub fn new(name: &'static str) -> Self {
        Figures {
            name,
            ..Figures::default()
        }
    }

    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.more.insert(key.into(), value.into());
        self
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = serde_json::to_value(self).map_err(|_| fmt::Error)?;
        let Value::Object(map) = value else {
            return Err(fmt::Error);
        };
        for (key, value) in map {
            writeln!(f, "{key:>24}  {value}")?;
        }
        Ok(())
    }
}

/// A number rounded to one digit after the point.
pub fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Latencies in nanoseconds, up to a minute, to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("sound bounds")
}

/// A quantile in microseconds.
pub fn quantile_us(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    round(histogram.value_at_quantile(quantile) as f64 / 1_000.0)
}

/// Processor time this process has used, all threads.
pub fn cpu() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the process may ask about itself");
    let of = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64)
    };
    of(usage.user_time()) + of(usage.system_time())
}
