//! Findings, one a line.
use super::*;

/// What is found among rules, one a line, each written as `id | when | form`.
fn check(rules: &[&str]) -> String {
    let rules: Vec<Rule> = rules
        .iter()
        .map(|line| {
            let parts: Vec<&str> = line.split(" | ").collect();
            let [id, when, form] = parts[..] else {
                panic!("{line}")
            };
            let (id, stage) = id.split_once('!').unwrap_or((id, "enforce"));
            let text = format!(r#"{{"id":"{id}","stage":"{stage}","when":{when},"form":{form}}}"#);
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
        })
        .collect();
    let found = all(&rules);
    let lines = found.iter().map(|(_, _, finding)| {
        let level = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let other = finding.other.as_ref().map_or("-", |other| other.as_str());
        format!(
            "{level} {} {other} {}: {}",
            finding.rule, finding.field, finding.words
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn alone() {
    let one = |rule: &str, expected: &str| {
        let found = check(&[rule]);
        match expected {
            "" => assert_eq!(found, "", "{rule}"),
            _ => assert!(found.starts_with(expected), "{rule}\n{found}"),
        }
    };
    one(
        r#"r | {"parameters":{"/n":{"above":5,"below":5}}} | {"cooling_off":{"for_ms":1}}"#,
        "error r - when.parameters./n: holds of no value",
    );
    one(
        r#"r | {"during":{"from":"24:00","to":"00:00"}} | {"cooling_off":{"for_ms":1}}"#,
        "error r - when.during: is at no time of the week",
    );
    one(
        r#"r | {} | {"quota":{"max":0.5,"window_ms":1}}"#,
        "error r - form.quota.max: 0.5 is less than one action",
    );
    one(
        r#"r | {} | {"quota":{"max":0.5,"window_ms":1,"sum":"/n"}}"#,
        "",
    );
    one(
        r#"r | {} | {"quota":{"max":5000,"window_ms":1}}"#,
        "warning r - form.quota.max: more than the",
    );
    one(
        r#"r | {} | {"bounds":{"parameter":"/p","around":{"parameter":"/p","permille":5}}}"#,
        "error r - form.bounds.around.parameter",
    );
    one(
        r#"r | {"parameters":{"/n":{"above":5}}} | {"bounds":{"parameter":"/n","at_most":5}}"#,
        "warning r - form.bounds: the case has only values",
    );
    one(
        r#"r | {"parameters":{"/n":{"at_least":5}}} | {"bounds":{"parameter":"/n","at_most":5}}"#,
        "",
    );
    one(
        r#"r | {"action":"a.*"} | {"sequence":{"after":{"action":"a.b"},"within_ms":1}}"#,
        "error r - form.sequence.after: is itself judged by the rule",
    );
    // What claims no resource is not judged by it, so a first one can be.
    one(
        r#"r | {"action":"a.*"} | {"sequence":{"after":{"action":"c"},"within_ms":1}}"#,
        "",
    );
    one(
        r#"r | {"action":"a"} | {"contradiction":{"with":{"action":"b"},"within_ms":1,"per":["action"]}}"#,
        "error r - form.contradiction.with: never has the same action",
    );
    one(
        r#"r | {"resource":"a/*"} | {"exclusion":{"with":{"resource":"b/**"}}}"#,
        "error r - form.exclusion.with: never has the same resource",
    );
    one(
        r#"r | {"resource":"a/*"} | {"exclusion":{"with":{"resource":"a"}}}"#,
        "",
    );
    one(
        r#"r | {"agent":"ann"} | {"separation":{"from":{"agent":"bob"},"within_ms":1}}"#,
        "error r - form.separation.from.agent",
    );
    one(
        r#"r | {"action":"a"} | {"contradiction":{"with":{"action":"a"},"within_ms":1}}"#,
        "warning r - form.contradiction.with: is the case itself",
    );
    one(
        r#"r | {"action":"a"} | {"exclusion":{"with":{"action":"a"}}}"#,
        "",
    );
}

#[test]
fn between_two() {
    let two = |one: &str, other: &str, expected: &str| {
        let found = check(&[one, other]);
        match expected {
            "" => assert_eq!(found, "", "{one}\n{other}"),
            _ => assert!(found.starts_with(expected), "{one}\n{other}\n{found}"),
        }
        // Of what is not enforced nothing is said.
        assert_eq!(check(&[one, &other.replacen(" |", "!observe |", 1)]), "");
    };
    let low = r#"low | {"action":"pay.*"} | {"bounds":{"parameter":"/n","at_most":5}}"#;
    two(
        low,
        r#"high | {"action":"pay.send"} | {"bounds":{"parameter":"/n","at_least":6}}"#,
        "error high low form.bounds: no value of /n",
    );
    two(
        low,
        r#"high | {"agent":"ann"} | {"bounds":{"parameter":"/n","at_least":6}}"#,
        "warning high low form.bounds",
    );
    two(
        low,
        r#"high | {"action":"buy"} | {"bounds":{"parameter":"/n","at_least":6}}"#,
        "",
    );
    two(
        low,
        r#"lower | {"action":"pay.send"} | {"bounds":{"parameter":"/n","at_most":9}}"#,
        "warning lower low : stops nothing that rule low",
    );
    let seq = r#"seq | {"action":"pay"} | {"sequence":{"after":{"action":"ask","parameters":{"/n":{"above":9}}},"within_ms":5}}"#;
    two(
        seq,
        r#"shut | {"action":"a*"} | {"bounds":{"parameter":"/n","at_most":9}}"#,
        "error shut seq : rule seq asks for what rule shut never lets pass",
    );
    two(
        seq,
        r#"anti | {"action":"*"} | {"contradiction":{"with":{"action":"ask"},"within_ms":5}}"#,
        "error anti seq : rule seq lets it pass only within 5 ms after",
    );
    two(
        seq,
        r#"anti | {"action":"*"} | {"contradiction":{"with":{"action":"ask"},"within_ms":4}}"#,
        "",
    );
    two(
        seq,
        r#"back | {"action":"ask"} | {"sequence":{"after":{"action":"pay"},"within_ms":5}}"#,
        "error back seq form.sequence.after: what must come first waits, by way of seq",
    );
    let quota = r#"q | {} | {"quota":{"max":3,"window_ms":10}}"#;
    two(
        quota,
        r#"p | {"action":"a"} | {"quota":{"max":3,"window_ms":5}}"#,
        "warning p q : stops nothing that rule q",
    );
    two(
        quota,
        r#"p | {} | {"quota":{"max":3,"window_ms":10}}"#,
        "warning p q : says the same as rule q",
    );
    two(
        quota,
        r#"p | {} | {"quota":{"max":2,"window_ms":10}}"#,
        "warning p q : is stricter than rule q",
    );
    two(quota, r#"p | {} | {"quota":{"max":2,"window_ms":5}}"#, "");
    two(
        quota,
        r#"p | {} | {"quota":{"max":3,"window_ms":10,"per":["agent"]}}"#,
        "",
    );
    let anti = r#"c | {"action":"a"} | {"contradiction":{"with":{"action":"b"},"within_ms":9}}"#;
    two(
        anti,
        r#"d | {"action":"b"} | {"contradiction":{"with":{"action":"a"},"within_ms":9}}"#,
        "warning d c : says the same",
    );
    two(
        anti,
        r#"d | {"action":"a"} | {"separation":{"from":{"action":"b"},"within_ms":9}}"#,
        "warning d c : stops nothing",
    );
    two(
        r#"x | {} | {"cooling_off":{"for_ms":9}}"#,
        r#"y | {} | {"throttle":{"max":1,"window_ms":9}}"#,
        "",
    );
}

#[test]
fn a_long_way_round_is_found() {
    let step = |id: &str, to: &str| {
        format!(
            r#"{id} | {{"action":"{id}"}} | {{"sequence":{{"after":{{"action":"{to}"}},"within_ms":1}}}}"#
        )
    };
    let (a, b, c) = (step("a", "b"), step("b", "c"), step("c", "a"));
    assert_eq!(check(&[&a, &b]), "");
    let found = check(&[&a, &b, &c]);
    assert!(
        found.contains("error c a form.sequence.after: what must come first waits, by way of a, b"),
        "{found}"
    );
    let draft = a.replacen(" |", "!draft |", 1);
    assert_eq!(check(&[&draft, &b, &c]), "");
}
