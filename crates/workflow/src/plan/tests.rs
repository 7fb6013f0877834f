//! Plans, and a plan of every small graph against one that is worked out by trying every way.
use super::*;
use crate::{Unchecked, read};
use proptest::prelude::*;
use std::fmt::Write;

fn graph(text: &str) -> Graph {
    read(text, &Unchecked)
        .unwrap_or_else(|faults| panic!("{faults}\n{text}"))
        .graph
}

fn shown(plan: &Plan) -> String {
    let mut text = format!(
        "{} ms, one after the other {} ms, {:?}\n",
        plan.duration_ms.0, plan.sequential_ms.0, plan.basis
    );
    for (number, level) in plan.levels.iter().enumerate() {
        let _ = writeln!(text, "{number}: {}", level.join(" "));
    }
    let _ = writeln!(text, "{}", plan.critical_path.join(" → "));
    for node in &plan.nodes {
        let _ = writeln!(
            text,
            "{} {} from {} for {}, {} left, {} slack, rank {}, {} times, {:?}",
            node.path,
            node.kind,
            node.begins_ms.0,
            node.duration_ms.0,
            node.remaining_ms.0,
            node.slack_ms.0,
            node.rank,
            node.times,
            node.basis
        );
    }
    text
}

const SAMPLE: &str = "name: sample
nodes:
  read: { kind: agent, agent: reader, estimate: 10s }
  gate:
    kind: conditional
    if: nodes.read.outputs.x
    then: { long: { kind: agent, agent: a, estimate: 30s, permit: { action: x, cost: { tokens: 5 } } } }
    else: { short: { kind: agent, agent: b, estimate: 1s } }
  side: { kind: tool, tool: t, after: read }
  each:
    kind: map
    over: [1, 2, 3, 4, 5]
    max_concurrent: 2
    after: gate
    nodes: { one: { kind: tool, tool: u, estimate: { duration: 2s, cost: { tokens: 3 } } } }
  again: { kind: loop, max: 9, until: index > 2, estimate: { count: 3 }, pause: 1s, after: read, nodes: { step: { kind: agent, agent: c, estimate: 4s } } }
  race:
    kind: parallel
    wait_for: 2
    on_failure: collect
    after: [each, again]
    branches:
      a: { x: { kind: wait, for: 9s } }
      b: { x: { kind: wait, for: 5s } }
      c: { x: { kind: wait, for: 2s } }
  safe:
    kind: try
    after: race
    nodes: { x: { kind: wait, for: 3s } }
    catch: { y: { kind: wait, for: 60s } }
    finally: { z: { kind: wait, for: 1s } }
";

#[test]
fn a_plan() {
    let graph = graph(SAMPLE);
    insta::assert_snapshot!(shown(&plan(&graph, &Profiles::default(), &BTreeSet::new())));
    let profiles: Profiles = serde_json::from_value(serde_json::json!({
        "nodes": {"each": {"runs": 3, "duration_ms": 0, "count": 40}},
        "agents": {"reader": {"runs": 12, "duration_ms": 1000, "cost": {"tokens": 7}}},
        "tools": {"t": {"runs": 0, "duration_ms": 1}},
    }))
    .unwrap();
    let plan = plan(&graph, &profiles, &BTreeSet::new());
    assert_eq!(
        plan.nodes[graph.find("read").unwrap().at()].basis,
        Basis::Measured { runs: 12 }
    );
    assert_eq!(
        plan.nodes[graph.find("side").unwrap().at()].basis,
        Basis::Assumed
    );
    assert_eq!(plan.cost.tokens, 7 + 5 + 40 * 3);
}

#[test]
fn who_is_missing() {
    let graph = graph("name: w
nodes:
  a: { kind: agent, agent: x, alternatives: [y, z] }
  b: { kind: agent, agent: y, optional: true }
  c: { kind: conditional, if: nodes.a.outputs.q, then: { d: { kind: agent, agent: y } } }
  e: { kind: parallel, wait_for: first, on_failure: collect, after: b, branches: { one: { f: { kind: agent, agent: y } }, two: { g: { kind: agent, agent: z } } } }
  h: { kind: try, after: e, nodes: { i: { kind: agent, agent: y } }, catch: { j: { kind: emit, event: x } } }
  k: { kind: delegate, manager: m, goal: g, agents: [y, z], after: h }
  l: { kind: debate, question: q, rounds: 1, arbitrator: m, positions: { a: { agent: n, stance: s }, b: { agent: z, stance: t } } }
  o: { kind: emit, event: x, after: l }
  p: { kind: map, over: '{{ nodes.o.outputs }}', nodes: { q: { kind: wait, for: 1s } } }
");
    let lost = |names: &[&str]| {
        let names = names
            .iter()
            .map(|name| AgentId::parse(name).unwrap())
            .collect();
        let absence = plan(&graph, &Profiles::default(), &names).absence;
        let mut text = format!("without {names:?}: {:?}\n", absence.effect);
        for node in &absence.nodes {
            let _ = writeln!(
                text,
                "  {}: {:?}, {}, instead {:?}",
                node.path, node.effect, node.why, node.instead
            );
        }
        let _ = writeln!(text, "  stopped: {}", absence.stopped.join(" "));
        text
    };
    insta::assert_snapshot!(
        [
            lost(&[]),
            lost(&["x"]),
            lost(&["y"]),
            lost(&["x", "y", "z"]),
            lost(&["m"])
        ]
        .concat()
    );
}

/// A small graph: for each node which of those before it it waits for, and how long it takes.
fn small() -> impl Strategy<Value = Vec<(u16, u8)>> {
    prop::collection::vec((any::<u16>(), 0_u8..20), 1..9)
}

/// Every way through it, by trying.
fn longest_from(nodes: &[(u16, u8)], at: usize) -> u64 {
    let follows = (at + 1..nodes.len()).filter(|other| nodes[*other].0 & (1 << at) != 0);
    u64::from(nodes[at].1)
        + follows
            .map(|other| longest_from(nodes, other))
            .max()
            .unwrap_or(0)
}

fn longest_to(nodes: &[(u16, u8)], at: usize) -> u64 {
    let before = (0..at).filter(|other| nodes[at].0 & (1 << other) != 0);
    before
        .map(|other| longest_to(nodes, other) + u64::from(nodes[other].1))
        .max()
        .unwrap_or(0)
}

proptest! {
    #[test]
    fn longest_ways_are_the_longest_of_all(nodes in small(), wrapped in any::<bool>()) {
        let pad = if wrapped { "      " } else { "  " };
        let mut text = "name: w\nnodes:\n".to_owned();
        if wrapped {
            text.push_str("  all:\n    kind: try\n    finally: { end: { kind: wait, for: 100s } }\n    nodes:\n");
        }
        for (at, (before, length)) in nodes.iter().enumerate() {
            let after: Vec<String> = (0..at).filter(|other| before & (1 << other) != 0).map(|other| format!("n{other}")).collect();
            let _ = writeln!(text, "{pad}n{at}: {{ kind: wait, for: {length}s, after: [{}] }}", after.join(", "));
        }
        let graph = graph(&text);
        let plan = plan(&graph, &Profiles::default(), &BTreeSet::new());
        let rest = if wrapped { 100_000 } else { 0 };
        let whole = (0..nodes.len()).map(|at| longest_from(&nodes, at)).max().unwrap_or(0) * 1_000;
        prop_assert_eq!(plan.duration_ms.0, whole + rest);
        for at in 0..nodes.len() {
            let path = if wrapped { format!("all.nodes.n{at}") } else { format!("n{at}") };
            let planned = &plan.nodes[graph.find(&path).unwrap().at()];
            prop_assert_eq!(planned.begins_ms.0, longest_to(&nodes, at) * 1_000);
            prop_assert_eq!(planned.remaining_ms.0, longest_from(&nodes, at) * 1_000 + rest);
            prop_assert_eq!(planned.slack_ms.0, whole - (longest_to(&nodes, at) + longest_from(&nodes, at)) * 1_000);
        }
        let path: u64 = plan.critical_path.iter().map(|path| plan.nodes[graph.find(path).unwrap().at()].duration_ms.0).sum();
        prop_assert_eq!(path, plan.duration_ms.0);
    }
}
