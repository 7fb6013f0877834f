//! `core`: decide and apply of permits in memory, on one core. Beside it: a bare hash map insert and remove of the
//! same keys, the floor of what any table of locks must do.
use crate::figures::{Figures, cpu, histogram, quantile_us, round};
use crate::world::{LARGE, ask, finish};
use fleet_core::{State, step};
use fleet_types::permit::{Decision, Grant, Request};
use fleet_types::{AgentId, Record, Reply, Time};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Permits that are in flight at any moment.
const IN_FLIGHT: usize = 1_000;
/// Requests prepared outside the measurement, at a time.
const PREPARED: u64 = 1_000;
/// Records until they are let go: more than a busy writer has in one turn.
const RECORDS: usize = 512;

pub fn run(seconds: u64) -> Figures {
    let measured = Desk::open(LARGE.build()).work(seconds, |_| {});
    let floor = floor();
    let rate = measured.rate();
    Figures {
        beside: Some(serde_json::json!({
            "what": "bare std HashMap<String, u64>: insert and remove of the same keys, pairs a second",
            "pairs_per_s": round(floor),
        })),
        ratio: Some((rate / floor * 1_000.0).round() / 1_000.0),
        ..measured.figures("core")
    }
}

/// A fleet in memory, driven by this thread.
pub struct Desk {
    state: State,
    now: Time,
    records: Vec<Record>,
    open: VecDeque<(Grant, AgentId)>,
    number: u64,
}

/// What work at a desk came to.
pub struct Measured {
    latencies: hdrhistogram::Histogram<u64>,
    pairs: u64,
    denied: u64,
    spent: Duration,
    processor: Duration,
}

impl Desk {
    pub fn open(world: Vec<fleet_types::Envelope>) -> Desk {
        let mut desk = Desk {
            state: State::default(),
            now: Time(1_795_000_000_000_000),
            records: Vec::new(),
            open: VecDeque::new(),
            number: 0,
        };
        for envelope in world {
            desk.now.0 += 1;
            step(&mut desk.state, &envelope, desk.now, &mut desk.records)
                .expect("the world is sound");
        }
        desk.records.clear();
        desk
    }

    /// Asks and completes for so long; `dress` adds to each request before it is asked.
    pub fn work(&mut self, seconds: u64, dress: impl Fn(&mut Request)) -> Measured {
        let mut measured = Measured {
            latencies: histogram(),
            pairs: 0,
            denied: 0,
            spent: Duration::ZERO,
            processor: Duration::ZERO,
        };
        while measured.spent < Duration::from_secs(seconds) {
            let numbers = self.number..self.number + PREPARED;
            self.number = numbers.end;
            let asks = numbers.map(|number| {
                let mut request = LARGE.request(number);
                dress(&mut request);
                (request.agent.clone(), ask(request))
            });
            let asks: Vec<_> = asks.collect();
            let (began, cpu_before) = (Instant::now(), cpu());
            for (agent, ask) in asks {
                self.pair(agent, &ask, &mut measured);
            }
            measured.spent += began.elapsed();
            measured.processor += cpu() - cpu_before;
        }
        measured
    }

    fn pair(&mut self, agent: AgentId, ask: &fleet_types::Envelope, measured: &mut Measured) {
        self.now.0 += 1;
        let asked = Instant::now();
        let answer = step(&mut self.state, ask, self.now, &mut self.records);
        let took = asked.elapsed().as_nanos() as u64;
        measured.latencies.saturating_record(took);
        match answer {
            Ok(Reply::Decision(Decision::Granted(grant))) => self.open.push_back((grant, agent)),
            Ok(Reply::Decision(Decision::Denied(_))) => measured.denied += 1,
            other => panic!("not a decision: {other:?}"),
        }
        if self.open.len() > IN_FLIGHT
            && let Some((grant, agent)) = self.open.pop_front()
        {
            self.now.0 += 1;
            let finish = finish(grant.permit, agent);
            let done = step(&mut self.state, &finish, self.now, &mut self.records);
            done.expect("a live permit ends");
            measured.pairs += 1;
        }
        if self.records.len() > RECORDS {
            self.records.clear();
            drop(self.state.drain_evicted());
        }
    }
}

impl Measured {
    pub fn pairs(&self) -> usize {
        self.pairs as usize
    }

    pub fn rate(&self) -> f64 {
        self.pairs as f64 / self.spent.as_secs_f64()
    }

    pub fn figures(&self, name: &'static str) -> Figures {
        let processor = self.processor.as_secs_f64() * 1e6;
        Figures {
            permits_per_s: Some(round(self.rate())),
            p50_us: Some(quantile_us(&self.latencies, 0.5)),
            p99_us: Some(quantile_us(&self.latencies, 0.99)),
            cpu_us_per_op: Some(round(processor / self.pairs as f64)),
            ..Figures::new(name)
        }
        .with("pairs", self.pairs)
        .with("denied", self.denied)
        .with("agents", LARGE.agents)
        .with("resources", LARGE.resources)
    }
}

fn floor() -> f64 {
    let keys: Vec<String> = (0..200_000)
        .map(|number| LARGE.request(number).resources[0].path.to_string())
        .collect();
    let mut map = HashMap::new();
    let began = Instant::now();
    for (number, key) in keys.iter().enumerate() {
        map.insert(key.clone(), number);
        if number >= IN_FLIGHT {
            map.remove(&keys[number - IN_FLIGHT]);
        }
    }
    keys.len() as f64 / began.elapsed().as_secs_f64()
}
