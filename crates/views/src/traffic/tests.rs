//! The fold against what each permit's own history says, over records of the real machine; and the view against itself,
//! stored and restored in the middle.
mod plain;

use super::*;
use fleet_core::State;
use fleet_types::graph::view::{Edge as Shown, Filter};
use fleet_types::lock::Mode;
use fleet_types::{Actor, Command, Envelope, Event};
use plain::{Plain, expected};
use proptest::prelude::*;
use serde_json::{Value, json};

const PATHS: [&str; 7] = ["a", "a/b", "a/b/c", "a/d", "e/f", "e/g", "e/h"];
const ACTIONS: [&str; 2] = ["pay", "read"];
const MODES: [&str; 3] = ["shared", "commuting", "exclusive"];

/// What somebody does: small numbers, so that it shrinks well.
#[derive(Clone, Debug)]
enum Op {
    Ask(u8, u8, Vec<(u8, u8)>, bool),
    End(u8, u8),
    Extend(u8, u8, u8, bool),
    Sleep(u8),
    Halt(u8),
    Release,
    Declare(u8, u8, bool),
}

fn op() -> impl Strategy<Value = Op> {
    let (any, yes) = (any::<u8>, any::<bool>);
    let claims = proptest::collection::vec((any(), any()), 0..3);
    prop_oneof![
        6 => (any(), any(), claims, yes()).prop_map(|(a, b, c, d)| Op::Ask(a, b, c, d)),
        4 => (any(), any()).prop_map(|(a, b)| Op::End(a, b)),
        2 => (any(), any(), any(), yes()).prop_map(|(a, b, c, d)| Op::Extend(a, b, c, d)),
        2 => any().prop_map(Op::Sleep),
        1 => any().prop_map(Op::Halt),
        1 => Just(Op::Release),
        1 => (any(), any(), yes()).prop_map(|(a, b, c)| Op::Declare(a, b, c)),
    ]
}

fn claim((path, mode): (u8, u8)) -> Value {
    let path = PATHS[usize::from(path) % PATHS.len()];
    json!({"path": path, "mode": MODES[usize::from(mode) % 3]})
}

/// The records of a fleet that is asked for these things.
fn records(ops: &[Op]) -> Vec<Record> {
    let mut state = State::default();
    let mut records: Vec<Record> = Vec::new();
    let mut now = 1_795_000_000_000_000;
    let settings = json!({"configure": {"auto_register": true, "default_decision": "allow", "ttl_ms_default": 40_000}});
    let mut halt = None;
    let mut run = |command: Value, now: u64, records: &mut Vec<Record>| {
        let command: Command = serde_json::from_value(command).unwrap();
        let by = Actor::Local;
        let _ = fleet_core::step(&mut state, &Envelope { by, command }, Time(now), records);
    };
    run(settings, now, &mut records);
    for (number, op) in ops.iter().enumerate() {
        now += 1_000;
        let live: Vec<(PermitId, AgentId)> = {
            let asked = records.iter().filter_map(|record| match &record.event {
                Event::PermitGranted(e) => Some((e.permit, e.request.agent.clone())),
                Event::PermitQueued(e) => Some((e.permit, e.request.agent.clone())),
                _ => None,
            });
            asked.collect()
        };
        let pick = |nth: u8| {
            live.iter()
                .rev()
                .nth(usize::from(nth) % live.len().clamp(1, 6))
        };
        let command = match op {
            Op::Ask(agent, action, claims, wait) => {
                let mut claims: Vec<Value> = claims.iter().copied().map(claim).collect();
                claims.dedup_by(|a, b| a["path"] == b["path"]);
                json!({"permit": {"request": {
                    "request_id": format!("r{number}"), "agent": format!("a{}", agent % 3),
                    "action": ACTIONS[usize::from(*action) % 2], "resources": claims,
                    "wait_ms": if *wait { 30_000 } else { 0 },
                }}})
            }
            Op::End(nth, how) => {
                let Some((permit, agent)) = pick(*nth) else {
                    continue;
                };
                let ending = ["completed", "failed", "cancelled"][usize::from(*how) % 3];
                json!({"permit": {"finish": {"permit": permit, "agent": agent, "ending": ending}}})
            }
            Op::Extend(nth, path, mode, wait) => {
                let Some((permit, agent)) = pick(*nth) else {
                    continue;
                };
                json!({"permit": {"extend": {
                    "permit": permit, "agent": agent, "resources": [claim((*path, *mode))],
                    "wait_ms": if *wait { 30_000 } else { 0 },
                }}})
            }
            Op::Sleep(span) => {
                now += u64::from(*span) * 200_000;
                json!("tick")
            }
            Op::Halt(agent) => {
                halt = Some(());
                json!({"halt": {"order": {
                    "target": {"agent": format!("a{}", agent % 3)}, "mode": "immediate", "reason": "drill",
                }}})
            }
            Op::Release => {
                let ordered = records.iter().rev().find_map(|record| match &record.event {
                    Event::HaltOrdered(_) => Some(fleet_types::HaltId(record.seq)),
                    _ => None,
                });
                let (Some(()), Some(halt)) = (halt.take(), ordered) else {
                    continue;
                };
                json!({"halt": {"release": {"halt": halt}}})
            }
            Op::Declare(from, to, is) => {
                let nodes = ["agent:a0", "agent:a1", "action:pay", "resource:a/b"];
                let node = |at: &u8| nodes[usize::from(*at) % 4];
                let verb = if *is { "declare" } else { "undeclare" };
                json!({"graph": {verb: {"from": node(from), "to": node(to)}}})
            }
        };
        run(command, now, &mut records);
    }
    records
}

fn all(traffic: &Traffic) -> Vec<Shown> {
    traffic.graph(&Filter::default()).edges
}

fn found(traffic: &Traffic) -> BTreeMap<(String, String), Plain> {
    let seen = all(traffic).into_iter().filter_map(|edge| {
        let traffic = edge.traffic?;
        let plain = Plain {
            asked: traffic.asked,
            granted: traffic.granted,
            denied: traffic.denied,
            failed: traffic.failed,
            waits: traffic.waits,
            wait_us: traffic.wait_us,
            holding: traffic.holding,
            waiting: traffic.waiting,
        };
        Some(((edge.from.to_string(), edge.to.to_string()), plain))
    });
    seen.collect()
}

fn folded(records: &[Record], bounds: Bounds) -> Traffic {
    let mut traffic = Traffic::new(bounds);
    traffic.fold(records);
    traffic
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_fold_is_what_the_permits_tell(ops in proptest::collection::vec(op(), 1..80)) {
        let records = records(&ops);
        let traffic = folded(&records, Bounds::default());
        prop_assert_eq!(found(&traffic), expected(&records));
        let declared = records.iter().fold(BTreeMap::new(), |mut all, record| {
            match &record.event {
                Event::GraphDeclared(edge) => drop(all.insert(edge.ends(), ())),
                Event::GraphUndeclared(ends) => drop(all.remove(ends)),
                _ => {}
            }
            all
        });
        let edges = all(&traffic);
        let shown = edges.iter().filter(|edge| edge.declared).count();
        prop_assert_eq!(shown, declared.len());
        prop_assert_eq!(traffic.size().edges as usize, edges.len());
    }

    /// Stored and restored anywhere, it goes on as if nothing had been; with bounds so small that they bite.
    #[test]
    fn a_restored_view_goes_on(
        ops in proptest::collection::vec(op(), 1..80), cut in any::<prop::sample::Index>(),
        edges_max in 3usize..12, children_max in 1usize..4, pairs_max in 1usize..5,
    ) {
        let records = records(&ops);
        let bounds = Bounds { edges_max, children_max, pairs_max, open_max: 1_000 };
        let mut straight = Traffic::new(bounds);
        for record in &records {
            straight.fold([record]);
            let size = straight.size();
            prop_assert!(straight.net.seen <= edges_max, "{size:?}");
            prop_assert!(straight.pairs(None).len() <= pairs_max);
        }
        let cut = cut.index(records.len());
        let half = folded(&records[..cut], bounds);
        let bytes = half.to_snapshot().unwrap();
        let mut restored = Traffic::from_snapshot(&bytes, bounds).unwrap();
        prop_assert_eq!(restored.to_json(), half.to_json());
        restored.fold(&records); // What it has is passed over.
        prop_assert_eq!(
            String::from_utf8(restored.to_json()).unwrap(),
            String::from_utf8(straight.to_json()).unwrap()
        );
        prop_assert_eq!(all(&restored), all(&straight));
    }

    /// Rolled up, nothing that was counted is lost.
    #[test]
    fn rolling_up_keeps_the_sums(ops in proptest::collection::vec(op(), 1..80), children_max in 1usize..4) {
        let records = records(&ops);
        let bounds = Bounds { children_max, ..Bounds::default() };
        let sums = |traffic: &Traffic| {
            let mut sums: BTreeMap<String, [u64; 7]> = BTreeMap::new();
            for ((from, to), plain) in found(traffic) {
                let to = to.split([':', '/']).take(2).collect::<Vec<_>>().join(":");
                let sum = sums.entry(format!("{from} {to}")).or_default();
                let more = [plain.asked, plain.granted, plain.denied, plain.failed, plain.waits, plain.wait_us, plain.holding];
                for (own, more) in sum.iter_mut().zip(more) {
                    *own += more;
                }
            }
            sums
        };
        let rolled = folded(&records, bounds);
        prop_assert_eq!(sums(&rolled), sums(&folded(&records, Bounds::default())));
        for edge in all(&rolled).iter().filter(|edge| edge.rolled_up) {
            let path = edge.to.name();
            let below = all(&rolled).iter().any(|other| {
                other.traffic.is_some() && other.to.name().starts_with(&format!("{path}/"))
            });
            prop_assert!(!below, "{path} is told apart below");
        }
    }

    /// Pages put together are the whole.
    #[test]
    fn pages_are_the_whole(ops in proptest::collection::vec(op(), 1..60), count in 1usize..5) {
        let traffic = folded(&records(&ops), Bounds::default());
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = traffic.page(&Filter::default(), after.as_ref(), count);
            prop_assert!(page.items.len() <= count);
            rows.extend(page.items);
            let Some(next) = page.next else { break };
            let (from, to) = next.split_once(' ').unwrap();
            after = Some(fleet_types::graph::Ends { from: from.parse().unwrap(), to: to.parse().unwrap() });
        }
        prop_assert_eq!(rows, all(&traffic));
    }
}

#[test]
fn a_seeded_view_does_not_fold_what_it_was_told() {
    let records = records(&[Op::Declare(0, 1, true), Op::Declare(0, 1, false)]);
    let edge = |to: &str| fleet_types::graph::Edge {
        from: "agent:x".parse().unwrap(),
        to: to.parse().unwrap(),
        description: Default::default(),
    };
    let mut traffic = Traffic::new(Bounds::default());
    traffic.seed(Seq(1), Seq(9), [edge("agent:y"), edge("agent:z")], []);
    traffic.fold(&records);
    assert_eq!((traffic.size().declared, traffic.seq().0), (2, 3));
}

#[test]
fn filters_let_through_what_they_say() {
    let mut records = records(&[
        Op::Ask(0, 0, vec![(0, 2)], false),
        Op::Ask(1, 1, vec![(4, 0)], false),
        Op::Ask(1, 1, vec![(4, 0)], false),
        Op::Declare(0, 1, true),
    ]);
    for record in &mut records {
        if let Event::AgentRegistered(event) = &mut record.event
            && event.definition.id.as_str() == "a1"
        {
            let mut moved = (*event.definition).clone();
            moved.scope = Some("emea/pay".parse().unwrap());
            event.definition = std::sync::Arc::new(moved);
        }
    }
    let traffic = folded(&records, Bounds::default());
    let shown = |filter: Filter| -> Vec<String> {
        let edges = traffic.graph(&filter).edges.into_iter();
        edges
            .map(|edge| format!("{} {}", edge.from, edge.to))
            .collect()
    };
    let (reads, holds) = ("agent:a1 action:read", "agent:a1 resource:e/f");
    let all = [
        "agent:a0 agent:a1",
        "agent:a0 action:pay",
        "agent:a0 resource:a",
        reads,
        holds,
    ];
    assert_eq!(shown(Filter::default()), all);
    let scope = Filter {
        scope: Some("emea".parse().unwrap()),
        ..Filter::default()
    };
    assert_eq!(shown(scope), ["agent:a0 agent:a1", reads, holds]);
    let often = Filter {
        asked_min: 2,
        source: Some(fleet_types::graph::view::Source::Discovered),
        ..Filter::default()
    };
    assert_eq!(shown(often), [reads, holds]);
    let kind = Filter {
        kind: Some(fleet_types::graph::Kind::Resource),
        since: Some(traffic.now()),
        ..Filter::default()
    };
    assert!(shown(kind).is_empty());
    let declared = Filter {
        source: Some(fleet_types::graph::view::Source::Declared),
        ..Filter::default()
    };
    assert_eq!(shown(declared), all[..1]);
}

#[test]
fn bytes_of_another_kind_are_refused() {
    let bytes = Traffic::default().to_snapshot().unwrap();
    assert!(Traffic::from_snapshot(&bytes, Bounds::default()).is_ok());
    for bad in [&bytes[..bytes.len() - 3], b"", b"{}", &[0; 64]] {
        assert!(Traffic::from_snapshot(bad, Bounds::default()).is_err());
    }
    let other = String::from_utf8(Traffic::default().to_json()).unwrap();
    let other = other.replace("\"format\":1", "\"format\":2");
    let bytes = zstd::bulk::compress(other.as_bytes(), 1).unwrap();
    let error = Traffic::from_snapshot(&bytes, Bounds::default()).err();
    assert!(error.unwrap().to_string().ends_with("it is of format 2"));
}

#[test]
fn meetings_and_waits_make_pairs() {
    let hold = |agent| Op::Ask(agent, 0, vec![(0, 2)], true);
    let records = records(&[hold(0), hold(1), Op::Sleep(5), Op::End(1, 0), Op::End(0, 0)]);
    let traffic = folded(&records, Bounds::default());
    let pairs = traffic.pairs(None);
    let [pair] = pairs.as_slice() else {
        panic!("{pairs:?}")
    };
    assert_eq!((pair.one.as_str(), pair.other.as_str()), ("a0", "a1"));
    assert_eq!((pair.met, pair.clashed, pair.waits), (1, 1, 1));
    assert!(pair.wait_us > 1_000_000, "{pair:?}");
    assert!(Mode::Exclusive as usize == 2 && traffic.pairs(Some(Time::MAX)).is_empty());
}
