//! What a load of many connections came to: each keeps some pairs going, one after the other on each of its lanes.
use crate::figures::{cpu, histogram, quantile_us, round};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What one connection did.
pub struct Did {
    pub pairs: u64,
    /// Of the first half of a pair: the lock, the request.
    pub latencies: Histogram<u64>,
}

impl Did {
    pub fn nothing() -> Self {
        Did {
            pairs: 0,
            latencies: histogram(),
        }
    }

    pub fn took(&mut self, began: Instant) {
        self.latencies
            .saturating_record(began.elapsed().as_nanos() as u64);
    }
}

/// All connections together.
#[derive(Clone, Copy)]
pub struct Load {
    pub pairs_per_s: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Processor time of this process, so not of a server elsewhere.
    pub cpu_us: f64,
}

impl Load {
    pub fn json(self) -> Value {
        json!({"pairs_per_s": self.pairs_per_s, "p50_us": self.p50_us, "p99_us": self.p99_us})
    }
}

/// Runs `one` for every connection until the time is over; `None` when one of them could not.
pub async fn load<F>(
    connections: usize,
    seconds: u64,
    one: impl Fn(usize, Instant) -> F,
) -> Option<Load>
where
    F: Future<Output = Option<Did>> + Send + 'static,
{
    let (began, cpu_before) = (Instant::now(), cpu());
    let end = began + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..connections)
        .map(|number| tokio::spawn(one(number, end)))
        .collect();
    let mut all = Did::nothing();
    for task in tasks {
        let did = task.await.ok()??;
        all.pairs += did.pairs;
        all.latencies.add(did.latencies).ok()?;
    }
    let cpu = (cpu() - cpu_before).as_secs_f64();
    Some(Load {
        pairs_per_s: round(all.pairs as f64 / began.elapsed().as_secs_f64()),
        p50_us: quantile_us(&all.latencies, 0.5),
        p99_us: quantile_us(&all.latencies, 0.99),
        cpu_us: round(cpu * 1e6 / all.pairs.max(1) as f64),
    })
}
