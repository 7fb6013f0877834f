//! What the graph shows: circles, single points of failure, bottlenecks, contention, and what hangs on a node.
//!
//! Everything is a function of the graph: the same graph gives the same lists in the same order. Circles follow the
//! edges' direction; what hangs together and which ways are shortest does not ask for it, as an agent that loses what it
//! needs and a resource that loses its only writer are both cut off.
mod blast;
mod bottlenecks;
mod contention;
mod cuts;
mod cycles;

#[cfg(test)]
mod tests;

use crate::traffic::Graph;
use fleet_types::graph::view::{Analysis, Found, Pair};

/// Looks at everything. `top` rows of each list are given.
#[must_use]
pub fn analyse(graph: &Graph, mut pairs: Vec<Pair>, top: usize) -> Analysis {
    let links = Links::of(graph);
    let mut cycles = cycles::cycles(graph);
    let cuts = cuts::cuts(graph, &links);
    let (mut points, mut bridges) = (cuts.points, cuts.bridges);
    let mut contention = contention::contention(graph);
    contention::rank(&mut pairs);
    let found = Found {
        cycles: cycles.len() as u64,
        points: points.len() as u64,
        bridges: bridges.len() as u64,
        contention: contention.len() as u64,
        pairs: pairs.len() as u64,
    };
    cycles.truncate(top);
    points.truncate(top);
    bridges.truncate(top);
    contention.truncate(top);
    pairs.truncate(top);
    Analysis {
        seq: graph.seq,
        nodes: graph.nodes.len() as u64,
        edges: graph.edges.len() as u64,
        parts: cuts.parts,
        bottlenecks: bottlenecks::bottlenecks(graph, &links, top, bottlenecks::STEPS_MAX),
        cycles,
        points,
        bridges,
        contention,
        pairs,
        found,
    }
}

/// The graph without directions: of each node its neighbours, each once, in order.
pub(crate) struct Links {
    begins: Vec<u32>,
    others: Vec<u32>,
}

impl Links {
    pub fn of(graph: &Graph) -> Links {
        let count = graph.nodes.len();
        let both = graph.ends.iter();
        let mut links: Vec<(u32, u32)> = both
            .flat_map(|(from, to)| [(*from, *to), (*to, *from)])
            .filter(|(from, to)| from != to)
            .collect();
        links.sort_unstable();
        links.dedup();
        let mut begins = vec![0u32; count + 1];
        for (from, _) in &links {
            begins[*from as usize + 1] += 1;
        }
        for at in 0..count {
            begins[at + 1] += begins[at];
        }
        Links {
            begins,
            others: links.into_iter().map(|(_, to)| to).collect(),
        }
    }

    pub fn len(&self) -> usize {
        self.begins.len() - 1
    }

    pub fn of_node(&self, node: u32) -> &[u32] {
        let at = node as usize;
        &self.others[self.begins[at] as usize..self.begins[at + 1] as usize]
    }

    /// Of both directions together.
    pub fn count(&self) -> usize {
        self.others.len()
    }
}
