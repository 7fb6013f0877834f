//! `memory`: what 10,000 agents and 100,000 held locks take, resident, in a process that runs nothing else. Beside it:
//! the same process before they came.
use crate::figures::{Figures, round};
use crate::world::{LARGE, World, ask, resource_path};
use fleet_core::{State, step};
use fleet_types::permit::Decision;
use fleet_types::{Record, Reply, Time};

pub fn run() -> Figures {
    let before = resident_mib();
    let mut state = State::default();
    let mut now = Time(1_795_000_000_000_000);
    let mut records: Vec<Record> = Vec::new();
    let world = World { ..LARGE };
    for envelope in world.build() {
        now.0 += 1;
        step(&mut state, &envelope, now, &mut records).expect("the world is sound");
        records.clear();
    }
    let mut held = 0;
    for number in 0..LARGE.resources {
        let mut request = LARGE.request(number as u64);
        request.resources[0].path = resource_path(number);
        now.0 += 1;
        let answer = step(&mut state, &ask(request), now, &mut records).expect("it is decided");
        held += u64::from(matches!(answer, Reply::Decision(Decision::Granted(_))));
        records.clear();
    }
    let after = resident_mib();
    Figures {
        beside: Some(serde_json::json!({
            "what": "the same process before", "resident_mib": round(before),
        })),
        ratio: Some(round(after / before)),
        ..Figures::new("memory")
    }
    .with("agents", LARGE.agents)
    .with("held_locks", held)
    .with("resident_mib", round(after))
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
