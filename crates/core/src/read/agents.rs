//! The registry and the live instances, as seen.
use super::page;
use crate::agent::{Agent as Entry, AgentKey, Instance};
use crate::permit::Phase;
use crate::state::State;
use fleet_types::agent::Status;
use fleet_types::halt::Mode;
use fleet_types::instance::{InstanceKey, InstanceState};
use fleet_types::view::{Agent, Instance as InstanceView, Page};
use fleet_types::{AgentId, Epoch, GroupId, Labels, ScopePath};

/// Which agents to list. Every part that is given must match.
#[derive(Clone, Debug, Default)]
pub struct AgentFilter {
    /// In this scope or below.
    pub scope: Option<ScopePath>,
    /// Members of this group.
    pub group: Option<GroupId>,
    /// In this status.
    pub status: Option<Status>,
    /// With this skill.
    pub skill: Option<String>,
    /// Of this domain.
    pub domain: Option<String>,
    /// In this pool.
    pub pool: Option<String>,
    /// With these labels.
    pub labels: Labels,
    /// Whose id, name or description holds this text, in any case.
    pub search: Option<String>,
}

impl AgentFilter {
    fn matches(&self, state: &State, agent: &Entry) -> bool {
        let speaks = &agent.speaks;
        let scope = |path: &ScopePath| match state.scopes.nodes.get_index_of(path) {
            Some(index) => agent.chain.contains(&(index as u32 + 1)),
            None => false,
        };
        let has = |text: &str| {
            let text = text.to_lowercase();
            [
                speaks.id.as_str(),
                speaks.name.as_str(),
                speaks.description.as_str(),
            ]
            .iter()
            .any(|field| field.to_lowercase().contains(&text))
        };
        self.scope.as_ref().is_none_or(scope)
            && self
                .group
                .as_ref()
                .is_none_or(|group| agent.groups.contains(group))
            && self.status.is_none_or(|status| speaks.status == status)
            && self.skill.as_ref().is_none_or(|skill| {
                speaks
                    .capabilities
                    .skills
                    .iter()
                    .any(|known| known.as_str() == skill)
            })
            && self.domain.as_ref().is_none_or(|domain| {
                speaks
                    .capabilities
                    .domain
                    .as_ref()
                    .is_some_and(|d| d.as_str() == domain)
            })
            && self.pool.as_ref().is_none_or(|pool| {
                speaks
                    .pool
                    .as_ref()
                    .is_some_and(|known| known.as_str() == pool)
            })
            && speaks.labels.contain(&self.labels)
            && self.search.as_deref().is_none_or(has)
    }
}

/// Agents by id.
#[must_use]
pub fn agents(
    state: &State,
    filter: &AgentFilter,
    after: Option<&str>,
    count: usize,
) -> Page<Agent> {
    let mut rows: Vec<(&str, AgentKey)> = state
        .agents
        .agents
        .iter()
        .filter(|(_, agent)| after.is_none_or(|after| agent.id.as_str() > after))
        .filter(|(_, agent)| filter.matches(state, agent))
        .map(|(key, agent)| (agent.id.as_str(), key))
        .collect();
    rows.sort_unstable();
    let rows = rows
        .into_iter()
        .map(|(id, key)| (id.to_owned(), view(state, key)));
    page(state, rows, after, count)
}

/// One agent.
#[must_use]
pub fn agent(state: &State, id: &AgentId) -> Option<Agent> {
    state.agents.key(id).map(|key| view(state, key))
}

/// Connected instances by agent and id; failed ones too when `all`.
#[must_use]
pub fn instances(
    state: &State,
    all: bool,
    after: Option<&str>,
    count: usize,
) -> Page<(InstanceKey, InstanceView)> {
    let mut rows = Vec::new();
    for (key, agent) in state.agents.agents.iter() {
        for (id, instance) in &agent.instances {
            if instance.connected || all {
                let name = InstanceKey {
                    agent: agent.id.clone(),
                    instance: id.clone(),
                };
                rows.push((format!("{}/{id}", agent.id), (key, name)));
            }
        }
    }
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let rows = rows.into_iter().filter_map(|(cursor, (key, name))| {
        let agent = &state.agents.agents[key];
        let seen = instance_view(state, key, &name, &agent.instances[&name.instance])?;
        Some((cursor, (name, seen)))
    });
    page(state, rows, after, count)
}

fn view(state: &State, key: AgentKey) -> Agent {
    let agent = &state.agents.agents[key];
    let waiting = state
        .permits
        .of(agent)
        .filter(|permit| matches!(state.permits[*permit].phase, Phase::Waiting(_)))
        .count() as u64;
    Agent {
        definition: (*agent.speaks).clone(),
        versions: agent
            .versions
            .iter()
            .map(|v| (v.version.clone(), v.status))
            .collect(),
        replaced_by: agent.replaced_by.clone(),
        groups: agent.groups.iter().cloned().collect(),
        instances: agent
            .instances
            .iter()
            .filter_map(|(id, instance)| {
                let name = InstanceKey {
                    agent: agent.id.clone(),
                    instance: id.clone(),
                };
                instance_view(state, key, &name, instance)
            })
            .collect(),
        permits_granted: agent.in_flight.into(),
        permits_waiting: waiting,
        halts: state.halts.over(state, key).collect(),
        usage: agent.usage,
        registered_at: agent.registered_at,
        updated_at: agent.updated_at,
    }
}

fn instance_view(
    state: &State,
    key: AgentKey,
    name: &InstanceKey,
    instance: &Instance,
) -> Option<InstanceView> {
    let seen = state_of(state, key, instance)?;
    let held = state
        .permits
        .of(&state.agents.agents[key])
        .filter(|permit| {
            let permit = &state.permits[*permit];
            let holder = permit.request.instance.as_ref();
            permit.granted().is_some() && holder.is_some_and(|h| h.id == name.instance)
        });
    Some(InstanceView {
        id: name.instance.clone(),
        epoch: instance.epoch,
        state: seen,
        connected_at: instance.connected_at,
        permits: held.count() as u64,
        labels: instance.labels.clone(),
    })
}

/// What an instance is doing; `None` when it said good-bye.
pub(super) fn state_of(state: &State, key: AgentKey, instance: &Instance) -> Option<InstanceState> {
    if !instance.connected {
        return instance.failed.then_some(InstanceState::Failed);
    }
    let agent = &state.agents.agents[key];
    let halts = state.halts.over(state, key);
    let mode = halts
        .filter_map(|id| state.halts.get(id))
        .map(|h| h.order.mode)
        .max();
    Some(match mode {
        Some(Mode::Graceful) if agent.in_flight > 0 => InstanceState::Draining,
        Some(_) => InstanceState::Halted,
        None if instance.recovering => InstanceState::Recovering,
        None if agent.in_flight == 0 => InstanceState::Idle,
        None if agent
            .speaks
            .config
            .concurrency_max
            .is_some_and(|max| agent.in_flight >= max) =>
        {
            InstanceState::Busy
        }
        None => InstanceState::Active,
    })
}

/// Tells `each` of every connected instance and its epoch.
pub fn each_connected(state: &State, mut each: impl FnMut(InstanceKey, Epoch)) {
    for (_, agent) in state.agents.agents.iter() {
        for (id, instance) in &agent.instances {
            if instance.connected {
                let key = InstanceKey {
                    agent: agent.id.clone(),
                    instance: id.clone(),
                };
                each(key, instance.epoch);
            }
        }
    }
}
