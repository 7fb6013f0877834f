//! Declared fleets.
use fleet_tests::{Output, Server};
use std::path::Path;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/fleet.yaml");

fn verbs(output: &Output) -> Vec<String> {
    let changes = output.json();
    let changes = changes.as_array().unwrap();
    changes
        .iter()
        .map(|change| change["verb"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_second_run_changes_nothing() {
    let server = Server::dev();
    let bank = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bank/fleet.yaml");
    for file in [EXAMPLE, bank] {
        let dry = server.fleet(&["apply", "-f", file, "--dry-run", "-o", "json"]);
        assert!(verbs(&dry).iter().any(|verb| verb == "create"), "{dry:?}");
        let first = server.fleet(&["apply", "-f", file, "-o", "json"]);
        assert_eq!(verbs(&dry), verbs(&first));
        let before = server.fleet(&["status", "-o", "json"]).json()["seq"].clone();
        let second = server.fleet(&["apply", "-f", file, "-o", "json"]);
        assert!(
            verbs(&second).iter().all(|verb| verb == "unchanged"),
            "{}",
            second.stdout
        );
        assert_eq!(
            server.fleet(&["status", "-o", "json"]).json()["seq"],
            before
        );
    }
}

#[test]
fn what_is_not_declared_is_left_alone_or_pruned() {
    let server = Server::dev();
    server.fleet(&["apply", "-f", EXAMPLE]).ok();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fleet.yaml");
    let text = "limits:\n  - id: treasury-at-once\n    selector: { scope: emea/treasury }\n    measure:\n      concurrency: { max: 9 }\n";
    std::fs::write(&file, text).unwrap();
    let names = |kind: &str| server.fleet(&[kind, "list", "-o", "name"]).ok();
    let changed = server.fleet(&["apply", "-f", path(&file)]);
    assert!(
        changed.stdout.contains("measure.concurrency.max: 8 → 9"),
        "{}",
        changed.stdout
    );
    assert_eq!(names("limits").lines().count(), 2);
    server.fleet(&["apply", "-f", path(&file), "--prune"]).ok();
    assert_eq!(names("limits"), "treasury-at-once");
    // Sections that the file has not are not touched.
    assert_eq!(names("budgets").lines().count(), 2);
}

#[test]
fn connectors_are_declared_without_their_marks() {
    let server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fleet.yaml");
    let declare = |text: &str, prune: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let command = ["apply", "-f", path(&file), "-o", "json"];
        verbs(&server.fleet(&[&command, prune].concat()))
    };
    let eu = "connectors:\n  - id: eu\n    to: { postgres: { url: { file: eu } } }\n";
    std::fs::write(&file, eu).unwrap();
    server.fleet(&["apply", "-f", path(&file)]).failed(
        2,
        "error: connector eu: invalid: to.postgres.url: read secrets/default/eu: No such file or directory (os error 2); put a \
         connection string, such as postgres://user:password@host/database, into the file secrets/default/eu of the server's",
    );
    server.keep_secret("eu", "postgres://bank@127.0.0.1:1/eu");
    assert_eq!(declare(eu, &[]), ["create"]);
    let mark = || {
        server
            .fleet(&["connectors", "get", "eu", "-o", "json"])
            .json()["mark"]
            .clone()
    };
    let given = mark();
    assert!(given.as_str().is_some_and(|mark| !mark.is_empty()));
    assert_eq!(declare(eu, &[]), ["unchanged"]);
    assert_eq!(
        declare(&format!("{eu}    timeout_ms: 5000\n"), &[]),
        ["update"]
    );
    assert_eq!(mark(), given);
    assert_eq!(declare("connectors: []\n", &["--prune"]), ["remove"]);
}

#[test]
fn a_bound_is_met_before_anything_is_done() {
    let server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fleet.yaml");
    let tools = |range: std::ops::Range<usize>| {
        let lines: String = range
            .map(|n| format!("  - {{ id: tool.t{n} }}\n"))
            .collect();
        let text = format!("groups:\n  - {{ id: ops, members: [] }}\ntools:\n{lines}");
        std::fs::write(&file, text).unwrap();
    };
    let count = |what: &str| {
        let names = server.fleet(&[what, "list", "-o", "name"]).ok();
        names.lines().count()
    };
    let apply = ["apply", "-f", path(&file)];
    tools(0..1_001);
    server.fleet(&apply).failed(
        5,
        "there would be 1,001 of the kind tool, and a fleet has at most 1,000; nothing was changed",
    );
    assert_eq!((count("groups"), count("tools")), (0, 0));
    tools(0..3);
    server.fleet(&apply).ok();
    tools(3..1_001);
    server
        .fleet(&apply)
        .failed(5, "there are 3 now: declare fewer, or remove some first");
    assert_eq!(count("tools"), 3);

    // What nobody knows beforehand ends it halfway, and it says how far it came.
    let text = "groups:\n  - { id: more, members: [] }\nbudgets:\n  - { id: a, unit: money, period: day, hard: 1, soft: 2 }\n  \
                - { id: b, unit: money, period: day, hard: 1 }\n";
    std::fs::write(&file, text).unwrap();
    let ended = server.fleet(&apply);
    ended.failed(2, "error: budget a: invalid: soft must not be above hard\n");
    ended.failed(
        2,
        "  1 of 3 changes were made, the last of them group more; not made: \
         budget a, budget b; mend this and apply again",
    );
}

#[test]
fn every_mistake_is_shown_in_its_place() {
    let server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fleet.yaml");
    std::fs::write(
        &file,
        "agents:\n  - id: a\n    scope: a//b\n    colour: red\n  - name: x\nlimit: []\n",
    )
    .unwrap();
    let refused = server.fleet(&["apply", "-f", path(&file)]);
    assert_eq!(refused.code, 2);
    for words in [
        "empty segment",
        "unknown field colour",
        "missing field id",
        "no section \"limit\"",
        "fleet.yaml:3:12",
        "fleet.yaml:4:5",
    ] {
        assert!(
            refused.stderr.contains(words),
            "{words:?} was not said: {}",
            refused.stderr
        );
    }
    assert!(
        server
            .fleet(&["agents", "list", "-o", "name"])
            .ok()
            .is_empty()
    );
    std::fs::write(&file, "agents: [\n").unwrap();
    assert_eq!(server.fleet(&["apply", "-f", path(&file)]).code, 2);
    server
        .fleet(&["apply", "-f", "no-such-file"])
        .failed(2, "no-such-file");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
