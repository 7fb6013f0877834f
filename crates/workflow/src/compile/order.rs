//! What waits for what: edges put into the graph, circles named in full.
use crate::fault::{Notes, Way};
use crate::graph::{Graph, NodeIndex};

/// Longest circle whose names are all written.
const SHOWN_MAX: usize = 12;

/// Puts edges, of which the first end waits for the second, into the graph; several of the same are one.
pub(super) fn connect(graph: &mut Graph, mut edges: Vec<(NodeIndex, NodeIndex)>) {
    edges.sort_unstable();
    edges.dedup();
    for (from, to) in edges {
        graph.nodes[from.at()].waits_for.push(to);
        graph.nodes[to.at()].dependants.push(from);
    }
    let mut bodies = vec![std::mem::take(&mut graph.root)];
    for node in &mut graph.nodes {
        bodies.append(&mut node.bodies);
    }
    for body in &mut bodies {
        let entries = body
            .children
            .iter()
            .filter(|child| graph.nodes[child.at()].waits_for.is_empty());
        body.entries = entries.copied().collect();
    }
    // Back in the order in which they were taken: a body knows its parent by its first child.
    let mut bodies = bodies.into_iter();
    graph.root = bodies.next().unwrap_or_default();
    for body in bodies {
        let first = body.children.first().map(|child| &graph.nodes[child.at()]);
        if let Some(parent) = first.and_then(|child| child.parent) {
            graph.nodes[parent.node.at()].bodies.push(body);
        }
    }
}

/// Notes each circle, at one of the nodes in it.
pub(super) fn cycles(graph: &Graph, ways: &[Way], notes: &mut Notes) {
    let mut left: Vec<usize> = graph
        .nodes
        .iter()
        .map(|node| node.waits_for.len())
        .collect();
    let mut ready: Vec<NodeIndex> = graph
        .indices()
        .filter(|index| left[index.at()] == 0)
        .collect();
    while let Some(index) = ready.pop() {
        for dependant in &graph.node(index).dependants {
            left[dependant.at()] -= 1;
            if left[dependant.at()] == 0 {
                ready.push(*dependant);
            }
        }
    }
    // Whatever is left waits for something that is left: going back from it leads into a circle.
    let mut walk_of = vec![0_usize; graph.nodes.len()];
    for (number, start) in graph.indices().enumerate() {
        let mut walk = Vec::new();
        let mut at = start;
        while left[at.at()] > 0 && walk_of[at.at()] == 0 {
            walk_of[at.at()] = number + 1;
            walk.push(at);
            let next = graph
                .node(at)
                .waits_for
                .iter()
                .find(|other| left[other.at()] > 0);
            let Some(next) = next else { break };
            at = *next;
        }
        let is_new = left[at.at()] > 0 && walk_of[at.at()] == number + 1;
        let Some(begin) = walk
            .iter()
            .position(|index| *index == at)
            .filter(|_| is_new)
        else {
            continue;
        };
        note(graph, &walk[begin..], ways, notes);
    }
}

fn note(graph: &Graph, circle: &[NodeIndex], ways: &[Way], notes: &mut Notes) {
    let name = |index: &NodeIndex| graph.node(*index).name.as_str();
    // From the first name in the order of names, so that it reads the same wherever it was found.
    let begin = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or(0);
    let turned: Vec<NodeIndex> = circle[begin..]
        .iter()
        .chain(&circle[..begin])
        .copied()
        .collect();
    let mut names: Vec<&str> = turned.iter().map(name).collect();
    if names.len() > SHOWN_MAX {
        names.truncate(SHOWN_MAX);
        names.push("…");
    }
    names.push(name(&turned[0]));
    let what = match turned.len() {
        1 => format!("{} waits for itself", names[0]),
        count => format!(
            "{count} nodes wait for each other and can never run: {} (each waits for the next)",
            names.join(" → ")
        ),
    };
    notes.push_name(&ways[turned[0].at()], what, "take one of these waits out");
}
