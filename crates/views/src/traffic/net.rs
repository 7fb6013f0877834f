//! Nodes and edges under small keys, with both directions at hand.
use super::counts::Counts;
use ahash::RandomState;
use fleet_types::graph::Node;
use fleet_types::{Text, Time};
use slab::Slab;
use smol_str::SmolStr;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// The small number of a node or of an edge. It says nothing: after a restart it is another one.
pub type Key = usize;

/// A node and its edges.
#[derive(Debug)]
pub struct NodeEntry {
    pub node: Node,
    /// Edges to what it needs.
    pub out: Vec<Key>,
    /// Edges from those who need it.
    pub into: Vec<Key>,
}

/// An edge. It is there as long as it is declared or was seen.
#[derive(Debug)]
pub struct EdgeEntry {
    pub from: Key,
    pub to: Key,
    pub declared: Option<Text>,
    pub counts: Option<Counts>,
}

/// All of them. Hash maps are looked up in, never walked.
#[derive(Debug, Default)]
pub struct Net {
    pub nodes: Slab<NodeEntry>,
    pub edges: Slab<EdgeEntry>,
    keys: HashMap<Node, Key, RandomState>,
    between: HashMap<(Key, Key), Key, RandomState>,
    /// Resources in order: those below a path are neighbours.
    pub resources: BTreeMap<SmolStr, Key>,
    /// Edges that were seen.
    pub seen: usize,
    /// Edges that are declared.
    pub declared: usize,
}

impl Net {
    pub fn node(&self, node: &Node) -> Option<Key> {
        self.keys.get(node).copied()
    }

    pub fn edge(&self, from: &Node, to: &Node) -> Option<Key> {
        let ends = (self.node(from)?, self.node(to)?);
        self.between.get(&ends).copied()
    }

    fn ensure_node(&mut self, node: &Node) -> Key {
        if let Some(key) = self.keys.get(node) {
            return *key;
        }
        let key = self.nodes.insert(NodeEntry {
            node: node.clone(),
            out: Vec::new(),
            into: Vec::new(),
        });
        self.keys.insert(node.clone(), key);
        if let Node::Resource(path) = node {
            self.resources.insert(path.text().clone(), key);
        }
        key
    }

    /// The edge between two nodes, made if it is not there.
    pub fn ensure(&mut self, from: &Node, to: &Node) -> Key {
        let ends = (self.ensure_node(from), self.ensure_node(to));
        if let Some(key) = self.between.get(&ends) {
            return *key;
        }
        let key = self.edges.insert(EdgeEntry {
            from: ends.0,
            to: ends.1,
            declared: None,
            counts: None,
        });
        self.between.insert(ends, key);
        self.nodes[ends.0].out.push(key);
        self.nodes[ends.1].into.push(key);
        key
    }

    /// The name of an edge's ends.
    pub fn ends(&self, key: Key) -> (&Node, &Node) {
        let edge = &self.edges[key];
        (&self.nodes[edge.from].node, &self.nodes[edge.to].node)
    }

    pub fn declare(&mut self, from: &Node, to: &Node, description: Text) {
        let key = self.ensure(from, to);
        let former = self.edges[key].declared.replace(description);
        self.declared += usize::from(former.is_none());
    }

    pub fn undeclare(&mut self, from: &Node, to: &Node) {
        if let Some(key) = self.edge(from, to)
            && self.edges[key].declared.take().is_some()
        {
            self.declared -= 1;
            self.drop_bare(&[key]);
        }
    }

    /// An edge is seen for the first time.
    pub fn see(&mut self, key: Key, at: Time) {
        self.edges[key].counts = Some(Counts::begin(at));
        self.seen += 1;
    }

    /// Forgets what was seen of these edges; gives it back, in their order.
    pub fn unsee(&mut self, keys: &[Key]) -> Vec<Counts> {
        let taken = keys.iter().filter_map(|key| {
            let counts = self.edges[*key].counts.take()?;
            self.seen -= 1;
            Some(counts)
        });
        let taken = taken.collect();
        self.drop_bare(keys);
        taken
    }

    /// Drops those of the edges that are neither declared nor seen, and nodes without edges. In one go, as a node may
    /// have very many.
    fn drop_bare(&mut self, keys: &[Key]) {
        let mut touched = Vec::new();
        for key in keys {
            let edge = &self.edges[*key];
            if edge.declared.is_none() && edge.counts.is_none() {
                let edge = self.edges.remove(*key);
                self.between.remove(&(edge.from, edge.to));
                touched.extend([edge.from, edge.to]);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        for node in touched {
            let entry = &mut self.nodes[node];
            entry.out.retain(|key| self.edges.contains(*key));
            entry.into.retain(|key| self.edges.contains(*key));
            if entry.out.is_empty() && entry.into.is_empty() {
                let entry = self.nodes.remove(node);
                self.keys.remove(&entry.node);
                if let Node::Resource(path) = &entry.node {
                    self.resources.remove(path.as_str());
                }
            }
        }
    }

    /// Whether traffic was seen to this node.
    pub fn is_seen(&self, key: Key) -> bool {
        let mut into = self.nodes[key].into.iter();
        into.any(|edge| self.edges[*edge].counts.is_some())
    }

    /// Resources below this one, in order.
    pub fn below(&self, path: &str) -> impl Iterator<Item = Key> {
        // All that begin with the path and a slash are neighbours; the next letter is `0`.
        let (low, high) = (format!("{path}/"), format!("{path}0"));
        let bounds = (
            Bound::Excluded(low.as_str()),
            Bound::Excluded(high.as_str()),
        );
        let keys: Vec<Key> = self
            .resources
            .range::<str, _>(bounds)
            .map(|(_, key)| *key)
            .collect();
        keys.into_iter()
    }
}
