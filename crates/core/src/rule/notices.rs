//! What is noticed about a rule when it is set in a fleet: what is wrong with it among the fleet's other rules, and that
//! nobody there could do what it is about.
use super::check;
use crate::map::Set;
use crate::state::State;
use fleet_types::agent::Allow;
use fleet_types::finding::{Finding, Level};
use fleet_types::rule::{Case, Rule, Stage};
use fleet_types::settings::DefaultDecision;
use fleet_types::{AgentId, Pattern, Text};

/// Lists of what agents may do that are looked at; in a fleet of more, nothing is said of them.
const ALLOWS_MAX: usize = 256;

/// What is noticed, what refuses it first.
pub fn of(state: &State, rule: &Rule) -> Vec<Finding> {
    let others = || {
        let entries = state.rules.entries.iter().flatten();
        entries
            .filter(|entry| entry.cases[0].is_some()) // Those that are filed: removed ones are not.
            .map(|entry| &*entry.rule)
    };
    let mut found = check::among(rule, others);
    if rule.stage == Stage::Draft {
        return found;
    }
    let cases = [
        ("when", Some(&rule.when)),
        (check::other_field(&rule.form), rule.form.other_case()),
    ];
    for (field, case) in cases {
        for (part, words) in case.into_iter().flat_map(|case| nobody(state, case)) {
            found.push(Finding {
                level: Level::Warning,
                rule: rule.id.clone(),
                field: format!("{field}.{part}").into(),
                other: None,
                words: Text::clip(&words),
            });
        }
    }
    found
}

/// Parts of a case that nobody in the fleet answers to, as far as that can be told now.
fn nobody(state: &State, case: &Case) -> Vec<(&'static str, String)> {
    let mut parts = Vec::new();
    if let Some(group) = &case.group
        && !state.groups.by_id.contains_key(group)
    {
        parts.push((
            "group",
            format!("there is no group {group}, so nothing matches"),
        ));
    }
    if let Some(scope) = &case.scope
        && !state.scopes.nodes.contains_key(scope)
    {
        parts.push((
            "scope",
            format!("there is no scope {scope}, so nothing matches"),
        ));
    }
    if state.settings.auto_register {
        return parts; // Whoever asks first is an agent.
    }
    let exact = case.agent.as_ref().filter(|agent| agent.is_exact());
    if let Some(agent) = exact
        && !AgentId::parse(agent.as_str()).is_ok_and(|id| state.agents.key(&id).is_some())
    {
        parts.push((
            "agent",
            format!("there is no agent {agent}, so nothing matches"),
        ));
    }
    if state.settings.default_decision == DefaultDecision::Allow {
        return parts;
    }
    let mut allows: Set<&Allow> = Set::default();
    for (_, agent) in state.agents.agents.iter() {
        allows.insert(&agent.terms.allow);
        if allows.len() > ALLOWS_MAX {
            return parts;
        }
    }
    if allows.is_empty() {
        return parts;
    }
    let somebody = |wanted: &Pattern, of: fn(&Allow) -> &[Pattern]| {
        let mut lists = allows.iter();
        lists.any(|allow| of(allow).iter().any(|pattern| pattern.overlaps(wanted)))
    };
    if let Some(action) = &case.action
        && !somebody(action, |allow| &allow.actions)
    {
        parts.push((
            "action",
            format!("no agent may take an action {action}, so nothing matches"),
        ));
    }
    if let Some(resource) = &case.resource
        && !somebody(resource, |allow| &allow.resources)
    {
        parts.push((
            "resource",
            format!("no agent may touch {resource}, so nothing matches"),
        ));
    }
    parts
}
