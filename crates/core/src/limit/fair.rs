//! Who is next when a limit has room: the class whose first waiter's turn is earliest; within it the agent that
//! has had the least for its weight; of that agent the earliest turn.
//!
//! Start-time fair queueing (Goyal, Vin and Cheng, 1996) with one unit per permit: an agent's next start is the
//! later of the virtual time and its last finish; a finish is a start plus 1/weight.
use crate::agent::AgentKey;
use crate::map::Map;
use crate::permit::Place;
use fleet_types::agent::Weight;
use fleet_types::limit::Class;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One permit's worth of virtual time for weight 1.
const UNIT: u64 = 1_000_000;

/// What agents have had: part of the state, as it decides who is next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shares {
    /// The start of the last permit let in.
    virtual_time: u64,
    /// Where each agent's next permit may start; absent: at the virtual time.
    finish: Map<AgentKey, u64>,
}

impl Shares {
    fn start(&self, agent: AgentKey) -> u64 {
        self.virtual_time
            .max(self.finish.get(&agent).copied().unwrap_or(0))
    }

    /// Books a permit that was let in from the queue.
    pub fn book(&mut self, agent: AgentKey, weight: Weight) {
        let start = self.start(agent);
        self.virtual_time = start;
        self.finish
            .insert(agent, start + UNIT / u64::from(weight.get()));
        if self.finish.len() > 1_024 {
            let now = self.virtual_time;
            self.finish.retain(|_, finish| *finish > now);
        }
    }
}

/// Those who wait. Derived from the waiting permits.
#[derive(Debug, Default)]
pub struct FairQueue {
    classes: [BTreeMap<AgentKey, BTreeSet<Place>>; 4],
    places: BTreeSet<(Place, u8)>,
}

impl FairQueue {
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn insert(&mut self, class: Class, agent: AgentKey, place: Place) {
        self.classes[class as usize]
            .entry(agent)
            .or_default()
            .insert(place);
        self.places.insert((place, class as u8));
    }

    pub fn remove(&mut self, class: Class, agent: AgentKey, place: Place) {
        let agents = &mut self.classes[class as usize];
        if let Some(places) = agents.get_mut(&agent) {
            places.remove(&place);
            if places.is_empty() {
                agents.remove(&agent);
            }
        }
        self.places.remove(&(place, class as u8));
    }

    /// Whether anybody of this class waits.
    pub fn has(&self, class: Class) -> bool {
        !self.classes[class as usize].is_empty()
    }

    /// How many turns come before this one.
    pub fn before(&self, place: Place) -> u64 {
        self.places.range(..(place, 0)).count() as u64
    }

    /// The next of each class that waits, the class with the earliest turn first.
    pub fn heads(&self, shares: &Shares) -> Vec<Place> {
        let mut heads: Vec<(Place, Place)> = Vec::new();
        for agents in &self.classes {
            let first = agents.values().filter_map(|places| places.first()).min();
            let next = agents
                .iter()
                .filter_map(|(agent, places)| Some((shares.start(*agent), *places.first()?)))
                .min();
            if let (Some(first), Some((_, next))) = (first, next) {
                heads.push((*first, next));
            }
        }
        heads.sort_unstable();
        heads.into_iter().map(|(_, next)| next).collect()
    }
}
