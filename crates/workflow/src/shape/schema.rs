//! The published JSON Schema of definitions, made of the tables.
use super::{COMMON, Field, KINDS, Kind, Shape, Takes, WORKFLOW};
use crate::span;
use serde_json::{Map, Value, json};

/// The JSON Schema of definitions, version 1: what `schemas/workflow-v1.json` holds.
///
/// It says of each part what it may be by itself; that references lead somewhere and that nothing waits for itself only
/// [`crate::read`] can tell.
#[must_use]
pub fn schema() -> Value {
    let mut parts = Parts::default();
    let mut root = object(&WORKFLOW.fields.iter().collect::<Vec<_>>(), &mut parts);
    let kinds: Vec<Value> = KINDS
        .iter()
        .map(|kind| {
            let name = format!("Node.{}", kind.name);
            let node = node(kind, &mut parts);
            parts.defs.insert(name.clone(), node);
            json!({"$ref": format!("#/$defs/{name}")})
        })
        .collect();
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    // One kind after the other, so that an editor says what is wrong with that kind and not with all.
    let by_kind: Vec<Value> = names
        .iter()
        .zip(kinds)
        .map(|(name, node)| {
            json!({
                "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
                "then": node,
            })
        })
        .collect();
    parts.defs.insert(
        "Node".to_owned(),
        json!({
            "description": "One step.",
            "type": "object",
            "properties": {"kind": {"enum": names}},
            "required": ["kind"],
            "allOf": by_kind,
        }),
    );
    parts.defs.insert(
        "Schema".to_owned(),
        json!({"description": "A JSON Schema.", "type": ["object", "boolean"]}),
    );
    let map = root.as_object_mut().expect("it is an object");
    map.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    map.insert(
        "$id".to_owned(),
        json!("https://fleetcommand.dev/schemas/workflow-v1.json"),
    );
    map.insert("title".to_owned(), json!("A workflow"));
    map.insert("description".to_owned(), json!(WORKFLOW.doc));
    map.insert("$defs".to_owned(), Value::Object(parts.defs));
    root
}

#[derive(Default)]
struct Parts {
    defs: Map<String, Value>,
}

fn node(kind: &'static Kind, parts: &mut Parts) -> Value {
    let fields: Vec<&'static Field> = kind.fields.iter().chain(COMMON).collect();
    let mut node = object(&fields, parts);
    node["description"] = json!(format!("{} Gives: {}.", kind.doc, kind.gives));
    node["properties"]["kind"] = json!({"const": kind.name});
    if let Some(Value::Array(required)) = node.get_mut("required") {
        required.insert(0, json!("kind"));
    } else {
        node["required"] = json!(["kind"]);
    }
    node
}

fn object(fields: &[&'static Field], parts: &mut Parts) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut schema = takes(&field.takes, parts);
        let said = sentence(field.doc);
        schema
            .as_object_mut()
            .expect("it is an object")
            .insert("description".to_owned(), json!(said));
        properties.insert(field.name.to_owned(), schema);
    }
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| field.required)
        .map(|field| field.name)
        .collect();
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn sentence(doc: &str) -> String {
    let mut letters = doc.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

fn takes(takes_what: &'static Takes, parts: &mut Parts) -> Value {
    match takes_what {
        Takes::Flag => json!({"type": "boolean"}),
        Takes::Count { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Takes::Number { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
        Takes::Text => json!({"type": "string", "maxLength": 1024}),
        Takes::Id(id) => json!({"type": "string", "pattern": id.pattern, "maxLength": 1024}),
        Takes::Span => {
            json!({"type": "string", "pattern": span::PATTERN, "examples": ["30s", "5m"]})
        }
        Takes::Choice(choices) => {
            let words: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
            let docs: Vec<String> = choices
                .iter()
                .map(|choice| format!("{}: {}", choice.word, choice.doc))
                .collect();
            json!({"enum": words, "$comment": docs.join("; ")})
        }
        Takes::Literal | Takes::Template => json!({}),
        Takes::TextTemplate => json!({"type": "string"}),
        Takes::Expression => json!({"type": ["string", "boolean", "number"]}),
        Takes::Schema => json!({"$ref": "#/$defs/Schema"}),
        Takes::List { of, min, max } => {
            let items = takes(of, parts);
            json!({"type": "array", "items": items, "minItems": min, "maxItems": max})
        }
        Takes::Map { keys, of, min, max } => {
            let values = takes(of, parts);
            json!({
                "type": "object",
                "propertyNames": {"pattern": keys.pattern},
                "additionalProperties": values,
                "minProperties": min,
                "maxProperties": max,
            })
        }
        Takes::Shape(shape) => reference(shape, parts),
        Takes::Nodes => json!({
            "type": "object",
            "propertyNames": {"pattern": crate::name::PATTERN},
            "additionalProperties": {"$ref": "#/$defs/Node"},
            "minProperties": 1,
        }),
        Takes::Either(ways) => {
            let ways: Vec<Value> = ways.iter().map(|way| takes(way, parts)).collect();
            json!({"anyOf": ways})
        }
    }
}

fn reference(shape: &'static Shape, parts: &mut Parts) -> Value {
    if !parts.defs.contains_key(shape.name) {
        // Before its fields, which may lead back to it.
        parts.defs.insert(shape.name.to_owned(), Value::Null);
        let mut object = object(&shape.fields.iter().collect::<Vec<_>>(), parts);
        object["description"] = json!(shape.doc);
        parts.defs.insert(shape.name.to_owned(), object);
    }
    json!({"$ref": format!("#/$defs/{}", shape.name)})
}
