//! Resources that agents wait for, and agents that get into each other's way.
use crate::traffic::Graph;
use fleet_types::graph::Node;
use fleet_types::graph::view::{Contention, Pair};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Resources that somebody waited for, was denied, or that more than one agent wants for itself alone: those waited for
/// longest first, then those wanted by most.
pub fn contention(graph: &Graph) -> Vec<Contention> {
    let mut by_resource: BTreeMap<u32, Contention> = BTreeMap::new();
    for (edge, (_, to)) in graph.edges.iter().zip(&graph.ends) {
        let (Some(traffic), Node::Resource(path)) = (&edge.traffic, &edge.to) else {
            continue;
        };
        let row = by_resource.entry(*to).or_insert_with(|| Contention {
            resource: path.clone(),
            wait_us: 0,
            waits: 0,
            denied: 0,
            agents: 0,
            exclusive_agents: 0,
            waiting: 0,
        });
        row.wait_us += traffic.wait_us;
        row.waits += traffic.waits;
        row.denied += traffic.denied;
        row.waiting += traffic.waiting;
        row.agents += 1;
        row.exclusive_agents += u64::from(traffic.exclusive > 0);
    }
    let mut rows: Vec<Contention> = by_resource.into_values().collect();
    rows.retain(|row| row.waits + row.denied + row.waiting > 0 || row.exclusive_agents > 1);
    rows.sort_by(|one, other| {
        let rank = |row: &Contention| {
            (
                Reverse(row.wait_us),
                Reverse(row.exclusive_agents),
                Reverse(row.denied),
            )
        };
        rank(one)
            .cmp(&rank(other))
            .then_with(|| one.resource.cmp(&other.resource))
    });
    rows
}

/// Those who waited longest for each other first, then those who clashed most.
pub fn rank(pairs: &mut [Pair]) {
    pairs.sort_unstable_by(|one, other| {
        let rank = |pair: &Pair| {
            (
                Reverse(pair.wait_us),
                Reverse(pair.clashed),
                Reverse(pair.met),
            )
        };
        let name = |pair: &Pair| (pair.one.clone(), pair.other.clone(), pair.resource.clone());
        rank(one)
            .cmp(&rank(other))
            .then_with(|| name(one).cmp(&name(other)))
    });
}
