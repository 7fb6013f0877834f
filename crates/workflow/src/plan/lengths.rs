//! How long every node takes, when it begins and what follows it: in time, or in levels.
use crate::graph::{Body, Graph, Node, NodeIndex, Work};

/// How the lengths of bodies make that of their node.
pub(super) trait Combine {
    /// The node's length, and where each body begins within it.
    fn combine(&self, index: NodeIndex, node: &Node, bodies: &[u64]) -> (u64, Vec<u64>);
}

/// Lengths of nodes, by index.
#[derive(Debug)]
pub(super) struct Lengths {
    /// Of each.
    pub length: Vec<u64>,
    /// From the start of the workflow to its beginning.
    pub begins: Vec<u64>,
    /// From its end to that of the workflow, on the longest way.
    pub tail: Vec<u64>,
    /// Of the bodies of each.
    pub bodies: Vec<Vec<u64>>,
    /// Of the workflow.
    pub whole: u64,
}

/// Every node, each behind those it waits for.
pub(super) fn order(graph: &Graph) -> Vec<NodeIndex> {
    let mut left: Vec<usize> = graph
        .nodes
        .iter()
        .map(|node| node.waits_for.len())
        .collect();
    let mut order: Vec<NodeIndex> = graph
        .indices()
        .filter(|index| left[index.at()] == 0)
        .collect();
    let mut next = 0;
    while let Some(index) = order.get(next).copied() {
        next += 1;
        for dependant in &graph.node(index).dependants {
            left[dependant.at()] -= 1;
            if left[dependant.at()] == 0 {
                order.push(*dependant);
            }
        }
    }
    order
}

impl Lengths {
    pub(super) fn of(
        graph: &Graph,
        order: &[NodeIndex],
        leaf: &dyn Fn(NodeIndex) -> u64,
        combine: &dyn Combine,
    ) -> Lengths {
        let count = graph.nodes.len();
        let mut place = vec![0; count];
        for (at, index) in order.iter().enumerate() {
            place[index.at()] = at;
        }
        let sorted = |body: &Body| {
            let mut children = body.children.clone();
            children.sort_by_key(|child| place[child.at()]);
            children
        };
        let mut all = Lengths {
            length: vec![0; count],
            begins: vec![0; count],
            tail: vec![0; count],
            bodies: vec![Vec::new(); count],
            whole: 0,
        };
        let mut offsets: Vec<Vec<u64>> = vec![Vec::new(); count];
        // What is contained has a larger index: from behind, bodies are done before their nodes.
        for index in graph.indices().rev() {
            let node = graph.node(index);
            if node.bodies.is_empty() {
                all.length[index.at()] = leaf(index);
                continue;
            }
            let bodies: Vec<u64> = node
                .bodies
                .iter()
                .map(|body| all.body(graph, &sorted(body)))
                .collect();
            let (length, at) = combine.combine(index, node, &bodies);
            all.length[index.at()] = length;
            all.bodies[index.at()] = bodies;
            offsets[index.at()] = at;
        }
        all.whole = all.body(graph, &sorted(&graph.root));
        all.tails(graph, &sorted(&graph.root));
        for index in graph.indices() {
            for (number, body) in graph.node(index).bodies.iter().enumerate() {
                let children = sorted(body);
                let offset = offsets[index.at()].get(number).copied().unwrap_or(0);
                let length = all.bodies[index.at()][number];
                all.tails(graph, &children);
                // What is left of the node itself when the body has ended, and what follows the node.
                let rest = all.length[index.at()].saturating_sub(offset.saturating_add(length));
                let (begin, tail) = (all.begins[index.at()], all.tail[index.at()]);
                for child in &children {
                    all.begins[child.at()] =
                        all.begins[child.at()].saturating_add(begin.saturating_add(offset));
                    all.tail[child.at()] =
                        all.tail[child.at()].saturating_add(tail.saturating_add(rest));
                }
            }
        }
        all
    }

    /// When the nodes of a body begin within it; how long it takes.
    fn body(&mut self, graph: &Graph, children: &[NodeIndex]) -> u64 {
        let mut whole = 0;
        for child in children {
            let ends = graph.node(*child).waits_for.iter();
            let begins = ends
                .map(|other| self.begins[other.at()].saturating_add(self.length[other.at()]))
                .max();
            self.begins[child.at()] = begins.unwrap_or(0);
            whole = whole.max(self.begins[child.at()].saturating_add(self.length[child.at()]));
        }
        whole
    }

    /// What follows each node of a body within it.
    fn tails(&mut self, graph: &Graph, children: &[NodeIndex]) {
        for child in children.iter().rev() {
            let follows = graph.node(*child).dependants.iter();
            let tail = follows
                .map(|other| self.length[other.at()].saturating_add(self.tail[other.at()]))
                .max();
            self.tail[child.at()] = tail.unwrap_or(0);
        }
    }
}

/// Levels: each task takes one.
pub(super) struct Levels;

impl Combine for Levels {
    fn combine(&self, _index: NodeIndex, node: &Node, bodies: &[u64]) -> (u64, Vec<u64>) {
        match &node.work {
            Work::Try { .. } => {
                // What is tried, then what is done when it fails, then what is done in the end.
                let mut at = 0;
                let offsets = bodies.iter().map(|body| {
                    let offset = at;
                    at += body;
                    offset
                });
                let offsets = offsets.collect();
                (at, offsets)
            }
            _ => (
                bodies.iter().copied().max().unwrap_or(0),
                vec![0; bodies.len()],
            ),
        }
    }
}
