//! Groups of agents across scopes.
use crate::decide::{Decided, rejected};
use crate::map::Map;
use crate::state::State;
use fleet_types::event::GroupRemoved;
use fleet_types::group::{Command, Group};
use fleet_types::{AgentId, Code, Event, GroupId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Groups {
    pub by_id: Map<GroupId, Group>,
}

impl Groups {
    /// The groups an agent belongs to.
    pub fn of(&self, agent: &AgentId) -> BTreeSet<GroupId> {
        let groups = self.by_id.values();
        groups
            .filter(|group| group.members.contains(agent))
            .map(|group| group.id.clone())
            .collect()
    }
}

pub fn decide(state: &State, command: &Command) -> Decided {
    match command {
        Command::Set(group) if state.groups.by_id.get(&group.id) == Some(group) => {
            Decided::unchanged()
        }
        Command::Set(group) => Decided::event(Event::GroupSet(group.clone())),
        Command::Remove { group } if state.groups.by_id.contains_key(group) => {
            Decided::event(Event::GroupRemoved(GroupRemoved {
                group: group.clone(),
            }))
        }
        Command::Remove { group } => rejected(Code::NotFound, format!("there is no group {group}")),
    }
}

pub fn set(state: &mut State, group: &Group) {
    let former = state.groups.by_id.insert(group.id.clone(), group.clone());
    let former = former.map(|group| group.members).unwrap_or_default();
    for agent in former.union(&group.members) {
        if let Some(key) = state.agents.key(agent) {
            let groups = &mut state.agents.agents[key].groups;
            if group.members.contains(agent) {
                groups.insert(group.id.clone());
            } else {
                groups.remove(&group.id);
            }
            state.wake_moved(key);
        }
    }
}

pub fn removed(state: &mut State, event: &GroupRemoved) {
    if let Some(group) = state.groups.by_id.swap_remove(&event.group) {
        for agent in &group.members {
            if let Some(key) = state.agents.key(agent) {
                state.agents.agents[key].groups.remove(&group.id);
                state.wake_moved(key);
            }
        }
    }
}
