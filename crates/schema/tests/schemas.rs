//! Schemas of arguments: what is refused names the argument, and no schema takes long.
use fleet_schema::compile;
use fleet_types::tool::Schema;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn faults(schema: Value, arguments: Value) -> Vec<String> {
    let compiled = compile(&Schema::new(schema).unwrap()).unwrap();
    let faults = compiled.check(arguments.as_object().unwrap());
    let line = |fault: &fleet_types::tool::Fault| format!("{}: {}", fault.argument, fault.wanted);
    faults.iter().map(line).collect()
}

fn refused(schema: Value) -> String {
    let fault = compile(&Schema::new(schema).unwrap()).unwrap_err();
    format!("{}: {}", fault.argument, fault.wanted)
}

#[test]
fn each_argument_is_named_and_what_was_wanted() {
    let schema = json!({
        "type": "object",
        "required": ["account", "amount"],
        "additionalProperties": false,
        "properties": {
            "account": {"type": "string", "pattern": "^[A-Z]{2}[0-9]+$"},
            "amount": {"type": "integer", "minimum": 1},
            "lines": {"items": {"required": ["a/b"]}},
            "day": {"format": "date"},
        }
    });
    assert_eq!(
        faults(schema.clone(), json!({"account": "DE12", "amount": 5})),
        [""; 0]
    );
    let found = faults(
        schema.clone(),
        json!({"account": "x", "lines": [{"a/b": 1}, {}], "more": 1, "day": "soon"}),
    );
    let expected = [
        "/account: it does not match \"^[A-Z]{2}[0-9]+$\"",
        "/amount: to be there",
        "/day: it is not a \"date\"",
        "/lines/1/a~1b: to be there",
        "/more: not to be there",
    ];
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(sorted, expected, "{found:?}");
    assert_eq!(
        faults(schema, json!({"account": "DE1", "amount": "5"})),
        ["/amount: it is not of type \"integer\""]
    );
}

#[test]
fn schemas_stay_within_themselves() {
    for (schema, why) in [
        (
            json!({"$ref": "https://example.org/s.json"}),
            "/$ref: a reference to a part",
        ),
        (
            json!({"$ref": "file:///etc/passwd"}),
            "/$ref: a reference to a part",
        ),
        (json!({"$ref": "#"}), "/$ref: a reference to a part"),
        (
            json!({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
            "leads back",
        ),
        (
            json!({"properties": {"a": {"items": {"$ref": "#/properties/a"}}}}),
            "leads back",
        ),
        (json!({"$id": "https://example.org/s"}), "/$id: no names"),
        (json!({"$dynamicRef": "#a"}), "/$dynamicRef: no names"),
        (
            json!({"$schema": "https://example.org/meta"}),
            "/$schema: one of",
        ),
        (json!({"type": "text"}), "/type: "),
        (json!({"pattern": "("}), "/pattern: "),
        (json!({"pattern": "(?=a)"}), "/pattern: "),
        (json!({"pattern": "(((a{100}){100}){100})"}), "/pattern: "),
    ] {
        let found = refused(schema.clone());
        assert!(found.contains(why), "{schema}: {found}");
    }
}

#[test]
fn what_unfolds_too_far_is_refused() {
    let mut defs = serde_json::Map::new();
    for level in 0..15 {
        let next = format!("#/$defs/d{}", level + 1);
        defs.insert(
            format!("d{level}"),
            json!({"allOf": [{"$ref": next}, {"$ref": next}]}),
        );
    }
    defs.insert("d15".into(), json!({"type": "string"}));
    let begun = Instant::now();
    let found = refused(json!({"$defs": defs, "$ref": "#/$defs/d0"}));
    assert!(found.contains("with its references unfolded"), "{found}");
    assert!(begun.elapsed() < Duration::from_secs(1));

    let patterns: Vec<Value> = (0..17)
        .map(|n| json!({"pattern": format!("a{n}")}))
        .collect();
    assert!(refused(json!({"allOf": patterns})).contains("fewer patterns"));
}

/// Names that an author chooses may be those of keywords, whose values are no schemas.
#[test]
fn what_is_named_as_a_keyword_is_looked_at_too() {
    for name in ["const", "enum", "default", "examples"] {
        for within in [
            "properties",
            "$defs",
            "patternProperties",
            "dependentSchemas",
        ] {
            let to = format!("#/{within}/{name}");
            let back = json!({ within: { name: {"properties": {"x": {"$ref": to}}} } });
            let found =
                refused(json!({"allOf": [back.clone(), {"$ref": to}], within: back[within]}));
            assert!(found.contains("leads back"), "{within} {name}: {found}");
            let patterns: Vec<Value> = (0..17)
                .map(|n| json!({"pattern": format!("a{n}")}))
                .collect();
            let found = refused(json!({ within: { name: {"allOf": patterns} } }));
            assert!(found.contains("fewer patterns"), "{within} {name}: {found}");
        }
    }
}

/// The worst that passes the bounds: it must stay far below the five seconds after which a thread counts as lost.
#[test]
fn the_worst_that_passes_is_bearable() {
    // Patterns that are as large as they may be, over the largest text.
    let large = |times: u32| format!("[ab]*a[ab]{{{times}}}[cd]");
    let compiles = |times: &u32| {
        let schema = Schema::new(json!({"pattern": large(*times)})).unwrap();
        compile(&schema).is_ok()
    };
    let times = (1..40).rev().map(|n| n * 50).find(compiles).unwrap();
    println!("patterns of {}", large(times));
    let mut patterns = vec![json!({"pattern": large(times)}); 16];
    patterns.push(json!({"maxLength": 1}));
    let patterns = json!({"properties": {"t": {"allOf": patterns}}});
    // No state of an automaton comes twice.
    let mut seed = 1_u64;
    let mut letter = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if seed >> 63 == 0 { 'a' } else { 'b' }
    };
    let text: String = (0..600).map(|_| letter()).collect();
    let text = json!({ "t": format!("{text}{}c", "a".repeat(410)) });
    // As many schemas as may be over as many values as may be; only the last is wrong.
    let each: Vec<Value> = (0..330).map(|n| json!({"maximum": 1_000 + n})).collect();
    let each = json!({"properties": {"t": {"items": {"allOf": each}}}});
    let mut values = vec![500; 3_000];
    values.push(5_000);
    let values = json!({ "t": values });
    // As much as is told one by one, and all of it wrong.
    let wrong = json!({"t": vec![5_000; 195]});
    let more = json!({"t": "a".repeat(2_100)});
    let few = compile(&Schema::new(patterns.clone()).unwrap()).unwrap();
    let told = few.check(more.as_object().unwrap());
    assert!(told[0].wanted.as_str().starts_with("less text"), "{told:?}");
    for (name, schema, arguments) in [
        ("patterns", patterns, text),
        ("schemas", each.clone(), values),
        ("told", each, wrong),
    ] {
        let compiled = compile(&Schema::new(schema).unwrap()).unwrap();
        let begun = Instant::now();
        let faults = compiled.check(arguments.as_object().unwrap());
        let took = begun.elapsed();
        println!("{name}: {took:?}");
        assert!(!faults.is_empty() && faults.len() <= 16);
        assert!(took < Duration::from_secs(5), "{name} took {took:?}");
    }
}
