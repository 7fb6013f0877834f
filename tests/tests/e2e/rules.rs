//! Coordination rules: declared, set, tripped, rolled back.
use fleet_tests::{Server, binary, fleet_at};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const FREEZE: &str = "rules:
  - id: freeze-pay
    description: nobody pays from a frozen account
    when: { action: account.freeze }
    form:
      contradiction: { with: { action: \"payment.*\" }, within_ms: 600000 }
";

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_declared_contradiction_stops_and_goes_back() {
    let server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fleet.yaml");
    let apply = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        server
            .fleet(&[&["apply", "-f", path(&file)], more].concat())
            .ok()
    };
    assert_eq!(apply(FREEZE, &[]), "+ rule freeze-pay");
    assert_eq!(apply(FREEZE, &[]), "");

    let ask = |action: &str, agent: &str| {
        let line = [
            "permits", "request", action, "--agent", agent, "-x", "acc/1",
        ];
        server.fleet(&line)
    };
    ask("account.freeze", "ann").ok();
    let denied = ask("payment.send", "bob");
    denied.failed(6, "denied by the rules gate: rule_violated: rule freeze-pay (nobody pays from a frozen account): ann does the opposite now on acc/1");
    denied.failed(6, "in the way: rule freeze-pay on acc/1");
    let line = [
        "permits",
        "explain",
        "payment.send",
        "--agent",
        "bob",
        "-x",
        "acc/1",
        "-o",
        "json",
    ];
    let explained = server.fleet(&line).json();
    let gates = explained["gates"].as_array().unwrap();
    let gate = gates.iter().find(|gate| gate["gate"] == "rules").unwrap();
    assert_eq!(gate["code"], "rule_violated", "{gate}");
    assert_eq!(gate["saw"]["freeze-pay"], 0, "{gate}");

    let shorter = FREEZE.replace("600000", "1000");
    let changed = apply(&shorter, &[]);
    assert!(
        changed.contains("form.contradiction.within_ms: 600000 → 1000"),
        "{changed}"
    );
    let back = server.fleet(&["rules", "rollback", "freeze-pay", "--reason", "test"]);
    assert!(
        back.stderr
            .contains("version 3: action account.freeze: not within 10m of action payment.*"),
        "{back:?}"
    );
    let rule = server.fleet(&["rules", "get", "freeze-pay", "-o", "json"]);
    let rule = rule.json();
    assert_eq!(
        (&rule["version"], &rule["stopped"], &rule["in_flight"]),
        (&3.into(), &1.into(), &1.into()),
        "{rule}"
    );
    assert_eq!(
        rule["rule"]["form"]["contradiction"]["within_ms"], 600_000,
        "{rule}"
    );
    let shown = server.fleet(&["rules", "get", "freeze-pay"]).ok();
    assert!(
        shown.contains("2 enforce, action account.freeze: not within 1s"),
        "{shown}"
    );
    let listed = server.fleet(&["rules", "list"]).ok();
    assert!(
        listed.contains("not within 10m of action payment.* for each resource"),
        "{listed}"
    );
    server
        .fleet(&["rules", "rollback", "freeze-pay", "--to", "9"])
        .failed(3, "choose one of 1, 2");

    // A section without it leaves it alone, unless asked to prune.
    assert_eq!(apply("rules: []\n", &[]), "");
    assert_eq!(apply("rules: []\n", &["--prune"]), "- rule freeze-pay");
    ask("payment.send", "bob").failed(6, "lock_held");
    server
        .fleet(&["rules", "get", "freeze-pay"])
        .failed(3, "not_found");
    let events = server.fleet(&["events"]).ok();
    for words in [
        "rule.set                freeze-pay version 3 enforce by this machine: test",
        "rule.removed            freeze-pay by this machine",
    ] {
        assert!(events.contains(words), "{words:?} is not in\n{events}");
    }
}

#[test]
fn a_throttle_trips_until_a_person_resets_it() {
    let server = Server::with_keys();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("runaway.json");
    let text = r#"{"id": "runaway", "when": {"action": "retry"}, "form": {"throttle": {"max": 2, "window_ms": 600000, "per": ["agent"]}}}"#;
    std::fs::write(&file, text).unwrap();
    let set = server.fleet(&["rules", "set", "-f", path(&file), "--reason", "night shift"]);
    assert!(
        set.stderr.contains(
            "rule runaway: action retry: stopped after more than 2 in 10m for each agent"
        ),
        "{set:?}"
    );
    server
        .fleet(&["agents", "register", "a", "--allow-action", "retry"])
        .ok();
    let agent = server
        .fleet(&["keys", "issue", "--role", "agent", "--agent", "a"])
        .ok();
    let ask = |more: &[&str]| {
        let line = [&["permits", "request", "retry"], more].concat();
        fleet_at(&server.url, Some(&agent), &line)
    };
    for _ in 0..2 {
        let permit = ask(&["-o", "name"]).ok();
        fleet_at(&server.url, Some(&agent), &["permits", "fail", &permit]).ok();
    }
    ask(&[]).failed(6, "rule_tripped");
    let tripped = server
        .fleet(&["rules", "get", "runaway", "-o", "json"])
        .json();
    assert_eq!(tripped["tripped"], serde_json::json!(["a"]), "{tripped}");
    let reset = ["rules", "reset", "runaway", "--reason", "mended"];
    fleet_at(&server.url, Some(&agent), &reset).failed(4, "forbidden");
    ask(&[]).failed(6, "a person must reset the rule");
    server.fleet(&reset).ok();
    ask(&[]).ok();
    let again = server.fleet(&reset);
    assert!(again.stderr.contains("nothing to do"), "{again:?}");
    let events = server.fleet(&["events"]).ok();
    for words in ["rule.tripped", "runaway a\n", "mended", "night shift"] {
        assert!(events.contains(words), "{words:?} is not in\n{events}");
    }
}

/// Whether `fleet rules set` takes this from standard input: how it ended, and what it said.
pub fn set(server: &Server, rule: &str) -> (i32, String) {
    let mut child = Command::new(binary())
        .args(["rules", "set", "-f", "-", "--server", &server.url])
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(rule.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), said)
}

#[test]
fn what_is_wrong_is_named() {
    let server = Server::dev();
    for (rule, code, words) in [
        (
            "id: r\nform: { cooling_off: { for_ms: 1 } }\nscope: emea\n",
            2,
            "unknown field scope",
        ),
        (
            "id: r\nform: { quota: { max: 1, window_ms: 1, burst: 2 } }\n",
            2,
            "form.quota.burst: unknown field burst",
        ),
        ("id: r\nform: { curfew: {} }\n", 2, "unknown variant curfew"),
        (
            "id: r\nform: { bounds: { parameter: amount, at_most: 1 } }\n",
            2,
            "form.bounds.parameter: pointer \"amount\"",
        ),
        (
            "id: r\nwhen: { during: { from: 8:30 } }\nform: { cooling_off: { for_ms: 1 } }\n",
            2,
            "when.during.from: time of day \"8:30\"",
        ),
        (
            "id: r\nform: { cooling_off: { for_ms: 1, per: [agent, agent] } }\n",
            2,
            "form.cooling_off.per: per names agent twice",
        ),
        (
            "id: r\nform: { cooling_off: { for_ms: 0 } }\n",
            2,
            "form.cooling_off.for_ms must be 1–2678400000",
        ),
        (
            "id: r\nwhen: { parameters: { /x: {} } }\nform: { cooling_off: { for_ms: 1 } }\n",
            2,
            "when.parameters./x says nothing",
        ),
        (
            "id: r\nwhen: { parameters: { x: { equals: 1 } } }\nform: { cooling_off: { for_ms: 1 } }\n",
            2,
            "when.parameters.x: pointer \"x\"",
        ),
        ("[", 2, "cannot be read"),
    ] {
        let (ended, said) = set(&server, rule);
        assert!(
            said.contains(words),
            "{words:?} was not said of\n{rule}{said}"
        );
        assert_eq!(ended, code, "{rule}{said}");
    }
    assert_eq!(
        server.fleet(&["rules", "list", "-o", "json"]).json(),
        serde_json::json!([])
    );
    let (ended, said) = set(&server, r#"{"id":"r","form":{"cooling_off":{"for_ms":1}}}"#);
    assert_eq!(ended, 0, "{said}");
    let yaml = server.fleet(&["rules", "list", "-o", "yaml"]).ok();
    assert!(yaml.contains("cooling_off:"), "{yaml}");
}
/// The page about rules says what happens: each of its rules is set on a new server, and what stands below it is typed.
#[test]
fn the_examples_of_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut server = None;
    let (mut rules, mut answers) = (0, 0);
    let mut blocks = page.split("```");
    blocks.next();
    while let Some(block) = blocks.next() {
        blocks.next(); // The prose.
        if let Some(rule) = block.strip_prefix("yaml\n") {
            let fresh = server.insert(Server::dev());
            let (code, said) = set(fresh, rule);
            assert_eq!(code, 0, "{rule}{said}");
            rules += 1;
        } else if let Some(lines) = block.strip_prefix("console\n") {
            let server = server.as_ref().expect("a rule comes first");
            answers += type_in(server, lines);
        }
    }
    assert!(
        rules >= 8 && answers >= 8,
        "{rules} rules, {answers} answers"
    );
}

/// Types what follows each `$ fleet` and compares what is said; a line that ends in … is compared up to there. How many
/// lines were.
pub fn type_in(server: &Server, lines: &str) -> usize {
    type_in_at(server, lines, Path::new(""))
}

/// As [`type_in`], where files are named that lie in a folder.
pub fn type_in_at(server: &Server, lines: &str, folder: &Path) -> usize {
    let mut said = String::new();
    let mut compared = 0;
    for line in lines.lines() {
        if let Some(command) = line.strip_prefix("$ fleet ") {
            let typed = words(command).into_iter().map(|word| {
                let file = folder.join(word);
                match file.is_file() {
                    true => path(&file).to_owned(),
                    false => word.to_owned(),
                }
            });
            let typed: Vec<String> = typed.collect();
            let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
            let output = server.fleet(&typed);
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
    compared
}

/// The words of a command line; quotes hold some together.
pub fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\'' | '"' => rest[1..].split_once(first).expect("a quote ends"),
            _ => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}
