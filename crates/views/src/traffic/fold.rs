//! What each record does to the graph.
//!
//! A permit is followed from its request to its end, as the end does not say what was asked. Time spent waiting goes to
//! what was waited for: the claim in the way's path, and the agent in the way.
use super::Traffic;
use super::counts::Counts;
use super::meetings::Moment;
use super::net::Key;
use fleet_types::event::{self, Denied, Extended, ExtensionQueued, Granted, Queued};
use fleet_types::graph::Node;
use fleet_types::lock::Claim;
use fleet_types::permit::{Blocker, Ending, Extend, Request};
use fleet_types::{ActionName, AgentId, Code, Event, PermitId, Record, ResourcePath, Seq, Time};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::sync::Arc;

/// A permit that waits or holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Open {
    pub request: Arc<Request>,
    /// What it was given beyond what it asked for first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Claim>,
    /// Absent: it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<Wait>,
    /// What more it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extending: Option<(Arc<Extend>, Wait)>,
}

/// A wait that goes on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wait {
    /// When it began.
    since: Time,
    /// For a lock: which claim, behind whom, since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    behind: Option<(ResourcePath, AgentId, Time)>,
}

/// What an agent asks for.
#[derive(Clone, Copy)]
enum Target<'r> {
    Action(&'r ActionName),
    Resource(&'r ResourcePath),
}

/// How a permit came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Well,
    Badly,
}

impl Wait {
    fn begin(claims: &[Claim], blocker: &Blocker, at: Time) -> Wait {
        Wait {
            since: at,
            behind: behind(claims, blocker).map(|(path, agent)| (path, agent, at)),
        }
    }
}

/// Which claim cannot be had, and because of whom.
fn behind(claims: &[Claim], blocker: &Blocker) -> Option<(ResourcePath, AgentId)> {
    let (path, agent) = match blocker {
        Blocker::Lock { path, agent, .. } | Blocker::Turn { path, agent, .. } => (path, agent),
        _ => return None, // What else is in the way is no resource that an agent holds.
    };
    let claim = claims
        .iter()
        .find(|claim| claim.path.covers(path) || path.covers(&claim.path))?;
    Some((claim.path.clone(), agent.clone()))
}

impl Traffic {
    pub(super) fn one(&mut self, record: &Record) {
        let now = Moment {
            at: record.at,
            seq: record.seq,
        };
        (self.seq, self.now) = (now.seq, now.at);
        self.since.get_or_insert(now.at);
        match &record.event {
            Event::PermitGranted(event) => self.granted(event, now),
            Event::PermitQueued(event) => self.queued(event, now),
            Event::PermitRequeued(event) => self.requeued(event, now),
            Event::PermitDenied(event) => self.denied(event, now),
            Event::PermitFinished(event) => {
                let end = match event.finish.ending {
                    Ending::Completed | Ending::Cancelled => End::Well,
                    Ending::Failed => End::Badly,
                };
                self.ended(event.finish.permit, end, now);
            }
            Event::PermitExpired(event) => self.ended(event.permit, End::Badly, now),
            Event::PermitExtended(event) => self.extended(event, now),
            Event::PermitExtensionQueued(event) => self.extension_queued(event, now),
            Event::PermitExtensionDenied(event) => {
                self.extension_ended(event.denial.permit, true, now);
            }
            Event::InstanceConnected(event) => self.all_ended(&event.released, now),
            Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
                self.all_ended(&event.released, now);
            }
            Event::HaltOrdered(event) => self.all_ended(&event.revoked, now),
            _ if now.seq <= self.seeded => {}
            Event::AgentRegistered(event) => {
                let agent = &event.definition;
                self.agents.insert(agent.id.clone(), agent.scope.clone());
            }
            Event::AgentRemoved(event) => drop(self.agents.remove(&event.agent)),
            Event::GraphDeclared(edge) => {
                let description = edge.description.clone();
                self.net.declare(&edge.from, &edge.to, description);
            }
            Event::GraphUndeclared(ends) => self.net.undeclare(&ends.from, &ends.to),
            _ => {} // Other events do not say who needs what.
        }
        self.tidy();
    }

    fn granted(&mut self, event: &Granted, now: Moment) {
        let request = &event.request;
        let waited = self.open.remove(&event.permit);
        let waits = waited.and_then(|open| open.waits);
        let is_new = waits.is_none();
        if let Some(wait) = waits {
            self.wait_ended(request, wait, now);
        }
        self.each(request, now, |counts, claim| {
            if is_new {
                counts.ask(claim.map(|claim| claim.mode), now.at);
            } else {
                counts.waiting = counts.waiting.saturating_sub(1);
            }
            counts.granted += 1;
            counts.holding += 1;
        });
        self.touch(&request.agent, &request.resources, now);
        self.follow(event.permit, request, None);
    }

    fn queued(&mut self, event: &Queued, now: Moment) {
        let request = &event.request;
        self.each(request, now, |counts, claim| {
            counts.ask(claim.map(|claim| claim.mode), now.at);
            counts.waiting += 1;
        });
        let wait = Wait::begin(&request.resources, &event.waits_for, now.at);
        self.follow(event.permit, request, Some(wait));
    }

    fn requeued(&mut self, event: &event::Requeued, now: Moment) {
        let Some(mut open) = self.open.remove(&event.permit) else {
            return;
        };
        let request = open.request.clone();
        if let Some((extend, wait)) = &mut open.extending {
            self.turned(
                &request.agent,
                &extend.resources,
                wait,
                &event.waits_for,
                now,
            );
        } else if let Some(wait) = &mut open.waits {
            self.turned(
                &request.agent,
                &request.resources,
                wait,
                &event.waits_for,
                now,
            );
        }
        self.open.insert(event.permit, open);
    }

    /// A wait goes on for something else.
    fn turned(
        &mut self,
        agent: &AgentId,
        claims: &[Claim],
        wait: &mut Wait,
        blocker: &Blocker,
        now: Moment,
    ) {
        self.stood(agent, wait, now);
        wait.behind = behind(claims, blocker).map(|(path, agent)| (path, agent, now.at));
    }

    fn denied(&mut self, event: &Denied, now: Moment) {
        let (request, denial) = (&event.request, &event.denial);
        let waited = self.open.remove(&denial.permit);
        let waits = waited.and_then(|open| open.waits);
        let is_new = waits.is_none();
        // What it waited for at last was in its way, or is now.
        let in_the_way = match (&waits, &denial.blocker) {
            (Some(wait), _) => wait.behind.as_ref().map(|(path, ..)| path.clone()),
            (None, Some(blocker)) => behind(&request.resources, blocker).map(|(path, _)| path),
            (None, None) => None,
        };
        if let Some(wait) = waits {
            self.wait_ended(request, wait, now);
        }
        let refused = !matches!(denial.code, Code::Cancelled | Code::HolderGone);
        self.each(request, now, |counts, claim| {
            if is_new {
                counts.ask(claim.map(|claim| claim.mode), now.at);
            } else {
                counts.waiting = counts.waiting.saturating_sub(1);
            }
            // A resource is not to blame for what a limit or a rule denied.
            let by_this = claim.is_none_or(|claim| Some(&claim.path) == in_the_way.as_ref());
            counts.denied += u64::from(refused && by_this);
        });
    }

    fn extended(&mut self, event: &Extended, now: Moment) {
        let waited = self.extension_ended(event.permit, false, now);
        let Some(mut open) = self.open.remove(&event.permit) else {
            return;
        };
        let request = open.request.clone();
        for claim in &event.resources {
            let mut held = request.resources.iter().chain(&open.more);
            let is_new = held.all(|held| held.path != claim.path);
            let counts = self.seen(&request.agent, Target::Resource(&claim.path), now);
            if !waited {
                counts.ask(Some(claim.mode), now.at);
            }
            counts.granted += 1;
            counts.holding += u32::from(is_new);
            if is_new {
                open.more.push(claim.clone());
            }
        }
        self.touch(&request.agent, &event.resources, now);
        self.open.insert(event.permit, open);
    }

    fn extension_queued(&mut self, event: &ExtensionQueued, now: Moment) {
        let extend = &event.extend;
        let Some(mut open) = self.open.remove(&extend.permit) else {
            return;
        };
        for claim in &extend.resources {
            let counts = self.seen(&extend.agent, Target::Resource(&claim.path), now);
            counts.ask(Some(claim.mode), now.at);
            counts.waiting += 1;
        }
        let wait = Wait::begin(&extend.resources, &event.waits_for, now.at);
        open.extending = Some((extend.clone(), wait));
        self.open.insert(extend.permit, open);
    }

    /// A permit waits for more no longer; whether it did.
    fn extension_ended(&mut self, permit: PermitId, denied: bool, now: Moment) -> bool {
        let open = self.open.get_mut(&permit);
        let Some((extend, wait)) = open.and_then(|open| open.extending.take()) else {
            return false;
        };
        self.stood(&extend.agent, &wait, now);
        let in_the_way = wait.behind.map(|(path, ..)| path);
        for claim in &extend.resources {
            if let Some(counts) = self.known(&extend.agent, Target::Resource(&claim.path)) {
                counts.waiting = counts.waiting.saturating_sub(1);
                counts.denied += u64::from(denied && Some(&claim.path) == in_the_way.as_ref());
            }
        }
        true
    }

    fn all_ended(&mut self, permits: &[PermitId], now: Moment) {
        for permit in permits {
            self.ended(*permit, End::Badly, now);
        }
    }

    /// A permit is gone, or a request that still waited.
    fn ended(&mut self, permit: PermitId, end: End, now: Moment) {
        self.extension_ended(permit, false, now);
        let Some(open) = self.open.remove(&permit) else {
            return;
        };
        let request = &open.request;
        let waited = open.waits.is_some();
        if let Some(wait) = open.waits {
            self.wait_ended(request, wait, now);
        }
        let claims = request.resources.iter().chain(&open.more);
        let claims = claims.map(|claim| Target::Resource(&claim.path));
        for target in std::iter::once(Target::Action(&request.action)).chain(claims) {
            if let Some(counts) = self.known(&request.agent, target) {
                if waited {
                    counts.waiting = counts.waiting.saturating_sub(1);
                } else {
                    counts.holding = counts.holding.saturating_sub(1);
                    counts.failed += u64::from(end == End::Badly);
                }
            }
        }
    }

    /// A request waits no longer.
    fn wait_ended(&mut self, request: &Request, wait: Wait, now: Moment) {
        self.stood(&request.agent, &wait, now);
        let counts = self.seen(&request.agent, Target::Action(&request.action), now);
        counts.waits += 1;
        counts.wait_us += now.at.micros_since(wait.since);
    }

    /// Time spent behind somebody, up to now.
    fn stood(&mut self, agent: &AgentId, wait: &Wait, now: Moment) {
        if let Some((path, other, since)) = &wait.behind {
            let us = now.at.micros_since(*since);
            let counts = self.seen(agent, Target::Resource(path), now);
            counts.waits += 1;
            counts.wait_us += us;
            self.meetings.waited(agent, other, path, us, now);
        }
    }

    fn touch(&mut self, agent: &AgentId, claims: &[Claim], now: Moment) {
        for claim in claims {
            self.meetings.touch(agent, &claim.path, claim.mode, now);
        }
    }

    fn follow(&mut self, permit: PermitId, request: &Arc<Request>, waits: Option<Wait>) {
        if self.open.len() < self.bounds.open_max {
            let open = Open {
                request: request.clone(),
                more: Vec::new(),
                waits,
                extending: None,
            };
            self.open.insert(permit, open);
        }
    }

    /// Counts the action and each resource of a request.
    fn each(
        &mut self,
        request: &Request,
        now: Moment,
        mut count: impl FnMut(&mut Counts, Option<&Claim>),
    ) {
        count(
            self.seen(&request.agent, Target::Action(&request.action), now),
            None,
        );
        for claim in &request.resources {
            let counts = self.seen(&request.agent, Target::Resource(&claim.path), now);
            count(counts, Some(claim));
        }
    }

    fn place(&self, target: Target<'_>) -> Node {
        match target {
            Target::Action(action) => Node::Action(action.clone()),
            Target::Resource(path) => {
                let place = self.tree.place(path.as_str());
                Node::Resource(match place.len() == path.as_str().len() {
                    true => path.clone(),
                    false => ResourcePath::parse(place).expect("what a path begins with is a path"),
                })
            }
        }
    }

    /// The counts of an edge, if it was seen and is not forgotten.
    fn known(&mut self, agent: &AgentId, target: Target<'_>) -> Option<&mut Counts> {
        let to = self.place(target);
        let key = self.net.edge(&Node::Agent(agent.clone()), &to)?;
        self.net.edges[key].counts.as_mut()
    }

    /// The counts of an edge that is seen now.
    fn seen(&mut self, agent: &AgentId, target: Target<'_>, now: Moment) -> &mut Counts {
        let from = Node::Agent(agent.clone());
        let mut key = self.net.ensure(&from, &self.place(target));
        if self.net.edges[key].counts.is_none() {
            self.net.see(key, now.at);
            if let Target::Resource(_) = target
                && let Node::Resource(path) = &self.net.ends(key).1
                && let Some(full) = self
                    .tree
                    .add(&path.text().clone(), self.bounds.children_max)
            {
                self.roll_up(&full);
                key = self.net.ensure(&from, &self.place(target));
            }
        }
        let counts = self.net.edges[key].counts.as_mut();
        let counts = counts.expect("it was seen just now, or what it was rolled up into");
        (counts.last, counts.last_seq) = (now.at, now.seq);
        counts
    }

    /// Lets a path stand for all below it.
    fn roll_up(&mut self, path: &SmolStr) {
        let place = ResourcePath::parse(path).expect("what a path begins with is a path");
        let place = Node::Resource(place);
        let mut edges = Vec::new();
        for node in self.net.below(path) {
            let entry = &self.net.nodes[node];
            let seen = entry.into.iter().copied();
            let before = edges.len();
            edges.extend(seen.filter(|key| self.net.edges[*key].counts.is_some()));
            if edges.len() > before {
                self.tree.remove(entry.node.name());
            }
        }
        let from: Vec<Node> = edges
            .iter()
            .map(|key| self.net.ends(*key).0.clone())
            .collect();
        let counts = self.net.unsee(&edges);
        self.tree.add(path, usize::MAX);
        self.tree.rolled.insert(path.clone());
        for (from, counts) in from.iter().zip(counts) {
            let key = self.net.ensure(from, &place);
            match &mut self.net.edges[key].counts {
                Some(own) => own.merge(&counts),
                None => {
                    self.net.see(key, counts.first);
                    self.net.edges[key].counts = Some(counts);
                }
            }
        }
    }

    /// Makes room where there is too much.
    fn tidy(&mut self) {
        if self.net.seen > self.bounds.edges_max {
            self.forget();
        }
        self.meetings.forget(self.bounds.pairs_max);
    }

    /// Forgets a sixteenth of the edges at once, so that it is seldom done.
    fn forget(&mut self) {
        let count = self.net.seen - (self.bounds.edges_max - self.bounds.edges_max / 16);
        let seen = self.net.edges.iter();
        let mut rows: Vec<(bool, Seq, (&Node, &Node), Key)> = seen
            .filter_map(|(key, edge)| {
                let counts = edge.counts.as_ref()?;
                Some((counts.is_busy(), counts.last_seq, self.net.ends(key), key))
            })
            .collect();
        rows.select_nth_unstable(count - 1);
        let gone: Vec<Key> = rows[..count].iter().map(|(.., key)| *key).collect();
        let resources: Vec<Node> = rows[..count].iter().map(|row| row.2.1.clone()).collect();
        self.net.unsee(&gone);
        self.forgotten += count as u64;
        for node in resources {
            let left = self
                .net
                .node(&node)
                .is_some_and(|key| self.net.is_seen(key));
            if !left {
                self.tree.remove(node.name());
            }
        }
    }
}
