//! Small numbers for the agents that rules remember, whether they are still registered or not: who removed an agent and
//! registered it again does not get around what it did.
//!
//! A number is used again only when no tally names it (`drop_unnamed`).
use super::things::ThingKey;
use crate::agent::AgentKey;
use crate::map::{Names, Slab};
use fleet_types::AgentId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;

/// The small number of an agent among those that rules remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AgentNumber(NonZeroU32);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Agents {
    names: Slab<AgentId>,
    #[serde(skip)]
    by_name: Names,
    /// By the key of a registered agent. They hold if what is found there has its name.
    #[serde(skip)]
    hints: Hints,
}

/// Where agents were found last: it saves a look for their names, and shows nowhere.
#[derive(Default)]
struct Hints(Vec<Hint>);

#[derive(Clone, Copy, Default)]
struct Hint {
    number: Option<AgentNumber>,
    thing: Option<ThingKey>,
}

impl fmt::Debug for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl AgentNumber {
    fn of_key(key: u32) -> AgentNumber {
        AgentNumber(NonZeroU32::MIN.saturating_add(key))
    }

    fn key(self) -> u32 {
        self.0.get() - 1
    }

    #[cfg(test)]
    pub fn of(number: u32) -> AgentNumber {
        AgentNumber(NonZeroU32::new(number).unwrap())
    }
}

impl Agents {
    /// The number of an agent, if rules remember it.
    pub fn number(&self, agent: &AgentId) -> Option<AgentNumber> {
        let name_of = |key| self.names[key].as_str();
        let key = self.by_name.get(agent.as_str(), name_of)?;
        Some(AgentNumber::of_key(key))
    }

    /// The thing that a registered agent may be.
    pub fn hint(&self, key: AgentKey) -> Option<ThingKey> {
        self.hints.0.get(key as usize)?.thing
    }

    /// The thing that a registered agent is.
    pub fn set_hint(&mut self, key: AgentKey, thing: ThingKey) {
        self.hint_mut(key).thing = Some(thing);
    }

    fn hint_mut(&mut self, key: AgentKey) -> &mut Hint {
        let (hints, at) = (&mut self.hints.0, key as usize);
        if hints.len() <= at {
            hints.resize(at + 1, Hint::default());
        }
        &mut hints[at]
    }

    /// The number of an agent, given now if need be.
    pub fn ensure(&mut self, key: AgentKey, agent: &AgentId) -> AgentNumber {
        let known = self.hint_mut(key).number;
        let is_it = |number: &AgentNumber| self.names.get(number.key()) == Some(agent);
        known.filter(is_it).unwrap_or_else(|| {
            let number = self.ensure_by_name(agent);
            self.hint_mut(key).number = Some(number);
            number
        })
    }

    fn ensure_by_name(&mut self, agent: &AgentId) -> AgentNumber {
        if let Some(number) = self.number(agent) {
            return number;
        }
        let key = self.names.insert(agent.clone());
        let names = &self.names;
        self.by_name
            .insert(key, agent.as_str(), |key| names[key].as_str());
        AgentNumber::of_key(key)
    }

    pub fn name(&self, number: AgentNumber) -> &AgentId {
        &self.names[number.key()]
    }

    /// Drops those that nothing names any more.
    pub fn drop_unnamed(&mut self, named: impl Iterator<Item = AgentNumber>) {
        let mut is_named = vec![false; self.names.len()];
        for number in named {
            let key = number.key() as usize;
            if is_named.len() <= key {
                is_named.resize(key + 1, false);
            }
            is_named[key] = true;
        }
        let keys: Vec<u32> = self.names.iter().map(|(key, _)| key).collect();
        for key in keys {
            if !is_named.get(key as usize).copied().unwrap_or(false)
                && let Some(name) = self.names.remove(key)
            {
                self.by_name.remove(key, name.as_str());
            }
        }
    }

    /// Builds what is derived again after a snapshot was read.
    pub fn rebuild(&mut self) {
        self.by_name = Names::default();
        let names = &self.names;
        for (key, name) in names.iter() {
            self.by_name
                .insert(key, name.as_str(), |key| names[key].as_str());
        }
    }
}
