//! Nodes that need each other in a circle: strongly connected parts, and a shortest way round in each.
use crate::traffic::Graph;
use fleet_types::graph::view::Cycle;
use petgraph::algo::kosaraju_scc; // Tarjan's is recursive there: a long chain would end the stack.
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::VecDeque;

/// Edges followed altogether in search of shortest circles; past it the shortest found so far are told.
const STEPS_MAX: u64 = 10_000_000;

/// All of them, the largest first, then by their first node.
pub fn cycles(graph: &Graph) -> Vec<Cycle> {
    let plain: DiGraph<(), (), u32> = {
        let mut plain = DiGraph::with_capacity(graph.nodes.len(), graph.ends.len());
        for _ in &graph.nodes {
            plain.add_node(());
        }
        plain.extend_with_edges(graph.ends.iter().copied());
        plain
    };
    let mut parts: Vec<Vec<u32>> = kosaraju_scc(&plain)
        .into_iter()
        .map(|part| {
            let mut part: Vec<u32> = part
                .into_iter()
                .map(|node: NodeIndex| node.index() as u32)
                .collect();
            part.sort_unstable();
            part
        })
        .filter(|part| part.len() > 1)
        .collect();
    parts.sort_unstable_by(|one, other| (other.len(), one).cmp(&(one.len(), other)));
    let mut search = Search::new(graph);
    parts
        .into_iter()
        .map(|part| {
            let round = search.shortest(&part);
            let next = round.iter().skip(1).chain(round.first());
            let edges = round.iter().zip(next).map(|(from, to)| (*from, *to));
            let mut edges = edges.map(|ends| graph.ends.binary_search(&ends));
            Cycle {
                size: part.len() as u64,
                declared: edges.all(|at| at.is_ok_and(|at| graph.edges[at].declared)),
                shortest: round
                    .iter()
                    .map(|node| graph.nodes[*node as usize].clone())
                    .collect(),
            }
        })
        .collect()
}

struct Search<'g> {
    graph: &'g Graph,
    /// In which part each node lies; 0: in none.
    part: Vec<u32>,
    parts: u32,
    /// In which search a node was reached last, and from where.
    reached: Vec<(u32, u32)>,
    searches: u32,
    steps: u64,
}

impl<'g> Search<'g> {
    fn new(graph: &'g Graph) -> Self {
        Search {
            graph,
            part: vec![0; graph.nodes.len()],
            parts: 0,
            reached: vec![(0, 0); graph.nodes.len()],
            searches: 0,
            steps: 0,
        }
    }

    /// A shortest circle within a part; it begins with its least node.
    fn shortest(&mut self, part: &[u32]) -> Vec<u32> {
        self.parts += 1;
        for node in part {
            self.part[*node as usize] = self.parts;
        }
        let mut best: Vec<u32> = Vec::new();
        for node in part {
            // Two is the least there can be.
            if best.len() == 2 || !best.is_empty() && self.steps > STEPS_MAX {
                break;
            }
            let most = match best.len() {
                0 => usize::MAX,
                length => length - 1,
            };
            if let Some(round) = self.through(*node, most) {
                best = round;
            }
        }
        let least = best.iter().enumerate().min_by_key(|(_, node)| **node);
        let turn = least.map_or(0, |(at, _)| at);
        best.rotate_left(turn);
        best
    }

    /// A shortest circle through a node, of at most so many nodes.
    fn through(&mut self, begin: u32, most: usize) -> Option<Vec<u32>> {
        self.searches += 1;
        let own = self.part[begin as usize];
        let mut queue = VecDeque::from([(begin, 1usize)]);
        self.reached[begin as usize] = (self.searches, begin);
        while let Some((node, length)) = queue.pop_front() {
            for to in needs(self.graph, node) {
                self.steps += 1;
                if to == begin && node != begin {
                    let mut round = vec![node];
                    let mut at = node;
                    while at != begin {
                        at = self.reached[at as usize].1;
                        round.push(at);
                    }
                    round.reverse();
                    return Some(round);
                }
                let is_new = self.reached[to as usize].0 != self.searches;
                if is_new && self.part[to as usize] == own && length < most {
                    self.reached[to as usize] = (self.searches, node);
                    queue.push_back((to, length + 1));
                }
            }
        }
        None
    }
}

/// What a node needs, in order.
fn needs(graph: &Graph, node: u32) -> impl Iterator<Item = u32> {
    let begin = graph.ends.partition_point(|(from, _)| *from < node);
    let rest = graph.ends[begin..].iter();
    rest.take_while(move |(from, _)| *from == node)
        .map(|(_, to)| *to)
}
