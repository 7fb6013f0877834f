//! The plan of a workflow before it runs: what can happen at the same time, which way is the longest, how long it takes
//! and what it costs, and what is lost when an agent is missing.
//!
//! Assumptions
//! - There are workers enough: only `max_concurrent` bounds what happens at once.
//! - Of ways that exclude each other the longest is taken, and the dearest. Nothing fails and nothing is tried again.
//!
//! Everything but the order of ranks is worked out in a time linear in nodes and edges.
mod absent;
mod estimate;
mod lengths;
mod path;

pub use absent::{Absence, Absent, Effect};
pub use estimate::{Basis, Measured, Profiles};

use crate::graph::{Graph, NodeIndex};
use crate::version::Hash;
use estimate::Estimates;
use fleet_types::budget::Cost;
use fleet_types::{AgentId, Millis};
use lengths::{Lengths, order};
use serde::Serialize;
use smol_str::SmolStr;
use std::collections::BTreeSet;

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The workflow's name.
    pub workflow: SmolStr,
    /// Which definition it is of.
    pub hash: Hash,
    /// From the start to the end.
    pub duration_ms: Millis,
    /// The same, one task after the other.
    pub sequential_ms: Millis,
    /// What it costs.
    pub cost: Cost,
    /// What the estimates of its tasks go by: how many by what.
    pub basis: Counts,
    /// Tasks by when they can begin at the earliest: what stands in one level can happen at the same time.
    pub levels: Vec<Vec<SmolStr>>,
    /// The tasks of the longest way, in order.
    pub critical_path: Vec<SmolStr>,
    /// Every node, by its index.
    pub nodes: Vec<Planned>,
    /// What is lost without the agents that are missing.
    pub absence: Absence,
}

/// How many tasks are estimated by what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// By what was measured.
    pub measured: usize,
    /// By what the definition says.
    pub declared: usize,
    /// By their kind.
    pub by_kind: usize,
    /// By nothing: a number that stands for any.
    pub assumed: usize,
}

/// A node in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// Its path.
    pub path: SmolStr,
    /// Its kind.
    pub kind: &'static str,
    /// In which level it begins, from 0.
    pub level: u32,
    /// When it begins at the earliest, from the start.
    pub begins_ms: Millis,
    /// How long it takes.
    pub duration_ms: Millis,
    /// From its beginning to the end of the workflow, on the longest way. What has more of it goes first.
    pub remaining_ms: Millis,
    /// How much later it may begin without delaying the end.
    pub slack_ms: Millis,
    /// Its place among all when several are ready, from 1: by priority, then by what remains.
    pub rank: u32,
    /// What it costs, each time that it is run.
    pub cost: Cost,
    /// How often it is run.
    pub times: u64,
    /// What its estimate goes by.
    pub basis: Basis,
}

/// Plans a workflow, with what was measured, as if some agents were missing.
#[must_use]
pub fn plan(graph: &Graph, profiles: &Profiles, without: &BTreeSet<AgentId>) -> Plan {
    let order = order(graph);
    let estimates = Estimates::of(graph, profiles);
    let times = Lengths::of(
        graph,
        &order,
        &|index| estimates.of[index.at()].duration.0,
        &estimates,
    );
    let levels = Lengths::of(graph, &order, &|_| 1, &lengths::Levels);
    let runs = estimates.runs(graph);
    let ranks = ranks(graph, &times);
    let nodes: Vec<Planned> = graph
        .indices()
        .map(|index| {
            let node = graph.node(index);
            let at = index.at();
            let (begins, remaining) = (times.begins[at], times.length[at] + times.tail[at]);
            Planned {
                path: node.path.clone(),
                kind: node.work.kind(),
                level: u32::try_from(levels.begins[at]).unwrap_or(u32::MAX),
                begins_ms: Millis(begins),
                duration_ms: Millis(times.length[at]),
                remaining_ms: Millis(remaining),
                slack_ms: Millis(times.whole.saturating_sub(begins + remaining)),
                rank: ranks[at],
                cost: estimates.cost(graph, index),
                times: runs[at],
                basis: estimates.of[at].basis,
            }
        })
        .collect();
    Plan {
        workflow: graph.name.clone(),
        hash: graph.hash.clone(),
        duration_ms: Millis(times.whole),
        sequential_ms: Millis(estimates.sequential(graph, &times)),
        cost: estimates.whole(graph),
        basis: estimates.counts(graph),
        levels: by_level(graph, &nodes),
        critical_path: path::critical(graph, &times)
            .into_iter()
            .map(|index| graph.node(index).path.clone())
            .collect(),
        nodes,
        absence: absent::without(graph, without),
    }
}

fn by_level(graph: &Graph, nodes: &[Planned]) -> Vec<Vec<SmolStr>> {
    let mut levels: Vec<Vec<SmolStr>> = Vec::new();
    for (planned, node) in nodes.iter().zip(&graph.nodes) {
        if !node.bodies.is_empty() {
            continue;
        }
        let at = planned.level as usize;
        while levels.len() <= at {
            levels.push(Vec::new());
        }
        levels[at].push(planned.path.clone());
    }
    levels
}

/// By priority where it is said, then the longest way first, then by index.
fn ranks(graph: &Graph, times: &Lengths) -> Vec<u32> {
    const NORMAL: u8 = 5;
    let mut order: Vec<NodeIndex> = graph.indices().collect();
    order.sort_by_key(|index| {
        let at = index.at();
        let priority = graph.nodes[at].priority.unwrap_or(NORMAL);
        let remaining = times.length[at] + times.tail[at];
        (std::cmp::Reverse((priority, remaining)), at)
    });
    let mut ranks = vec![0; order.len()];
    for (rank, index) in order.into_iter().enumerate() {
        ranks[index.at()] = u32::try_from(rank + 1).unwrap_or(u32::MAX);
    }
    ranks
}

#[cfg(test)]
mod tests;
