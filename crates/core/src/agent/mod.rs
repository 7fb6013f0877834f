//! The registry: agents, their versions side by side, and their live instances.
//!
//! - An agent's key is never used for another agent while anything refers to it; removal is refused until then.
//! - The newest active version speaks for the agent; if none is active, the newest that is not offline.
pub mod apply;
pub mod decide;
pub mod instance;

use crate::map::{Map, Names, Set, Slab};
use crate::permit::{NOTHING, PermitKey, Place};
use crate::scope::ScopeKey;
use fleet_types::agent::{Allow, Definition, Priority, Status, Weight};
use fleet_types::view::Usage;
use fleet_types::{AgentId, GroupId, InstanceId, Time, Version};
pub use instance::Instance;
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The small number of an agent inside the state.
pub type AgentKey = u32;

/// The key of an agent that is not registered yet.
pub const NOT_YET: AgentKey = AgentKey::MAX;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Registry {
    pub agents: Slab<Agent>,
    /// Derived.
    #[serde(skip)]
    pub by_id: Names,
    /// Equal allow-lists are one, so that a large fleet of like agents asks the same memory. Derived.
    #[serde(skip)]
    pub allows: Set<Arc<Allow>>,
    /// Every connected instance. Derived.
    #[serde(skip)]
    pub live: BTreeSet<(AgentKey, InstanceId)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Agent {
    pub id: AgentId,
    /// In order of registration.
    pub versions: Vec<Arc<Definition>>,
    /// The version that speaks for the agent.
    pub speaks: Arc<Definition>,
    pub replaced_by: Option<AgentId>,
    /// Where it stands: its own scope and every one above, from the own one up.
    pub chain: SmallVec<[ScopeKey; 4]>,
    pub groups: BTreeSet<GroupId>,
    pub instances: Map<InstanceId, Instance>,
    pub usage: Usage,
    pub registered_at: Time,
    pub updated_at: Time,
    /// What every request asks about the version that speaks, in one place. Derived.
    #[serde(skip)]
    pub terms: Terms,
    /// The first of the permits it holds or waits for; each knows the next. Derived.
    #[serde(skip, default = "nothing")]
    pub first_permit: PermitKey,
    /// How many of them it holds. Derived.
    #[serde(skip)]
    pub in_flight: u32,
    /// Those that wait for its own concurrency. Derived.
    #[serde(skip)]
    pub waiting: BTreeSet<Place>,
}

/// What every request asks about an agent.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub offline: bool,
    pub priority: Priority,
    pub weight: Weight,
    pub concurrency_max: Option<u32>,
    pub allow: Arc<Allow>,
}

impl Terms {
    fn of(speaks: &Definition, allow: Arc<Allow>) -> Terms {
        Terms {
            offline: speaks.status == Status::Offline,
            priority: speaks.priority,
            weight: speaks.weight,
            concurrency_max: speaks.config.concurrency_max,
            allow,
        }
    }
}

fn nothing() -> PermitKey {
    NOTHING
}

impl Registry {
    pub fn key(&self, id: &AgentId) -> Option<AgentKey> {
        self.by_id
            .get(id.as_str(), |key| self.agents[key].id.as_str())
    }

    /// Files an agent that was put into the slab under its name, with its connected instances.
    pub fn file(&mut self, key: AgentKey) {
        let agents = &self.agents;
        let connected = agents[key].instances.iter().filter(|(_, i)| i.connected);
        self.live.extend(connected.map(|(id, _)| (key, id.clone())));
        self.by_id
            .insert(key, agents[key].id.as_str(), |key| agents[key].id.as_str());
    }

    /// Works out what requests will ask about an agent.
    pub fn set_terms(&mut self, key: AgentKey) {
        let speaks = self.agents[key].speaks.clone();
        let allow = match self.allows.get(&speaks.allow) {
            Some(allow) => allow.clone(),
            None => {
                if self.allows.len() > 2 * self.agents.len() {
                    self.allows.retain(|allow| Arc::strong_count(allow) > 1);
                }
                let allow = Arc::new(speaks.allow.clone());
                self.allows.insert(allow.clone());
                allow
            }
        };
        self.agents[key].terms = Terms::of(&speaks, allow);
    }

    pub fn get(&self, id: &AgentId) -> Option<&Agent> {
        self.key(id).map(|key| &self.agents[key])
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }
}

/// Which version speaks.
pub fn speaker(versions: &[Arc<Definition>]) -> Option<&Arc<Definition>> {
    let newest = |wanted: &[Status]| {
        versions
            .iter()
            .rev()
            .find(|version| wanted.contains(&version.status))
    };
    newest(&[Status::Active])
        .or_else(|| newest(&[Status::Beta, Status::Deprecated]))
        .or_else(|| versions.last())
}

impl Agent {
    /// As it begins, at the root of the tree; its version is not among its versions yet.
    pub fn fresh(definition: &Arc<Definition>, groups: BTreeSet<GroupId>, at: Time) -> Agent {
        Agent {
            id: definition.id.clone(),
            versions: Vec::new(),
            speaks: definition.clone(),
            replaced_by: None,
            chain: smallvec![0],
            groups,
            instances: Map::default(),
            usage: Usage::default(),
            registered_at: at,
            updated_at: at,
            terms: Terms::of(definition, Arc::new(definition.allow.clone())),
            first_permit: NOTHING,
            in_flight: 0,
            waiting: BTreeSet::new(),
        }
    }

    /// The version of this name.
    pub fn version(&self, version: &Version) -> Option<&Arc<Definition>> {
        self.versions.iter().find(|v| v.version == *version)
    }
}
