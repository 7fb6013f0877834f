//! Whether an execution that has begun can go on by another version of its workflow.
//!
//! Rules
//! - What has begun stands in the new version too, and is the same: what it does, what it waits for, what it contains.
//! - What has begun did not miss anything: all that it waits for in the new version has ended.
//! - Within what is run several times (map, loop) nothing is added or taken out once that has begun.
//! - What is not begun may change, come and go as it likes, as long as no new input is needed.
use crate::graph::{Graph, Node, NodeIndex, Work};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How far a node of an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It runs, or waits for something outside.
    Begun,
    /// It has ended, one way or another.
    Ended,
}

/// How an execution moves: each node that has begun, and what it is in the new version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// From the old version's to the new one's.
    pub nodes: BTreeMap<NodeIndex, NodeIndex>,
}

/// Why an execution cannot move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// The path of the node, or `inputs.budget`.
    pub path: String,
    /// What stands in the way.
    pub what: String,
}

/// Whether an execution can move from one version to another: those of its nodes that have begun, with their phases.
///
/// # Errors
/// When it cannot: everything that stands in the way.
pub fn migrate(
    old: &Graph,
    new: &Graph,
    begun: &BTreeMap<NodeIndex, Phase>,
) -> Result<Migration, Vec<Obstacle>> {
    let places: BTreeMap<&str, NodeIndex> = new
        .indices()
        .map(|index| (new.node(index).path.as_str(), index))
        .collect();
    let ended: BTreeSet<&str> = begun
        .iter()
        .filter(|(_, phase)| **phase == Phase::Ended)
        .filter_map(|(index, _)| Some(old.nodes.get(index.at())?.path.as_str()))
        .collect();
    let mut obstacles = Vec::new();
    let mut migration = Migration::default();
    for (name, schema) in &new.inputs {
        if !old.inputs.contains_key(name) && schema.get("default").is_none() {
            obstacles.push(Obstacle {
                path: format!("inputs.{name}"),
                what: "the new version needs it, and the execution was started without".to_owned(),
            });
        }
    }
    for (index, phase) in begun {
        let Some(node) = old.nodes.get(index.at()) else {
            continue;
        };
        let mut obstacle = |what: String| {
            obstacles.push(Obstacle {
                path: node.path.to_string(),
                what,
            });
        };
        let Some(place) = places.get(node.path.as_str()) else {
            obstacle("it has begun, and the new version has no such node".to_owned());
            continue;
        };
        let fresh = new.node(*place);
        migration.nodes.insert(*index, *place);
        if let Some(field) = differs(old, node, new, fresh) {
            obstacle(format!(
                "it has begun, and its {field} is another in the new version"
            ));
        }
        let is_several = matches!(node.work, Work::Map { .. } | Work::Loop { .. });
        if (is_several || *phase == Phase::Ended) && within(old, *index) != within(new, *place) {
            let why = if is_several {
                "is run several times"
            } else {
                "has ended"
            };
            obstacle(format!(
                "it {why}, and what it contains is another in the new version"
            ));
        }
        for other in &fresh.waits_for {
            let path = &new.node(*other).path;
            if !ended.contains(path.as_str()) {
                obstacle(format!(
                    "it has begun, and in the new version it waits for {path}, which has not ended"
                ));
            }
        }
    }
    match obstacles.is_empty() {
        true => Ok(migration),
        false => Err(obstacles),
    }
}

/// The first part of a node in which two versions of it differ. What it contains is looked at by itself.
fn differs(old_graph: &Graph, old: &Node, new_graph: &Graph, new: &Node) -> Option<&'static str> {
    if old.work.kind() != new.work.kind() {
        return Some("kind");
    }
    if work(old_graph, &old.work) != work(new_graph, &new.work) {
        return Some("work");
    }
    if named(old_graph, &old.set) != named(new_graph, &new.set) {
        return Some("set");
    }
    if old.outputs != new.outputs {
        return Some("outputs");
    }
    if named(old_graph, &old.compensation) != named(new_graph, &new.compensation) {
        return Some("compensation");
    }
    let labels = |node: &Node| -> Vec<String> {
        node.bodies
            .iter()
            .map(|body| body.label.to_string())
            .collect()
    };
    (labels(old) != labels(new)).then_some("bodies")
}

/// As JSON, with nodes by their paths: indices change when other nodes come and go.
fn named<T: Serialize>(graph: &Graph, thing: &T) -> Value {
    let mut value = serde_json::to_value(thing).unwrap_or_default();
    rename(graph, &mut value);
    value
}

/// What a node does, and which nodes it names outside its templates.
fn work(graph: &Graph, work: &Work) -> (Value, Vec<String>) {
    let mut work = work.clone();
    let others = match &mut work {
        Work::Agent(agent) => agent.workers.sticky.take().into_iter().collect(),
        Work::Tool(task) => task.workers.sticky.take().into_iter().collect(),
        Work::Compensate(of) => std::mem::take(of),
        _ => Vec::new(),
    };
    let others = others
        .iter()
        .map(|other| graph.node(*other).path.to_string());
    (named(graph, &work), others.collect())
}

/// Gives the sources of paths and bindings the paths of their nodes.
fn rename(graph: &Graph, value: &mut Value) {
    match value {
        Value::Object(map) => {
            let is_one = map.contains_key("written") || map.contains_key("names");
            if let (true, Some(Value::Object(source))) = (is_one, map.get_mut("source")) {
                for (_, node) in source.iter_mut() {
                    let at = node.as_u64().and_then(|at| usize::try_from(at).ok());
                    if let Some(found) = at.and_then(|at| graph.nodes.get(at)) {
                        *node = Value::String(found.path.to_string());
                    }
                }
            }
            map.values_mut().for_each(|value| rename(graph, value));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| rename(graph, value)),
        _ => {}
    }
}

/// Everything that a node contains, by path, with what it does.
fn within(graph: &Graph, index: NodeIndex) -> BTreeMap<String, (Value, Vec<String>)> {
    let mut all = BTreeMap::new();
    let mut open: Vec<NodeIndex> = vec![index];
    while let Some(at) = open.pop() {
        for body in &graph.node(at).bodies {
            for child in &body.children {
                let node = graph.node(*child);
                all.insert(node.path.to_string(), work(graph, &node.work));
                open.push(*child);
            }
        }
    }
    all
}
