//! The dependency graph: declared, discovered, kept over restarts, exported.
use super::rules::type_in;
use fleet_tests::Server;
use serde_json::Value;
use std::time::Duration;

/// What a view may forget over a restart: nothing.
fn whole(server: &Server) -> (Value, Value) {
    let shown = |line: &[&str]| server.fleet(&[line, &["-o", "json"]].concat()).json();
    let mut edges = shown(&["graph", "show"]);
    for edge in edges.as_array_mut().unwrap() {
        // These two are told as of now.
        for span in ["last_hour", "last_day"] {
            if let Some(traffic) = edge.get_mut("traffic") {
                traffic[span] = 0.into();
            }
        }
    }
    (edges, shown(&["graph", "contention"])["contention"].clone())
}

fn work(server: &Server, from: u32) {
    for number in from..from + 4 {
        let (agent, account) = (
            format!("pay-{}", number % 3),
            format!("ledger/{}", number % 2),
        );
        let ask = [
            "permits",
            "request",
            "payment.send",
            "--agent",
            &agent,
            "-x",
            &account,
            "-o",
            "name",
        ];
        let permit = server.fleet(&ask);
        if let Some(permit) = permit.stdout.lines().next().filter(|_| number % 2 == 0) {
            server.fleet(&["permits", "complete", permit, "--agent", &agent]);
        }
    }
}

#[test]
fn a_killed_server_knows_the_same_graph() {
    let mut server = Server::dev();
    server
        .fleet(&["graph", "declare", "agent:pay-1", "agent:quotes"])
        .ok();
    work(&server, 0);
    let before = whole(&server);
    assert!(before.0.as_array().unwrap().len() > 5, "{}", before.0);
    server.kill();
    server.start_again();
    // Nothing was saved: it is folded from the journal's first event.
    assert_eq!(whole(&server), before);
    work(&server, 4);
    assert_ne!(whole(&server), before);
}

#[test]
fn a_stopped_server_goes_on_from_what_it_saved() {
    let mut server = Server::dev();
    server
        .fleet(&["graph", "declare", "agent:pay-1", "agent:quotes"])
        .ok();
    work(&server, 0);
    let before = whole(&server);
    server.stop();
    let saved = server.data_dir().join("views/default/main/graph");
    assert!(saved.is_file());
    server.start_again();
    assert_eq!(whole(&server), before);
    work(&server, 4);
    let after = whole(&server);
    server.stop();
    // What was saved is no truth: without it, or with something else in its place, it is built again.
    std::fs::write(&saved, b"something else").unwrap();
    server.start_again();
    assert_eq!(whole(&server), after);
}

#[test]
fn a_file_declares_edges() {
    let server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fleet.yaml");
    let apply = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let line = [&["apply", "-f", file.to_str().unwrap()], more].concat();
        server.fleet(&line)
    };
    let one = "graph:\n  - { from: 'agent:a', to: 'agent:b' }\n";
    assert_eq!(apply(one, &[]).ok(), "+ edge agent:a → agent:b");
    assert_eq!(apply(one, &[]).ok(), "");
    let told = "graph:\n  - { from: 'agent:a', to: 'agent:b', description: prices }\n";
    let changed = apply(told, &[]).ok();
    assert!(
        changed.contains("description: none → \"prices\""),
        "{changed}"
    );
    let twice = format!("{one}  - {{ from: 'agent:a', to: 'agent:b' }}\n");
    apply(&twice, &[]).failed(2, "agent:a needs agent:b is declared twice");
    apply("graph:\n  - { from: a, to: 'agent:b' }\n", &[])
        .failed(2, "graph[0].from: node \"a\" is not of the form agent:NAME");
    assert_eq!(
        apply("graph: []\n", &["--prune"]).ok(),
        "- edge agent:a → agent:b"
    );
    let events = server.fleet(&["events"]).ok();
    for words in [
        "graph.declared          agent:a needs agent:b by this machine",
        "graph.undeclared        agent:a needs agent:b by this machine",
    ] {
        assert!(events.contains(words), "{words:?} is not in\n{events}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let server = Server::dev();
    let empty = server.fleet(&["graph", "show"]);
    assert!(empty.stderr.contains("no edges yet"), "{empty:?}");
    server
        .fleet(&["graph", "blast", "agent:a"])
        .failed(3, "agent:a is in no edge");
    server
        .fleet(&["graph", "blast", "a"])
        .failed(2, "is not of the form agent:NAME");
    server
        .fleet(&["graph", "declare", "agent:a", "agent:a"])
        .failed(2, "cannot need itself");
    server
        .fleet(&["graph", "undeclare", "agent:a", "agent:b"])
        .failed(3, "not declared");
    server
        .fleet(&["graph", "export", "--format", "svg"])
        .failed(2, "svg");
    for verb in ["cycles", "spof", "contention", "bottlenecks"] {
        let said = server.fleet(&["graph", verb]).stderr;
        assert!(said.starts_with("no "), "{verb}: {said}");
    }
}

/// The page about the graph says what happens: what stands in it is typed on a new server, from its top to its end.
#[test]
fn the_examples_of_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/graph.md");
    let page = std::fs::read_to_string(page).unwrap();
    let server = Server::dev();
    let blocks = page
        .split("```")
        .filter_map(|block| block.strip_prefix("console\n"));
    let answers: usize = blocks.map(|lines| type_in(&server, lines)).sum();
    assert!(answers >= 12, "{answers} answers");
}

/// What is declared comes from the fleet's state, traffic from what retention has left.
#[test]
fn a_pruned_journal_loses_old_traffic_only() {
    const ROUNDS_MAX: u32 = 20;
    let mut server = Server::with_keys();
    server.set("FLEET_SNAPSHOT_EVERY", "10");
    server.set("FLEET_KEEP_EVENTS", "10");
    // Agents register themselves on `fleet dev` only.
    for agent in ["ann", "pay-0", "pay-1", "pay-2"] {
        let allow = ["--allow-action", "**", "--allow-resource", "**"];
        server
            .fleet(&[&["agents", "register", agent], &allow[..]].concat())
            .ok();
    }
    server
        .fleet(&["graph", "declare", "agent:pay-1", "agent:quotes"])
        .ok();
    let ask = ["permits", "request", "pay", "--agent", "ann", "-x", "old"];
    server.fleet(&ask).ok();
    let knows = |edges: &Value, from: &str, to: &str| {
        let mut edges = edges.as_array().unwrap().iter();
        edges.any(|edge| edge["from"] == from && edge["to"] == to)
    };
    for round in 0.. {
        work(&server, 8 * round);
        work(&server, 8 * round + 4);
        // Snapshots, on which retention follows, are looked for once a second.
        std::thread::sleep(Duration::from_millis(1_200));
        server.kill();
        server.start_again();
        let (edges, _) = whole(&server);
        assert!(knows(&edges, "agent:pay-1", "agent:quotes"), "{edges}");
        assert!(
            knows(&edges, "agent:pay-0", "action:payment.send"),
            "{edges}"
        );
        if !knows(&edges, "agent:ann", "resource:old") {
            break;
        }
        assert!(round < ROUNDS_MAX, "nothing is pruned: {edges}");
    }
}
