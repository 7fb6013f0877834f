//! Data contracts: what a producer's schema says about a reference, and which changes of a schema break whom.
pub mod compatible;
pub(crate) mod outputs;

use crate::template::Step;
use serde_json::Value;
use std::collections::BTreeSet;

/// Where a path leads, by a schema.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Followed<'s> {
    /// To what this schema describes. With the whole, for its references.
    Known { schema: &'s Value, root: &'s Value },
    /// Somewhere that the schema says nothing about.
    Unknown,
    /// Nowhere: the step that fails, and the names that there are.
    Missing { step: usize, names: Vec<String> },
    /// Into what has no parts: the step that fails, and of which type it is.
    Single { step: usize, of: String },
}

/// Most names of one schema that are told.
const NAMES_MAX: usize = 64;
/// Most schemas that one step looks at.
const LOOKED_AT_MAX: usize = 64;

/// Follows a path through what a schema describes.
pub(crate) fn follow<'s>(root: &'s Value, steps: &[Step]) -> Followed<'s> {
    let mut at = root;
    for (number, step) in steps.iter().enumerate() {
        match one(root, at, step) {
            One::Into(schema) => at = schema,
            One::Unknown => return Followed::Unknown,
            One::Missing(names) => {
                return Followed::Missing {
                    step: number,
                    names,
                };
            }
            One::Single(of) => return Followed::Single { step: number, of },
        }
    }
    Followed::Known { schema: at, root }
}

enum One<'s> {
    Into(&'s Value),
    Unknown,
    Missing(Vec<String>),
    Single(String),
}

fn one<'s>(root: &'s Value, schema: &'s Value, step: &Step) -> One<'s> {
    let mut names = BTreeSet::new();
    let mut open = vec![schema];
    let mut looked_at = 0;
    let mut is_open = false;
    let mut single = None;
    while let Some(schema) = open.pop() {
        looked_at += 1;
        if looked_at > LOOKED_AT_MAX {
            return One::Unknown;
        }
        let Value::Object(map) = schema else {
            is_open = true;
            continue;
        };
        if let Some(to) = map.get("$ref").and_then(Value::as_str) {
            match to
                .strip_prefix('#')
                .and_then(|pointer| root.pointer(pointer))
            {
                Some(schema) => open.push(schema),
                None => is_open = true,
            }
            continue;
        }
        let parts = ["allOf", "anyOf", "oneOf"]
            .iter()
            .filter_map(|name| map.get(*name)?.as_array());
        let parts: Vec<&Value> = parts.flatten().collect();
        // What only puts others together says nothing by itself.
        let is_only_parts = !parts.is_empty()
            && !["type", "properties", "items"]
                .iter()
                .any(|name| map.contains_key(*name));
        open.extend(parts);
        if is_only_parts {
            continue;
        }
        let types = types(map.get("type"));
        match step {
            Step::Of(name) => {
                let properties = map.get("properties").and_then(Value::as_object);
                if let Some(schema) =
                    properties.and_then(|properties| properties.get(name.as_str()))
                {
                    return One::Into(schema);
                }
                let known = properties.into_iter().flatten().take(NAMES_MAX);
                names.extend(known.map(|(name, _)| name.as_str()));
                let more = map.get("additionalProperties");
                let has_more = match more {
                    Some(Value::Bool(false)) => false,
                    Some(Value::Object(_)) => return One::Into(&map["additionalProperties"]),
                    _ => properties.is_none() || more.is_some(),
                };
                let is_object = types.is_empty() || types.contains(&"object");
                match is_object {
                    true => is_open |= has_more || map.contains_key("patternProperties"),
                    false => single = single.or(Some(types.join(" or "))),
                }
            }
            Step::At(index) => {
                let prefix = map.get("prefixItems").and_then(Value::as_array);
                if let Some(schema) = prefix.and_then(|prefix| prefix.get(*index)) {
                    return One::Into(schema);
                }
                match map.get("items") {
                    Some(schema @ Value::Object(_)) => return One::Into(schema),
                    _ if types.is_empty() || types.contains(&"array") => is_open = true,
                    _ => single = single.or(Some(types.join(" or "))),
                }
            }
        }
    }
    match (is_open, single) {
        (false, None) => One::Missing(names.into_iter().map(str::to_owned).collect()),
        (false, Some(of)) if names.is_empty() => One::Single(of),
        (false, Some(_)) => One::Missing(names.into_iter().map(str::to_owned).collect()),
        (true, _) => One::Unknown,
    }
}

/// The types that a schema names.
pub(crate) fn types(of: Option<&Value>) -> Vec<&str> {
    match of {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(text: &str) -> Vec<Step> {
        crate::template::path::parse(text).unwrap().steps
    }

    #[test]
    fn paths_are_followed_through_schemas() {
        let schema = json!({
            "type": "object",
            "$defs": {"amount": {"type": "object", "properties": {"value": {"type": "number"}}}},
            "properties": {
                "total": {"$ref": "#/$defs/amount"},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/amount"}},
                "free": {"type": "object"},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "either": {"anyOf": [{"$ref": "#/$defs/amount"}, {"type": "null"}]},
                "name": {"type": "string"},
                "loop": {"$ref": "#/properties/loop"},
            },
        });
        let of = |text: &str| match follow(&schema, &path(text)) {
            Followed::Known { schema, .. } => format!("{schema}"),
            Followed::Unknown => "unknown".into(),
            Followed::Missing { step, names } => {
                format!("missing at {step} of {}", names.join(" "))
            }
            Followed::Single { step, of } => format!("a {of} at {step}"),
        };
        for (text, wanted) in [
            ("x.total.value", r#"{"type":"number"}"#),
            ("x.lines[0].value", r#"{"type":"number"}"#),
            ("x.lines[0].valeu", "missing at 2 of value"),
            ("x.lines.length", "a array at 1"),
            ("x.free.anything.at[3].all", "unknown"),
            ("x.map.any", r#"{"type":"string"}"#),
            ("x.either.value", r#"{"type":"number"}"#),
            ("x.either.other", "missing at 1 of value"),
            ("x.name.first", "a string at 1"),
            ("x.loop.a", "unknown"),
            (
                "x.none",
                "missing at 0 of either free lines loop map name total",
            ),
        ] {
            assert_eq!(of(text), wanted, "{text}");
        }
    }
}
