//! The published JSON Schema, and definitions that come back from their own canonical form.
use fleet_workflow::definition::Definition;
use fleet_workflow::{Unchecked, read, schema, version};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;

const EVERY: &str = include_str!("every-kind.yaml");

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn validator() -> jsonschema::Validator {
    jsonschema::options()
        .build(&schema())
        .expect("it is a schema")
}

fn value(text: &str) -> Value {
    serde_json::from_str(&version::canonical(
        &read(text, &Unchecked).unwrap().definition,
    ))
    .unwrap()
}

#[test]
fn the_schema_is_published() {
    let path = root().join("schemas/workflow-v1.json");
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("FLEET_WRITE_SCHEMAS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == text,
        "schemas/workflow-v1.json is not what the reader takes: write it with FLEET_WRITE_SCHEMAS=1 cargo test -p fleet-workflow"
    );
}

#[test]
fn the_reference_is_in_the_documentation() {
    let path = root().join("docs/workflows.md");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    const BEGIN: &str =
        "<!-- made of the tables in crates/workflow/src/shape: do not edit below -->\n";
    let (above, below) = text
        .split_once(BEGIN)
        .expect("the documentation has a reference");
    let wanted = format!("\n{}", fleet_workflow::reference());
    if std::env::var_os("FLEET_WRITE_SCHEMAS").is_some() {
        std::fs::write(&path, format!("{above}{BEGIN}{wanted}")).unwrap();
        return;
    }
    assert!(
        below == wanted,
        "docs/workflows.md is behind the reader: write it with FLEET_WRITE_SCHEMAS=1 cargo test -p fleet-workflow"
    );
}

#[test]
fn the_example_in_the_documentation_is_right() {
    let text = std::fs::read_to_string(root().join("docs/workflows.md")).unwrap();
    let (_, after) = text.split_once("## A definition\n\n```yaml\n").unwrap();
    let (example, _) = after.split_once("```").unwrap();
    let workflow = read(example, &Unchecked).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(workflow.graph.nodes.len(), 5);
}

/// What holds every field, as it is written and as it comes back, is right by the schema; so the schema knows every field
/// that the reader takes and writes.
#[test]
fn the_schema_takes_what_the_reader_takes() {
    let validator = validator();
    let value = value(EVERY);
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// The reader refuses what the schema does not know, and takes each field that it knows: the definition of everything
/// holds them all.
#[test]
fn the_reader_takes_what_the_schema_takes() {
    let schema = schema();
    let written = value(EVERY).to_string() + EVERY;
    let defs = schema["$defs"].as_object().unwrap();
    for (name, def) in defs.iter().chain([(&"Workflow".to_owned(), &schema)]) {
        for field in def["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(field, _)| field)
        {
            let is_there = written.contains(&format!("\"{field}\":"))
                || written.contains(&format!("{field}:"));
            assert!(is_there, "no example has the field {field} of {name}");
        }
    }
}

/// Mistakes in a right definition, each found by both.
#[test]
fn schema_and_reader_refuse_alike() {
    let validator = validator();
    let right = value(EVERY);
    let mut places = Vec::new();
    collect(&right, &mut Vec::new(), &mut places);
    let mut refused = 0;
    for place in places {
        for wrong in [
            json!({"nobody knows": 1}),
            json!([[["x"]]]),
            json!(-7.5),
            json!("\u{0} wrong"),
            json!(null),
        ] {
            let mut changed = right.clone();
            *changed.pointer_mut(&place).unwrap() = wrong.clone();
            let read = read(&changed.to_string(), &Unchecked).is_ok();
            let valid = validator.is_valid(&changed);
            // References, names and texts the schema cannot judge: the reader is the stricter one.
            assert!(
                !read || valid,
                "the reader takes {wrong} at {place}, and the schema does not"
            );
            refused += usize::from(!valid);
        }
    }
    assert!(refused > 500, "only {refused} were refused");
}

fn collect(value: &Value, way: &mut Vec<String>, places: &mut Vec<String>) {
    places.push(way.concat());
    let mut within = |name: String, value: &Value| {
        way.push(format!("/{}", name.replace('~', "~0").replace('/', "~1")));
        collect(value, way, places);
        way.pop();
    };
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(name, value)| within(name.clone(), value)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(at, value)| within(at.to_string(), value)),
        _ => {}
    }
}

#[test]
fn canonical_forms_come_back() {
    let one = read(EVERY, &Unchecked).unwrap();
    let canonical = version::canonical(&one.definition);
    let other = read(&canonical, &Unchecked).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(one, other);
    assert_eq!(version::canonical(&other.definition), canonical);
    assert_eq!(one.graph.hash, other.graph.hash);
    let kept = serde_json::to_string(&one.graph).unwrap();
    let back: fleet_workflow::Graph = serde_json::from_str(&kept).unwrap();
    assert_eq!(back, one.graph);
    assert!(version::diff(&one.definition, &other.definition).is_empty());
}

proptest! {
    /// Any part of the definition of everything, left out: what can still be read comes back the same.
    #[test]
    fn parts_come_back(gone in prop::collection::vec(any::<prop::sample::Index>(), 1..6)) {
        let mut changed = value(EVERY);
        for gone in gone {
            let mut places = Vec::new();
            collect(&changed, &mut Vec::new(), &mut places);
            let place = places[gone.index(places.len())].clone();
            if let Some((parent, name)) = place.rsplit_once('/') {
                match changed.pointer_mut(parent) {
                    Some(Value::Object(map)) => { map.remove(&name.replace("~1", "/").replace("~0", "~")); }
                    Some(Value::Array(list)) => { list.remove(name.parse().unwrap()); }
                    _ => {}
                }
            }
        }
        if let Ok(one) = read(&changed.to_string(), &Unchecked) {
            let canonical = version::canonical(&one.definition);
            let other = read(&canonical, &Unchecked).unwrap();
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(one.graph.unsound(), None);
            let plain: Definition = serde_json::from_str(&canonical).unwrap();
            prop_assert_eq!(plain, one.definition);
        }
    }
}
