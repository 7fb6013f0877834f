//! What setting policies does to them, and to those who wait.
use super::decide::VERSIONS_MAX;
use super::{Entry, PolicyKey, Version};
use crate::permit::queue;
use crate::rule::case::CompiledCase;
use crate::state::{State, Wake};
use fleet_types::Seq;
use fleet_types::event::{PermitRejudged, PolicyDataSet, PolicyRemoved, PolicySet};
use fleet_types::policy::{Opinion, Verdict};
use fleet_types::rule::Stage;

pub fn set(state: &mut State, event: &PolicySet, seq: Seq) {
    let policy = &event.policy;
    let known = state.policies.by_id.get(&policy.id).copied();
    let key = match known {
        Some(key) => {
            unfile(state, key);
            if let Some(entry) = state.policies.get_mut(key) {
                entry.versions.push(Version {
                    version: entry.version,
                    hash: entry.hash.clone(),
                    policy: entry.policy.clone(),
                });
                if entry.versions.len() > VERSIONS_MAX {
                    entry.versions.remove(0);
                }
                entry.policy = policy.clone();
                entry.version = event.version;
                entry.hash = event.hash.clone();
                entry.set_at = seq;
            }
            key
        }
        None => {
            let key = state.policies.entries.len() as PolicyKey;
            state.policies.by_id.insert(policy.id.clone(), key);
            state.policies.entries.push(Some(Entry {
                policy: policy.clone(),
                version: event.version,
                set_at: seq,
                hash: event.hash.clone(),
                versions: Vec::new(),
                denied: 0,
                failed: 0,
                case: None,
            }));
            key
        }
    };
    compile(state, key);
    state.wakes.insert(Wake::Policies);
}

pub fn removed(state: &mut State, event: &PolicyRemoved) {
    let Some(key) = state.policies.by_id.swap_remove(&event.policy) else {
        return;
    };
    unfile(state, key);
    state.policies.entries[key as usize] = None;
    state.wakes.insert(Wake::Policies);
}

pub fn data_set(state: &mut State, event: &PolicyDataSet, seq: Seq) {
    state.policies.data = Some(event.data.clone());
    state.policies.data_at = seq;
    state.wakes.insert(Wake::Policies);
}

/// Files a policy under its case; also when a snapshot was read.
pub fn compile(state: &mut State, key: PolicyKey) {
    let scopes = &mut state.scopes;
    let Some(Some(entry)) = state.policies.entries.get_mut(key as usize) else {
        return;
    };
    if entry.policy.stage == Stage::Draft {
        return;
    }
    let case = CompiledCase::new(&entry.policy.when, |path| scopes.ensure(path.as_str()));
    state.policies.index.insert(key, &case.selector);
    state.policies.asked += 1;
    entry.case = Some(case);
}

fn unfile(state: &mut State, key: PolicyKey) {
    let policies = &mut state.policies;
    let Some(Some(entry)) = policies.entries.get_mut(key as usize) else {
        return;
    };
    if let Some(case) = entry.case.take() {
        policies.index.remove(key, &case.selector);
        policies.asked -= 1;
    }
}

/// Counts what policies said of a request that is answered for the first time.
pub fn count(state: &mut State, verdict: Option<&Verdict>) {
    for judgement in verdict.into_iter().flat_map(|verdict| &verdict.judged) {
        let Some(key) = state.policies.by_id.get(&judgement.policy).copied() else {
            continue;
        };
        let Some(entry) = state.policies.get_mut(key) else {
            continue;
        };
        match judgement.opinion {
            Opinion::Deny => entry.denied += 1,
            Opinion::Failed => {
                entry.denied += 1;
                entry.failed += 1;
            }
            Opinion::Allow | Opinion::Transform | Opinion::Approve => {}
        }
    }
}

/// A waiting permit was judged anew: it is tried again at once.
pub fn rejudged(state: &mut State, event: &PermitRejudged) {
    let Some(key) = state.permits.key(event.permit) else {
        return;
    };
    queue::leave(state, key);
    let permit = &mut state.permits[key];
    permit.request = event.request.clone();
    permit.judged = Some(event.policies.clone());
    queue::enter(state, key);
    state.wakes.insert(Wake::Rejudged(event.permit));
}
