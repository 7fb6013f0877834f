//! Policies: which are in force, which requests they look at, and what becomes of their verdicts.
//!
//! ```text
//! in front of the queue: evaluate → verdict → request with it → gate: is it about what stands now? → stop, or pass
//! ```
//!
//! Invariants
//! - Nothing is evaluated here (I11), and a verdict is enforced only if it is about exactly those policies that the request
//!   meets, each as it stands now, and about the data that stands now. One that is not is made anew, outside.
//! - A waiting permit keeps its verdict. When that is out of date at its turn, it stands in `waiting` until it was judged
//!   anew: who must be judged follows from the state (I10).
//! - What was said stands in the event of the answer, so that replay judges nothing again (I2).
pub mod apply;
pub mod decide;
pub mod judge;
pub mod matching;

use crate::map::Map;
use crate::permit::Place;
use crate::rule::case::CompiledCase;
use crate::selector::Index;
use crate::state::State;
use fleet_types::policy::{Data, Hash, Policy};
use fleet_types::rule::Stage;
use fleet_types::{PolicyId, Seq};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The small number of a policy; never used again for another.
pub type PolicyKey = u32;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Policies {
    pub by_id: Map<PolicyId, PolicyKey>,
    pub entries: Vec<Option<Entry>>,
    /// What operators tell policies.
    pub data: Option<Data>,
    /// Where that was set.
    pub data_at: Seq,
    /// Cases by what they select. Derived, as all below.
    #[serde(skip)]
    pub index: Index,
    /// How many are more than drafts.
    #[serde(skip)]
    pub asked: u32,
    /// Permits that must be judged anew.
    #[serde(skip)]
    pub waiting: BTreeSet<Place>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    pub policy: Arc<Policy>,
    /// Counted from 1.
    pub version: u32,
    /// Where this version was set.
    pub set_at: Seq,
    pub hash: Hash,
    /// The versions before, the newest last; at most [`decide::VERSIONS_MAX`].
    pub versions: Vec<Version>,
    /// How often it has denied a request, or would have.
    pub denied: u64,
    /// Of them, how often because it came to no answer.
    pub failed: u64,
    #[serde(skip)]
    pub case: Option<CompiledCase>,
}

/// An earlier version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    pub version: u32,
    pub hash: Hash,
    pub policy: Arc<Policy>,
}

impl Policies {
    pub fn get(&self, key: PolicyKey) -> Option<&Entry> {
        self.entries.get(key as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, key: PolicyKey) -> Option<&mut Entry> {
        self.entries.get_mut(key as usize)?.as_mut()
    }

    pub fn find(&self, id: &PolicyId) -> Option<&Entry> {
        self.by_id.get(id).and_then(|key| self.get(*key))
    }
}

impl Entry {
    /// How far it goes in a fleet whose policies go so far at most.
    pub fn stage(&self, most: Stage) -> Stage {
        self.policy.stage.min(most)
    }
}

impl State {
    /// Whether any policy is asked.
    #[must_use]
    pub fn asks_policies(&self) -> bool {
        self.policies.asked > 0 && self.settings.policy_stage != Stage::Draft
    }

    /// Whether permits wait to be judged anew.
    #[must_use]
    pub fn has_unjudged(&self) -> bool {
        !self.policies.waiting.is_empty()
    }
}
