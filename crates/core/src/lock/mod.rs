//! Locks on resource paths: a parent covers its children; shared, exclusive and commuting modes.
//!
//! - I6: holders of the same resource, or of one above or below it, are compatible with each other.
//! - A permit's claims are taken all or nothing, so permits that ask once cannot deadlock; those that ask for
//!   more while they hold are checked when the wait begins (`deadlock`).
//! - No first request passes a conflicting waiter whose turn is earlier: no starvation. A permit that asks for
//!   more goes before all first requests and waits for holders only, so that queues cannot close a cycle.
//!
//! The whole table is derived from the permits: built again after a snapshot, never part of one. Nodes that
//! nobody uses stay until there are many, since the next permit on the same resource is likely.
pub mod check;
pub mod deadlock;

use crate::map::{Names, Slab};
use crate::permit::{PermitKey, Place};
use fleet_types::Token;
use fleet_types::lock::Mode;
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// The small number of a resource's node.
pub type NodeKey = u32;

/// Nobody's parent.
const NONE: NodeKey = NodeKey::MAX;
/// Unused nodes are swept when there are this many nodes, then when twice the used ones stand.
const SWEEP_MIN: usize = if cfg!(test) { 4 } else { 262_144 };

#[derive(Debug, Default)]
pub struct Locks {
    by_path: Names,
    nodes: Slab<Node>,
    sweep_at: usize,
    /// Resources that somebody holds.
    pub held: usize,
}

#[derive(Debug)]
pub struct Node {
    pub path: SmolStr,
    parent: NodeKey,
    children: Vec<NodeKey>,
    pub holders: SmallVec<[Holder; 1]>,
    /// Holders strictly below, by mode.
    held_below: [u32; 3],
    /// Waiters that claim exactly this resource, in the order of their turns.
    pub waiters: BTreeMap<Place, Mode>,
    /// Waiters strictly below.
    waiting_below: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    pub permit: PermitKey,
    pub mode: Mode,
    pub token: Token,
}

impl Locks {
    pub fn node(&self, path: &str) -> Option<NodeKey> {
        self.by_path.get(path, |key| &self.nodes[key].path)
    }

    pub fn get(&self, key: NodeKey) -> &Node {
        &self.nodes[key]
    }

    /// All nodes in the order of their making.
    pub fn iter(&self) -> impl Iterator<Item = (NodeKey, &Node)> {
        self.nodes.iter()
    }

    /// The node of a path and of all above it; makes what is not there yet.
    fn ensure(&mut self, path: &str) -> NodeKey {
        if let Some(key) = self.node(path) {
            return key;
        }
        self.sweep();
        let parent = match path.rsplit_once('/') {
            Some((parent, _)) => self.ensure(parent),
            None => NONE,
        };
        let key = self.nodes.insert(Node {
            path: SmolStr::new(path),
            parent,
            children: Vec::new(),
            holders: SmallVec::new(),
            held_below: [0; 3],
            waiters: BTreeMap::new(),
            waiting_below: 0,
        });
        let nodes = &self.nodes;
        self.by_path.insert(key, path, |key| &nodes[key].path);
        if parent != NONE {
            self.nodes[parent].children.push(key);
        }
        key
    }

    /// Keys of all above a node, the nearest first.
    pub fn above(&self, key: NodeKey) -> impl Iterator<Item = NodeKey> {
        let parent = |key: &NodeKey| Some(self.nodes[*key].parent).filter(|key| *key != NONE);
        std::iter::successors(parent(&key), move |key| parent(key))
    }

    /// Keys of all strictly below a node for which `wanted` holds all the way down, by path: the order in which
    /// nodes were made is lost in a restart.
    pub fn below(&self, key: NodeKey, wanted: impl Fn(&Node) -> bool) -> Vec<NodeKey> {
        let mut found = Vec::new();
        let mut open = self.nodes[key].children.clone();
        while let Some(key) = open.pop() {
            let node = &self.nodes[key];
            if wanted(node) {
                found.push(key);
                open.extend_from_slice(&node.children);
            }
        }
        found.sort_unstable_by(|a, b| self.nodes[*a].path.cmp(&self.nodes[*b].path));
        found
    }

    /// Takes a lock that was found free.
    pub fn take(&mut self, path: &str, holder: Holder) -> NodeKey {
        let key = self.ensure(path);
        let node = &mut self.nodes[key];
        for other in &node.holders {
            assert!(
                other.permit == holder.permit || other.mode.compatible(holder.mode),
                "I6: {path} has two incompatible holders"
            );
        }
        self.held += usize::from(node.holders.is_empty());
        // In the order of tokens, so that after a restart the same holder is named first.
        let at = node.holders.partition_point(|h| h.token < holder.token);
        node.holders.insert(at, holder);
        self.count_held(key, holder.mode, true);
        key
    }

    /// Lets a lock go. Returns whether anybody waits who may care.
    pub fn let_go(&mut self, key: NodeKey, permit: PermitKey) -> bool {
        let node = &mut self.nodes[key];
        let Some(at) = node.holders.iter().position(|h| h.permit == permit) else {
            return false;
        };
        let holder = node.holders.remove(at); // The others stay in the order of their tokens.
        self.held -= usize::from(self.nodes[key].holders.is_empty());
        self.count_held(key, holder.mode, false);
        self.is_waited_for(key)
    }

    fn count_held(&mut self, key: NodeKey, mode: Mode, up: bool) {
        let mut parent = self.nodes[key].parent;
        while parent != NONE {
            let node = &mut self.nodes[parent];
            let count = &mut node.held_below[mode as usize];
            *count = if up { *count + 1 } else { *count - 1 };
            parent = node.parent;
        }
    }

    pub fn wait(&mut self, path: &str, place: Place, mode: Mode) -> NodeKey {
        let key = self.ensure(path);
        if self.nodes[key].waiters.insert(place, mode).is_none() {
            self.count_waiting(key, true);
        }
        key
    }

    /// A waiter leaves. Returns whether anybody else waits who may care.
    pub fn leave(&mut self, path: &str, place: Place) -> bool {
        let Some(key) = self.node(path) else {
            return false;
        };
        if self.nodes[key].waiters.remove(&place).is_some() {
            self.count_waiting(key, false);
        }
        self.is_waited_for(key)
    }

    fn count_waiting(&mut self, key: NodeKey, up: bool) {
        let mut parent = self.nodes[key].parent;
        while parent != NONE {
            let node = &mut self.nodes[parent];
            node.waiting_below = if up {
                node.waiting_below + 1
            } else {
                node.waiting_below - 1
            };
            parent = node.parent;
        }
    }

    fn is_waited_for(&self, key: NodeKey) -> bool {
        let node = &self.nodes[key];
        !node.waiters.is_empty()
            || node.waiting_below > 0
            || self
                .above(key)
                .any(|key| !self.nodes[key].waiters.is_empty())
    }

    /// Everybody who waits for this resource, for one above, or for one below, in the order of their turns.
    pub fn waiters_around(&self, key: NodeKey) -> Vec<Place> {
        let node = &self.nodes[key];
        let mut places: Vec<Place> = node.waiters.keys().copied().collect();
        let own = places.len();
        for key in self.above(key) {
            places.extend(self.nodes[key].waiters.keys());
        }
        if node.waiting_below > 0 {
            for key in self.below(key, |n| n.waiting_below > 0 || !n.waiters.is_empty()) {
                places.extend(self.nodes[key].waiters.keys());
            }
        }
        if places.len() > own {
            places.sort_unstable();
            places.dedup();
        }
        places
    }

    /// The same for a resource whose node may have been swept since: then nobody waits for it or for one below.
    pub fn waiters_around_path(&self, path: &str) -> Vec<Place> {
        if let Some(key) = self.node(path) {
            return self.waiters_around(key);
        }
        let paths = std::iter::successors(Some(path), |path| Some(path.rsplit_once('/')?.0));
        let nodes = paths.filter_map(|path| self.node(path));
        let mut places: Vec<Place> = nodes
            .flat_map(|key| self.nodes[key].waiters.keys().copied())
            .collect();
        places.sort_unstable();
        places
    }

    /// Drops unused nodes, leaves first, when there are many.
    fn sweep(&mut self) {
        if self.nodes.len() < self.sweep_at.max(SWEEP_MIN) {
            return;
        }
        let idle = |node: &Node| {
            node.holders.is_empty()
                && node.waiters.is_empty()
                && node.held_below == [0; 3]
                && node.waiting_below == 0
        };
        let gone: Vec<NodeKey> = self
            .nodes
            .iter()
            .filter(|(_, n)| idle(n))
            .map(|(k, _)| k)
            .collect();
        for key in &gone {
            if let Some(node) = self.nodes.remove(*key) {
                self.by_path.remove(*key, &node.path);
            }
        }
        // A node with an idle parent is idle itself, so only children can be missing now.
        let kept: Vec<NodeKey> = self.nodes.iter().map(|(key, _)| key).collect();
        for key in kept {
            let mut children = std::mem::take(&mut self.nodes[key].children);
            children.retain(|child| self.nodes.get(*child).is_some());
            self.nodes[key].children = children;
        }
        self.sweep_at = self.nodes.len() * 2;
    }
}
