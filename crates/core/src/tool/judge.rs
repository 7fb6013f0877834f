//! What a tool makes of a request, worked out in front of the queue, and whether that is about the tool as it stands.
use super::derive::{derive, expand, is_covered};
use crate::state::State;
use fleet_types::permit::Request;
use fleet_types::policy::Verdict;
use fleet_types::tool::{Fault, Judgement, Tool};
use fleet_types::{Seq, Text};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// Arguments of a request that names none.
static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

/// A tool and which version of it, as somebody outside sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The tool.
    pub tool: &'a Tool,
    /// Which version of it.
    pub version: u32,
    /// Where that was set.
    pub set_at: Seq,
}

/// What the tool makes of a request, and policies of what it made: asked in front of the queue. `schema` tells which
/// arguments are not what the tool's schema wants; policies are not asked where the tool refuses them, and what they change
/// is looked at once more.
pub fn judge(
    seen: Option<Seen<'_>>,
    asked: &Arc<Request>,
    schema: impl Fn(&Map<String, Value>) -> Vec<Fault>,
    policies: impl FnOnce(&Arc<Request>) -> (Arc<Request>, Verdict),
) -> (Arc<Request>, Verdict) {
    let Some(seen) = seen else {
        return policies(asked);
    };
    let (expanded, tool) = one(seen, asked, &schema);
    if !tool.faults.is_empty() {
        let verdict = Verdict {
            tool: Some(Box::new(tool)),
            ..Verdict::default()
        };
        return (asked.clone(), verdict);
    }
    let (changed, mut verdict) = policies(&expanded);
    let (changed, tool) = match changed == expanded {
        true => (expanded, tool),
        false => {
            let mut changed = (*changed).clone();
            if changed.parameters != expanded.parameters {
                // What followed from the former arguments does not follow from these.
                changed.resources.clone_from(&asked.resources);
                if changed.cost == expanded.cost {
                    changed.cost = asked.cost;
                }
            }
            one(seen, &Arc::new(changed), &schema)
        }
    };
    verdict.original = (changed != *asked).then(|| asked.clone());
    verdict.tool = Some(Box::new(tool));
    (changed, verdict)
}

/// The request with what follows from its arguments, and what the tool says of them.
fn one(
    seen: Seen<'_>,
    request: &Arc<Request>,
    schema: &impl Fn(&Map<String, Value>) -> Vec<Fault>,
) -> (Arc<Request>, Judgement) {
    let mut faults = schema(request.parameters.as_deref().unwrap_or(&NONE));
    let mut expanded = request.clone();
    if faults.is_empty() {
        match expand(seen.tool, request) {
            Ok(request) => expanded = request,
            Err(found) => faults = found,
        }
    }
    let judgement = Judgement {
        tool: seen.tool.id.clone(),
        version: seen.version,
        set_at: seen.set_at,
        faults,
    };
    (expanded, judgement)
}

/// The request that policies are asked about: as it was asked, with what follows from its arguments.
pub fn asked<'s>(state: &State, asked: &'s Request) -> Cow<'s, Request> {
    let Some(entry) = state.tools.by_id.get(&asked.action) else {
        return Cow::Borrowed(asked);
    };
    match derive(&entry.tool, asked.parameters.as_deref()) {
        Ok(derived) if !is_covered(&derived, asked) => {
            let asked = Arc::new(asked.clone());
            expand(&entry.tool, &asked).map_or_else(
                |_| Cow::Owned((*asked).clone()),
                |expanded| Cow::Owned((*expanded).clone()),
            )
        }
        Ok(_) | Err(_) => Cow::Borrowed(asked),
    }
}

/// Whether a verdict is about the tool that the request is for, as it stands now, and the request carries all that follows
/// from its arguments.
pub fn is_current(state: &State, request: &Request, verdict: Option<&Verdict>) -> bool {
    let said = verdict.and_then(|verdict| verdict.tool.as_deref());
    match (state.tools.by_id.get(&request.action), said) {
        (None, None) => true,
        (Some(entry), Some(said)) => {
            let is_it = said.tool == request.action && said.set_at == entry.set_at;
            is_it && (!said.faults.is_empty() || carries(&entry.tool, request))
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn carries(tool: &Tool, request: &Request) -> bool {
    let derived = derive(tool, request.parameters.as_deref());
    derived.is_ok_and(|derived| is_covered(&derived, request))
}

/// Whether a tool refuses the arguments, so that nothing else was asked.
pub fn refuses(verdict: Option<&Verdict>) -> bool {
    let said = verdict.and_then(|verdict| verdict.tool.as_deref());
    said.is_some_and(|said| !said.faults.is_empty())
}

/// `/amount: a number; /iban: …`.
pub fn words(faults: &[Fault]) -> String {
    let line = |fault: &Fault| match fault.argument.as_str() {
        "" => format!("arguments: {}", fault.wanted),
        argument => format!("{argument}: {}", fault.wanted),
    };
    let lines: Vec<String> = faults.iter().map(line).collect();
    Text::clip(&lines.join("; ")).to_string()
}
