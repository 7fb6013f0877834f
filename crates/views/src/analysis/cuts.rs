//! Nodes and edges that alone hold the graph together, and how much each would cut off.
//!
//! One walk in depth tells all (Tarjan's low points), with the sizes of what hangs below; a library that only names the
//! nodes would leave the sizes to a walk for each. The walk keeps its own stack: a chain may be as long as the graph.
use super::Links;
use crate::traffic::Graph;
use fleet_types::graph::view::{Bridge, Point};
use std::cmp::Reverse;

/// What was found.
pub struct Cuts {
    /// Parts that hang together.
    pub parts: u64,
    /// Nodes, those that cut off most first.
    pub points: Vec<Point>,
    /// Edges that cut off more than one node, likewise.
    pub bridges: Vec<Bridge>,
}

const NONE: u32 = u32::MAX;

/// What the walk knows of a node.
#[derive(Clone, Copy)]
struct Seen {
    /// When it was come to.
    order: u32,
    /// The earliest that it, or what hangs below, has a link to.
    low: u32,
    parent: u32,
    /// Itself and what hangs below.
    size: u32,
    /// Of what hangs below: what only it holds, altogether, at most, and how many pieces.
    held: u32,
    held_max: u32,
    pieces: u32,
}

pub fn cuts(graph: &Graph, links: &Links) -> Cuts {
    let mut cuts = Cuts {
        parts: 0,
        points: Vec::new(),
        bridges: Vec::new(),
    };
    let mut seen = vec![
        Seen {
            order: NONE,
            low: 0,
            parent: NONE,
            size: 1,
            held: 0,
            held_max: 0,
            pieces: 0,
        };
        links.len()
    ];
    let mut order = 0;
    for root in 0..links.len() as u32 {
        if seen[root as usize].order != NONE {
            continue;
        }
        cuts.parts += 1;
        let part = walk(links, &mut seen, root, &mut order);
        let total = part.len() as u32;
        for node in part {
            judge(graph, &seen, node, total, &mut cuts);
        }
    }
    cuts.points.sort_unstable_by(|a, b| {
        (Reverse(a.cuts_off), &a.node).cmp(&(Reverse(b.cuts_off), &b.node))
    });
    let rank = |bridge: &Bridge| Reverse(bridge.cuts_off);
    cuts.bridges
        .sort_unstable_by(|a, b| (rank(a), &a.from, &a.to).cmp(&(rank(b), &b.from, &b.to)));
    cuts
}

/// Walks a part in depth; returns its nodes.
fn walk(links: &Links, seen: &mut [Seen], root: u32, order: &mut u32) -> Vec<u32> {
    let mut part = Vec::new();
    let mut stack = vec![(root, 0usize)];
    while let Some((node, at)) = stack.last_mut() {
        let node = *node;
        if *at == 0 {
            let entry = &mut seen[node as usize];
            (entry.order, entry.low) = (*order, *order);
            *order += 1;
            part.push(node);
        }
        let Some(next) = links.of_node(node).get(*at).copied() else {
            stack.pop();
            leave(seen, node);
            continue;
        };
        *at += 1;
        let there = seen[next as usize];
        if there.order == NONE {
            seen[next as usize].parent = node;
            stack.push((next, 0));
        } else if next != seen[node as usize].parent {
            let entry = &mut seen[node as usize];
            entry.low = entry.low.min(there.order);
        }
        // A node without links is come to and left at once; with links, `at` is no longer 0.
    }
    part
}

/// Tells the parent what hangs below it.
fn leave(seen: &mut [Seen], node: u32) {
    let child = seen[node as usize];
    if child.parent == NONE {
        return;
    }
    let parent = &mut seen[child.parent as usize];
    parent.low = parent.low.min(child.low);
    parent.size += child.size;
    if child.low >= parent.order {
        parent.held += child.size;
        parent.held_max = parent.held_max.max(child.size);
        parent.pieces += 1;
    }
}

fn judge(graph: &Graph, seen: &[Seen], node: u32, total: u32, cuts: &mut Cuts) {
    let entry = seen[node as usize];
    let rest = total - 1 - entry.held;
    let pieces = entry.pieces + u32::from(rest > 0);
    if pieces > 1 {
        cuts.points.push(Point {
            node: graph.nodes[node as usize].clone(),
            cuts_off: (total - 1 - rest.max(entry.held_max)).into(),
            parts: pieces.into(),
        });
    }
    // The link to its parent is the only one between what hangs below and the rest.
    let smaller = entry.size.min(total - entry.size);
    if entry.parent != NONE && entry.low == entry.order && smaller > 1 {
        let ends = [(node, entry.parent), (entry.parent, node)];
        let found = ends
            .into_iter()
            .find_map(|ends| graph.ends.binary_search(&ends).ok());
        if let Some(at) = found {
            cuts.bridges.push(Bridge {
                from: graph.edges[at].from.clone(),
                to: graph.edges[at].to.clone(),
                cuts_off: smaller.into(),
            });
        }
    }
}
