//! Registering agents, moving them through their life, removing them.
use super::Agent;
use crate::decide::{Decided, invalid, rejected};
use crate::state::State;
use fleet_types::agent::{Command, Definition, Status};
use fleet_types::event::{AgentRegistered, AgentRemoved, AgentStatusSet};
use fleet_types::{AgentId, Code, Event, Version};
use std::sync::Arc;

pub fn decide(state: &State, command: &Command) -> Decided {
    match command {
        Command::Register(definition) => register(state, definition),
        Command::SetStatus {
            agent,
            version,
            status,
            replaced_by,
        } => set_status(
            state,
            agent,
            version.as_ref(),
            *status,
            replaced_by.as_ref(),
        ),
        Command::Remove { agent } => remove(state, agent),
    }
}

fn register(state: &State, definition: &Definition) -> Decided {
    if let Some(agent) = state.agents.get(&definition.id)
        && agent
            .version(&definition.version)
            .is_some_and(|known| **known == *definition)
    {
        return Decided::unchanged();
    }
    if definition.config.concurrency_max == Some(0) {
        return invalid(
            "config.concurrency_max",
            "config.concurrency_max is 0: set the status to offline to stop an agent",
        );
    }
    Decided::event(Event::AgentRegistered(AgentRegistered {
        definition: Arc::new(definition.clone()),
    }))
}

fn set_status(
    state: &State,
    id: &AgentId,
    version: Option<&Version>,
    status: Status,
    replaced_by: Option<&AgentId>,
) -> Decided {
    let Some(agent) = state.agents.get(id) else {
        return unknown(id);
    };
    if let Some(version) = version
        && agent.version(version).is_none()
    {
        return rejected(
            Code::NotFound,
            format!(
                "agent {id} has no version {version}; it has {}",
                names(agent)
            ),
        );
    }
    if let Some(successor) = replaced_by {
        if successor == id {
            return invalid("replaced_by", format!("agent {id} cannot replace itself"));
        }
        if state.agents.get(successor).is_none() {
            return rejected(
                Code::NotFound,
                format!("agent {successor}, named in replaced_by, is not registered"),
            );
        }
    }
    Decided::event(Event::AgentStatusSet(AgentStatusSet {
        agent: id.clone(),
        version: version.cloned(),
        status,
        replaced_by: replaced_by.cloned(),
    }))
}

fn remove(state: &State, id: &AgentId) -> Decided {
    let Some(key) = state.agents.key(id) else {
        return unknown(id);
    };
    let agent = &state.agents.agents[key];
    let permits = state.permits.of(agent).count();
    if permits > 0 {
        return rejected(
            Code::Conflict,
            format!(
                "agent {id} holds or waits for {} permits; halt it or let them end first",
                permits
            ),
        );
    }
    if agent.instances.values().any(|i| i.connected) {
        return rejected(
            Code::Conflict,
            format!("agent {id} has connected instances; disconnect them first"),
        );
    }
    if let Some(halt) = state.halts.over(state, key).next() {
        return rejected(
            Code::Conflict,
            format!("halt {halt} is in force over agent {id}; release it first"),
        );
    }
    Decided::event(Event::AgentRemoved(AgentRemoved { agent: id.clone() }))
}

fn names(agent: &Agent) -> String {
    let names: Vec<&str> = agent.versions.iter().map(|v| v.version.as_str()).collect();
    names.join(", ")
}

fn unknown(id: &AgentId) -> Decided {
    rejected(Code::AgentUnknown, format!("agent {id} is not registered"))
}
