//! Policies without Rego: the text of a module is what it says, so that a verdict can be made anywhere and at once.
use crate::State;
use crate::matching::{Who, belongs};
use crate::{SeenTool, judge_tool};
use fleet_types::permit::Request;
use fleet_types::policy::{Hash, Judgement, Opinion, Verdict};
use fleet_types::rule::Stage;
use fleet_types::tool::Fault;
use fleet_types::{Command, Text, Time};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a module says: its first word, if the argument `n` is at least what its second word says.
fn says(module: &str, request: &Request) -> Opinion {
    let (opinion, least) = module.split_once(' ').unwrap_or((module, "0"));
    let number = request.parameters.as_deref().and_then(|it| it.get("n"));
    let number = number.and_then(Value::as_u64).unwrap_or_default();
    if number < least.parse().unwrap() {
        return Opinion::Allow;
    }
    serde_json::from_value(json!(opinion)).unwrap()
}

/// Stands for the hash of a text.
pub fn hash(module: &str) -> Hash {
    let digits: String = module.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0<64.64}").parse().unwrap()
}

/// Sets a policy.
pub fn set(policy: Value) -> Command {
    let hash = hash(policy["module"].as_str().unwrap());
    serde_json::from_value(json!({"policy": {"set": {"policy": policy, "hash": hash}}})).unwrap()
}

/// Somebody who is asked in front of the queue.
pub type Judge = fn(&State, &Arc<Request>, Time) -> (Arc<Request>, Verdict);

/// What its tool and all policies say of a request, asked in front of the queue. Of a schema only `required` is looked at,
/// and any tool is near to one that is unknown.
pub fn judge(state: &State, request: &Arc<Request>, now: Time) -> (Arc<Request>, Verdict) {
    let entry = state.tools.by_id.get(&request.action);
    let seen = entry.map(|entry| SeenTool {
        tool: &entry.tool,
        version: entry.version,
        set_at: entry.set_at,
    });
    let schema = |arguments: &Map<String, Value>| {
        let schema = entry.and_then(|entry| entry.tool.arguments.as_ref());
        let required = schema.and_then(|schema| schema.value()["required"].as_array());
        let names = required.into_iter().flatten().filter_map(Value::as_str);
        let missing = names.filter(|name| !arguments.contains_key(*name));
        missing
            .map(|name| Fault {
                argument: format!("/{name}").into(),
                wanted: Text::clip("to be there"),
            })
            .collect()
    };
    let (changed, mut verdict) =
        judge_tool(seen, request, schema, |asked| by_all(state, asked, now));
    if entry.is_none() {
        verdict.nearest = state.tools.by_id.keys().take(2).cloned().collect();
    }
    (changed, verdict)
}

/// What all policies say of a request, or of more for a permit that holds: all of them are looked at, none is indexed.
pub fn by_all(state: &State, request: &Arc<Request>, now: Time) -> (Arc<Request>, Verdict) {
    let known = state.agents.get(&request.agent);
    let groups = known.map_or_else(BTreeSet::new, |agent| agent.groups.clone());
    let who = Who {
        agent: &request.agent,
        scope: known.and_then(|agent| agent.speaks.scope.as_ref()),
        groups: &groups,
    };
    let mut judged = Vec::new();
    for entry in state.policies.entries.iter().flatten() {
        let stage = entry.policy.stage.min(state.settings.policy_stage);
        if stage == Stage::Draft || !belongs(&entry.policy.when, who, request, now) {
            continue;
        }
        judged.push(Judgement {
            policy: entry.policy.id.clone(),
            version: entry.version,
            set_at: entry.set_at,
            hash: entry.hash.clone(),
            opinion: says(entry.policy.module.as_str(), request),
            observed: stage == Stage::Observe,
            reasons: Vec::new(),
            terms: Vec::new(),
        });
    }
    judged.sort_by(|a, b| a.policy.cmp(&b.policy));
    let any = |wanted: &[Opinion]| {
        let mut enforced = judged.iter().filter(|judged| !judged.observed);
        enforced.any(|judged| wanted.contains(&judged.opinion))
    };
    let mut verdict = Verdict::default();
    let mut changed = request.clone();
    if any(&[Opinion::Transform]) && !any(&[Opinion::Deny, Opinion::Failed]) {
        let body = Arc::make_mut(&mut changed);
        body.cost.money_micros /= 2;
        body.labels = serde_json::from_value(json!({"l": "1"})).unwrap();
        if changed != *request {
            verdict.original = Some(request.clone());
        }
    }
    if !judged.is_empty() {
        verdict.data_at = state.policies.data_at;
    }
    verdict.judged = judged;
    (changed, verdict)
}
