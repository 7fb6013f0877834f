//! The life of a rule: checked, tested, replayed over what was asked of a real server, taken back.
use fleet_tests::{Output, Server, fleet_in};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const FREEZE: &str = r#"{"id":"freeze-pay","stage":"draft","when":{"action":"account.freeze"},"form":{"contradiction":{"with":{"action":"payment.*"},"within_ms":600000}}}"#;

fn write(dir: &TempDir, name: &str, text: &str) {
    std::fs::write(dir.path().join(name), text).unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Asks for a permit, and ends it where it was granted.
fn act(server: &Server, action: &str, agent: &str, resource: &str, end: &str) -> Output {
    let asked = server.fleet(&[
        "permits", "request", action, "--agent", agent, "-x", resource, "-o", "name",
    ]);
    if asked.code == 0 && !end.is_empty() {
        let permit = asked.stdout.trim();
        server
            .fleet(&["permits", end, permit, "--agent", agent])
            .ok();
    }
    asked
}

#[test]
fn what_was_asked_of_a_server_is_decided_anew() {
    let mut server = Server::dev();
    let dir = TempDir::new().unwrap();
    write(&dir, "freeze.json", FREEZE);
    write(
        &dir,
        "slow.yaml",
        "id: slow\nwhen: { action: host.restart }\nform: { cooling_off: { for_ms: 600000 } }\n",
    );
    let run = |server: &Server, line: &[&str]| fleet_in(dir.path(), &server.url, line);
    run(&server, &["rules", "set", "-f", "slow.yaml"]).ok();
    act(&server, "account.freeze", "ann", "acc/1", "complete").ok();
    let paid = act(&server, "payment.send", "bob", "acc/1", "complete").ok();
    let failed = act(&server, "payment.send", "bob", "acc/1/eur", "fail").ok();
    act(&server, "payment.send", "bob", "acc/2", "complete").ok();
    act(&server, "host.restart", "cid", "host/1", "complete").ok();
    let denied = act(&server, "host.restart", "dan", "host/1", "");
    assert_eq!(denied.code, 6, "{denied:?}");
    act(&server, "host.restart", "dan", "host/2", "").ok(); // In flight.

    let data = server.data_dir();
    let freeze = [
        "rules",
        "replay",
        "--candidate",
        "freeze.json",
        "--data-dir",
        text(&data),
        "-o",
        "json",
    ];
    let report = run(&server, &freeze).json();
    assert_eq!(report["requests"], 7, "{report:#}");
    assert_eq!(report["unlike_the_record"], 0, "{report:#}");
    let counts = json!({
        "newly_denied": 2, "newly_denied_completed": 1, "newly_allowed": 0, "newly_queued": 0,
        "newly_queued_completed": 0, "no_longer_queued": 0, "otherwise": 0,
    });
    assert_eq!(report["changed"], counts, "{report:#}");
    assert_eq!(
        report["by_rule"],
        json!({"freeze-pay": counts}),
        "{report:#}"
    );
    let changes: Vec<(&Value, &Value)> = report["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (&change["permit"], &change["ended"]))
        .collect();
    assert_eq!(
        changes,
        [
            (&json!(paid), &json!("completed")),
            (&json!(failed), &json!("failed"))
        ]
    );
    assert_eq!(report["changes"][0]["now"]["rule"], "freeze-pay");
    // Twice the same, from the server's stream too.
    assert_eq!(run(&server, &freeze).json(), report);
    let remote = [
        "rules",
        "replay",
        "--candidate",
        "freeze.json",
        "--remote",
        "-o",
        "json",
    ];
    assert_eq!(run(&server, &remote).json(), report);

    // Without the rule that is in force, the second restart is granted, and ends after the time that the first took.
    let without = [
        "rules",
        "replay",
        "--without",
        "slow",
        "--data-dir",
        text(&data),
    ];
    let said = run(&server, &without);
    assert!(
        said.stdout.contains("newly allowed     1") && said.stdout.contains("host.restart"),
        "{said:?}"
    );
    // What lies before is not compared, and known all the same.
    let since = report["changes"][0]["at"].as_u64().unwrap();
    let since = moment(since + 1);
    let later = [&freeze[..], &["--from", &since]].concat();
    let later = run(&server, &later).json();
    assert_eq!(later["requests"], 5, "{later:#}");
    assert_eq!(later["changed"]["newly_denied"], 1, "{later:#}");
    // As written it is a draft, and drafts stop nothing.
    let staged = [&freeze[..], &["--as-staged"]].concat();
    assert_eq!(run(&server, &staged).json()["changes"], json!([]));

    server.kill();
    assert_eq!(run(&server, &freeze).json(), report);
    for (more, code, words) in [
        (&["--without", "nobody"][..], 3, "leave out rule nobody"),
        (&["--tenant", "nobody"], 3, "find fleet nobody/main"),
        (&["--from", "soon"], 2, "is no point in time"),
    ] {
        run(&server, &[&freeze[..], more].concat()).failed(code, words);
    }
    let nothing = ["rules", "replay", "--data-dir", text(&data)];
    run(&server, &nothing).failed(2, "nothing is to be tried");
    // A letter that is not what was written is noticed by the journal, once a start has put it where it stays.
    server.start_again();
    server.kill();
    let file = data.join("journal.db");
    assert!(flip(&file), "a letter of a batch was changed");
    run(&server, &freeze).failed(5, "failed to read the journal of default/main");
}

/// A time in Unix microseconds as people write it.
fn moment(micros: u64) -> String {
    fleet_types::trial::Moment(fleet_types::Time(micros)).to_string()
}

/// Changes one letter of an event that lies readable in the journal.
fn flip(file: &Path) -> bool {
    let wal = file.with_extension("db-wal");
    let mut changed = false;
    for file in [file, &wal] {
        let Ok(mut bytes) = std::fs::read(file) else {
            continue;
        };
        let wanted = b"acc/1/eur";
        let found: Vec<usize> = bytes
            .windows(wanted.len())
            .enumerate()
            .filter(|(_, window)| window == wanted)
            .map(|(at, _)| at)
            .collect();
        for at in &found {
            bytes[at + 6] = b'x';
        }
        changed |= !found.is_empty();
        std::fs::write(file, bytes).unwrap();
    }
    changed
}

#[test]
fn what_is_noticed_is_told_and_what_is_certain_is_refused() {
    let server = Server::dev();
    let dir = TempDir::new().unwrap();
    let run = |line: &[&str]| fleet_in(dir.path(), &server.url, line);
    let set = |rule: &str| {
        write(&dir, "rule.yaml", rule);
        run(&["rules", "set", "-f", "rule.yaml"])
    };
    set("id: six\nwhen: { action: \"pay.**\" }\nform: { quota: { max: 6, window_ms: 1000 } }\n")
        .ok();
    let said = set(
        "id: ten\nwhen: { action: pay.send, group: clerks }\nform: { quota: { max: 10, window_ms: 1000 } }\n",
    );
    let words = "warning: rule ten stops nothing that rule six does not stop, which is stricter";
    assert!(said.stderr.contains(words), "{said:?}");
    assert!(
        said.stderr.contains("when.group: there is no group clerks"),
        "{said:?}"
    );
    let listed = run(&["rules", "list", "-o", "json"]).json();
    assert_eq!(
        listed[1]["warnings"].as_array().unwrap().len(),
        2,
        "{listed:#}"
    );
    assert_eq!(listed[1]["warnings"][0]["other"], "six", "{listed:#}");
    assert!(
        run(&["rules", "get", "ten"])
            .ok()
            .contains("stops nothing that rule six")
    );
    run(&["rules", "remove", "six"]).ok();
    let listed = run(&["rules", "list", "-o", "json"]).json();
    assert_eq!(
        listed[0]["warnings"].as_array().unwrap().len(),
        1,
        "{listed:#}"
    );

    let refused = set(
        "id: a\nwhen: { action: a }\nform: { sequence: { after: { action: \"a\" }, within_ms: 1 } }\n",
    );
    refused.failed(2, "form.sequence.after is itself judged by the rule");
    set("id: b\nwhen: { action: b }\nform: { bounds: { parameter: /n, at_most: 5 } }\n").ok();
    set("id: c\nwhen: { action: b }\nform: { bounds: { parameter: /n, at_least: 6 } }\n")
        .failed(2, "those of rule b");
    write(
        &dir,
        "fleet.yaml",
        "rules:\n  - { id: x, when: { action: x }, form: { sequence: { after: { action: y }, within_ms: 1 } } }\n  - { id: y, when: { action: y }, form: { sequence: { after: { action: x }, within_ms: 1 } } }\n",
    );
    let applied = run(&["apply", "-f", "fleet.yaml"]);
    applied.failed(2, "nothing was changed");
    applied.failed(2, "waits, by way of x");
    run(&["rules", "get", "x"]).failed(3, "not_found");
}

#[test]
fn a_test_that_fails_says_where() {
    let dir = TempDir::new().unwrap();
    write(&dir, "freeze.json", FREEZE);
    write(
        &dir,
        "tests.yaml",
        "tests:\n  - name: one\n    ask: { agent: bob, action: payment.send, resources: [acc/1] }\n    expect: { decision: denied, rule: freeze-pay }\n  - name: two\n    given:\n      - { agent: ann, action: account.freeze, resources: [acc/1] }\n    ask: { agent: bob, action: payment.send, resources: [acc/1] }\n    expect: { decision: denied, rule: freeze-pay }\n",
    );
    let run = |line: &[&str]| fleet_in(dir.path(), "http://127.0.0.1:1", line);
    let said = run(&["rules", "test", "freeze.json", "tests.yaml"]);
    said.failed(1, "expected denied by rule freeze-pay, got granted");
    said.failed(1, "tests.yaml:4:13");
    said.failed(1, "2 tests: 1 passed, 1 failed");
    let rows = run(&["rules", "test", "freeze.json", "tests.yaml", "-o", "json"]).json();
    let passed: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["passed"].clone())
        .collect();
    assert_eq!(passed, [false, true], "{rows:#}");
    assert_eq!(
        (&rows[0]["line"], &rows[0]["column"]),
        (&json!(4), &json!(13)),
        "{rows:#}"
    );
    run(&[
        "rules",
        "test",
        "freeze.json",
        "tests.yaml",
        "--only",
        "two",
    ])
    .ok();
    run(&[
        "rules",
        "test",
        "freeze.json",
        "tests.yaml",
        "--as-staged",
        "--only",
        "two",
    ])
    .failed(1, "got granted");
    run(&["rules", "test", "freeze.json"]).failed(2, "no test is in these files");
    write(
        &dir,
        "wrong.yaml",
        "tests:\n  - name: one\n    ask: { agent: bob, acton: pay }\n    expect: { decision: maybe }\n",
    );
    let said = run(&["rules", "test", "freeze.json", "wrong.yaml"]);
    said.failed(2, "tests[0].ask.acton: unknown field acton");
    said.failed(2, "tests[0].expect.decision: unknown variant maybe");
}

/// Files that are meant to hurt end soon, with words.
#[test]
fn hostile_files_end_soon() {
    let dir = TempDir::new().unwrap();
    let run = |line: &[&str]| fleet_in(dir.path(), "http://127.0.0.1:1", line);
    let bombs = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]\ng: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f]\nh: &h [*g, *g, *g, *g, *g, *g, *g, *g, *g]\nrules: *h\n";
    let rule = "  - { id: r, form: { cooling_off: { for_ms: 1 } } }\n";
    run(&["--version"]).ok(); // Where it must be built first, that is not counted.
    for (name, text, words) in [
        (
            "twice",
            "id: r\nid: s\nform: { cooling_off: { for_ms: 1 } }\n".to_owned(),
            "duplicate",
        ),
        ("alike", format!("rules:\n{rule}{rule}"), "declared twice"),
        ("bomb", bombs.to_owned(), ""),
        ("itself", "rules: &r\n  - *r\n".to_owned(), ""),
        (
            "deep",
            format!("rules: {}{}\n", "[".repeat(100_000), "]".repeat(100_000)),
            "",
        ),
        (
            "deeper",
            format!(
                "rules:\n  - id: r\n    when: {}1{}\n",
                "{ a: ".repeat(50_000),
                " }".repeat(50_000)
            ),
            "",
        ),
        (
            "long",
            format!(
                "id: {}\nform: {{ cooling_off: {{ for_ms: 1 }} }}\n",
                "r".repeat(20_000_000)
            ),
            "",
        ),
        (
            "many",
            format!("rules:\n{}", "  - {}\n".repeat(200_000)),
            "",
        ),
    ] {
        let file = format!("{name}.yaml");
        write(&dir, &file, &text);
        let began = Instant::now();
        for verb in [
            &["rules", "check"][..],
            &["rules", "test"],
            &["rules", "set", "-f"],
        ] {
            let said = run(&[verb, &[&file]].concat());
            assert_eq!(
                said.code,
                2,
                "{name}: {}",
                &said.stderr[..said.stderr.len().min(2_000)]
            );
            if verb[1] != "set" {
                assert!(said.stderr.contains(words), "{name}: {said:?}");
            }
            assert!(
                said.stderr.len() < 2_000_000,
                "{name} is answered with {} bytes",
                said.stderr.len()
            );
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(60), "{name} took {took:?}");
    }
}

/// The page says what happens: each file is written, and what stands below it is typed on one server.
#[test]
fn the_examples_of_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rule-life.md");
    let page = std::fs::read_to_string(page).unwrap();
    let server = Server::dev();
    let dir = TempDir::new().unwrap();
    let data = server.data_dir();
    let (mut files, mut compared) = (0, 0);
    for block in page.split("```").skip(1).step_by(2) {
        if let Some(file) = block.strip_prefix("yaml\n# ") {
            let (name, _) = file.split_once('\n').unwrap();
            write(&dir, name, block.strip_prefix("yaml\n").unwrap());
            files += 1;
        } else if let Some(lines) = block.strip_prefix("console\n") {
            let mut said = String::new();
            for line in lines.lines() {
                if let Some(command) = line.strip_prefix("$ fleet ") {
                    let command = command.replace("$DATA", text(&data));
                    let output = fleet_in(dir.path(), &server.url, &super::rules::words(&command));
                    said = format!("{}{}", output.stdout, output.stderr);
                    continue;
                }
                let (wanted, is_whole) = match line.strip_suffix('…') {
                    Some(start) => (start.trim_end(), false),
                    None => (line, true),
                };
                let is_there = said.lines().any(|line| match is_whole {
                    true => line.trim_end() == wanted,
                    false => line.starts_with(wanted),
                });
                assert!(is_there, "{line:?} was not said in\n{lines}\nbut\n{said}");
                compared += 1;
            }
        }
    }
    assert!(
        files >= 4 && compared >= 30,
        "{files} files, {compared} lines"
    );
}
