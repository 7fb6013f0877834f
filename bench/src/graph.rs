//! `graph`: the view of 10,000 agents and 100,000 edges: what hangs on a node, the full analysis, exports, a snapshot;
//! and the writer with and without a view that follows it, in turns.
use crate::durable;
use crate::figures::{Figures, histogram, quantile_us, round};
use fleet_api::graphs::{FleetGraph, Graphs};
use fleet_runtime::Handle;
use fleet_types::graph::view::Filter;
use fleet_types::graph::{self, Node};
use fleet_types::{Actor, Event, FleetId, Record, Seq, TenantId, Time};
use fleet_views::Traffic;
use fleet_views::analysis::analyse;
use fleet_views::export::{Format, export};
use fleet_views::traffic::Bounds;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const AGENTS: u64 = 10_000;
const ACTIONS: u64 = 200;
const RESOURCES: u64 = 12_000;
/// Of each agent, beside its action.
const CLAIMS: u64 = 9;
const DECLARED: u64 = 1_000;
/// What the fleet's day began with, and how far apart things happen.
const BEGIN: u64 = 1_795_000_000_000_000;
const STEP_US: u64 = 500;

/// A fixed scatter.
fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20
}

/// Each agent asks three times for its action and its resources, and is done with two of the permits.
fn records() -> Vec<Record> {
    let mut records = Vec::new();
    let mut push = |event: Event| {
        let seq = records.len() as u64 + 1;
        records.push(Record {
            seq: Seq(seq),
            at: Time(BEGIN + seq * STEP_US),
            by: Actor::System,
            event,
        });
        seq
    };
    for round in 0..3 {
        for agent in 0..AGENTS {
            let mut paths: Vec<String> = Vec::new();
            for nth in 0.. {
                // Half of them lie on the agent's own desk, the others anywhere.
                let drawn = scatter(agent * 2 * CLAIMS + nth);
                let desk = if nth % 2 == 0 { agent % 40 } else { drawn % 40 };
                let path = format!(
                    "ledger/desk-{desk}/account-{}",
                    drawn / 40 % (RESOURCES / 40)
                );
                if !paths.contains(&path) {
                    paths.push(path);
                }
                if paths.len() as u64 == CLAIMS {
                    break;
                }
            }
            let claims: Vec<_> = (0..)
                .zip(paths)
                .map(|(nth, path)| {
                    let mode = if nth == 0 { "exclusive" } else { "shared" };
                    json!({"path": path, "mode": mode})
                })
                .collect();
            let seq = 1 + agent + round * AGENTS;
            let request = json!({
                "request_id": format!("r{seq}"), "agent": name(agent),
                "action": format!("tool-{}.call", scatter(agent) % ACTIONS), "resources": claims,
            });
            let granted = json!({"permit.granted": {"permit": format!("p{seq}"), "request": request, "expires_at": 0}});
            push(serde_json::from_value(granted).expect("an event"));
            if round < 2 {
                let finish = json!({"permit": format!("p{seq}"), "agent": name(agent), "ending": "completed"});
                let finished = json!({"permit.finished": {"finish": finish}});
                push(serde_json::from_value(finished).expect("an event"));
            }
        }
    }
    for number in 0..DECLARED {
        let node = |agent: u64| Node::Agent(name(agent).parse().expect("a name"));
        push(Event::GraphDeclared(graph::Edge {
            from: node(number),
            to: node(scatter(number) % DECLARED),
            description: Default::default(),
        }));
    }
    records
}

fn name(agent: u64) -> String {
    format!("agent-{agent:05}")
}

fn ms(began: Instant) -> f64 {
    round(began.elapsed().as_secs_f64() * 1_000.0)
}

/// The least of three.
fn least(mut work: impl FnMut()) -> f64 {
    let times = (0..3).map(|_| {
        let began = Instant::now();
        work();
        ms(began)
    });
    times.fold(f64::MAX, f64::min)
}

pub fn run(seconds: u64, dir: Option<&Path>) -> Figures {
    let records = records();
    let mut traffic = Traffic::new(Bounds::default());
    let began = Instant::now();
    traffic.fold(&records);
    let folded = records.len() as f64 / began.elapsed().as_secs_f64();

    let size = traffic.size();
    let part = traffic.graph(&Filter::default());
    let mut blasts = histogram();
    let (mut reached, mut count) = (0, 0u64);
    for node in part.nodes.iter().step_by(part.nodes.len() / 500) {
        let began = Instant::now();
        let blast = traffic.blast(node, u32::MAX, 100).expect("it is known");
        blasts.saturating_record(began.elapsed().as_nanos() as u64);
        reached += blast.agents + blast.actions + blast.resources;
        count += 1;
    }
    let found = analyse(&part, traffic.pairs(None), 20);
    let analysis_ms = least(|| {
        let part = traffic.graph(&Filter::default());
        let found = analyse(&part, traffic.pairs(None), 20);
        assert!(found.edges > 0);
    });
    let exports = Format::ALL.map(|(name, format)| {
        let took = least(|| assert!(!export(&part, format).is_empty()));
        (name.to_owned(), json!(took))
    });
    let began = Instant::now();
    let bytes = traffic.to_snapshot().expect("it can be compressed");
    let saving_ms = ms(began);
    let began = Instant::now();
    let restored = Traffic::from_snapshot(&bytes, Bounds::default()).expect("it was just made");
    let loading_ms = ms(began);
    assert_eq!(restored.size(), size, "a snapshot holds everything");
    let writer = writer(seconds.clamp(2, 10), dir);
    Figures {
        beside: Some(json!({
            "what": "durable, 64 in flight, without the view and with it, in turns; medians",
            "permits_per_s": writer.without,
            "permits_per_s_with_the_view": writer.with,
        })),
        ratio: Some((writer.with / writer.without * 1_000.0).round() / 1_000.0),
        ..Figures::new("graph")
    }
    .with("nodes", size.nodes)
    .with("edges", size.edges)
    .with("blast_p50_ms", quantile_us(&blasts, 0.5) / 1_000.0)
    .with("blast_max_ms", quantile_us(&blasts, 1.0) / 1_000.0)
    .with("blast_reached_mean", reached / count)
    .with("analysis_ms", analysis_ms)
    .with("cycles", found.found.cycles)
    .with("points", found.found.points)
    .with("bottleneck_sources", found.bottlenecks.sources)
    .with("bottleneck_error", found.bottlenecks.error)
    .with("export_ms", serde_json::Map::from_iter(exports))
    .with("folded_per_s", folded.round())
    .with("snapshot_kib", bytes.len() / 1_024)
    .with("snapshot_save_ms", saving_ms)
    .with("snapshot_load_ms", loading_ms)
    .with("rebuilt_events", writer.rebuilt)
    .with("rebuilt_events_per_s", writer.rebuilt_per_s)
    .with("view_lag_at_end", writer.lag)
}

struct Writer {
    with: f64,
    without: f64,
    rebuilt: u64,
    rebuilt_per_s: f64,
    lag: u64,
}

/// The writer's speed in turns: alone, and with a view that has come up with it before.
fn writer(seconds: u64, dir: Option<&Path>) -> Writer {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let (fleets, handle) = durable::fleet(dir);
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let (mut rebuilt, mut rebuilt_per_s, mut lag) = (0, 0.0, 0);
    for turn in 0..3u64 {
        let first = turn << 40;
        without.push(durable::pairs_per_s(&handle, seconds, first));
        let stop = watch::Sender::new(false);
        let graphs = Graphs::new(None);
        let began = Instant::now();
        let graph = {
            let _in_it = runtime.enter();
            let (tenant, fleet) = names();
            graphs.of(&tenant, &fleet, &handle, || stop.subscribe())
        };
        rebuilt = handle.durable().0;
        catch_up(&graph, &handle);
        rebuilt_per_s = (rebuilt as f64 / began.elapsed().as_secs_f64()).round();
        with.push(durable::pairs_per_s(&handle, seconds, first | 1 << 39));
        lag = handle.durable().0 - graph.seq().0;
        stop.send_replace(true);
        runtime.block_on(graphs.settled());
    }
    fleets.stop_now();
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        round(all[all.len() / 2])
    };
    Writer {
        with: median(with),
        without: median(without),
        rebuilt,
        rebuilt_per_s,
        lag,
    }
}

fn names() -> (TenantId, FleetId) {
    let tenant = TenantId::parse("bench").expect("a name");
    (tenant, FleetId::parse("main").expect("a name"))
}

fn catch_up(graph: &Arc<FleetGraph>, handle: &Handle) {
    while graph.seq() < handle.durable() {
        std::thread::sleep(Duration::from_millis(1));
    }
}
