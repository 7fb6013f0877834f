//! What a tool's guard says of arguments, and which of its cases its callers could choose to their liking.
//!
//! Cases are asked in order, as the gate does. Who asks is told with `--agent`; without it, a case of agents, groups or scopes
//! is told with its condition, and the next is asked.
use crate::commands::rules::case as words_of;
use crate::failure::{Failure, Outcome};
use crate::{context::Global, paint, parse, show};
use clap::Args;
use fleet_core::matching::{Who, belongs};
use fleet_types::approval::Terms;
use fleet_types::lock::{Claim, Mode};
use fleet_types::permit::Request;
use fleet_types::rule::Case;
use fleet_types::tool::{Guard, Tool};
use fleet_types::{AgentId, Code, GroupId, Labels, RequestId, ResourcePath, ScopePath};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What a caller says of itself.
#[derive(Args)]
pub struct Caller {
    /// Who asks; its scope and its groups are looked up at the server. Absent: cases of agents, groups and scopes are told
    #[arg(long, requires = "parameters")]
    agent: Option<AgentId>,
    /// A label that the request carries; may be given several times
    #[arg(short, long, value_parser = parse::label, value_name = "KEY=VALUE", requires = "parameters")]
    label: Vec<(String, String)>,
    /// A resource that the request claims besides those that follow; may be given several times
    #[arg(long, value_name = "RESOURCE", requires = "parameters")]
    resource: Vec<ResourcePath>,
}

/// One thing that a guard says.
#[derive(Serialize)]
pub struct Says {
    guard: Guard,
    /// By which of its cases, counted from 1; absent: where none holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<usize>,
    /// What that case is about.
    #[serde(skip)]
    about: String,
    /// For whom, where that was not told: what must hold besides.
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    condition: Option<String>,
    /// Who is asked to approve.
    #[serde(skip_serializing_if = "Option::is_none")]
    asks: Option<String>,
}

impl Says {
    /// Whether it refuses whatever else may be so.
    pub fn forbids(&self) -> bool {
        self.guard == Guard::Forbidden
    }
}

/// An agent as cases see it.
struct Asker {
    id: AgentId,
    scope: Option<ScopePath>,
    groups: BTreeSet<GroupId>,
}

/// What the guard says of arguments, and of what follows from them. Every one but the last has a condition.
pub async fn says(
    global: &Global,
    tool: &Tool,
    arguments: &Map<String, Value>,
    derived: &[Claim],
    caller: Caller,
) -> Outcome<Vec<Says>> {
    let asker = match &caller.agent {
        Some(agent) => Some(look_up(global, agent).await?),
        None => None,
    };
    let own = caller.resource.into_iter();
    let own = own.map(|path| Claim::new(path, Mode::Shared));
    let agent = asker.as_ref().map(|asker| asker.id.clone());
    let request = Request {
        request_id: RequestId::parse("check")?,
        agent: agent.map_or_else(|| AgentId::parse("somebody"), Ok)?,
        instance: None,
        action: tool.id.clone(),
        resources: derived.iter().cloned().chain(own).collect(),
        reads: Vec::new(),
        parameters: Some(Box::new(arguments.clone())),
        cost: Default::default(),
        priority: None,
        wait_ms: Default::default(),
        ttl_ms: None,
        labels: parse::labels(&caller.label).map_err(Failure::usage)?,
        explain: false,
        approval: None,
        parent: None,
    };
    Ok(asked(tool, &request, asker.as_ref()))
}

/// The cases in order, up to the first that holds whoever asks.
fn asked(tool: &Tool, request: &Request, asker: Option<&Asker>) -> Vec<Says> {
    let now = show::now();
    let none = BTreeSet::new();
    let who = Who {
        agent: &request.agent,
        scope: asker.and_then(|asker| asker.scope.as_ref()),
        groups: asker.map_or(&none, |asker| &asker.groups),
    };
    let mut all = Vec::new();
    for (at, own) in tool.cases.iter().enumerate() {
        let (when, open) = match asker {
            Some(_) => (own.when.clone(), None),
            None => split(&own.when),
        };
        if !belongs(&when, who, request, now) {
            continue;
        }
        let is_last = open.is_none();
        let terms = own.approval.as_ref().or(tool.approval.as_ref());
        all.push(Says {
            guard: own.guard,
            case: Some(at + 1),
            about: words_of(&own.when),
            condition: open.map(|open| words_of(&open)),
            asks: asks(own.guard, terms.map(|terms| &**terms)),
        });
        if is_last {
            return all;
        }
    }
    all.push(Says {
        guard: tool.guard,
        case: None,
        about: String::new(),
        condition: None,
        asks: asks(tool.guard, tool.approval.as_deref()),
    });
    all
}

/// A case without what it says of who asks, and that by itself where it says something.
fn split(case: &Case) -> (Case, Option<Case>) {
    let open = Case {
        scope: case.scope.clone(),
        agent: case.agent.clone(),
        group: case.group.clone(),
        ..Case::default()
    };
    let rest = Case {
        scope: None,
        agent: None,
        group: None,
        ..case.clone()
    };
    let is_open = open != Case::default();
    (rest, is_open.then_some(open))
}

fn asks(guard: Guard, terms: Option<&Terms>) -> Option<String> {
    match guard {
        Guard::Approval => terms.map(|terms| show::asked_of(&terms.assignees, terms.needed)),
        Guard::Automatic | Guard::Forbidden => None,
    }
}

async fn look_up(global: &Global, agent: &AgentId) -> Outcome<Asker> {
    match global.fleet()?.agent(agent).await {
        Ok(found) => Ok(Asker {
            id: agent.clone(),
            scope: found.definition.scope,
            groups: found.groups.into_iter().collect(),
        }),
        // Whoever is not registered stands at the root and is in no group.
        Err(error) if error.code() == Some(Code::NotFound) => Ok(Asker {
            id: agent.clone(),
            scope: None,
            groups: BTreeSet::new(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// `forbidden by case 1: /amount above 10000`.
pub fn lines(says: &[Says]) -> String {
    let line = |said: &Says| {
        let word = show::word(&said.guard);
        let mut words = match said.guard {
            Guard::Automatic => word,
            Guard::Approval => paint::waiting(&word),
            Guard::Forbidden => paint::bad(&word),
        };
        if let Some(asks) = &said.asks {
            words.push_str(&format!(" of {asks}"));
        }
        if let Some(condition) = &said.condition {
            words.push_str(&format!(", if {condition}"));
        }
        match said.case {
            Some(case) => words.push_str(&format!(" (case {case}: {})", said.about)),
            None if says.len() > 1 => words.push_str(" otherwise"),
            None => words.push_str(" (no case holds)"),
        }
        words
    };
    let lines: Vec<String> = says.iter().map(line).collect();
    lines.join("\n")
}

/// Cases that make the guard laxer by what callers say of themselves, each in words.
pub fn loosened(tool: &Tool) -> Vec<String> {
    let mut found = Vec::new();
    for (at, own) in tool.cases.iter().enumerate() {
        let mut chosen = Vec::new();
        if own.when.labels != Labels::default() {
            chosen.push(format!("labels {}", show::labels(&own.when.labels)));
        }
        if let Some(resource) = &own.when.resource {
            chosen.push(format!("resource {resource}"));
        }
        // What would be said if the case did not hold: a later one, or what holds without any.
        let later = tool.cases.iter().enumerate().skip(at + 1);
        let later = later.map(|(at, case)| (case.guard, format!("case {}", at + 1)));
        let without = std::iter::once((tool.guard, "guard".to_owned())).chain(later);
        let stricter = without
            .filter(|(guard, _)| strictness(*guard) > strictness(own.guard))
            .max_by_key(|(guard, _)| strictness(*guard));
        let (Some((guard, place)), false) = (stricter, chosen.is_empty()) else {
            continue;
        };
        found.push(format!(
            "tool {}: cases[{at}] (case {}) is {} by {}, which callers choose themselves; so whoever says so gets past {place}, \
             which is {}. Decide by parameters, agent, group or scope",
            tool.id,
            at + 1,
            show::word(&own.guard),
            chosen.join(" and "),
            show::word(&guard)
        ));
    }
    found
}

/// Tells of such cases on standard error.
pub fn warn(tool: &Tool) {
    for words in loosened(tool) {
        eprintln!("{} {words}", paint::warning("warning:"));
    }
}

const fn strictness(guard: Guard) -> u8 {
    match guard {
        Guard::Automatic => 0,
        Guard::Approval => 1,
        Guard::Forbidden => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(cases: &str) -> Tool {
        let text = format!(
            r#"{{"id": "pay", "guard": "forbidden", "approval": {{"assignees": [{{"role": "operator"}}]}}, "cases": {cases}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn loosened_cases(cases: &str) -> Vec<usize> {
        let tool = tool(cases);
        let words = loosened(&tool);
        let named = |at: &usize| words.iter().any(|it| it.contains(&format!("cases[{at}]")));
        (0..tool.cases.len()).filter(named).collect()
    }

    #[test]
    fn a_case_that_callers_choose_must_not_loosen() {
        for (cases, found) in [
            (
                r#"[{"when": {"labels": {"a": "b"}}, "guard": "automatic"}]"#,
                &[0][..],
            ),
            (
                r#"[{"when": {"resource": "x/**"}, "guard": "approval"}]"#,
                &[0],
            ),
            (
                r#"[{"when": {"labels": {"a": "b"}}, "guard": "forbidden"}]"#,
                &[],
            ),
            (r#"[{"when": {"agent": "ann"}, "guard": "automatic"}]"#, &[]),
            (
                r#"[{"when": {"parameters": {"/n": {"below": 3}}}, "guard": "automatic"}]"#,
                &[],
            ),
            (
                r#"[{"guard": "forbidden"}, {"when": {"resource": "x"}, "guard": "automatic"}]"#,
                &[1],
            ),
        ] {
            assert_eq!(loosened_cases(cases), found, "{cases}");
        }
    }

    #[test]
    fn a_case_of_agents_is_told_with_its_condition() {
        let tool = tool(
            r#"[{"when": {"agent": "ann", "parameters": {"/n": {"above": 1}}}, "guard": "approval"},
                {"when": {"parameters": {"/n": {"above": 2}}}, "guard": "automatic"}]"#,
        );
        let said = |n: u64, agent: Option<&str>| {
            let asker = agent.map(|id| Asker {
                id: AgentId::parse(id).unwrap(),
                scope: None,
                groups: BTreeSet::new(),
            });
            let request = format!(
                r#"{{"request_id": "r", "agent": "{}", "action": "pay", "parameters": {{"n": {n}}}}}"#,
                agent.unwrap_or("somebody")
            );
            lines(&asked(
                &tool,
                &serde_json::from_str(&request).unwrap(),
                asker.as_ref(),
            ))
        };
        assert_eq!(said(1, None), "forbidden (no case holds)");
        let open = "approval of role:operator, if agent ann (case 1: agent ann, /n above 1)";
        assert_eq!(said(2, None), format!("{open}\nforbidden otherwise"));
        assert_eq!(
            said(3, None),
            format!("{open}\nautomatic (case 2: /n above 2)")
        );
        assert_eq!(
            said(3, Some("ann")),
            "approval of role:operator (case 1: agent ann, /n above 1)"
        );
        assert_eq!(said(2, Some("bob")), "forbidden (no case holds)");
    }
}
