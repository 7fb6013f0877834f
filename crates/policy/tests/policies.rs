//! What policies say, and what becomes of what several of them say.
mod common;

use common::{request, said, said_of};
use fleet_policy::{Asked, Bounds, Document, compile, hash, input, judge, run_cases};
use fleet_types::policy::{Opinion, Verdict};
use fleet_types::{Seq, Time};
use serde_json::{Value, json};
use std::sync::Arc;

#[test]
fn the_four_rules() {
    let of = |rules: &str| {
        let said = said(&format!("package fleet\n{rules}\n"));
        let reasons: Vec<String> = said.reasons.iter().map(ToString::to_string).collect();
        (said.opinion, reasons.join("; "), said.patch)
    };
    let deny = "deny contains sprintf(\"%d is too much\", [input.request.parameters.amount]) if input.request.parameters.amount > 500";
    assert_eq!(of(deny), (Opinion::Deny, "700 is too much".into(), None));
    assert_eq!(
        of("deny contains \"x\" if input.request.parameters.amount > 900").0,
        Opinion::Allow
    );
    let owner = "deny contains {\"reason\": \"not yours\"} if data.fleet.agents[input.request.agent].owner != \"bob\"";
    assert_eq!(of(owner).1, "not yours");
    assert_eq!(
        of("approve contains \"large\" if input.request.parameters.amount > 500").0,
        Opinion::Approve
    );
    assert_eq!(
        of("allow if input.agent.scope == \"emea/payments\"").0,
        Opinion::Allow
    );
    assert_eq!(
        of("default allow := false\nallow if input.agent.scope == \"apac\"").0,
        Opinion::Deny
    );
    assert_eq!(
        of("allow if input.nothing.there").0,
        Opinion::Deny,
        "undefined is not allowed"
    );
    let (opinion, _, patch) = of(
        "transform := {\"parameters\": {\"amount\": 500}, \"priority\": 2} if input.request.parameters.amount > 500",
    );
    assert_eq!(opinion, Opinion::Transform);
    assert_eq!(
        Value::Object(patch.unwrap()),
        json!({"parameters": {"amount": 500}, "priority": 2})
    );
    assert_eq!(
        of("deny contains \"a\"\napprove contains \"b\"\ntransform := {\"priority\": 1}").0,
        Opinion::Deny
    );
    assert_eq!(
        of("approve contains \"b\"\ntransform := {\"priority\": 1}").0,
        Opinion::Approve
    );
    // The time is the request's, and calendars can be asked of it.
    assert_eq!(of("deny contains time.weekday(input.now)").1, "Friday");
    assert_eq!(
        of("deny contains sprintf(\"%v\", [time.clock(input.now)])").1,
        "[12, 0, 0]"
    );
    assert_eq!(
        of("deny contains \"x\" if input.request.parameters.to in data.fleet.data.blocked").0,
        Opinion::Allow
    );
    assert_eq!(
        of("deny contains \"x\" if count(input.request.resources) == 0").0,
        Opinion::Deny
    );
    assert_eq!(
        of("deny contains \"x\" if input.request.cost.tokens == 0").0,
        Opinion::Deny
    );
}

#[test]
fn a_product_is_as_it_was() {
    for (expression, value) in [
        ("6 * 7", "42"),
        ("1.5 * 2", "3"),
        ("-3 * 4", "-12"),
        ("9223372036854775807 * 4", "36893488147419103228"),
    ] {
        let module =
            format!("package fleet\ndeny contains sprintf(\"%v\", [x]) if x := {expression}\n");
        assert_eq!(said(&module).reasons[0].as_str(), value, "{expression}");
    }
    let amount = "package fleet\ndeny contains sprintf(\"%v\", [x]) if x := input.request.parameters.amount * 2\n";
    assert_eq!(said(amount).reasons[0].as_str(), "1400");
    let undefined = "package fleet\ndeny contains \"x\" if input.nothing * 2 > 1\n";
    assert_eq!(said(undefined).opinion, Opinion::Allow);
}

#[test]
fn a_fault_shows_its_place() {
    let fault = compile("package fleet\n\ndeny contains \"x\" if {\n\tinput.amount >>> 5\n}\n")
        .unwrap_err();
    assert_eq!((fault.line, fault.column), (Some(4), Some(16)));
    assert_eq!(fault.shown.as_deref(), Some("\tinput.amount >>> 5"));
    assert!(
        fault
            .to_string()
            .ends_with("\n  \tinput.amount >>> 5\n  \t              ^"),
        "{fault}"
    );
    let fault = compile("package fleet\ndeny contains x if input.amount\n").unwrap_err();
    assert!(fault.message.contains('x'), "{fault}");
    assert_eq!(fault.line, Some(2), "{fault}");
    let fault = compile("package fleet\ndeny contains \"a\" if nosuch(1)\n").unwrap_err();
    assert!(fault.message.contains("nosuch"), "{fault}");
}

/// Judges a plain request by modules with ids.
fn judged(modules: &[(&str, bool, &str)], more: Value) -> (Value, Verdict) {
    let request = Arc::new(request(more));
    let compiled: Vec<_> = modules
        .iter()
        .map(|(id, observed, text)| {
            let text = format!("package fleet\n{text}\n");
            (
                id.parse().unwrap(),
                *observed,
                hash(&text),
                compile(&text).map_err(|fault| fault.to_string()),
            )
        })
        .collect();
    let asked = compiled
        .iter()
        .map(|(policy, observed, hash, module)| Asked {
            policy,
            version: 1,
            set_at: Seq(7),
            hash,
            observed: *observed,
            module: module.as_ref().map_err(String::as_str),
        });
    let input = input(&request, Document::new(json!({})), Time(1), false);
    let data = Document::new(json!({}));
    let (changed, verdict) = judge(&request, asked, &input, &data, Bounds::default(), |_| {});
    assert_eq!(
        verdict.original.as_deref(),
        (changed != request).then_some(&*request)
    );
    (serde_json::to_value(&*changed).unwrap(), verdict)
}

fn opinions(verdict: &Verdict) -> Vec<Opinion> {
    verdict.judged.iter().map(|judged| judged.opinion).collect()
}

#[test]
fn changes_are_put_together() {
    let (request, verdict) = judged(
        &[
            (
                "a",
                false,
                "transform := {\"parameters\": {\"amount\": 500, \"to\": null}}",
            ),
            (
                "b",
                false,
                "transform := {\"parameters\": {\"checked\": {\"by\": \"b\"}}, \"labels\": {\"risk\": \"high\"}}",
            ),
            (
                "c",
                false,
                "transform := {\"parameters\": {\"checked\": {\"on\": 1}, \"amount\": 500}, \"priority\": 2, \"cost\": {\"tokens\": 9}}",
            ),
            ("d", true, "transform := {\"priority\": 9}"),
        ],
        json!({}),
    );
    assert_eq!(
        request["parameters"],
        json!({"amount": 500, "checked": {"by": "b", "on": 1}})
    );
    assert_eq!(request["labels"], json!({"risk": "high"}));
    assert_eq!(
        (&request["priority"], &request["cost"]["tokens"]),
        (&json!(2), &json!(9))
    );
    assert_eq!(opinions(&verdict), [Opinion::Transform; 4]);
}

#[test]
fn changes_that_disagree_or_make_no_request_are_denials() {
    let (request, verdict) = judged(
        &[
            (
                "a",
                false,
                "transform := {\"parameters\": {\"amount\": 500}}",
            ),
            ("b", false, "transform := {\"priority\": 3}"),
            (
                "c",
                false,
                "transform := {\"parameters\": {\"amount\": 400}}",
            ),
        ],
        json!({}),
    );
    assert_eq!(request["parameters"]["amount"], json!(700));
    assert_eq!(
        opinions(&verdict),
        [Opinion::Failed, Opinion::Transform, Opinion::Failed]
    );
    assert_eq!(
        verdict.judged[0].reasons[0].as_str(),
        "policies a and c change /parameters/amount differently"
    );
    for wrong in [
        "{\"priority\": 11}",
        "{\"labels\": {\"a\": \"\\u0000\"}}",
        "{\"cost\": {\"tokens\": 1000000000000001}}",
        "{\"cost\": {\"gold\": 1}}",
    ] {
        let (_, verdict) = judged(&[("a", false, &format!("transform := {wrong}"))], json!({}));
        assert_eq!(opinions(&verdict), [Opinion::Failed], "{wrong}");
        assert!(
            verdict.judged[0].reasons[0]
                .as_str()
                .contains("makes no request"),
            "{wrong}"
        );
    }
    // A denial is not changed first.
    let (request, _) = judged(
        &[
            ("a", false, "transform := {\"priority\": 3}"),
            ("b", false, "deny contains \"no\""),
        ],
        json!({}),
    );
    assert_eq!(request.get("priority"), None);
    // One that does not compile denies.
    let (_, verdict) = judged(&[("a", false, "deny contains")], json!({}));
    assert_eq!(opinions(&verdict), [Opinion::Failed]);
}

#[test]
fn a_machine_is_used_again_and_forgets() {
    let module = compile("package fleet\ndeny contains input.request.agent if input.request.parameters.amount > 500\n").unwrap();
    let data = Document::new(json!({}));
    for amount in [700, 100, 800, 1] {
        let request = request(json!({"parameters": {"amount": amount}}));
        let input = input(&request, Document::new(json!({})), Time(1), false);
        let said = module.evaluate(&input, &data, Bounds::default());
        assert_eq!(said.opinion == Opinion::Deny, amount > 500, "{amount}");
    }
}

#[test]
fn an_abandoned_module_is_not_asked_again() {
    let module = compile("package fleet\ndeny contains \"x\" if false\n").unwrap();
    module.abandon();
    let document = Document::new(json!({}));
    assert_eq!(
        module
            .evaluate(&document, &document, Bounds::default())
            .opinion,
        Opinion::Failed
    );
}

#[test]
fn a_long_run_is_within_its_bounds() {
    let module = "package fleet\ndeny contains \"x\" if { some a in numbers.range(1, 400); some b in numbers.range(1, 50); a + b == 450 }\n";
    let request = request(json!({}));
    let tight = Bounds {
        instructions: 1_000,
        ..Bounds::default()
    };
    assert!(
        said_of(module, &request, tight).reasons[0]
            .as_str()
            .contains("more than 1000 instructions")
    );
}

#[test]
fn cases_beside_a_policy() {
    let module = "package fleet\ndeny contains \"large\" if input.request.parameters.amount > limit\nlimit := data.fleet.data.limit\n";
    let test = "package fleet_test\nimport data.fleet\n\ntest_large_is_denied if {\n\t\"large\" in data.fleet.deny with input as {\"request\": {\"parameters\": {\"amount\": 7}}} with data.fleet.data as {\"limit\": 5}\n}\n\ntest_small_passes if {\n\tcount(data.fleet.deny) == 0 with input as {\"request\": {\"parameters\": {\"amount\": 3}}} with data.fleet.data as {\"limit\": 5}\n}\n\ntest_wrong if {\n\tcount(data.fleet.deny) == 1 with input as {\"request\": {\"parameters\": {\"amount\": 3}}} with data.fleet.data as {\"limit\": 5}\n}\n";
    let files = [("a_test.rego".to_owned(), test.to_owned())];
    let cases = run_cases(module, &files).unwrap();
    let seen: Vec<(&str, bool)> = cases
        .iter()
        .map(|case| (case.name.as_str(), case.failure.is_none()))
        .collect();
    assert_eq!(
        seen,
        [
            ("test_large_is_denied", true),
            ("test_small_passes", true),
            ("test_wrong", false)
        ],
        "{cases:?}"
    );
    let wrong = [(
        "a_test.rego".to_owned(),
        "package fleet_test\ntest_x if {".to_owned(),
    )];
    assert_eq!(
        run_cases(module, &wrong).unwrap_err().0.as_deref(),
        Some("a_test.rego")
    );
}
