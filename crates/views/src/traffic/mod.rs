//! The traffic graph: which agent asked for which actions and resources, how often, how well, how long it waited, and
//! for whom. Folded from the records of a fleet's journal, with the declared edges beside.
//!
//! Bounds: [`Bounds`]. Past the most edges, those not seen for longest are forgotten, first those that nobody holds;
//! past the most resources directly below one path, that path stands for all below it. Declared edges stay; the fleet
//! bounds them.
mod counts;
mod fold;
mod meetings;
mod net;
mod select;
mod stored;
mod tree;
mod window;

#[cfg(test)]
mod tests;

pub use select::Graph;
pub use stored::Unreadable;

use ahash::RandomState;
use fleet_types::agent::Definition;
use fleet_types::graph::view::{GraphSize, Pair};
use fleet_types::graph::{Edge, Node};
use fleet_types::{AgentId, PermitId, Record, ScopePath, Seq, Time};
use fold::Open;
use meetings::Meetings;
pub(crate) use net::{Key, Net};
use std::collections::{BTreeMap, HashMap};
use tree::Tree;

/// How much a view keeps.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Edges that traffic shows, about 300 bytes each.
    pub edges_max: usize,
    /// Pairs of agents at a resource, about 200 bytes each, and resources whose last guests are remembered.
    pub pairs_max: usize,
    /// Resources told apart directly below one path.
    pub children_max: usize,
    /// Permits followed while they wait or hold; more of them are not counted when they end.
    pub open_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            edges_max: 200_000,
            pairs_max: 50_000,
            children_max: 4_096,
            open_max: 1_000_000,
        }
    }
}

/// The traffic graph of one fleet, as of one place in its journal.
#[derive(Default)]
pub struct Traffic {
    bounds: Bounds,
    seq: Seq,
    now: Time,
    /// The time of the first record that was folded.
    since: Option<Time>,
    /// Declared edges and agents are known up to here from the fleet's state.
    seeded: Seq,
    net: Net,
    tree: Tree,
    meetings: Meetings,
    open: HashMap<PermitId, Open, RandomState>,
    /// Agents that are registered, and where.
    agents: BTreeMap<AgentId, Option<ScopePath>>,
    forgotten: u64,
}

impl Traffic {
    /// An empty graph with these bounds.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Traffic {
            bounds,
            ..Traffic::default()
        }
    }

    /// As of which place in the journal it is.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The time of the last record.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Begins behind this place, of which the journal keeps nothing any more: what is declared and who is registered
    /// comes from the fleet's state as of `seeded`.
    pub fn seed(
        &mut self,
        begin: Seq,
        seeded: Seq,
        declared: impl IntoIterator<Item = Edge>,
        agents: impl IntoIterator<Item = Definition>,
    ) {
        for edge in declared {
            self.net.declare(&edge.from, &edge.to, edge.description);
        }
        let agents = agents.into_iter().map(|agent| (agent.id, agent.scope));
        self.agents = agents.collect();
        self.seq = begin;
        self.seeded = seeded;
    }

    /// Folds what comes next. Records up to [`Traffic::seq`] are passed over.
    pub fn fold<'r>(&mut self, records: impl IntoIterator<Item = &'r Record>) {
        for record in records {
            if record.seq > self.seq {
                self.one(record);
            }
        }
    }

    /// How much there is.
    #[must_use]
    pub fn size(&self) -> GraphSize {
        GraphSize {
            nodes: self.net.nodes.len() as u64,
            edges: self.net.edges.len() as u64,
            declared: self.net.declared as u64,
            forgotten: self.forgotten,
            rolled_up: self.tree.rolled.len() as u64,
            since: self.since,
        }
    }

    /// Whether a node is in the graph.
    #[must_use]
    pub fn knows(&self, node: &Node) -> bool {
        self.net.node(node).is_some()
    }

    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    /// Whether a resource stands for all below it.
    pub(crate) fn is_rolled_up(&self, node: &Node) -> bool {
        matches!(node, Node::Resource(path) if self.tree.rolled.contains(path.as_str()))
    }

    /// Which pairs of agents touched the same resource within five minutes of each other, and how often; those that met
    /// or waited since `since`, in the order of agents and resource.
    #[must_use]
    pub fn pairs(&self, since: Option<Time>) -> Vec<Pair> {
        let pairs = self.meetings.pairs(self.now);
        let mut pairs: Vec<Pair> = pairs
            .filter(|pair| since.is_none_or(|since| pair.last >= since))
            .collect();
        pairs.sort_unstable_by(|a, b| {
            (&a.one, &a.other, &a.resource).cmp(&(&b.one, &b.other, &b.resource))
        });
        pairs
    }
}
