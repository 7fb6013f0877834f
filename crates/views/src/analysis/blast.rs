//! What hangs on a node: who and what feels it when the node fails, stops or does wrong.
//!
//! Three things pass it on. Who needs a node feels it. What an agent writes is stale or wrong after it. And a resource is
//! part of those above it, as those below are part of it; that passes on once, so that neighbours under one roof do not
//! feel each other.
use crate::traffic::{Key, Net, Traffic};
use fleet_types::graph::view::{Because, Blast, Reached};
use fleet_types::graph::{Kind, Node};
use std::cmp::Reverse;

/// How a node was come to.
#[derive(Clone, Copy)]
struct Come {
    hops: u32,
    via: Key,
    because: Because,
    traffic: u64,
    holding: u64,
}

/// A walk from a node outwards. A node that was only come to as part of another one counts as reached, but is gone
/// through again when something reaches it for itself.
struct Walk<'t> {
    traffic: &'t Traffic,
    net: &'t Net,
    come: Vec<Option<Come>>,
    /// Gone through for itself, or as part of another.
    gone: Vec<(bool, bool)>,
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
            gone: vec![(false, false); size],
            next: Vec::new(),
            reached: Vec::new(),
        };
        walk.gone[begin] = (true, true);
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
        let entry = &self.net.nodes[node];
        for key in &entry.into {
            let edge = &self.net.edges[*key];
            let because = match edge.declared {
                Some(_) => Because::Declared,
                None => Because::Uses,
            };
            self.come(begin, edge.from, (node, Some(*key)), because, hops);
        }
        match &entry.node {
            Node::Agent(_) => {
                for key in &entry.out {
                    let edge = &self.net.edges[*key];
                    let is_resource = self.net.nodes[edge.to].node.kind() == Kind::Resource;
                    if is_resource && edge.counts.as_ref().is_some_and(|counts| counts.writes()) {
                        self.come(begin, edge.to, (node, Some(*key)), Because::WrittenBy, hops);
                    }
                }
            }
            Node::Resource(path) if !part => {
                let path = path.as_str();
                let around = self.net.above(path).chain(self.net.below(path));
                for other in around {
                    self.come(begin, other, (node, None), Because::Within, hops);
                }
            }
            Node::Resource(_) | Node::Action(_) => {}
        }
    }

    fn come(
        &mut self,
        begin: Key,
        node: Key,
        (via, edge): (Key, Option<Key>),
        because: Because,
        hops: u32,
    ) {
        if node == begin {
            return;
        }
        let counts = edge.and_then(|edge| self.net.edges[edge].counts.as_ref());
        let (traffic, holding) = counts.map_or((0, 0), |counts| {
            let now = self.traffic.now();
            (counts.day.at(now), u64::from(counts.holding))
        });
        match &mut self.come[node] {
            None => {
                self.come[node] = Some(Come {
                    hops,
                    via,
                    because,
                    traffic,
                    holding,
                });
                self.reached.push(node);
            }
            Some(come) if come.hops == hops => {
                come.traffic += traffic;
                come.holding += holding;
                // Of several as near, the first by name: whatever the keys are.
                let names = (&self.net.nodes[via].node, &self.net.nodes[come.via].node);
                if names.0 < names.1 || names.0 == names.1 && because < come.because {
                    (come.via, come.because) = (via, because);
                }
            }
            Some(_) => {}
        }
        let part = because == Because::Within;
        let gone = &mut self.gone[node];
        let was_gone = gone.0 || part && gone.1;
        if !was_gone {
            *(if part { &mut gone.1 } else { &mut gone.0 }) = true;
            self.next.push((node, part));
        }
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
        let shown = rows.into_iter().map(|(hops, _, node, come)| Reached {
            node: node.clone(),
            hops,
            via: self.net.nodes[come.via].node.clone(),
            because: come.because,
            traffic_last_day: come.traffic,
            holding: come.holding,
        });
        blast.reached = shown.collect();
        blast
    }
}
