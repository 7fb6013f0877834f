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
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// Fewer agents are not worth a sweep.
const AGENTS_MIN: usize = if cfg!(test) { 2 } else { 1_024 };

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

    /// Forgets an agent that is no more; its key may come to mean another.
    pub fn forget(&mut self, agent: AgentKey) {
        self.finish.swap_remove(&agent);
    }

    /// Books a permit that was let in from the queue.
    pub fn book(&mut self, agent: AgentKey, weight: Weight) {
        let start = self.start(agent);
        self.virtual_time = start;
        self.finish
            .insert(agent, start + UNIT / u64::from(weight.get()));
        if self.finish.len() > AGENTS_MIN {
            let now = self.virtual_time;
            self.finish.retain(|_, finish| *finish > now);
        }
    }
}

/// Those who wait, in a line for each count of the limit, so that nobody waits for a count that is not its own.
/// Who needs several counts stands in several lines, and goes when it is first in each. Derived from the waiting permits.
#[derive(Debug, Default)]
pub struct FairQueue {
    lines: BTreeMap<SmolStr, Line>,
    places: BTreeSet<(Place, u8)>,
}

type Line = [BTreeMap<AgentKey, BTreeSet<Place>>; 4];

impl FairQueue {
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn insert(&mut self, class: Class, agent: AgentKey, place: Place, counts: &[SmolStr]) {
        for count in counts {
            let line = self.lines.entry(count.clone()).or_default();
            line[class as usize].entry(agent).or_default().insert(place);
        }
        self.places.insert((place, class as u8));
    }

    pub fn remove(&mut self, class: Class, agent: AgentKey, place: Place, counts: &[SmolStr]) {
        for count in counts {
            let Some(line) = self.lines.get_mut(count) else {
                continue;
            };
            let agents = &mut line[class as usize];
            if let Some(places) = agents.get_mut(&agent) {
                places.remove(&place);
                if places.is_empty() {
                    agents.remove(&agent);
                }
            }
            if line.iter().all(BTreeMap::is_empty) {
                self.lines.remove(count);
            }
        }
        self.places.remove(&(place, class as u8));
    }

    /// Whether anybody waits for this count.
    pub fn waits(&self, count: &str) -> bool {
        self.lines.contains_key(count)
    }

    /// Whether anybody of this class waits for this count.
    pub fn has(&self, count: &str, class: Class) -> bool {
        let line = self.lines.get(count);
        line.is_some_and(|line| !line[class as usize].is_empty())
    }

    /// Whether somebody's turn for this count comes before this one's.
    pub fn precedes(
        &self,
        count: &str,
        class: Class,
        agent: AgentKey,
        place: Place,
        shares: &Shares,
    ) -> bool {
        let own = (shares.start(agent), place);
        let line = self.lines.get(count);
        let next = line.and_then(|line| next(&line[class as usize], shares));
        next.is_some_and(|next| next < own)
    }

    /// How many turns come before this one.
    pub fn before(&self, place: Place) -> u64 {
        self.places.range(..(place, 0)).count() as u64
    }

    /// Everybody, by turn.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.places.iter().map(|(place, _)| *place)
    }

    /// Every count that somebody waits for.
    pub fn counts(&self) -> impl Iterator<Item = &SmolStr> {
        self.lines.keys()
    }

    /// The next of each class that waits for a count, the class with the earliest turn first.
    pub fn heads(&self, count: &str, shares: &Shares) -> Vec<Place> {
        let mut heads: Vec<(Place, Place)> = Vec::new();
        for agents in self.lines.get(count).into_iter().flatten() {
            let first = agents.values().filter_map(|places| places.first()).min();
            if let (Some(first), Some((_, next))) = (first, next(agents, shares)) {
                heads.push((*first, next));
            }
        }
        heads.sort_unstable();
        heads.into_iter().map(|(_, next)| next).collect()
    }

    /// Whether it is this one's turn in every line it stands in.
    pub fn is_next(&self, class: Class, place: Place, counts: &[SmolStr], shares: &Shares) -> bool {
        counts.iter().all(|count| {
            let line = self.lines.get(count);
            line.and_then(|line| next(&line[class as usize], shares))
                .is_some_and(|(_, next)| next == place)
        })
    }
}

/// The next of one class, with its start.
fn next(agents: &BTreeMap<AgentKey, BTreeSet<Place>>, shares: &Shares) -> Option<(u64, Place)> {
    let turns = agents
        .iter()
        .filter_map(|(agent, places)| Some((shares.start(*agent), *places.first()?)));
    turns.min()
}
