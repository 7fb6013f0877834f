//! Policies without Rego: the first word of a module is what it says, of requests whose `n` is at least its second.
use fleet_core::{State, read};
use fleet_types::permit::Request;
use fleet_types::policy::{Judgement, Opinion, Verdict};
use serde_json::{Value, json};
use std::sync::Arc;

pub const MODULES: [&str; 4] = ["deny 7", "approve 5", "transform 3", "allow 0"];

/// Sets a policy.
pub fn set(slot: u8, module: &str, stage: &str) -> Value {
    let digits: String = module.bytes().map(|byte| format!("{byte:02x}")).collect();
    let policy = json!({"id": format!("y{slot}"), "module": module, "stage": stage});
    json!({"set": {"policy": policy, "hash": format!("{digits:0<64.64}")}})
}

/// What all policies say of a request, as a server asks them.
pub fn judge(state: &State, request: &Arc<Request>) -> (Arc<Request>, Verdict) {
    let picture = read::picture(state, None);
    let number = request.parameters.as_deref().and_then(|it| it.get("n"));
    let number = number.and_then(Value::as_u64).unwrap_or_default();
    let judged = picture.policies.iter().map(|asked| {
        let (word, least) = asked.policy.module.as_str().split_once(' ').unwrap();
        let says = if number < least.parse().unwrap() {
            "allow"
        } else {
            word
        };
        Judgement {
            policy: asked.policy.id.clone(),
            version: asked.version,
            set_at: asked.set_at,
            hash: asked.hash.clone(),
            opinion: serde_json::from_value(json!(says)).unwrap(),
            observed: asked.observed,
            reasons: Vec::new(),
            terms: Vec::new(),
        }
    });
    let mut verdict = Verdict {
        judged: judged.collect(),
        ..Verdict::default()
    };
    verdict.judged.sort_by(|a, b| a.policy.cmp(&b.policy));
    if !verdict.judged.is_empty() {
        verdict.data_at = picture.data_at;
    }
    let any = |opinion: Opinion| {
        let mut enforced = verdict.judged.iter().filter(|judged| !judged.observed);
        enforced.any(|judged| judged.opinion == opinion)
    };
    let mut changed = request.clone();
    if any(Opinion::Transform) && !any(Opinion::Deny) {
        Arc::make_mut(&mut changed).labels = serde_json::from_value(json!({"l": "1"})).unwrap();
        if changed != *request {
            verdict.original = Some(request.clone());
        }
    }
    (changed, verdict)
}
