//! What must change so that a fleet is as declared.
use super::Document;
use crate::commands::tools;
use crate::failure::Outcome;
use fleet_client::http::AgentFilter;
use fleet_client::{Error, Fleet};
use fleet_types::action::Action;
use fleet_types::agent::Definition;
use fleet_types::budget::Budget;
use fleet_types::connector::{Connector, Mark};
use fleet_types::graph::view::{Filter, Source};
use fleet_types::graph::{Edge, Ends};
use fleet_types::group::Group;
use fleet_types::limit::Limit;
use fleet_types::policy::Policy;
use fleet_types::rule::Rule;
use fleet_types::scope::Scope;
use fleet_types::settings::Settings;
use fleet_types::tool::Tool;
use fleet_types::{
    ActionName, AgentId, BudgetId, Code, ConnectorId, GroupId, LimitId, Pattern, PolicyId, RuleId,
    ScopePath, view,
};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// All changes, in the order in which they are made.
pub struct Plan {
    /// Also those that are none.
    pub changes: Vec<Change>,
}

/// What happens to one thing.
#[derive(Serialize)]
pub struct Change {
    /// What happens.
    pub verb: Verb,
    /// A kind of thing.
    pub kind: &'static str,
    /// Which.
    pub name: String,
    /// `field: old → new`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    #[serde(skip)]
    pub(super) step: Step,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// It is new.
    Create,
    /// It is there and differs.
    Update,
    /// It is there and not declared.
    Remove,
    /// It is as declared.
    Unchanged,
}

/// How it is done.
pub(super) enum Step {
    Settings(Box<Settings>),
    Scope(Scope),
    Action(Action),
    Agent(Box<Definition>),
    Group(Group),
    Limit(Box<Limit>),
    Rule(Box<Rule>),
    Policy(Box<Policy>),
    Tool(Box<Tool>),
    Budget(Box<Budget>),
    Connector(Box<Connector>),
    Edge(Edge),
    RemoveScope(ScopePath),
    RemoveAction(Pattern),
    RemoveAgent(AgentId),
    RemoveGroup(GroupId),
    RemoveLimit(LimitId),
    RemoveRule(RuleId),
    RemovePolicy(PolicyId),
    RemoveTool(ActionName),
    RemoveBudget(BudgetId),
    RemoveConnector(ConnectorId),
    RemoveEdge(Ends),
}

impl Step {
    pub async fn carry_out(&self, fleet: &Fleet) -> Result<(), Error> {
        let done = match self {
            Step::Settings(settings) => fleet.put_settings(settings).await,
            Step::Scope(scope) => fleet.put_scope(scope).await,
            Step::Action(action) => fleet.put_action(action).await,
            Step::Agent(agent) => fleet.put_agent(agent).await,
            Step::Group(group) => fleet.put_group(group).await,
            Step::Limit(limit) => fleet.put_limit(limit).await,
            Step::Rule(rule) => fleet.put_rule(rule).await,
            Step::Policy(policy) => fleet.put_policy(policy).await,
            Step::Tool(tool) => fleet.put_tool(tool).await,
            Step::Budget(budget) => fleet.put_budget(budget).await,
            Step::Connector(connector) => fleet.put_connector(connector).await,
            Step::Edge(edge) => fleet.declare_edge(edge).await,
            Step::RemoveScope(path) => fleet.remove_scope(path).await,
            Step::RemoveAction(pattern) => fleet.remove_action(pattern).await,
            Step::RemoveAgent(agent) => fleet.remove_agent(agent).await,
            Step::RemoveGroup(group) => fleet.remove_group(group).await,
            Step::RemoveLimit(limit) => fleet.remove_limit(limit).await,
            Step::RemoveRule(rule) => fleet.remove_rule(rule).await,
            Step::RemovePolicy(policy) => fleet.remove_policy(policy).await,
            Step::RemoveTool(tool) => fleet.remove_tool(tool).await,
            Step::RemoveBudget(budget) => fleet.remove_budget(budget).await,
            Step::RemoveConnector(connector) => fleet.remove_connector(connector).await,
            Step::RemoveEdge(ends) => fleet.undeclare_edge(ends).await,
        };
        match done {
            // A node of the tree goes by itself when the last thing in it does.
            Err(error)
                if error.code() == Some(Code::NotFound) && matches!(self, Step::RemoveScope(_)) =>
            {
                Ok(())
            }
            done => done.map(drop),
        }
    }
}

/// Compares what is declared with what is there, by name.
struct Comparison {
    changes: Vec<Change>,
    removals: Vec<Change>,
    prune: bool,
}

impl Comparison {
    /// One section. `there`: what is there now, by name, as it would have to be declared.
    fn section<T: Serialize + PartialEq>(
        &mut self,
        kind: &'static str,
        declared: Option<Vec<T>>,
        there: &BTreeMap<String, T>,
        name: impl Fn(&T) -> String,
        step: impl Fn(T) -> Step,
        remove: impl Fn(&T) -> Option<Step>,
    ) {
        let Some(declared) = declared else { return };
        let mut named = BTreeSet::new();
        for thing in declared {
            let name = name(&thing);
            named.insert(name.clone());
            let (verb, differences) = match there.get(&name) {
                None => (Verb::Create, Vec::new()),
                Some(old) if *old == thing => (Verb::Unchanged, Vec::new()),
                Some(old) => (Verb::Update, differences(old, &thing)),
            };
            self.changes.push(Change {
                verb,
                kind,
                name,
                differences,
                step: step(thing),
            });
        }
        if !self.prune {
            return;
        }
        for (name, thing) in there.iter().rev() {
            if !named.contains(name)
                && let Some(step) = remove(thing)
            {
                self.removals.push(Change {
                    verb: Verb::Remove,
                    kind,
                    name: name.clone(),
                    differences: Vec::new(),
                    step,
                });
            }
        }
    }
}

impl Plan {
    /// Looks at the fleet and compares; asks only for the sections that are declared.
    ///
    /// # Errors
    /// When the server refuses or is not there, or a file of a policy is not right.
    pub async fn make(
        fleet: &Fleet,
        document: Document,
        folder: &Path,
        prune: bool,
    ) -> Outcome<Plan> {
        let mut all = Comparison {
            changes: Vec::new(),
            removals: Vec::new(),
            prune,
        };
        if let Some(settings) = document.settings {
            let there = fleet.settings().await?;
            let verb = if settings == there {
                Verb::Unchanged
            } else {
                Verb::Update
            };
            all.changes.push(Change {
                verb,
                kind: "settings",
                name: fleet.id().to_string(),
                differences: differences(&there, &settings),
                step: Step::Settings(Box::new(settings)),
            });
        }
        let agents = if document.agents.is_some() {
            fleet.agents(&AgentFilter::default()).await?
        } else {
            Vec::new()
        };
        if let Some(declared) = document.scopes {
            let scopes = fleet.scopes().await?;
            let used: BTreeSet<ScopePath> = scopes
                .iter()
                .filter(|scope| scope.agents > 0)
                .map(|scope| scope.path.clone())
                .collect();
            let there = by_name(scopes.into_iter().map(scope_of), |scope| {
                scope.path.to_string()
            });
            let kept: Vec<ScopePath> = declared.iter().map(|scope| scope.path.clone()).collect();
            let remove = |scope: &Scope| {
                let needed =
                    used.contains(&scope.path) || kept.iter().any(|path| scope.path.covers(path));
                (!needed).then(|| Step::RemoveScope(scope.path.clone()))
            };
            all.section(
                "scope",
                Some(declared),
                &there,
                |scope| scope.path.to_string(),
                Step::Scope,
                remove,
            );
        }
        if document.actions.is_some() {
            let there = by_name(fleet.actions().await?.into_iter(), |action| {
                action.pattern.to_string()
            });
            let remove = |action: &Action| Some(Step::RemoveAction(action.pattern.clone()));
            all.section(
                "action",
                document.actions,
                &there,
                |action| action.pattern.to_string(),
                Step::Action,
                remove,
            );
        }
        if let Some(declared) = document.agents {
            let kept: BTreeSet<AgentId> = declared.iter().map(|agent| agent.id.clone()).collect();
            let there = by_name(agents.into_iter().map(|agent| agent.definition), agent_name);
            let remove = |agent: &Definition| {
                (!kept.contains(&agent.id)).then(|| Step::RemoveAgent(agent.id.clone()))
            };
            all.section(
                "agent",
                Some(declared),
                &there,
                agent_name,
                |agent| Step::Agent(Box::new(agent)),
                remove,
            );
        }
        if document.groups.is_some() {
            let there = by_name(fleet.groups().await?.into_iter(), |group| {
                group.id.to_string()
            });
            let remove = |group: &Group| Some(Step::RemoveGroup(group.id.clone()));
            all.section(
                "group",
                document.groups,
                &there,
                |group| group.id.to_string(),
                Step::Group,
                remove,
            );
        }
        if document.limits.is_some() {
            let there = by_name(
                fleet.limits().await?.into_iter().map(|limit| limit.limit),
                |limit| limit.id.to_string(),
            );
            let remove = |limit: &Limit| Some(Step::RemoveLimit(limit.id.clone()));
            all.section(
                "limit",
                document.limits,
                &there,
                |limit| limit.id.to_string(),
                |limit| Step::Limit(Box::new(limit)),
                remove,
            );
        }
        if document.rules.is_some() {
            let there = by_name(
                fleet.rules().await?.into_iter().map(|rule| rule.rule),
                |rule| rule.id.to_string(),
            );
            let remove = |rule: &Rule| Some(Step::RemoveRule(rule.id.clone()));
            all.section(
                "rule",
                document.rules,
                &there,
                |rule| rule.id.to_string(),
                |rule| Step::Rule(Box::new(rule)),
                remove,
            );
        }
        if let Some(declared) = document.policies {
            let declared: Outcome<Vec<Policy>> =
                declared.into_iter().map(|it| it.read(folder)).collect();
            let there = by_name(
                fleet.policies().await?.into_iter().map(|it| it.policy),
                |policy| policy.id.to_string(),
            );
            let remove = |policy: &Policy| Some(Step::RemovePolicy(policy.id.clone()));
            all.section(
                "policy",
                Some(declared?),
                &there,
                |policy| policy.id.to_string(),
                |policy| Step::Policy(Box::new(policy)),
                remove,
            );
        }
        if let Some(declared) = &document.tools {
            for tool in declared {
                tools::compiled(tool)?;
                tools::warn(tool);
            }
            let there = by_name(fleet.tools().await?.into_iter().map(|it| it.tool), |tool| {
                tool.id.to_string()
            });
            let remove = |tool: &Tool| Some(Step::RemoveTool(tool.id.clone()));
            all.section(
                "tool",
                document.tools,
                &there,
                |tool| tool.id.to_string(),
                |tool| Step::Tool(Box::new(tool)),
                remove,
            );
        }
        if document.budgets.is_some() {
            let there = by_name(
                fleet
                    .budgets()
                    .await?
                    .into_iter()
                    .map(|budget| budget.budget),
                |budget| budget.id.to_string(),
            );
            let remove = |budget: &Budget| Some(Step::RemoveBudget(budget.id.clone()));
            all.section(
                "budget",
                document.budgets,
                &there,
                |budget| budget.id.to_string(),
                |budget| Step::Budget(Box::new(budget)),
                remove,
            );
        }
        if let Some(mut declared) = document.connectors {
            let there = fleet.connectors().await?.into_iter();
            let there = by_name(there.map(unmarked), |it| it.id.to_string());
            // Marks are the server's.
            declared.iter_mut().for_each(|it| it.mark = Mark::default());
            let remove = |it: &Connector| Some(Step::RemoveConnector(it.id.clone()));
            all.section(
                "connector",
                Some(declared),
                &there,
                |it| it.id.to_string(),
                |it| Step::Connector(Box::new(it)),
                remove,
            );
        }
        if document.graph.is_some() {
            let there = by_name(declared_edges(fleet).await?.into_iter(), edge_name);
            let remove = |edge: &Edge| Some(Step::RemoveEdge(edge.ends()));
            all.section(
                "edge",
                document.graph,
                &there,
                edge_name,
                Step::Edge,
                remove,
            );
        }
        let Comparison {
            mut changes,
            removals,
            ..
        } = all;
        // What stands on others goes first.
        changes.extend(removals.into_iter().rev());
        Ok(Plan { changes })
    }
}

fn by_name<T>(things: impl Iterator<Item = T>, name: impl Fn(&T) -> String) -> BTreeMap<String, T> {
    things.map(|thing| (name(&thing), thing)).collect()
}

fn agent_name(agent: &Definition) -> String {
    format!("{}@{}", agent.id, agent.version)
}

fn edge_name(edge: &Edge) -> String {
    format!("{} → {}", edge.from, edge.to)
}

fn unmarked(connector: Connector) -> Connector {
    Connector {
        mark: Mark::default(),
        ..connector
    }
}

async fn declared_edges(fleet: &Fleet) -> Result<Vec<Edge>, Error> {
    let declared = Filter {
        source: Some(Source::Declared),
        ..Filter::default()
    };
    let edges = fleet.graph(&declared).await?.into_iter();
    let edges = edges.map(|edge| Edge {
        from: edge.from,
        to: edge.to,
        description: edge.description,
    });
    Ok(edges.collect())
}

fn scope_of(view: view::Scope) -> Scope {
    Scope {
        path: view.path,
        description: view.description,
        labels: view.labels,
    }
}

/// Field by field, in words.
pub fn differences(old: &impl Serialize, new: &impl Serialize) -> Vec<String> {
    let mut lines = Vec::new();
    let value = |thing: Result<Value, serde_json::Error>| thing.unwrap_or_default();
    compare(
        "",
        &value(serde_json::to_value(old)),
        &value(serde_json::to_value(new)),
        &mut lines,
    );
    lines
}

fn compare(path: &str, old: &Value, new: &Value, lines: &mut Vec<String>) {
    if old == new {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (old, new) {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let (old, new) = (
                old.get(name).unwrap_or(&Value::Null),
                new.get(name).unwrap_or(&Value::Null),
            );
            compare(&path, old, new, lines);
        }
        return;
    }
    let show = |value: &Value| {
        if value.is_null() {
            "none".to_owned()
        } else {
            value.to_string()
        }
    };
    if let (Some(old), Some(new)) = (old.as_str(), new.as_str())
        && [old, new].iter().any(|text| text.contains('\n'))
    {
        // A text of several lines: which differ is for other tools.
        return lines.push(format!("{path} differs"));
    }
    lines.push(format!("{path}: {} → {}", show(old), show(new)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_field() {
        let old = serde_json::json!({"a": 1, "b": {"c": "x", "d": [1]}});
        let new = serde_json::json!({"a": 1, "b": {"c": "y"}, "e": true});
        assert_eq!(
            differences(&old, &new),
            ["b.c: \"x\" → \"y\"", "b.d: [1] → none", "e: none → true"]
        );
    }
}
