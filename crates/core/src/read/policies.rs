//! Policies, and what whoever evaluates them must know of the fleet.
use super::tools::{self, ToolSeen};
use super::{page, sorted};
use crate::halt::Halt;
use crate::permit::extend;
use crate::policy::Entry;
use crate::state::State;
use fleet_types::agent::Definition;
use fleet_types::group::Group;
use fleet_types::halt::Order;
use fleet_types::permit::{Extend, Request};
use fleet_types::policy::{self, Data, Hash};
use fleet_types::rule::Stage;
use fleet_types::scope::Scope;
use fleet_types::settings::Settings;
use fleet_types::view::{Budget, Page, Policy, PolicyData, PolicyVersion};
use fleet_types::{GroupId, HaltId, PermitId, PolicyId, Seq, Time};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Agents in a picture at most; policies see no others by name.
pub const AGENTS_MAX: usize = 10_000;
/// Scopes, groups, halts and budgets in a picture at most, each.
pub const OTHERS_MAX: usize = 1_000;

/// Policies by id, or the one with this id: that with its earlier versions.
#[must_use]
pub fn policies(
    state: &State,
    only: Option<&PolicyId>,
    after: Option<&str>,
    count: usize,
) -> Page<Policy> {
    let rows = sorted(state.policies.by_id.iter(), after, |_| true);
    let rows = rows.into_iter().filter_map(|(id, key)| {
        let entry = state.policies.get(*key)?;
        if only.is_some_and(|only| *only != entry.policy.id) {
            return None;
        }
        let mut view = view(entry);
        if only.is_some() {
            view.versions = versions(entry);
        }
        Some((id, view))
    });
    page(state, rows, after, count)
}

fn view(entry: &Entry) -> Policy {
    Policy {
        policy: (*entry.policy).clone(),
        version: entry.version,
        hash: entry.hash.clone(),
        denied: entry.denied,
        failed: entry.failed,
        broken: None,
        versions: Vec::new(),
    }
}

fn versions(entry: &Entry) -> Vec<PolicyVersion> {
    let versions = entry.versions.iter().map(|former| PolicyVersion {
        version: former.version,
        hash: former.hash.clone(),
        policy: (*former.policy).clone(),
    });
    versions.collect()
}

/// The data that policies see.
#[must_use]
pub fn policy_data(state: &State) -> PolicyData {
    PolicyData {
        data: state.policies.data.clone().unwrap_or_default(),
        set_at: state.policies.data.as_ref().map(|_| state.policies.data_at),
    }
}

/// A policy that is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As set.
    pub policy: Arc<policy::Policy>,
    /// Which version.
    pub version: u32,
    /// Where that was set.
    pub set_at: Seq,
    /// The hash of its module.
    pub hash: Hash,
    /// Whether it is only observed.
    pub observed: bool,
}

/// What is known of an agent.
#[derive(Clone, Debug)]
pub struct AgentSeen {
    /// The version that speaks for it.
    pub definition: Arc<Definition>,
    /// The groups it belongs to.
    pub groups: BTreeSet<GroupId>,
}

/// What changes seldom: shared with the state where that is possible, so that taking it costs the writer little.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    /// The agents, in no order.
    pub agents: Vec<AgentSeen>,
    /// Groups.
    pub groups: Vec<Group>,
    /// Declared scopes.
    pub scopes: Vec<Scope>,
    /// Tools, all of them, in no order.
    pub tools: Vec<ToolSeen>,
}

/// The fleet as policies see it: bounded, and as of one place in the journal.
#[derive(Clone, Debug)]
pub struct Picture {
    /// As of this place.
    pub seq: Seq,
    /// At this time.
    pub now: Time,
    /// The policies that are asked, by id.
    pub policies: Vec<Asked>,
    /// What operators tell them.
    pub data: Option<Data>,
    /// Where that was set.
    pub data_at: Seq,
    /// The fleet's settings.
    pub settings: Settings,
    /// Counts the changes of tools since this state was read.
    pub tool_changes: u64,
    /// Counts the changes of `definitions` since this state was read.
    pub changes: u64,
    /// `None`: as they were at `changes` before.
    pub definitions: Option<Definitions>,
    /// Halts in force.
    pub halts: Vec<(HaltId, Order, Time)>,
    /// Budgets.
    pub budgets: Vec<Budget>,
}

/// The fleet as policies see it; without its definitions where those of `known` still hold.
#[must_use]
pub fn picture(state: &State, known: Option<u64>) -> Picture {
    let mut policies: Vec<Asked> = Vec::new();
    for entry in state.policies.entries.iter().flatten() {
        let stage = entry.stage(state.settings.policy_stage);
        if stage != Stage::Draft {
            policies.push(Asked {
                policy: entry.policy.clone(),
                version: entry.version,
                set_at: entry.set_at,
                hash: entry.hash.clone(),
                observed: stage == Stage::Observe,
            });
        }
    }
    policies.sort_unstable_by(|a, b| a.policy.id.cmp(&b.policy.id));
    let active = state
        .halts
        .active
        .iter()
        .filter_map(|id| state.halts.get(*id));
    let halt = |halt: &Halt| (halt.id, (*halt.order).clone(), halt.at);
    let budgets = match state.budgets.entries.is_empty() {
        true => Vec::new(),
        false => super::budgets(state, None, state.now, None, OTHERS_MAX).items,
    };
    Picture {
        seq: state.seq,
        now: state.now,
        policies,
        data: state.policies.data.clone(),
        data_at: state.policies.data_at,
        settings: state.settings.clone(),
        tool_changes: state.tools.changes,
        changes: state.changes,
        definitions: (known != Some(state.changes)).then(|| definitions(state)),
        halts: active.take(OTHERS_MAX).map(halt).collect(),
        budgets,
    }
}

fn definitions(state: &State) -> Definitions {
    let agents = state.agents.agents.iter().take(AGENTS_MAX);
    let groups = state.groups.by_id.values().take(OTHERS_MAX);
    let declared = state.scopes.nodes.values();
    let declared = declared.filter_map(|node| node.declared.clone());
    Definitions {
        agents: agents
            .map(|(_, agent)| AgentSeen {
                definition: agent.speaks.clone(),
                groups: agent.groups.clone(),
            })
            .collect(),
        groups: groups.cloned().collect(),
        scopes: declared.take(OTHERS_MAX).collect(),
        tools: tools::seen(state),
    }
}

/// A permit that waits to be judged anew.
#[derive(Clone, Debug)]
pub struct Unjudged {
    /// Which.
    pub permit: PermitId,
    /// Its request, as it was asked.
    pub asked: Arc<Request>,
}

/// Permits that wait to be judged anew, in the order of their turns.
#[must_use]
pub fn unjudged(state: &State, count: usize) -> Vec<Unjudged> {
    let places = state.policies.waiting.iter().take(count);
    let permits = places.map(|place| &state.permits[place.permit]);
    permits
        .map(|permit| Unjudged {
            permit: permit.id,
            asked: permit.asked().clone(),
        })
        .collect()
}

/// What policies are asked about a permit that wants more; `None` when it holds nothing.
#[must_use]
pub fn extension(state: &State, extend: &Extend) -> Option<Request> {
    extend::asked(state, extend)
}
