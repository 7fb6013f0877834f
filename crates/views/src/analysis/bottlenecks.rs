//! Nodes that most shortest ways lead through: betweenness by Brandes' method, whatever the edges' direction. In a large
//! graph the ways are followed from some nodes only, chosen by a fixed scatter, and the error that this makes is told.
use super::Links;
use crate::traffic::Graph;
use fleet_types::graph::view::{Bottleneck, Bottlenecks};

/// Links followed altogether: bounds the time, and thereby how many sources a large graph gets.
pub const STEPS_MAX: u64 = 20_000_000;
/// So many sources at least, whatever it takes.
const SOURCES_MIN: u64 = 32;

/// The top of them.
pub fn bottlenecks(graph: &Graph, links: &Links, top: usize, steps_max: u64) -> Bottlenecks {
    let count = links.len() as u64;
    if count < 3 {
        return Bottlenecks {
            nodes: Vec::new(),
            sources: count,
            error: 0.0,
        };
    }
    let each = count + links.count() as u64;
    let sources = (steps_max / each).max(SOURCES_MIN).min(count);
    let sums = sums(links, sources);
    // Each source speaks for as many pairs; of a node's own ways none leads through it.
    let pairs = sources as f64 / count as f64 * (count - 1) as f64 * (count - 2) as f64;
    let mut nodes: Vec<(u32, f64)> = (0..)
        .zip(sums)
        .map(|(node, sum)| (node, sum / pairs))
        .filter(|(_, share)| *share > 0.0)
        .collect();
    nodes.sort_unstable_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    nodes.truncate(top);
    Bottlenecks {
        nodes: nodes
            .into_iter()
            .map(|(node, share)| Bottleneck {
                node: graph.nodes[node as usize].clone(),
                share: (share * 1e6).round() / 1e6,
            })
            .collect(),
        sources,
        error: error(sources, count),
    }
}

/// Hoeffding's bound for one node at 95 of 100: what each source says of a node's share lies between 0 and 1.
fn error(sources: u64, count: u64) -> f64 {
    if sources == count {
        return 0.0;
    }
    let error = ((2.0f64 / 0.05).ln() / (2.0 * sources as f64)).sqrt();
    (error * 1e4).ceil() / 1e4
}

/// The n-th source: a scatter over all nodes without repeats, the same on every machine.
fn source(nth: u64, count: u64) -> u32 {
    // A stride without a divisor in common visits every node once; the golden ratio spreads the first ones evenly.
    let mut stride = (count as f64 * 0.618_033_988_75) as u64 | 1;
    while gcd(stride, count) != 1 {
        stride += 2;
    }
    ((u128::from(nth) * u128::from(stride) + u128::from(count / 7)) % u128::from(count)) as u32
}

fn gcd(one: u64, other: u64) -> u64 {
    match other {
        0 => one,
        other => gcd(other, one % other),
    }
}

/// Of each node, the shares of shortest ways from the sources that lead through it, added up.
fn sums(links: &Links, sources: u64) -> Vec<f64> {
    let count = links.len();
    let mut sums = vec![0.0; count];
    let (mut distance, mut ways, mut share) = (
        vec![u32::MAX; count],
        vec![0.0f64; count],
        vec![0.0f64; count],
    );
    let mut order: Vec<u32> = Vec::with_capacity(count);
    for nth in 0..sources {
        let begin = source(nth, count as u64);
        order.clear();
        order.push(begin);
        (distance[begin as usize], ways[begin as usize]) = (0, 1.0);
        let mut at = 0;
        while let Some(node) = order.get(at).copied() {
            at += 1;
            let next = distance[node as usize] + 1;
            for other in links.of_node(node) {
                let other = *other as usize;
                if distance[other] == u32::MAX {
                    distance[other] = next;
                    order.push(other as u32);
                }
                if distance[other] == next {
                    ways[other] += ways[node as usize];
                }
            }
        }
        for node in order.iter().rev() {
            let at = *node as usize;
            let part = (1.0 + share[at]) / ways[at];
            for other in links.of_node(*node) {
                let other = *other as usize;
                if distance[other] + 1 == distance[at] {
                    share[other] += ways[other] * part;
                }
            }
            if *node != begin {
                sums[at] += share[at];
            }
        }
        for node in &order {
            let at = *node as usize;
            (distance[at], ways[at], share[at]) = (u32::MAX, 0.0, 0.0);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_all_different() {
        for count in [3u64, 4, 7, 10, 64, 97, 1_000, 20_011] {
            let mut all: Vec<u32> = (0..count).map(|nth| source(nth, count)).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len() as u64, count);
        }
    }
}
