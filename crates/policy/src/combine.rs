//! Several policies, one verdict: a denial wins, then a need for approval; changes are put together, and two that
//! disagree are a denial that names both.
use crate::evaluate::Bounds;
use crate::input::Document;
use crate::module::Module;
use crate::said::{Patch, Said};
use fleet_types::permit::Request;
use fleet_types::policy::{Hash, Judgement, Opinion, Verdict};
use fleet_types::{PolicyId, Seq, Text};
use serde_json::Value as Json;
use std::sync::Arc;

/// A policy that is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Which.
    pub policy: &'a PolicyId,
    /// Which version.
    pub version: u32,
    /// Where that was set.
    pub set_at: Seq,
    /// The hash of its module.
    pub hash: &'a Hash,
    /// Whether it is only observed.
    pub observed: bool,
    /// The module, or why there is none.
    pub module: Result<&'a Module, &'a str>,
}

/// Asks policies, given in the order of their ids, about a request; gives it as they want it, and what they said.
/// `began` hears of each before it runs.
#[must_use]
pub fn judge<'a>(
    request: &Arc<Request>,
    asked: impl Iterator<Item = Asked<'a>>,
    input: &Document,
    data: &Document,
    bounds: Bounds,
    mut began: impl FnMut(&Asked<'a>),
) -> (Arc<Request>, Verdict) {
    let mut verdict = Verdict::default();
    let mut patches: Vec<(usize, Patch)> = Vec::new();
    for policy in asked {
        began(&policy);
        let said = match policy.module {
            Ok(module) => module.evaluate(input, data, bounds),
            Err(why) => Said::failed(format!("it does not compile: {why}")),
        };
        if let Some(patch) = said.patch
            && !policy.observed
        {
            patches.push((verdict.judged.len(), patch));
        }
        verdict.judged.push(Judgement {
            policy: policy.policy.clone(),
            version: policy.version,
            set_at: policy.set_at,
            hash: policy.hash.clone(),
            opinion: said.opinion,
            observed: policy.observed,
            reasons: said.reasons,
            terms: said.terms,
        });
    }
    let stands = |judged: &Judgement| {
        judged.observed || !matches!(judged.opinion, Opinion::Deny | Opinion::Failed)
    };
    if patches.is_empty() || !verdict.judged.iter().all(stands) {
        return (request.clone(), verdict);
    }
    match changed(request, &patches, &verdict) {
        Ok(changed) if changed == **request => (request.clone(), verdict),
        Ok(changed) => {
            verdict.original = Some(request.clone());
            (Arc::new(changed), verdict)
        }
        Err((who, why)) => {
            for at in who {
                let judged = &mut verdict.judged[at];
                judged.opinion = Opinion::Failed;
                judged.reasons = vec![Text::clip(&why)];
            }
            (request.clone(), verdict)
        }
    }
}

/// The request with all changes, or whose changes cannot be made, and why.
fn changed(
    request: &Request,
    patches: &[(usize, Patch)],
    verdict: &Verdict,
) -> Result<Request, (Vec<usize>, String)> {
    // Where each value comes from is needed only to name two that disagree.
    let mut all = Patch::new();
    for (number, (at, patch)) in patches.iter().enumerate() {
        if let Err(path) = add(&mut all, patch) {
            let id = |at: usize| &verdict.judged[at].policy;
            let other = patches[..number]
                .iter()
                .find(|(_, before)| add(&mut before.clone(), patch).is_err())
                .map_or(*at, |(other, _)| *other);
            let why = format!(
                "policies {} and {} change {path} differently",
                id(other),
                id(*at)
            );
            return Err((vec![other, *at], why));
        }
    }
    let mut body = serde_json::to_value(request).expect("a request has a JSON form");
    merge(&mut body, &Json::Object(all));
    serde_json::from_value(body).map_err(|error| {
        let who = patches.iter().map(|(at, _)| *at).collect();
        (who, format!("what it changes makes no request: {error}"))
    })
}

/// Adds one change to others; the path where they disagree, if they do.
fn add(all: &mut Patch, patch: &Patch) -> Result<(), String> {
    for (key, value) in patch {
        let Some(known) = all.get_mut(key) else {
            all.insert(key.clone(), value.clone());
            continue;
        };
        match (known, value) {
            (Json::Object(known), Json::Object(value)) => {
                add(known, value).map_err(|path| format!("/{key}{path}"))?;
            }
            (known, value) if *known == *value => {}
            (_, _) => return Err(format!("/{key}")),
        }
    }
    Ok(())
}

/// A JSON merge patch (RFC 7386): null removes.
fn merge(target: &mut Json, patch: &Json) {
    let Json::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Json::Object(Patch::new());
    }
    let Json::Object(target) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Json::Null), value);
        }
    }
}
