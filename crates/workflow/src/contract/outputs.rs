//! What the outputs of a node are, by its own contract or by its kind.
use super::{Followed, follow};
use crate::definition::kind::{Aggregate, Kind};
use crate::definition::{Node, Nodes};
use crate::template::Step;
use serde_json::{Value, json};
use std::sync::LazyLock;

static FLAG: LazyLock<Value> = LazyLock::new(|| json!({"type": "boolean"}));
static COUNT: LazyLock<Value> = LazyLock::new(|| json!({"type": "integer"}));
static TEXT: LazyLock<Value> = LazyLock::new(|| json!({"type": "string"}));
static LIST: LazyLock<Value> = LazyLock::new(|| json!({"type": "array"}));
static ANY: LazyLock<Value> = LazyLock::new(|| json!({}));

/// Follows a path through the outputs of a node.
pub(crate) fn follow_outputs<'d>(node: &'d Node, steps: &[Step]) -> Followed<'d> {
    if let Some(schemas) = &node.common.outputs {
        let Some((first, rest)) = steps.split_first() else {
            return Followed::Unknown;
        };
        let schema = match first {
            Step::Of(name) => schemas.get(name.as_str()),
            Step::At(_) => None,
        };
        return match schema {
            Some(schema) => deeper(follow(schema, rest), 1),
            None => Followed::Missing {
                step: 0,
                names: schemas.keys().map(ToString::to_string).collect(),
            },
        };
    }
    match &node.kind {
        Kind::Agent(_)
        | Kind::Tool(_)
        | Kind::Workflow(_)
        | Kind::Debate(_)
        | Kind::Delegate(_) => Followed::Unknown,
        Kind::Transform(_) => fixed(steps, &[("value", &ANY)]),
        Kind::Wait(wait) if wait.event.is_some() => fixed(steps, &[("event", &ANY)]),
        Kind::Wait(_) | Kind::Emit(_) => fixed(steps, &[]),
        Kind::Compensate(_) => fixed(steps, &[("undone", &LIST)]),
        Kind::Approval(_) => fixed(
            steps,
            &[
                ("option", &TEXT),
                ("approved", &FLAG),
                ("fields", &ANY),
                ("comment", &TEXT),
            ],
        ),
        Kind::Conditional(it) => within(&[&it.then, &it.otherwise], &[], steps),
        Kind::Switch(it) => {
            let bodies: Vec<&Nodes> = it.cases.values().chain([&it.default]).collect();
            within(&bodies, &[], steps)
        }
        Kind::Try(it) => within(
            &[&it.nodes, &it.catch, &it.finally],
            &[("caught", &FLAG)],
            steps,
        ),
        Kind::Loop(it) => within(&[&it.nodes], &[("rounds", &COUNT)], steps),
        Kind::Map(it) => match steps {
            [Step::Of(first), rest @ ..] if first == "items" && it.result.is_none() => match rest {
                [] => Followed::Known {
                    schema: &LIST,
                    root: &LIST,
                },
                [Step::At(_)] => Followed::Unknown,
                [Step::At(_), rest @ ..] => deeper(within(&[&it.nodes], &[], rest), 2),
                [Step::Of(_), ..] => Followed::Single {
                    step: 1,
                    of: "array".to_owned(),
                },
            },
            _ => fixed(steps, &[("items", &LIST), ("errors", &ANY)]),
        },
        Kind::Parallel(it) => match it.aggregate {
            Aggregate::None => fixed(steps, &[("errors", &ANY)]),
            Aggregate::List => fixed(steps, &[("items", &LIST), ("errors", &ANY)]),
            Aggregate::ByBranch => match steps {
                [Step::Of(first), rest @ ..] => match it.branches.get(first.as_str()) {
                    Some(_) if rest.is_empty() => Followed::Unknown,
                    Some(branch) => deeper(within(&[branch], &[], rest), 1),
                    None if first == "errors" => Followed::Unknown,
                    None => Followed::Missing {
                        step: 0,
                        names: it.branches.keys().map(ToString::to_string).collect(),
                    },
                },
                _ => Followed::Unknown,
            },
        },
    }
}

/// Outputs that a kind has by itself.
fn fixed(steps: &[Step], known: &[(&str, &'static LazyLock<Value>)]) -> Followed<'static> {
    let Some((first, rest)) = steps.split_first() else {
        return Followed::Unknown;
    };
    let found = match first {
        Step::Of(name) => known.iter().find(|(known, _)| *known == name.as_str()),
        Step::At(_) => None,
    };
    match found {
        Some((_, schema)) => deeper(follow(schema, rest), 1),
        None => Followed::Missing {
            step: 0,
            names: known.iter().map(|(name, _)| (*name).to_owned()).collect(),
        },
    }
}

/// Outputs of nodes within a node, by their names.
fn within<'d>(
    bodies: &[&'d Nodes],
    known: &[(&str, &'static LazyLock<Value>)],
    steps: &[Step],
) -> Followed<'d> {
    let Some((Step::Of(first), rest)) = steps.split_first() else {
        return Followed::Unknown;
    };
    let mut inner = bodies.iter().filter_map(|body| body.get(first.as_str()));
    match (inner.next(), inner.next()) {
        (Some(node), None) => deeper(follow_outputs(node, rest), 1),
        // The same name on several ways: it leads somewhere if it does on any.
        (Some(_), Some(_)) => Followed::Unknown,
        (None, _) => match fixed(steps, known) {
            Followed::Missing { step: 0, mut names } => {
                let inner = bodies.iter().flat_map(|body| body.keys());
                names.extend(inner.map(ToString::to_string));
                Followed::Missing { step: 0, names }
            }
            other => other,
        },
    }
}

/// The same, so many steps further.
fn deeper(followed: Followed<'_>, by: usize) -> Followed<'_> {
    match followed {
        Followed::Missing { step, names } => Followed::Missing {
            step: step + by,
            names,
        },
        Followed::Single { step, of } => Followed::Single {
            step: step + by,
            of,
        },
        known => known,
    }
}
