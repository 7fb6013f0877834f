//! Parts of the graph: pages of edges, and what an analysis or an export looks at.
use super::Traffic;
use super::net::EdgeEntry;
use fleet_types::AgentId;
use fleet_types::graph::view::{Edge, Filter, GraphPage, Pair, Source};
use fleet_types::graph::{Ends, Node};
use std::collections::BTreeMap;

/// A part of the graph, apart from the view: in the order of its names.
#[derive(Debug, Default)]
pub struct Graph {
    /// As of which place in the journal.
    pub seq: fleet_types::Seq,
    /// Nodes in order.
    pub nodes: Vec<Node>,
    /// Edges, in the order of their ends.
    pub edges: Vec<Edge>,
    /// Of each edge, which nodes.
    pub ends: Vec<(u32, u32)>,
}

impl Traffic {
    /// Edges that the filter lets through, in the order of their ends, after these.
    #[must_use]
    pub fn page(&self, filter: &Filter, after: Option<&Ends>, count: usize) -> GraphPage {
        let after = after.map(|ends| (&ends.from, &ends.to));
        let rows = self.net.edges.iter();
        let mut rows: Vec<((&Node, &Node), usize)> = rows
            .map(|(key, edge)| (self.net.ends(key), key, edge))
            .filter(|(ends, ..)| after.is_none_or(|after| *ends > after))
            .filter(|(ends, _, edge)| self.passes(filter, *ends, edge))
            .map(|(ends, key, _)| (ends, key))
            .collect();
        let more = rows.len() > count;
        if more {
            // Only the page itself needs to be in order.
            rows.select_nth_unstable(count);
            rows.truncate(count);
        }
        rows.sort_unstable();
        let items: Vec<Edge> = rows.into_iter().map(|(_, key)| self.shown(key)).collect();
        let next = items.last().filter(|_| more);
        GraphPage {
            next: next.map(|edge| format!("{} {}", edge.from, edge.to)),
            items,
            seq: self.seq,
            size: self.size(),
        }
    }

    /// All of what the filter lets through.
    #[must_use]
    pub fn graph(&self, filter: &Filter) -> Graph {
        let rows = self.net.edges.iter();
        let rows: Vec<usize> = rows
            .filter(|(key, edge)| self.passes(filter, self.net.ends(*key), edge))
            .map(|(key, _)| key)
            .collect();
        let mut used: Vec<usize> = rows
            .iter()
            .flat_map(|key| [self.net.edges[*key].from, self.net.edges[*key].to])
            .collect();
        used.sort_unstable();
        used.dedup();
        used.sort_unstable_by(|a, b| self.net.nodes[*a].node.cmp(&self.net.nodes[*b].node));
        let mut places = vec![0u32; self.net.nodes.capacity()];
        for (place, key) in used.iter().enumerate() {
            places[*key] = place as u32;
        }
        let mut rows: Vec<((u32, u32), usize)> = rows
            .into_iter()
            .map(|key| {
                let edge = &self.net.edges[key];
                ((places[edge.from], places[edge.to]), key)
            })
            .collect();
        rows.sort_unstable();
        Graph {
            seq: self.seq,
            nodes: used
                .iter()
                .map(|key| self.net.nodes[*key].node.clone())
                .collect(),
            edges: rows.iter().map(|(_, key)| self.shown(*key)).collect(),
            ends: rows.into_iter().map(|(ends, _)| ends).collect(),
        }
    }

    fn passes(&self, filter: &Filter, (from, to): (&Node, &Node), edge: &EdgeEntry) -> bool {
        let Filter {
            scope,
            kind,
            source,
            since,
            asked_min,
        } = filter;
        let stands_in = |node: &Node| match (scope, node) {
            (Some(scope), Node::Agent(agent)) => {
                let own = self.agents.get(agent).and_then(Option::as_ref);
                own.is_some_and(|own| scope.covers(own))
            }
            (Some(_), Node::Action(_) | Node::Resource(_)) => false,
            (None, _) => true,
        };
        let counts = edge.counts.as_ref();
        let seen = counts.is_some_and(|counts| {
            since.is_none_or(|since| counts.last >= since) && counts.asked >= *asked_min
        });
        let by_source = match source {
            None => seen || edge.declared.is_some(),
            Some(Source::Declared) => edge.declared.is_some(),
            Some(Source::Discovered) => seen,
        };
        by_source
            && kind.is_none_or(|kind| from.kind() == kind || to.kind() == kind)
            && (stands_in(from) || stands_in(to))
    }

    fn shown(&self, key: usize) -> Edge {
        let (from, to) = self.net.ends(key);
        let edge = &self.net.edges[key];
        Edge {
            from: from.clone(),
            to: to.clone(),
            declared: edge.declared.is_some(),
            description: edge.declared.clone().unwrap_or_default(),
            traffic: edge.counts.map(|counts| counts.shown(self.now)),
            rolled_up: self.is_rolled_up(to),
        }
    }
}

impl Graph {
    /// Of these pairs, those whose agents are both in this part of the graph, if it is only a part.
    #[must_use]
    pub fn agents_among(&self, mut pairs: Vec<Pair>, is_part: bool) -> Vec<Pair> {
        if is_part {
            let has = |agent: &AgentId| self.nodes.binary_search(&Node::Agent(agent.clone()));
            pairs.retain(|pair| has(&pair.one).is_ok() && has(&pair.other).is_ok());
        }
        pairs
    }

    /// A graph of these edges.
    #[must_use]
    pub fn of(seq: fleet_types::Seq, mut edges: Vec<Edge>) -> Graph {
        edges.sort_by(|a, b| (&a.from, &a.to).cmp(&(&b.from, &b.to)));
        let nodes: std::collections::BTreeSet<&Node> = edges
            .iter()
            .flat_map(|edge| [&edge.from, &edge.to])
            .collect();
        let places: BTreeMap<&Node, u32> = nodes.iter().copied().zip(0..).collect();
        let ends = edges
            .iter()
            .map(|edge| (places[&edge.from], places[&edge.to]))
            .collect();
        Graph {
            seq,
            nodes: nodes.into_iter().cloned().collect(),
            ends,
            edges,
        }
    }
}
