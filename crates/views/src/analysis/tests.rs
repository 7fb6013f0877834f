//! Each analysis against the plainest way to say it, on small random graphs.
use super::*;
use crate::Traffic;
use crate::traffic::Bounds;
use fleet_types::graph::view::{Because, Edge};
use fleet_types::graph::{self, Node};
use fleet_types::{Actor, Event, Record, Seq, Time};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

type Ends = Vec<(u8, u8)>;

fn node(number: u8) -> Node {
    format!("agent:n{number:02}").parse().unwrap()
}

fn graph(ends: &[(u8, u8)]) -> Graph {
    let ends: BTreeSet<(u8, u8)> = ends.iter().copied().filter(|(a, b)| a != b).collect();
    let edges = ends.into_iter().map(|(from, to)| Edge {
        from: node(from),
        to: node(to),
        declared: from % 2 == 0,
        description: Default::default(),
        traffic: None,
        rolled_up: false,
    });
    Graph::of(Seq(1), edges.collect())
}

fn ends() -> impl Strategy<Value = Ends> {
    // Sparse and dense ones.
    (2u8..12).prop_flat_map(|count| proptest::collection::vec((0..count, 0..count), 1..24))
}

/// Nodes reached from one, by these edges, without this node and this edge.
fn reach(
    links: &[(u32, u32)],
    from: u32,
    without: Option<u32>,
    without_link: Option<(u32, u32)>,
) -> BTreeSet<u32> {
    let mut reached = BTreeSet::from([from]);
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        for (a, b) in links {
            let is_gone = without_link == Some((*a, *b)) || without_link == Some((*b, *a));
            if *a == at && Some(*b) != without && !is_gone && reached.insert(*b) {
                queue.push_back(*b);
            }
        }
    }
    reached
}

fn both_ways(graph: &Graph) -> Vec<(u32, u32)> {
    let ends = graph.ends.iter();
    ends.flat_map(|(a, b)| [(*a, *b), (*b, *a)]).collect()
}

fn parts(
    links: &[(u32, u32)],
    nodes: impl Iterator<Item = u32>,
    without: Option<u32>,
) -> Vec<usize> {
    let mut left: BTreeSet<u32> = nodes.filter(|node| Some(*node) != without).collect();
    let mut sizes = Vec::new();
    while let Some(first) = left.first().copied() {
        let part = reach(links, first, without, None);
        sizes.push(part.len());
        left.retain(|node| !part.contains(node));
    }
    sizes.sort_unstable();
    sizes
}

/// The number of shortest ways between two nodes, and how long they are.
fn ways(links: &[(u32, u32)], from: u32, to: u32) -> Option<(u32, u64)> {
    let links: BTreeSet<_> = links.iter().copied().collect();
    let mut front: BTreeMap<u32, u64> = BTreeMap::from([(from, 1)]);
    let mut seen = BTreeSet::from([from]);
    let mut length = 0;
    while !front.is_empty() {
        if let Some(count) = front.get(&to) {
            return Some((length, *count));
        }
        let mut next: BTreeMap<u32, u64> = BTreeMap::new();
        for (node, count) in &front {
            for (_, other) in links.iter().filter(|(a, _)| a == node) {
                if !seen.contains(other) {
                    *next.entry(*other).or_default() += count;
                }
            }
        }
        seen.extend(next.keys());
        front = next;
        length += 1;
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cycles_are_the_parts_that_need_each_other(ends in ends()) {
        let graph = graph(&ends);
        let nodes = 0..graph.nodes.len() as u32;
        let reached: Vec<_> = nodes.clone().map(|n| reach(&graph.ends, n, None, None)).collect();
        let mut expected: BTreeMap<BTreeSet<u32>, usize> = BTreeMap::new();
        for node in nodes.clone() {
            let part: BTreeSet<u32> = nodes.clone()
                .filter(|o| reached[node as usize].contains(o) && reached[*o as usize].contains(&node))
                .collect();
            if part.len() > 1 {
                // The shortest way round: to a neighbour, and back.
                let round = graph.ends.iter().filter(|(a, _)| *a == node)
                    .filter_map(|(_, b)| ways(&graph.ends, *b, node).map(|(length, _)| length + 1))
                    .min().unwrap() as usize;
                let best = expected.entry(part).or_insert(usize::MAX);
                *best = round.min(*best);
            }
        }
        let found = cycles::cycles(&graph);
        prop_assert_eq!(found.len(), expected.len());
        for cycle in found {
            let round: Vec<u32> = cycle.shortest.iter()
                .map(|node| graph.nodes.binary_search(node).unwrap() as u32).collect();
            let (part, length) = expected.iter().find(|(part, _)| part.contains(&round[0])).unwrap();
            prop_assert_eq!((cycle.size as usize, round.len()), (part.len(), *length));
            let mut declared = true;
            for (at, from) in round.iter().enumerate() {
                let to = round[(at + 1) % round.len()];
                let edge = graph.ends.binary_search(&(*from, to));
                prop_assert!(edge.is_ok(), "{:?} is no circle", cycle.shortest);
                declared &= graph.edges[edge.unwrap()].declared;
            }
            prop_assert_eq!(cycle.declared, declared);
            prop_assert!(round.iter().all(|node| round[0] <= *node));
        }
    }

    #[test]
    fn points_are_nodes_whose_loss_leaves_more_parts(ends in ends()) {
        let graph = graph(&ends);
        let (links, nodes) = (both_ways(&graph), 0..graph.nodes.len() as u32);
        let mut expected = BTreeMap::new();
        for node in nodes.clone() {
            let own = reach(&links, node, None, None);
            let pieces = parts(&links, own.into_iter(), Some(node));
            if pieces.len() > 1 {
                let cut: usize = pieces[..pieces.len() - 1].iter().sum();
                expected.insert(graph.nodes[node as usize].clone(), (cut as u64, pieces.len() as u64));
            }
        }
        let found = cuts::cuts(&graph, &Links::of(&graph));
        prop_assert_eq!(found.parts as usize, parts(&links, nodes, None).len());
        let ranked: Vec<u64> = found.points.iter().map(|point| point.cuts_off).collect();
        prop_assert!(ranked.is_sorted_by(|a, b| a >= b));
        let shown: BTreeMap<_, _> = found.points.into_iter().map(|p| (p.node, (p.cuts_off, p.parts))).collect();
        prop_assert_eq!(&shown, &expected);

        // And the library names the same nodes.
        let plain: petgraph::graph::UnGraph<(), (), u32> = petgraph::graph::UnGraph::from_edges(
            both_ways(&graph).into_iter().filter(|(a, b)| a < b).collect::<BTreeSet<_>>());
        let named: BTreeSet<Node> = petgraph::algo::articulation_points::articulation_points(&plain)
            .into_iter().map(|node| graph.nodes[node.index()].clone()).collect();
        prop_assert_eq!(named, shown.into_keys().collect::<BTreeSet<_>>());
    }

    #[test]
    fn bridges_are_edges_whose_loss_leaves_more_parts(ends in ends()) {
        let graph = graph(&ends);
        let links = both_ways(&graph);
        let mut expected = BTreeMap::new();
        for (from, to) in graph.ends.iter().copied() {
            let side = reach(&links, from, None, Some((from, to)));
            if side.contains(&to) {
                continue;
            }
            let whole = reach(&links, from, None, None).len();
            let smaller = side.len().min(whole - side.len()) as u64;
            let ends = (graph.nodes[from as usize].clone(), graph.nodes[to as usize].clone());
            let reverse = expected.contains_key(&(ends.1.clone(), ends.0.clone()));
            if smaller > 1 && !reverse {
                expected.insert(ends, smaller);
            }
        }
        let found = cuts::cuts(&graph, &Links::of(&graph)).bridges;
        // Of two edges back and forth either may be named.
        let shown = found.into_iter().map(|bridge| {
            let ends = (bridge.from, bridge.to);
            let turned = (ends.1.clone(), ends.0.clone());
            (if expected.contains_key(&ends) { ends } else { turned }, bridge.cuts_off)
        });
        prop_assert_eq!(shown.collect::<BTreeMap<_, _>>(), expected);
    }

    #[test]
    fn bottlenecks_are_shares_of_shortest_ways(ends in ends()) {
        let graph = graph(&ends);
        let (links, count) = (both_ways(&graph), graph.nodes.len() as u32);
        prop_assume!(count > 2);
        let mut expected = vec![0.0; count as usize];
        for (from, to) in (0..count).flat_map(|a| (0..count).map(move |b| (a, b))).filter(|(a, b)| a != b) {
            let Some((length, all)) = ways(&links, from, to) else { continue };
            for via in (0..count).filter(|via| *via != from && *via != to) {
                if let (Some((before, one)), Some((behind, two))) = (ways(&links, from, via), ways(&links, via, to))
                    && before + behind == length {
                    expected[via as usize] += (one * two) as f64 / all as f64;
                }
            }
        }
        let pairs = f64::from((count - 1) * (count - 2));
        let found = bottlenecks::bottlenecks(&graph, &Links::of(&graph), 100, u64::MAX);
        prop_assert_eq!((found.sources, found.error), (u64::from(count), 0.0));
        let shown: BTreeMap<Node, f64> = found.nodes.into_iter().map(|n| (n.node, n.share)).collect();
        for (at, sum) in expected.into_iter().enumerate() {
            let share = shown.get(&graph.nodes[at]).copied().unwrap_or(0.0);
            prop_assert!((share - sum / pairs).abs() < 1e-5, "{} {share} {}", graph.nodes[at], sum / pairs);
        }
    }

    /// Agents that need and write resources of a small tree, against passing it on until nothing changes.
    #[test]
    fn a_blast_reaches_all_that_feel_it(ends in ends(), of in any::<prop::sample::Index>()) {
        let name = |number: u8| -> Node {
            let text = ["agent:a0", "agent:a1", "agent:a2", "agent:a3", "action:x", "action:y",
                "resource:r", "resource:r/s", "resource:r/s/t", "resource:r/u", "resource:v"][usize::from(number) % 11];
            text.parse().unwrap()
        };
        let mut ends: Vec<(Node, Node)> = ends.iter().map(|(a, b)| (name(*a), name(*b))).collect();
        ends.sort();
        ends.dedup();
        ends.retain(|(a, b)| a != b);
        prop_assume!(!ends.is_empty());
        let mut traffic = Traffic::new(Bounds::default());
        let mut seq = 0;
        let mut fold = |event: Event| {
            seq += 1;
            traffic.fold([&Record { seq: Seq(seq), at: Time(seq), by: Actor::System, event }]);
        };
        let mut writes = BTreeSet::new();
        for (from, to) in &ends {
            match (from, to) {
                // Every second agent's use of a resource is seen in traffic: exclusive, so it writes.
                (Node::Agent(agent), Node::Resource(path)) if agent.as_str() < "a2" => {
                    writes.insert((from.clone(), to.clone()));
                    let request = serde_json::json!({"request_id": "r", "agent": agent, "action": "x",
                        "resources": [{"path": path, "mode": "exclusive"}]});
                    let event = serde_json::json!({"permit.granted": {"permit": format!("p{}", path.as_str().len()),
                        "request": request, "expires_at": 9}});
                    fold(serde_json::from_value(event).unwrap());
                }
                _ => fold(Event::GraphDeclared(graph::Edge {
                    from: from.clone(), to: to.clone(), description: Default::default(),
                })),
            }
        }
        let all: Vec<(Node, Node)> = traffic.graph(&Default::default()).edges.into_iter()
            .map(|edge| (edge.from, edge.to)).collect();
        let nodes: BTreeSet<Node> = all.iter().flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
        let of = of.get(&nodes.iter().cloned().collect::<Vec<_>>()).clone();
        let related = |a: &Node, b: &Node| match (a, b) {
            (Node::Resource(a), Node::Resource(b)) => a != b && (a.covers(b) || b.covers(a)),
            _ => false,
        };
        // Of each node the fewest hops, reached for itself or as a part of another.
        let mut hops: BTreeMap<(Node, bool), u32> = BTreeMap::from([((of.clone(), false), 0)]);
        loop {
            let mut more = hops.clone();
            for ((at, part), far) in &hops {
                let mut reach = |node: &Node, as_part: bool| {
                    let best = more.entry((node.clone(), as_part)).or_insert(u32::MAX);
                    *best = (*best).min(far + 1);
                };
                all.iter().filter(|(_, to)| to == at).for_each(|(from, _)| reach(from, false));
                writes.iter().filter(|(from, _)| from == at).for_each(|(_, to)| reach(to, false));
                if !part {
                    nodes.iter().filter(|node| related(at, node)).for_each(|node| reach(node, true));
                }
            }
            if more == hops { break }
            hops = more;
        }
        let mut expected: BTreeMap<Node, u32> = BTreeMap::new();
        for ((node, _), far) in hops {
            if node != of {
                let best = expected.entry(node).or_insert(u32::MAX);
                *best = far.min(*best);
            }
        }
        let blast = traffic.blast(&of, u32::MAX, 100).unwrap();
        let found: BTreeMap<Node, u32> = blast.reached.iter().map(|r| (r.node.clone(), r.hops)).collect();
        prop_assert_eq!(&found, &expected);
        let count = blast.agents + blast.actions + blast.resources;
        prop_assert_eq!(count as usize, found.len());
        for reached in &blast.reached {
            let nearer = if reached.via == of { 0 } else { found[&reached.via] };
            // It may have been come to earlier, as a part only, and that passes less on.
            prop_assert!(nearer < reached.hops);
            let is_true = match reached.because {
                Because::Declared | Because::Uses => all.contains(&(reached.node.clone(), reached.via.clone())),
                Because::WrittenBy => writes.contains(&(reached.via.clone(), reached.node.clone())),
                Because::Within => related(&reached.via, &reached.node),
            };
            prop_assert!(is_true, "{reached:?}");
        }
        let near = traffic.blast(&of, 1, 100).unwrap();
        prop_assert_eq!(near.reached.len(), expected.values().filter(|hops| **hops == 1).count());
        prop_assert_eq!(&traffic.blast(&of, u32::MAX, 2).unwrap().reached[..], &blast.reached[..blast.reached.len().min(2)]);
    }
}

#[test]
fn a_long_chain_ends_no_stack() {
    let edges = (0..100_000u32).map(|number| Edge {
        from: format!("agent:n{number:06}").parse().unwrap(),
        to: format!("agent:n{:06}", (number + 1) % 100_000)
            .parse()
            .unwrap(),
        declared: true,
        description: Default::default(),
        traffic: None,
        rolled_up: false,
    });
    let graph = Graph::of(Seq(1), edges.collect());
    let found = cycles::cycles(&graph);
    assert_eq!((found.len(), found[0].shortest.len()), (1, 100_000));
    assert!(cuts::cuts(&graph, &Links::of(&graph)).points.is_empty());
}

#[test]
fn a_sampled_share_is_within_its_error() {
    // Two stars whose hubs are joined: each hub is on half of the ways and more.
    let spokes = (0..400u32).map(|number| {
        let hub = format!("agent:hub{}", number % 2);
        (format!("agent:n{number:03}"), hub)
    });
    let ends = spokes.chain([("agent:hub0".to_owned(), "agent:hub1".to_owned())]);
    let edges = ends.map(|(from, to)| Edge {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        declared: true,
        description: Default::default(),
        traffic: None,
        rolled_up: false,
    });
    let graph = Graph::of(Seq(1), edges.collect());
    let links = Links::of(&graph);
    let exact = bottlenecks::bottlenecks(&graph, &links, 2, u64::MAX);
    let sampled = bottlenecks::bottlenecks(&graph, &links, 2, 1);
    assert_eq!(
        (exact.sources, exact.error, sampled.sources),
        (402, 0.0, 32)
    );
    assert!(
        sampled.error > 0.2 && sampled.error < 0.25,
        "{}",
        sampled.error
    );
    for (one, other) in exact.nodes.iter().zip(&sampled.nodes) {
        assert!((one.share - other.share).abs() < sampled.error);
        assert!(one.share > 0.7, "{one:?}");
    }
}

#[test]
fn contention_ranks_by_waiting_then_by_who_wants_it_alone() {
    let edge = |agent: &str, path: &str, wait_us, exclusive| Edge {
        from: format!("agent:{agent}").parse().unwrap(),
        to: format!("resource:{path}").parse().unwrap(),
        declared: false,
        description: Default::default(),
        traffic: Some(fleet_types::graph::view::Traffic {
            asked: 1,
            waits: u64::from(wait_us > 0),
            wait_us,
            exclusive,
            ..Default::default()
        }),
        rolled_up: false,
    };
    let graph = Graph::of(
        Seq(1),
        vec![
            edge("a", "waited", 5, 1),
            edge("b", "waited", 9, 0),
            edge("a", "wanted", 0, 2),
            edge("b", "wanted", 0, 1),
            edge("a", "quiet", 0, 1),
            edge("b", "quiet", 0, 0),
        ],
    );
    let analysis = analyse(&graph, Vec::new(), 10);
    let rows: Vec<_> = analysis
        .contention
        .iter()
        .map(|row| {
            (
                row.resource.as_str(),
                row.wait_us,
                row.agents,
                row.exclusive_agents,
            )
        })
        .collect();
    assert_eq!(rows, [("waited", 14, 2, 1), ("wanted", 0, 2, 2)]);
    assert_eq!(
        (analysis.found.contention, analysis.nodes, analysis.edges),
        (2, 5, 6)
    );
    assert_eq!(analyse(&graph, Vec::new(), 1).contention.len(), 1);
}
