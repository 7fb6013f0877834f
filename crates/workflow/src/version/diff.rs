//! What changed between two definitions.
use super::value;
use crate::contract::compatible::{self, Direction};
use crate::definition::{Definition, Node, Nodes};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Names of the fields of a node that hold nodes.
const NESTED: [&str; 8] = [
    "nodes", "then", "else", "cases", "default", "branches", "catch", "finally",
];

/// What changed between two definitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diff {
    /// Fields of the whole that differ, but for nodes: `inputs.budget`.
    pub workflow: Vec<Change>,
    /// Nodes that only the new one has, by their paths.
    pub added: Vec<String>,
    /// Nodes that only the old one has.
    pub removed: Vec<String>,
    /// Nodes that both have and that differ, each with its fields that do; what they contain stands by itself.
    pub changed: BTreeMap<String, Vec<Change>>,
    /// What whoever starts it, or reads what it gives, has to change: `inputs.budget: is needed now`.
    pub breaking: Vec<compatible::Break>,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Which: `retry.max_attempts`.
    pub field: String,
    /// What it was; absent: it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What it is; absent: it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

impl Diff {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Diff::default()
    }
}

/// What changed from an old definition to a new one. Both are compared as they mean, not as they are written.
#[must_use]
pub fn diff(old: &Definition, new: &Definition) -> Diff {
    let mut diff = Diff::default();
    let whole = |definition: &Definition| {
        let mut whole = value(definition);
        if let Value::Object(map) = &mut whole {
            map.remove("nodes");
        }
        whole
    };
    changes("", &whole(old), &whole(new), &mut diff.workflow);
    let (old_nodes, new_nodes) = (flat(&old.nodes), flat(&new.nodes));
    let paths: BTreeSet<&String> = old_nodes.keys().chain(new_nodes.keys()).collect();
    for path in paths {
        match (old_nodes.get(path), new_nodes.get(path)) {
            (Some(old), Some(new)) => {
                let mut fields = Vec::new();
                changes("", &own(old), &own(new), &mut fields);
                if !fields.is_empty() {
                    diff.changed.insert(path.clone(), fields);
                }
            }
            (None, _) => diff.added.push(path.clone()),
            (_, None) => diff.removed.push(path.clone()),
        }
    }
    diff.breaking = compatible::of_maps("inputs", &old.inputs, &new.inputs, Direction::In);
    let outputs = |definition: &Definition| {
        let outputs = definition.outputs.iter();
        outputs
            .map(|(name, output)| {
                (
                    name.clone(),
                    output.schema.clone().unwrap_or(Value::Bool(true)),
                )
            })
            .collect()
    };
    let outs = compatible::of_maps("outputs", &outputs(old), &outputs(new), Direction::Out);
    diff.breaking.extend(outs);
    diff
}

/// A node without those it contains.
pub(super) fn own(node: &Node) -> Value {
    let mut own = value(node);
    if let Value::Object(map) = &mut own {
        for name in NESTED {
            if let Some(nested) = map.get_mut(name) {
                *nested = names_of(name, nested);
            }
        }
    }
    own
}

/// Of cases and branches their names remain: one more of them is a change of the node.
fn names_of(field: &str, nested: &Value) -> Value {
    match (field, nested) {
        ("cases" | "branches", Value::Object(map)) => Value::Object(
            map.keys()
                .map(|name| (name.clone(), Value::Null))
                .collect::<Map<_, _>>(),
        ),
        _ => Value::Bool(true),
    }
}

/// Every node by its path, as graphs have it.
fn flat(nodes: &Nodes) -> BTreeMap<String, &Node> {
    let mut all = BTreeMap::new();
    put(nodes, "", &mut all);
    all
}

fn put<'d>(nodes: &'d Nodes, above: &str, all: &mut BTreeMap<String, &'d Node>) {
    for (name, node) in nodes {
        let path = format!("{above}{name}");
        for (label, body) in node.kind.labelled_bodies() {
            let label = match crate::fault::is_plain(&label) {
                true => label,
                false => format!("{label:?}"),
            };
            put(body, &format!("{path}.{label}."), all);
        }
        all.insert(path, node);
    }
}

/// Where two values differ, as deep as both are maps.
fn changes(at: &str, old: &Value, new: &Value, found: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let (Value::Object(olds), Value::Object(news)) = (old, new) else {
        found.push(Change {
            field: at.to_owned(),
            old: Some(old.clone()),
            new: Some(new.clone()),
        });
        return;
    };
    let names: BTreeSet<&String> = olds.keys().chain(news.keys()).collect();
    for name in names {
        let field = match at {
            "" => name.clone(),
            at => format!("{at}.{name}"),
        };
        match (olds.get(name), news.get(name)) {
            (Some(old), Some(new)) => changes(&field, old, new, found),
            (old, new) => found.push(Change {
                field,
                old: old.cloned(),
                new: new.cloned(),
            }),
        }
    }
}
