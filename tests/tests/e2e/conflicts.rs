//! Conflicts, versions and plans: the page about them says what happens.
use crate::rules::{set, type_in, words};
use fleet_tests::{Follower, Server};
use std::time::{Duration, Instant};

/// Types a block; what ends in ` &` goes on in the background, once it waits.
fn type_block(server: &Server, lines: &str, waiting: &mut Vec<Follower>) -> usize {
    let mut typed = String::new();
    let mut compared = 0;
    for line in lines.lines() {
        let background = line
            .strip_prefix("$ fleet ")
            .and_then(|line| line.strip_suffix(" &"));
        let Some(command) = background else {
            typed += line;
            typed.push('\n');
            continue;
        };
        compared += type_in(server, &std::mem::take(&mut typed));
        let queued = || {
            let status = server.fleet(&["status", "-o", "json"]).json();
            status["permits_waiting"].as_u64().unwrap()
        };
        let before = queued();
        waiting.push(server.follow(&words(command)));
        let since = Instant::now();
        while queued() == before {
            assert!(
                since.elapsed() < Duration::from_secs(20),
                "{command} does not wait"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    compared + type_in(server, &typed)
}

/// Each section begins with a new server; its rules are set, and what stands below them is typed.
#[test]
fn the_examples_of_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/conflicts.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (mut sections, mut answers) = (0, 0);
    for section in page.split("\n## ").skip(1) {
        let mut server = None;
        let mut waiting = Vec::new();
        let mut blocks = section.split("```");
        blocks.next();
        while let Some(block) = blocks.next() {
            blocks.next(); // The prose.
            let server = server.get_or_insert_with(Server::dev);
            if let Some(rule) = block.strip_prefix("yaml\n") {
                let (code, said) = set(server, rule);
                assert_eq!(code, 0, "{rule}{said}");
            } else if let Some(lines) = block.strip_prefix("console\n") {
                answers += type_block(server, lines, &mut waiting);
            }
        }
        sections += usize::from(server.is_some());
    }
    assert!(
        sections >= 4 && answers >= 13,
        "{sections} sections, {answers} answers"
    );
}

#[test]
fn a_plan_hears_what_is_ahead() {
    let server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.yaml");
    let declare = |agent: &str| {
        let plan = format!(
            "agent: {agent}\nsteps:\n  - action: ledger.close\n    resources: [{{ path: ledger/eu, mode: exclusive }}]\n    duration_ms: 60000\n"
        );
        std::fs::write(&file, plan).unwrap();
        server.fleet(&["plans", "declare", "-f", file.to_str().unwrap()])
    };
    declare("ann").failed(3, "agent ann is not registered");
    for agent in ["ann", "bob"] {
        let line = ["permits", "request", "hello", "--agent", agent];
        server.fleet(&line).ok();
    }
    assert!(declare("ann").ok().contains("none ahead"));
    let line = [
        "permits",
        "request",
        "post",
        "--agent",
        "bob",
        "-x",
        "ledger/eu/7",
        "--ttl",
        "30s",
    ];
    server.fleet(&line).ok();
    let told = declare("bob").ok();
    assert!(told.contains("step 0 of n7 of ann on ledger/eu"), "{told}");
    let shown = server.fleet(&["plans", "show", "n7"]).ok();
    assert!(shown.contains("of bob, which holds ledger/eu/7"), "{shown}");
    assert!(
        server
            .fleet(&["plans", "list"])
            .ok()
            .contains("ledger.close")
    );
    server.fleet(&["plans", "withdraw", "n7"]).ok();
    server
        .fleet(&["plans", "show", "n7"])
        .failed(3, "not_found");
}

#[test]
fn a_person_overrides() {
    let server = Server::dev();
    let ask = |agent: &str, more: &[&str]| {
        let line = [
            "permits", "request", "print", "--agent", agent, "-x", "press",
        ];
        server.fleet(&[&line[..], more].concat())
    };
    ask("ann", &[]).ok();
    ask("bob", &[]).failed(6, "lock_held");
    let mut waiting = Vec::new();
    let line = "permits request print --agent cid -x press --wait 60s";
    type_block(&server, &format!("$ fleet {line} &\n"), &mut waiting);
    let listed = server.fleet(&["conflicts", "list", "--state", "open", "-o", "name"]);
    let conflict = listed.ok();
    let permits = server.fleet(&["permits", "list", "-o", "name"]).ok();
    let winner = permits.lines().last().unwrap();
    server
        .fleet(&["conflicts", "override", &conflict, "--winner", "p1"])
        .failed(5, "neither waits");
    let line = [
        "conflicts",
        "override",
        &conflict,
        "--winner",
        winner,
        "--reason",
        "incident 4711",
    ];
    server.fleet(&line).ok();
    let got = waiting[0].line(Duration::from_secs(20));
    assert!(got.is_some_and(|line| line.contains("granted")));
    let shown = server.fleet(&["conflicts", "show", &conflict]).ok();
    assert!(
        shown.contains(&format!(
            "settled  a person has decided, {winner} goes first: incident 4711"
        )),
        "{shown}"
    );
    server
        .fleet(&["conflicts", "resolve", "c999"])
        .failed(3, "there is no conflict c999");
}
