//! `core`: decide and apply of permits in memory, on one core. Beside it: a bare hash map insert and remove of the
//! same keys, the floor of what any table of locks must do.
use crate::figures::{Figures, cpu, histogram, quantile_us, round};
use crate::world::{LARGE, ask, finish};
use fleet_core::{State, step};
use fleet_types::permit::{Decision, Grant};
use fleet_types::{Record, Reply, Time};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Permits that are in flight at any moment.
const IN_FLIGHT: usize = 1_000;
/// Requests prepared outside the measurement, at a time.
const PREPARED: u64 = 1_000;

pub fn run(seconds: u64) -> Figures {
    let mut state = State::default();
    let mut now = Time(1_795_000_000_000_000);
    let mut records: Vec<Record> = Vec::new();
    for envelope in LARGE.build() {
        now.0 += 1;
        step(&mut state, &envelope, now, &mut records).expect("the world is sound");
    }
    records.clear();

    let mut latencies = histogram();
    let mut open: std::collections::VecDeque<(Grant, fleet_types::AgentId)> = Default::default();
    let (mut pairs, mut denied, mut spent) = (0u64, 0u64, Duration::ZERO);
    let mut processor = Duration::ZERO;
    let mut number = 0;
    while spent < Duration::from_secs(seconds) {
        let asks: Vec<_> = (number..number + PREPARED)
            .map(|number| {
                let request = LARGE.request(number);
                (request.agent.clone(), ask(request))
            })
            .collect();
        number += PREPARED;
        let (began, cpu_before) = (Instant::now(), cpu());
        for (agent, ask) in asks {
            now.0 += 1;
            let asked = Instant::now();
            let answer = step(&mut state, &ask, now, &mut records);
            latencies.saturating_record(asked.elapsed().as_nanos() as u64);
            match answer {
                Ok(Reply::Decision(Decision::Granted(grant))) => open.push_back((grant, agent)),
                Ok(Reply::Decision(Decision::Denied(_))) => denied += 1,
                other => panic!("not a decision: {other:?}"),
            }
            if open.len() > IN_FLIGHT
                && let Some((grant, agent)) = open.pop_front()
            {
                now.0 += 1;
                let done = step(&mut state, &finish(grant.permit, agent), now, &mut records);
                done.expect("a live permit ends");
                pairs += 1;
            }
            if records.len() > 4_096 {
                records.clear();
                drop(state.drain_evicted());
            }
        }
        spent += began.elapsed();
        processor += cpu() - cpu_before;
    }
    let floor = floor();
    let rate = pairs as f64 / spent.as_secs_f64();
    Figures {
        permits_per_s: Some(round(rate)),
        p50_us: Some(quantile_us(&latencies, 0.5)),
        p99_us: Some(quantile_us(&latencies, 0.99)),
        cpu_us_per_op: Some(round(processor.as_secs_f64() * 1e6 / pairs as f64)),
        beside: Some(serde_json::json!({
            "what": "bare std HashMap<String, u64>: insert and remove of the same keys, pairs a second",
            "pairs_per_s": round(floor),
        })),
        ratio: Some((rate / floor * 1_000.0).round() / 1_000.0),
        ..Figures::new("core")
    }
    .with("pairs", pairs)
    .with("denied", denied)
    .with("agents", LARGE.agents)
    .with("resources", LARGE.resources)
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
