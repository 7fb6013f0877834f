//! Setting, rolling back and removing policies, and the data they see.
use super::{Entry, Version};
use crate::decide::{Decided, earlier, rejected};
use crate::rule::decide::check_case;
use crate::state::State;
use fleet_types::event::{PolicyDataSet, PolicyRemoved, PolicySet};
use fleet_types::policy::{COUNT_MAX, Command, Data, Hash, Policy};
use fleet_types::{Actor, Code, Event, PolicyId, Rejection, Text};
use std::sync::Arc;

/// Earlier versions that can be rolled back to; all stand in the journal.
pub const VERSIONS_MAX: usize = 16;

pub fn decide(state: &State, by: &Actor, command: &Command) -> Decided {
    if matches!(by, Actor::Agent(_)) {
        let words = "an agent does not change policies; a person must";
        return rejected(Code::Forbidden, words);
    }
    match command {
        Command::Set {
            policy,
            hash,
            reason,
        } => set(state, policy, hash, reason),
        Command::Remove { policy, reason } => match find(state, policy) {
            Ok(_) => Decided::event(Event::PolicyRemoved(PolicyRemoved {
                policy: policy.clone(),
                reason: reason.clone(),
            })),
            Err(rejection) => Decided::Rejected(rejection),
        },
        Command::RollBack {
            policy,
            version,
            reason,
        } => match find(state, policy) {
            Ok(entry) => roll_back(entry, *version, reason),
            Err(rejection) => Decided::Rejected(rejection),
        },
        Command::SetData { data, reason } => set_data(state, data, reason),
    }
}

fn find<'s>(state: &'s State, id: &PolicyId) -> Result<&'s Entry, Rejection> {
    let found = state.policies.find(id);
    found.ok_or_else(|| Rejection::new(Code::NotFound, format!("there is no policy {id}")))
}

fn set(state: &State, policy: &Policy, hash: &Hash, reason: &Text) -> Decided {
    let known = state.policies.find(&policy.id);
    if known.is_some_and(|entry| *entry.policy == *policy) {
        return Decided::unchanged();
    }
    if known.is_none() && state.policies.by_id.len() >= COUNT_MAX {
        let words = format!("a fleet has at most {COUNT_MAX} policies; put several into one");
        return rejected(Code::Conflict, words);
    }
    if let Err(rejection) = check_case("when", &policy.when) {
        return Decided::Rejected(rejection);
    }
    next_version(known, Arc::new(policy.clone()), hash, reason)
}

fn next_version(known: Option<&Entry>, policy: Arc<Policy>, hash: &Hash, reason: &Text) -> Decided {
    Decided::event(Event::PolicySet(PolicySet {
        version: known.map_or(1, |entry| entry.version + 1),
        policy,
        hash: hash.clone(),
        reason: reason.clone(),
    }))
}

fn roll_back(entry: &Entry, version: Option<u32>, reason: &Text) -> Decided {
    let about = (format!("policy {}", entry.policy.id), entry.version);
    let number = |former: &Version| former.version;
    let former = match earlier(about, &entry.versions, number, version) {
        Ok(former) => former,
        Err(rejection) => return Decided::Rejected(rejection),
    };
    next_version(Some(entry), former.policy.clone(), &former.hash, reason)
}

fn set_data(state: &State, data: &Data, reason: &Text) -> Decided {
    let known = state.policies.data.as_ref();
    if known == Some(data) || known.is_none() && data.object().is_empty() {
        return Decided::unchanged();
    }
    Decided::event(Event::PolicyDataSet(PolicyDataSet {
        data: data.clone(),
        reason: reason.clone(),
    }))
}
