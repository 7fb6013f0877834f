//! Policies that want to harm the server: refused before they run, or stopped while they do; always a denial.
mod common;

use common::said;
use fleet_policy::{Said, compile};
use fleet_types::policy::Opinion;
use std::time::{Duration, Instant};

/// Any machine that runs tests, many at once, without optimisation.
const PATIENCE: Duration = Duration::from_secs(5);

fn refused(module: &str) -> String {
    match compile(module) {
        Ok(_) => panic!("it compiles: {module:.300}"),
        Err(fault) => fault.to_string(),
    }
}

fn fails(module: &str) -> String {
    let begun = Instant::now();
    let Said {
        opinion, reasons, ..
    } = said(module);
    assert!(
        begun.elapsed() < PATIENCE,
        "{:?}: {module:.300}",
        begun.elapsed()
    );
    assert_eq!(opinion, Opinion::Failed, "{reasons:?}: {module:.300}");
    reasons[0].as_str().to_owned()
}

#[test]
fn the_world_is_not_asked() {
    let place = |call: &str| {
        refused(&format!(
            "package fleet\n\ndeny contains \"no\" if {{\n\t{call}\n}}\n"
        ))
    };
    let http = place("http.send({\"url\": \"http://x\"}).status_code == 200");
    assert!(
        http.contains("http.send") && http.starts_with("line 4, column "),
        "{http}"
    );
    let now = place("time.now_ns() > 5");
    assert!(
        now.contains("time.now_ns") && now.contains("use input.now"),
        "{now}"
    );
    assert!(now.starts_with("line 4, column "), "{now}");
    for call in [
        "rand.intn(\"x\", 5) == 1",
        "opa.runtime().env",
        "net.lookup_ip_addr(\"x\")",
        "uuid.rfc4122(\"x\") != \"\"",
        "trace(\"x\")",
        "walk(input, [p, v])",
    ] {
        let name = call.split('(').next().unwrap();
        assert!(place(call).contains(name), "{call}: {}", place(call));
    }
    let host = place("__builtin_host_await(1, 2) == 3");
    assert!(host.contains("host"), "{host}");
}

#[test]
fn rules_that_call_themselves_are_refused() {
    for (module, circle) in [
        (
            "f(x) := f(x + 1)\ndeny contains \"x\" if f(1) == 1",
            "f → f",
        ),
        ("a if b\nb if a\ndeny contains \"x\" if a", "a → b → a"),
        ("deny contains \"x\" if count(data.fleet) > 1", ""),
        (
            "deny contains \"x\" if count([1 | data[input.request.agent]]) > 1",
            "",
        ),
    ] {
        let why = refused(&format!("package fleet\n{module}\n"));
        assert!(why.contains(circle), "{why}");
    }
    let mut deep = String::from("package fleet\ndeny contains \"x\" if f0(1) == 1\nf60(x) := x\n");
    for at in 0..60 {
        deep += &format!("f{at}(x) := f{}(x)\n", at + 1);
    }
    assert!(refused(&deep).contains("more than 32 deep"));
    // As deep as may be, with loops in loops at each level, it runs on the stack that is asked for.
    let mut deep =
        String::from("package fleet\ndeny contains \"deep\" if f0(1) == 1\nf28(x) := x\n");
    for at in 0..28 {
        let next = at + 1;
        deep += &format!(
            "f{at}(x) := y if {{ some a in [1]; some b in [a]; some c in [b]; z := [v | some w in [c]; v := f{next}(w)]; y := z[0] }}\n"
        );
    }
    assert_eq!(said(&deep).opinion, Opinion::Deny);
}

#[test]
fn what_does_not_end_is_stopped() {
    let loops = "package fleet\ndeny contains x if { some a in numbers.range(1, 900); some b in numbers.range(1, 900); x := sprintf(\"%d\", [a + b]) }\n";
    let why = fails(loops);
    assert!(
        why.contains("instructions") || why.contains(" ms") || why.contains("too much"),
        "{why}"
    );
    let sets = "package fleet\nall := {[a, b, c] | some a in numbers.range(1, 200); some b in numbers.range(1, 200); some c in numbers.range(1, 200)}\ndeny contains \"x\" if count(all) > 5\n";
    assert!(fails(sets).contains("instructions") || fails(sets).contains(" ms"));
}

#[test]
fn what_grows_is_stopped() {
    let body = |lines: &str| format!("package fleet\ndeny contains \"x\" if {{\n{lines}}}\n");
    let grows = |first: &str, next: &str, last: &str| {
        let mut lines = format!("x0 := {first}\n");
        for at in 1..60 {
            lines += &format!("x{at} := {}\n", next.replace('@', &format!("x{}", at - 1)));
        }
        body(&(lines + last))
    };
    for bomb in [
        grows("\"abcdefgh\"", "concat(\"\", [@, @])", "x59 != \"\"\n"),
        grows("\"abcdefgh\"", "replace(@, \"a\", @)", "x59 != \"\"\n"),
        grows("\"abcdefgh\"", "sprintf(\"%s%s\", [@, @])", "x59 != \"\"\n"),
        grows("12345678901", "@ * @", "x59 > 1\n"),
        grows("[1]", "array.concat(@, @)", "count(x59) > 1\n"),
        grows("[1]", "[@, @]", "json.marshal(x59) != \"\"\n"),
        grows(
            "{\"a\": 1}",
            "{\"l\": @, \"r\": @}",
            "count(object.union(x59, {\"b\": x59})) > 1\n",
        ),
        body("count(numbers.range(1, 1000000000000)) > 1\n"),
        body("count(numbers.range(1, 99999999999999999999999999)) > 1\n"),
        body("count(numbers.range_step(1, 1000000000000, 1)) > 1\n"),
        body("count(numbers.range(-9000000000000000000, 9000000000000000000)) > 1\n"),
        body("sprintf(\"%999999999d\", [1]) != \"\"\n"),
        body("sprintf(\"%.999999999f\", [1.5]) != \"\"\n"),
        body("x := to_number(\"1e999999999\")\nsprintf(\"%d\", [x]) != \"\"\n"),
        body("regex.match(\"((a{1,100}){1,100}){1,100}\", \"aaaa\")\n"),
    ] {
        let said = said(&bomb);
        // Some are only undefined, which denies nothing: what counts is that they cost nothing.
        assert_ne!(said.opinion, Opinion::Deny, "{bomb:.300}");
    }
    let why = fails(&grows(
        "\"abcdefgh\"",
        "concat(\"\", [@, @])",
        "x59 != \"\"\n",
    ));
    assert!(why.contains("too much"), "{why}");
    // `not` does not turn a bound that was passed into a yes.
    let turned = "package fleet\ndeny contains \"x\" if false\nallow if not big\nbig if count(numbers.range(1, 1000000000000)) > 1\n";
    fails(turned);
}

#[test]
fn expressions_that_backtrack_elsewhere_take_no_time_here() {
    let text = "a".repeat(15_000);
    let module = format!(
        "package fleet\ndeny contains \"x\" if regex.match(`^(a+)+(b+)+(a|aa)+$`, concat(\"\", [{}]))\n",
        text.as_bytes()
            .chunks(500)
            .map(|part| format!("\"{}\"", String::from_utf8_lossy(part)))
            .collect::<Vec<_>>()
            .join(",\n")
    );
    let begun = Instant::now();
    let said = said(&module);
    assert!(begun.elapsed() < PATIENCE);
    assert_ne!(said.opinion, Opinion::Deny);
}

#[test]
fn enormous_and_strange_texts_are_refused() {
    let line = "x := 1\n";
    assert!(refused(&line.repeat(20_000)).contains("more than 65536"));
    let many = format!("package fleet\n{}", "\n".repeat(20_000));
    assert!(!refused(&many).is_empty());
    let wide = format!("package fleet\ndeny contains \"{}\"\n", "x".repeat(5_000));
    assert!(!refused(&wide).is_empty());
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{", "}"),
        ("[x | x := ", "]"),
        ("f(", ")"),
    ] {
        let nested = format!(
            "package fleet\ndeny contains 1 if {{ x := \n{}1{} }}\n",
            format!("{open}\n").repeat(3_000),
            format!("{close}\n").repeat(3_000).trim_end_matches('\n')
        );
        assert!(!refused(&nested).is_empty(), "{open}");
    }
    // A chain is deep, too, when it is a tree.
    for operator in ["+", "-", "|", "&"] {
        let chain = format!(
            "package fleet\ndeny contains \"x\" if {{\n{}1 > 3\n}}\n",
            format!("1 {operator}\n").repeat(4_900)
        );
        let _ = compile(&chain); // Either way: it ends, and the process lives.
    }
    let dots = format!(
        "package fleet\ndeny contains \"x\" if input{}\n",
        ".a".repeat(400)
    );
    let _ = compile(&dots);
    for strange in [
        "",
        "package",
        "package fleet",
        "package fleet\n\u{0}",
        "package fleet\ndeny contains \"\u{202e}\" if {",
        "\u{feff}package fleet\n",
        "{}",
        "package other\ndeny contains \"x\"\n",
    ] {
        assert!(!refused(strange).is_empty(), "{strange:?}");
    }
    assert!(refused("package other\ndeny contains \"x\"\n").contains("must be fleet"));
    assert!(refused("package fleet\nfoo if true\n").contains("says nothing"));
    assert!(
        refused("package fleet\nagents := 1\ndeny contains \"x\" if agents == 1\n")
            .contains("agents")
    );
}

#[test]
fn answers_of_another_shape_are_failures() {
    for (module, why) in [
        ("deny := true", "deny must be a set"),
        ("deny contains 5", "deny must hold texts"),
        ("deny contains {\"because\": 1}", "without a text `reason`"),
        ("approve := {\"a\": 1}", "approve must be a set"),
        ("allow := 1", "allow must be true or false"),
        ("transform := 5", "transform must be an object"),
        (
            "transform := {\"agent\": \"root\"}",
            "cannot change \"agent\"",
        ),
        (
            "transform := {\"resources\": []}",
            "cannot change \"resources\"",
        ),
        ("transform := {\"labels\": {\"a\": 1}}", "transform.labels"),
        (
            "transform := {\"priority\": \"high\"}",
            "transform.priority",
        ),
        ("transform := {\"parameters\": [1]}", "transform.parameters"),
        ("transform := {1: 2}", "no text"),
        (
            "transform := {\"parameters\": {\"a\": numbers.range(1, 5000)}}",
            "too large",
        ),
    ] {
        let said = fails(&format!("package fleet\n{module}\n"));
        assert!(said.contains(why), "{module}: {said}");
    }
}

#[test]
fn values_shared_a_thousandfold_in_the_answer_are_not_walked() {
    let mut module = String::from(
        "package fleet\ntransform := {\"parameters\": {\"x\": x59}} if {\nx0 := [1]\n",
    );
    for at in 1..60 {
        module += &format!("x{at} := [x{0}, x{0}]\n", at - 1);
    }
    module += "}\n";
    assert!(fails(&module).contains("too large"));
    let mut module = String::from("package fleet\ndeny contains x59 if {\nx0 := [1]\n");
    for at in 1..60 {
        module += &format!("x{at} := [x{0}, x{0}]\n", at - 1);
    }
    module += "}\n";
    assert!(fails(&module).contains("deny must hold texts"));
}

#[test]
fn a_rule_has_one_value() {
    for rules in [
        "transform := {\"priority\": 1} if true\ntransform := {\"priority\": 2} if true",
        "limit := 1 if input.a\nlimit := 2 if input.b\ndeny contains \"x\" if limit > 1",
        "f(x) := 1 if x > 1\nf(x) := 2 if x > 2\ndeny contains \"x\" if f(3) > 1",
    ] {
        let why = refused(&format!("package fleet\n{rules}\n"));
        assert!(
            why.contains("two values at once") && why.starts_with("line 3"),
            "{why}"
        );
    }
    for rules in [
        "default allow := false\nallow if input.a\nallow if input.request.agent == \"clerk\"",
        "allow if limit == 2\nlimit := 1 if input.a\nelse := 2",
        "allow if ok(3)\nok(x) if x > 7\nok(x) if x > 2",
    ] {
        assert_eq!(
            said(&format!("package fleet\n{rules}\n")).opinion,
            Opinion::Allow,
            "{rules}"
        );
    }
    // In objects the last value of a key counts (elsewhere that is an error): docs/policies.md says so.
    let object = "package fleet\nm[k] := v if { some k in [\"a\"]; some v in [1, 2] }\ndeny contains sprintf(\"%v\", [m])\n";
    assert_eq!(said(object).reasons[0].as_str(), "{\"a\": 2}");
}
