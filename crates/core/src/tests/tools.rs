//! What follows from the arguments of a tool is what a plain reading of its templates says, whatever they are.
use crate::expand;
use fleet_types::lock::Mode;
use fleet_types::permit::Request;
use fleet_types::tool::Tool;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const MODES: [&str; 3] = ["shared", "commuting", "exclusive"];
const NAMES: [&str; 3] = ["a", "b", "deep"];

/// A segment: a word, or the name of an argument.
fn template() -> impl Strategy<Value = (Vec<Result<&'static str, usize>>, usize)> {
    let word = prop_oneof![Just("x"), Just("y"), Just("1")];
    let segment = prop_oneof![1 => word.prop_map(Ok), 1 => (0..3usize).prop_map(Err)];
    (proptest::collection::vec(segment, 0..3), 0..3usize)
}

/// Arguments that make a segment, and some that do not; absent now and then.
fn argument() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        6 => prop_oneof![Just("x"), Just("1"), Just("äß"), Just("a.b"), Just("...")].prop_map(|text| Some(json!(text))),
        3 => any::<i64>().prop_map(|number| Some(json!(number))),
        3 => any::<u64>().prop_map(|number| Some(json!(number))),
        1 => any::<f64>().prop_map(|number| Some(json!(number))),
        2 => ".{0,4}".prop_map(|text| Some(json!(text))),
        1 => prop_oneof![Just(".."), Just("."), Just(""), Just("a/b"), Just("{a}"), Just("*"), Just("a\\b")]
            .prop_map(|text| Some(json!(text))),
        1 => prop_oneof![Just(json!(null)), Just(json!(true)), Just(json!([1])), Just(json!({}))].prop_map(Some),
        1 => Just(None),
    ]
}

/// The text of an argument, if it is one segment of a path.
fn segment(argument: Option<&Value>) -> Option<String> {
    let text = match argument? {
        Value::String(text) => text.clone(),
        Value::Number(number) if !number.is_f64() => number.to_string(),
        _ => return None,
    };
    let barred = |c: char| c.is_control() || c.is_whitespace() || "/\\*{}".contains(c);
    let is_one = !text.is_empty() && text != "." && text != ".." && !text.contains(barred);
    is_one.then_some(text)
}

/// What keeps out whom either keeps out.
fn both(one: Option<&&str>, other: &'static str) -> &'static str {
    match one {
        Some(one) if *one != other => "exclusive",
        _ => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn claims_are_those_of_a_plain_reading(
        templates in proptest::collection::vec(template(), 0..5),
        values in [argument(), argument(), argument()],
        own in proptest::collection::btree_map(prop_oneof![Just("t/x"), Just("t/1"), Just("t/x/y"), Just("z")], 0..3usize, 0..3),
    ) {
        let mut arguments = Map::new();
        for (name, value) in NAMES.iter().zip(&values) {
            let Some(value) = value else { continue };
            match *name {
                "deep" => drop(arguments.insert("o".into(), json!({ "deep": value }))),
                name => drop(arguments.insert(name.to_owned(), value.clone())),
            }
        }
        let text = |segments: &[Result<&str, usize>]| {
            let written = segments.iter().map(|segment| match segment {
                Ok(word) => (*word).to_owned(),
                Err(2) => "{/o/deep}".to_owned(),
                Err(at) => format!("{{{}}}", NAMES[*at]),
            });
            std::iter::once("t".to_owned()).chain(written).collect::<Vec<_>>().join("/")
        };
        let resources: Vec<Value> = templates
            .iter()
            .map(|(segments, mode)| json!({"path": text(segments), "mode": MODES[*mode]}))
            .collect();
        let tool: Tool = serde_json::from_value(json!({"id": "pay", "resources": resources})).unwrap();
        let claims: Vec<Value> = own.iter().map(|(path, mode)| json!({"path": path, "mode": MODES[*mode]})).collect();
        let request: Arc<Request> = serde_json::from_value(json!({
            "request_id": "r", "agent": "ann", "action": "pay", "resources": claims, "parameters": arguments,
        })).unwrap();

        let mut wanted: BTreeMap<String, &str> = own.iter().map(|(path, mode)| ((*path).to_owned(), MODES[*mode])).collect();
        let mut wrong = std::collections::BTreeSet::new();
        for (segments, mode) in &templates {
            let mut path = vec!["t".to_owned()];
            for part in segments {
                match part {
                    Ok(word) => path.push((*word).to_owned()),
                    Err(at) => match segment(values[*at].as_ref()) {
                        Some(text) => path.push(text),
                        None => drop(wrong.insert(["/a", "/b", "/o/deep"][*at].to_owned())),
                    },
                }
            }
            let path = path.join("/");
            let mode = both(wanted.get(&path), MODES[*mode]);
            wanted.insert(path, mode);
        }
        match expand(&tool, &request) {
            Ok(expanded) => {
                prop_assert!(wrong.is_empty(), "{wrong:?} was taken");
                let mode = |mode: Mode| MODES[mode as usize];
                let found: BTreeMap<String, &str> =
                    expanded.resources.iter().map(|claim| (claim.path.to_string(), mode(claim.mode))).collect();
                prop_assert_eq!(found.len(), expanded.resources.len(), "a path is claimed twice");
                prop_assert_eq!(found, wanted);
                // Once more changes nothing.
                prop_assert_eq!(&expand(&tool, &expanded).unwrap(), &expanded);
            }
            Err(faults) => {
                let named: std::collections::BTreeSet<String> =
                    faults.iter().map(|fault| fault.argument.to_string()).collect();
                prop_assert_eq!(named, wrong);
            }
        }
    }
}
