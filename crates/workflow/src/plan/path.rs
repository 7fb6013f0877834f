//! The longest way through a workflow, task by task.
use super::estimate::is_catch;
use super::lengths::Lengths;
use crate::graph::{Body, Graph, Node, NodeIndex, Work};

/// The tasks of the longest way, in order.
pub(super) fn critical(graph: &Graph, times: &Lengths) -> Vec<NodeIndex> {
    let mut path = Vec::new();
    through(graph, times, &graph.root, &mut path);
    path
}

fn through(graph: &Graph, times: &Lengths, body: &Body, path: &mut Vec<NodeIndex>) {
    let remaining =
        |index: &NodeIndex| times.length[index.at()].saturating_add(times.tail[index.at()]);
    let longest = |of: &[NodeIndex]| {
        of.iter()
            .copied()
            .max_by_key(|index| (remaining(index), std::cmp::Reverse(*index)))
    };
    let mut at = longest(&body.entries);
    while let Some(index) = at {
        let node = graph.node(index);
        match node.bodies.is_empty() {
            true => path.push(index),
            false => {
                for body in taken(node, &times.bodies[index.at()]) {
                    through(graph, times, &node.bodies[body], path);
                }
            }
        }
        at = longest(&node.dependants);
    }
}

/// The bodies of a node that its length goes by, in order.
fn taken(node: &Node, lengths: &[u64]) -> Vec<usize> {
    let mut by_length: Vec<usize> = (0..lengths.len()).collect();
    by_length.sort_by_key(|body| (lengths[*body], std::cmp::Reverse(*body)));
    match &node.work {
        Work::Try { .. } => (0..lengths.len())
            .filter(|body| !is_catch(node, *body))
            .collect(),
        Work::Parallel { needed, .. } => {
            let needed = (*needed as usize).clamp(1, by_length.len().max(1));
            by_length.get(needed - 1).copied().into_iter().collect()
        }
        _ => by_length.last().copied().into_iter().collect(),
    }
}
