//! Conflicts: those that last, and those that are over.
use crate::conflict::{Conflicts, NAMED_MAX, Record, Thing, line};
use crate::state::State;
use fleet_types::conflict::{Kind, Resolution, State as Phase, View, Way};
use fleet_types::view::Page;
use fleet_types::{Actor, AgentId, ConflictId, ResourcePath, Text, Time};

/// Which conflicts to list. Every part that is given must match.
#[derive(Clone, Debug, Default)]
pub struct ConflictFilter {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// In this state.
    pub state: Option<Phase>,
    /// That this agent ran into.
    pub agent: Option<AgentId>,
    /// Over this resource, or one below it.
    pub under: Option<ResourcePath>,
}

/// Conflicts, the newest first.
#[must_use]
pub fn conflicts(
    state: &State,
    filter: &ConflictFilter,
    now: Time,
    after: Option<&str>,
    count: usize,
) -> Page<View> {
    let now = now.max(state.now);
    let after = after.and_then(|after| after.parse::<ConflictId>().ok());
    let Conflicts { records, ended, .. } = &state.conflicts;
    let wanted = |record: &&Record| {
        let agent = filter.agent.as_ref();
        let under = filter.under.as_ref();
        after.is_none_or(|after| record.id < after)
            && filter.kind.is_none_or(|kind| record.kind == kind)
            && filter.state.is_none_or(|phase| record.phase(now) == phase)
            && agent.is_none_or(|agent| record.agents.contains(agent))
            && under.is_none_or(|under| {
                resource(record).is_some_and(|resource| under.covers(&resource))
            })
    };
    let mut rows: Vec<&Record> = records.values().chain(ended).filter(wanted).collect();
    rows.sort_unstable_by_key(|record| std::cmp::Reverse(record.id));
    let count = count.clamp(1, super::COUNT_MAX);
    let more = rows.len() > count;
    rows.truncate(count);
    let next = rows.last().filter(|_| more).map(|last| last.id.to_string());
    Page {
        items: rows.into_iter().map(|it| view(state, it, now)).collect(),
        next,
        seq: state.seq,
    }
}

/// One conflict.
#[must_use]
pub fn conflict(state: &State, id: ConflictId, now: Time) -> Option<View> {
    let record = state.conflicts.find(id)?;
    Some(view(state, record, now.max(state.now)))
}

fn resource(record: &Record) -> Option<ResourcePath> {
    match &record.thing {
        Thing::Resource(path) | Thing::Data(path) => ResourcePath::parse(path).ok(),
        Thing::Rule(..) => None,
    }
}

fn view(state: &State, record: &Record, now: Time) -> View {
    let phase = record.phase(now);
    let (rule, key) = match &record.thing {
        Thing::Rule(rule, key) => (Some(rule.clone()), key.clone()),
        Thing::Resource(_) | Thing::Data(_) => (None, "".into()),
    };
    let by_itself = || Resolution {
        how: Way::Turn,
        winner: None,
        by: Actor::System,
        reason: Text::default(),
        at: record.last.at,
    };
    let resolution = record.resolution.clone();
    View {
        conflict: record.id,
        kind: record.kind,
        state: phase,
        resource: resource(record),
        rule,
        key,
        since: record.since,
        last_at: record.last.at,
        requests: record.requests,
        agents: record.agents.clone(),
        waiting: record.waiting,
        permits: line(state, record)
            .iter()
            .take(NAMED_MAX)
            .map(|place| place.id)
            .collect(),
        waited_ms: record.waited_us(now) / 1_000,
        first: record.first.clone(),
        last: record.last.clone(),
        dispute: record.dispute.clone(),
        resolution: resolution.or_else(|| (phase == Phase::Resolved).then(by_itself)),
    }
}
