//! What registry events do to the state.
use super::{Agent, speaker};
use crate::state::State;
use fleet_types::Time;
use fleet_types::event::{AgentRegistered, AgentRemoved, AgentStatusSet};
use std::sync::Arc;

pub fn registered(state: &mut State, event: &AgentRegistered, at: Time) {
    let definition = &event.definition;
    let key = match state.agents.key(&definition.id) {
        Some(key) => key,
        None => {
            let groups = state.groups.of(&definition.id);
            let fresh = Agent::fresh(definition, groups, at);
            let key = state.agents.agents.insert(fresh);
            state.agents.file(key);
            state
                .scopes
                .agent_moved(&[], &state.agents.agents[key].chain);
            key
        }
    };
    let agent = &mut state.agents.agents[key];
    agent.versions.retain(|v| v.version != definition.version);
    agent.versions.push(definition.clone());
    settle(state, key, at);
}

pub fn status_set(state: &mut State, event: &AgentStatusSet, at: Time) {
    let Some(key) = state.agents.key(&event.agent) else {
        return;
    };
    let agent = &mut state.agents.agents[key];
    for version in &mut agent.versions {
        if event.version.as_ref().is_none_or(|v| *v == version.version) {
            let mut changed = (**version).clone();
            changed.status = event.status;
            *version = Arc::new(changed);
        }
    }
    if event.replaced_by.is_some() {
        agent.replaced_by.clone_from(&event.replaced_by);
    }
    settle(state, key, at);
}

/// Works out anew who speaks and where the agent stands.
fn settle(state: &mut State, key: u32, at: Time) {
    let agent = &mut state.agents.agents[key];
    if let Some(speaks) = speaker(&agent.versions) {
        agent.speaks = speaks.clone();
    }
    agent.updated_at = at;
    let chain = state.scopes.chain(agent.speaks.scope.as_ref());
    state.scopes.agent_moved(&agent.chain, &chain);
    agent.chain = chain;
    state.agents.set_terms(key);
    state.wake_agent(key);
    state.wake_moved(key);
}

pub fn removed(state: &mut State, event: &AgentRemoved) {
    if let Some(key) = state.agents.key(&event.agent)
        && let Some(agent) = state.agents.agents.remove(key)
    {
        state.agents.by_id.remove(key, agent.id.as_str());
        state.scopes.agent_moved(&agent.chain, &[]);
        state.agents.live.retain(|(live, _)| *live != key);
        state.halts.unpin(key);
        for entry in state.limits.entries.iter_mut().flatten() {
            entry.fair.forget(key);
        }
    }
}
