//! What expressions give.
use fleet_expression::{Bounds, Fault, check, evaluate, is_true};
use serde_json::{Value, json};

fn of(source: &str) -> Result<Value, Fault> {
    let inputs = json!({
        "inputs": {"name": "Ada", "list": [3, 1, 2], "__proto__": {"x": 1}},
        "nodes": {"read": {"outputs": {"score": 0.9}}},
        "index": 4,
        "not a name": 1,
    });
    evaluate(source, &inputs, &Bounds::default())
}

#[test]
fn values() {
    for (source, wanted) in [
        ("1 + 1", json!(2)),
        ("inputs.list.toSorted((a, b) => a - b)", json!([1, 2, 3])),
        ("nodes.read.outputs.score > 0.8 && index == 4", json!(true)),
        ("`Dear ${inputs.name}`", json!("Dear Ada")),
        (
            "({ a: undefined, b: () => 1, c: NaN, d: [undefined] })",
            json!({"c": null, "d": [null]}),
        ),
        ("inputs.missing", json!(null)),
        ("nodes.read?.outputs?.none?.deeper", json!(null)),
        (
            "inputs.list.map(x => x * 2).filter(x => x > 2).reduce((a, b) => a + b, 0)",
            json!(10),
        ),
        ("Object.entries({a: 1, b: 2})", json!([["a", 1], ["b", 2]])),
        ("[...new Set([1, 1, 2])]", json!([1, 2])),
        (
            "'a-b'.replace(/-/g, '+').match(/(?<x>a)/).groups.x",
            json!("a"),
        ),
        ("inputs.name // a comment", json!("Ada")),
        ("// a comment\n3", json!(3)),
        ("JSON.parse('[1]')", json!([1])),
        ("9007199254740991", json!(9_007_199_254_740_991_u64)),
        (
            "typeof Date + typeof Math.random + typeof eval + typeof Function + typeof BigInt + typeof Proxy + typeof performance",
            json!("undefined".repeat(7)),
        ),
        (
            "typeof require + typeof process + typeof fetch + typeof setTimeout + typeof std + typeof os",
            json!("undefined".repeat(6)),
        ),
    ] {
        assert_eq!(of(source), Ok(wanted), "{source}");
        assert_eq!(check(source), Ok(()), "{source}");
    }
}

#[test]
fn nothing_survives() {
    for source in [
        "globalThis.left = 1",
        "Object.prototype.left = 1",
        "inputs.list.push(9)",
        "Array.prototype.map = 3",
        "JSON.stringify = 1",
    ] {
        let _ = of(source);
    }
    assert_eq!(
        of("typeof left + typeof ({}).left + inputs.list.length + [1].map(x => x)"),
        Ok(json!("undefinedundefined31"))
    );
}

#[test]
fn faults() {
    let threw = |name: &str, message: &str| {
        Err(Fault::Threw {
            name: name.into(),
            message: message.into(),
        })
    };
    assert_eq!(
        of("nodes.none.outputs"),
        threw("TypeError", "cannot read property 'outputs' of undefined")
    );
    assert_eq!(
        of("nobody + 1"),
        threw("ReferenceError", "nobody is not defined")
    );
    assert_eq!(
        of("(() => { throw new Error('no') })()"),
        threw("Error", "no")
    );
    assert_eq!(of("(() => { throw 'text' })()"), threw("value", "text"));
    for source in [
        "() => 1",
        "Symbol('x')",
        "1 / 0",
        "(() => { const a = []; a.push(a); return a })()",
        "'\\ud800'",
        "({ toJSON() { return undefined } })",
    ] {
        assert!(
            matches!(of(source), Err(Fault::NotJson(_))),
            "{source}: {:?}",
            of(source)
        );
    }
}

#[test]
fn texts_that_are_no_expressions() {
    for source in [
        "",
        "  ",
        "1 +",
        "let x = 1",
        "return 1",
        "1; 2",
        "1); (2",
        "1], [2",
        "}",
        "if (a) b",
        "...x",
        "'",
        "1n",
        "2 + 0xFFn",
        "await x",
        "1)) ; ((2",
        "\u{0}",
    ] {
        assert!(check(source).is_err(), "{source:?} was taken");
    }
    let flaw = check("1 +\n2 +\n* 3").unwrap_err();
    assert_eq!(flaw.line, 3, "{flaw}");
    let flaw = check("inputs.a &&\n  inputs.b ||").unwrap_err();
    assert_eq!(flaw.to_string(), "line 2: it ends too early");
}

#[test]
fn truth() {
    for value in [json!(null), json!(false), json!(0), json!(0.0), json!("")] {
        assert!(!is_true(&value), "{value}");
    }
    for value in [json!(true), json!(1), json!("0"), json!([]), json!({})] {
        assert!(is_true(&value), "{value}");
    }
}
