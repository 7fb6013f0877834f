//! Halts: who is stopped, how hard, and who has seen it.
//!
//! Invariant I8: from the event of the order on, the halt gate stops every agent in reach until the release.
//! Reach is pinned when the halt is ordered and follows the agents' current place, groups and labels as well: neither
//! registering again nor moving away escapes.
pub mod apply;
pub mod decide;

use crate::agent::{Agent, AgentKey};
use crate::map::{Map, Set};
use crate::permit::Place;
use crate::state::State;
use fleet_types::halt::{Order, Target};
use fleet_types::instance::InstanceKey;
use fleet_types::{Actor, AgentId, HaltId, InstanceId, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Released halts that are remembered.
pub const HISTORY_MAX: usize = if cfg!(test) { 3 } else { 1_000 };

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Halts {
    pub by_id: Map<HaltId, Halt>,
    /// Those in force, the oldest first.
    pub active: Vec<HaltId>,
    /// Permits that wait for the end of a pause. Derived.
    #[serde(skip)]
    pub waiting: BTreeSet<Place>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Halt {
    pub id: HaltId,
    pub order: Arc<Order>,
    pub by: Actor,
    pub at: Time,
    pub release_by_two: bool,
    pub release_requested_by: Option<Actor>,
    pub released_at: Option<Time>,
    pub revoked: u64,
    /// Agents in reach when it was ordered.
    pub pinned: Set<AgentKey>,
    /// Live instances that have not acknowledged.
    pub awaited: BTreeSet<(AgentKey, InstanceId)>,
    /// How long each acknowledgement took, in microseconds, and the permits in flight then.
    pub acknowledged_us: Vec<u64>,
    pub in_flight: u64,
}

impl Halts {
    pub fn get(&self, id: HaltId) -> Option<&Halt> {
        self.by_id.get(&id)
    }

    /// Live instances that have not acknowledged a halt.
    pub fn awaited<'s>(
        &'s self,
        state: &'s State,
        halt: HaltId,
    ) -> impl Iterator<Item = InstanceKey> {
        let halt = self.by_id.get(&halt);
        let awaited = halt.into_iter().flat_map(|halt| &halt.awaited);
        awaited.map(|(agent, instance)| InstanceKey {
            agent: state.agents.agents[*agent].id.clone(),
            instance: instance.clone(),
        })
    }

    /// Halts in force over an agent.
    pub fn over<'s>(
        &'s self,
        state: &'s State,
        agent: AgentKey,
    ) -> impl Iterator<Item = HaltId> + use<'s> {
        self.over_agent(state, agent, &state.agents.agents[agent])
    }

    /// The same for an agent that may not be registered yet.
    pub fn over_agent<'s>(
        &'s self,
        state: &'s State,
        key: AgentKey,
        agent: &'s Agent,
    ) -> impl Iterator<Item = HaltId> + use<'s> {
        self.active.iter().copied().filter(move |id| {
            let halt = &self.by_id[id];
            halt.pinned.contains(&key) || reaches(state, &halt.order.target, agent)
        })
    }

    /// The hardest one over an agent of this name; the oldest of those that are as hard.
    pub fn over_named<'s>(&'s self, state: &'s State, agent: &AgentId) -> Option<&'s Halt> {
        if self.active.is_empty() {
            return None;
        }
        let key = state.agents.key(agent)?;
        let over = self.over_agent(state, key, &state.agents.agents[key]);
        let over = over.filter_map(|id| self.get(id));
        over.max_by_key(|halt| (halt.order.mode, std::cmp::Reverse(halt.id)))
    }

    /// Forgets an agent that is no more; its key may come to mean another.
    pub fn unpin(&mut self, agent: AgentKey) {
        for halt in self.by_id.values_mut() {
            halt.pinned.swap_remove(&agent);
            halt.awaited.retain(|(key, _)| *key != agent);
        }
    }

    pub fn await_instance(&mut self, halt: HaltId, agent: AgentKey, instance: &InstanceId) {
        if let Some(halt) = self.by_id.get_mut(&halt) {
            halt.awaited.insert((agent, instance.clone()));
        }
    }

    /// An instance that is gone need not acknowledge any more.
    pub fn gone(&mut self, agent: AgentKey, instance: &InstanceId) {
        for id in &self.active {
            let halt = self.by_id.get_mut(id).expect("active halts are known");
            halt.awaited.remove(&(agent, instance.clone()));
        }
    }

    pub fn acknowledged(
        &mut self,
        halt: HaltId,
        agent: AgentKey,
        instance: &InstanceId,
        in_flight: u32,
        at: Time,
    ) {
        if let Some(halt) = self.by_id.get_mut(&halt)
            && halt.awaited.remove(&(agent, instance.clone()))
        {
            halt.acknowledged_us.push(at.micros_since(halt.at));
            halt.in_flight += u64::from(in_flight);
        }
    }
}

impl Halt {
    pub fn awaits(&self, agent: AgentKey, instance: &InstanceId) -> bool {
        self.awaited.contains(&(agent, instance.clone()))
    }
}

/// Whether a target means an agent as it stands now.
pub fn reaches(state: &State, target: &Target, agent: &Agent) -> bool {
    match target {
        Target::All => true,
        Target::Agent(id) => agent.id == *id,
        Target::Group(group) => agent.groups.contains(group),
        Target::Selector(labels) => agent.speaks.labels.contain(labels),
        Target::Scope(path) => match state.scopes.nodes.get_index_of(path) {
            Some(index) => agent.chain.contains(&(index as u32 + 1)),
            None => false,
        },
    }
}
