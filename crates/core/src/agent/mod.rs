//! The registry: agents, their versions side by side, and their live instances.
//!
//! - An agent's key is never used for another agent while anything refers to it; removal is refused until then.
//! - The newest active version speaks for the agent; if none is active, the newest that is not offline.
pub mod apply;
pub mod decide;
pub mod instance;

use crate::map::{Map, Set, Slab};
use crate::permit::{PermitKey, Place};
use crate::scope::ScopeKey;
use fleet_types::agent::{Definition, Status};
use fleet_types::view::Usage;
use fleet_types::{AgentId, GroupId, InstanceId, Time, Version};
pub use instance::Instance;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The small number of an agent inside the state.
pub type AgentKey = u32;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Registry {
    pub by_id: Map<AgentId, AgentKey>,
    pub agents: Slab<Agent>,
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
    /// Permits it holds or waits for. Derived.
    #[serde(skip)]
    pub permits: Set<PermitKey>,
    /// How many of them it holds. Derived.
    #[serde(skip)]
    pub in_flight: u32,
    /// Those that wait for its own concurrency. Derived.
    #[serde(skip)]
    pub waiting: BTreeSet<Place>,
}

impl Registry {
    pub fn key(&self, id: &AgentId) -> Option<AgentKey> {
        self.by_id.get(id).copied()
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
    /// The version of this name.
    pub fn version(&self, version: &Version) -> Option<&Arc<Definition>> {
        self.versions.iter().find(|v| v.version == *version)
    }
}
