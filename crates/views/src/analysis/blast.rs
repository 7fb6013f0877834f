//! What hangs on a node: who and what feels it when the node fails, stops or does wrong.
//!
//! Three things pass it on. Who needs a node feels it. What an agent writes is stale or wrong after it. And a resource is
//! part of those above it, as those below are part of it; that passes on once, so that neighbours under one roof do not
//! feel each other.
use crate::traffic::{Key, Net, Traffic};
use ahash::RandomState;
use fleet_types::graph::view::{Because, Blast, Reached};
use fleet_types::graph::{Kind, Node};
use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::HashMap;

/// How a node was come to.
#[derive(Clone, Copy)]
struct Come {
    hops: u32,
    traffic: u64,
    holding: u64,
}

/// After how many hops a node was gone through for itself, and as part of another; if it was.
#[derive(Clone, Copy, Default)]
struct Gone {
    itself: Option<u32>,
    part: Option<u32>,
}

/// A walk from a node outwards. A node that was only come to as part of another one counts as reached, but is gone
/// through again when something reaches it for itself.
struct Walk<'t> {
    traffic: &'t Traffic,
    net: &'t Net,
    come: Vec<Option<Come>>,
    gone: Vec<Gone>,
    /// Which resources are part of which; looked at when the first is gone through.
    roofs: OnceCell<Roofs>,
    next: Vec<(Key, bool)>,
    reached: Vec<Key>,
}

impl Traffic {
    /// Whom and what a node's failure reaches within so many hops; `count` of them are named, the nearest first. `None`
    /// when the graph does not know the node.
    #[must_use]
    pub fn blast(&self, of: &Node, hops_max: u32, count: usize) -> Option<Blast> {
        let net = self.net();
        let begin = net.node(of)?;
        let size = net.nodes.capacity();
        let mut walk = Walk {
            traffic: self,
            net,
            come: vec![None; size],
            gone: vec![Gone::default(); size],
            roofs: OnceCell::new(),
            next: Vec::new(),
            reached: Vec::new(),
        };
        walk.gone[begin].itself = Some(0);
        let mut front = vec![(begin, false)];
        let mut hops = 0;
        while !front.is_empty() && hops < hops_max {
            hops += 1;
            for (node, part) in front {
                walk.from(begin, node, part, hops);
            }
            front = std::mem::take(&mut walk.next);
        }
        Some(walk.told(of, count))
    }
}

impl Walk<'_> {
    fn from(&mut self, begin: Key, node: Key, part: bool, hops: u32) {
        let net = self.net;
        let entry = &net.nodes[node];
        for key in &entry.into {
            self.come(begin, net.edges[*key].from, Some(*key), false, hops);
        }
        match &entry.node {
            Node::Agent(_) => {
                for key in entry.out.iter().filter(|key| writes(net, **key)) {
                    self.come(begin, net.edges[*key].to, Some(*key), false, hops);
                }
            }
            Node::Resource(_) if !part => {
                for other in self.roofs().around(node) {
                    self.come(begin, other, None, true, hops);
                }
            }
            Node::Resource(_) | Node::Action(_) => {}
        }
    }

    fn roofs(&self) -> &Roofs {
        self.roofs.get_or_init(|| Roofs::of(self.net))
    }

    fn come(&mut self, begin: Key, node: Key, edge: Option<Key>, part: bool, hops: u32) {
        if node == begin {
            return;
        }
        if self.come[node].is_none() {
            self.reached.push(node);
        }
        let come = self.come[node].get_or_insert(Come {
            hops,
            traffic: 0,
            holding: 0,
        });
        if come.hops == hops
            && let Some(counts) = edge.and_then(|edge| self.net.edges[edge].counts.as_ref())
        {
            come.traffic += counts.day.at(self.traffic.now());
            come.holding += u64::from(counts.holding);
        }
        let gone = &mut self.gone[node];
        if gone.itself.is_none() && !(part && gone.part.is_some()) {
            *(if part {
                &mut gone.part
            } else {
                &mut gone.itself
            }) = Some(hops);
            self.next.push((node, part));
        }
    }

    /// Through which node it was come to, and why: of several as near the first by name, whatever the keys are.
    fn via(&self, node: Key, hops: u32) -> Option<(Key, Because)> {
        let net = self.net;
        let nearer = Some(hops - 1);
        let through = |key: Key| self.gone[key].itself == nearer || self.gone[key].part == nearer;
        let entry = &net.nodes[node];
        let needs = entry.out.iter().map(|key| {
            let edge = &net.edges[*key];
            match edge.declared {
                Some(_) => (edge.to, Because::Declared),
                None => (edge.to, Because::Uses),
            }
        });
        let writers = entry.into.iter().filter(|key| writes(net, **key));
        let writers = writers.map(|key| (net.edges[*key].from, Because::WrittenBy));
        let around = match entry.node.kind() {
            Kind::Resource => self.roofs().around(node),
            Kind::Agent | Kind::Action => Vec::new(),
        };
        let around = around
            .into_iter()
            .filter(|key| self.gone[*key].itself == nearer);
        let around = around.map(|key| (key, Because::Within));
        let all = needs
            .chain(writers)
            .filter(|(key, _)| through(*key))
            .chain(around);
        all.min_by(|one, other| {
            let name = |key: Key| &net.nodes[key].node;
            name(one.0).cmp(name(other.0)).then(one.1.cmp(&other.1))
        })
    }

    fn told(self, of: &Node, count: usize) -> Blast {
        let mut blast = Blast {
            of: of.clone(),
            seq: self.traffic.seq(),
            agents: 0,
            actions: 0,
            resources: 0,
            traffic_last_day: 0,
            holding: 0,
            reached: Vec::new(),
        };
        let mut rows: Vec<(u32, Reverse<u64>, &Node, Come)> =
            Vec::with_capacity(self.reached.len());
        for key in &self.reached {
            let (node, Some(come)) = (&self.net.nodes[*key].node, self.come[*key]) else {
                continue;
            };
            match node.kind() {
                Kind::Agent => blast.agents += 1,
                Kind::Action => blast.actions += 1,
                Kind::Resource => blast.resources += 1,
            }
            blast.traffic_last_day += come.traffic;
            blast.holding += come.holding;
            rows.push((come.hops, Reverse(come.traffic), node, come));
        }
        let key = |row: &(u32, Reverse<u64>, &Node, Come)| (row.0, row.1);
        if rows.len() > count {
            rows.select_nth_unstable_by(count, |a, b| key(a).cmp(&key(b)).then(a.2.cmp(b.2)));
            rows.truncate(count);
        }
        rows.sort_unstable_by(|a, b| key(a).cmp(&key(b)).then(a.2.cmp(b.2)));
        let shown = rows.into_iter().filter_map(|(hops, _, node, come)| {
            let (via, because) = self.via(self.net.node(node)?, hops)?;
            Some(Reached {
                node: node.clone(),
                hops,
                via: self.net.nodes[via].node.clone(),
                because,
                traffic_last_day: come.traffic,
                holding: come.holding,
            })
        });
        blast.reached = shown.collect();
        blast
    }
}

/// Whether it is an agent's edge to a resource that it writes.
fn writes(net: &Net, key: Key) -> bool {
    let edge = &net.edges[key];
    edge.counts.as_ref().is_some_and(|counts| counts.writes())
        && net.nodes[edge.to].node.kind() == Kind::Resource
        && net.nodes[edge.from].node.kind() == Kind::Agent
}

/// Which resources are part of which.
struct Roofs {
    /// The nearest above each, by key.
    above: Vec<Option<Key>>,
    /// Those of which it is the nearest above, by key.
    below: Vec<Vec<Key>>,
}

impl Roofs {
    fn of(net: &Net) -> Roofs {
        let size = net.nodes.capacity();
        let by_path: HashMap<&str, Key, RandomState> = net
            .resources
            .iter()
            .map(|(path, key)| (path.as_str(), *key))
            .collect();
        let mut roofs = Roofs {
            above: vec![None; size],
            below: vec![Vec::new(); size],
        };
        for (path, key) in &net.resources {
            let ways = path.rmatch_indices('/').map(|(at, _)| &path[..at]);
            let roof = ways
                .into_iter()
                .find_map(|above| by_path.get(above).copied());
            if let Some(roof) = roof {
                roofs.above[*key] = Some(roof);
                roofs.below[roof].push(*key);
            }
        }
        roofs
    }

    /// All above and all below a resource.
    fn around(&self, key: Key) -> Vec<Key> {
        let mut all: Vec<Key> =
            std::iter::successors(self.above[key], |key| self.above[*key]).collect();
        let first = all.len();
        all.extend(&self.below[key]);
        let mut at = first;
        while at < all.len() {
            all.extend(&self.below[all[at]]);
            at += 1;
        }
        all
    }
}
