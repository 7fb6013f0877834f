//! Policies: set, tried, tested beside their files, declared; and the page about them says what happens.
use fleet_tests::Server;
use std::path::Path;

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

const SMALL: &str =
    "package fleet\n\ndeny contains \"too large\" if input.request.parameters.amount > 10\n";

fn ask(amount: &str) -> [&str; 7] {
    [
        "permits",
        "request",
        "pay",
        "--agent",
        "ann",
        "--parameters",
        amount,
    ]
}

#[test]
fn declared_policies_are_set_from_their_files() {
    let server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fleet.yaml");
    let apply = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        server.fleet(&[&["apply", "-f", path(&file)], more].concat())
    };
    std::fs::write(folder.path().join("small.rego"), SMALL).unwrap();
    let declared = "policies:\n  - id: small\n    when: { action: pay }\n    file: small.rego\n";
    assert_eq!(apply(declared, &[]).ok(), "+ policy small");
    assert_eq!(apply(declared, &[]).ok(), "");
    server
        .fleet(&ask("{\"amount\": 11}"))
        .failed(6, "policy small: too large");
    server.fleet(&ask("{\"amount\": 10}")).ok();

    std::fs::write(folder.path().join("small.rego"), SMALL.replace("10", "20")).unwrap();
    let changed = apply(declared, &[]).ok();
    assert!(changed.contains("module differs"), "{changed}");
    server.fleet(&ask("{\"amount\": 11}")).ok();

    // A fault is shown in its place, and nothing is changed.
    std::fs::write(
        folder.path().join("small.rego"),
        "package fleet\ndeny contains if {\n",
    )
    .unwrap();
    let wrong = apply(declared, &[]);
    wrong.failed(2, "small.rego:2:");
    let nothing = "policies:\n  - id: small\n";
    apply(nothing, &[]).failed(2, "needs either file or module");
    assert_eq!(apply("policies: []\n", &["--prune"]).ok(), "- policy small");
    server
        .fleet(&["policies", "list"])
        .failed(0, "no policies yet");
    let events = server.fleet(&["events"]).ok();
    for words in [
        "policy.set              small version 2 enforce by this machine",
        "policy.removed          small by this machine",
    ] {
        assert!(events.contains(words), "{words:?} is not in\n{events}");
    }
}

#[test]
fn a_policy_lives_through_a_restart_and_its_versions() {
    let mut server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.rego");
    std::fs::write(&file, SMALL).unwrap();
    let set = ["policies", "set", path(&file), "--action", "pay"];
    server
        .fleet(&[&set[..], &["--reason", "ticket 1"]].concat())
        .failed(0, "policy small looks at action pay (enforce)");
    server
        .fleet(&ask("{\"amount\": 11}"))
        .failed(6, "policy_denied");
    server.kill();
    server.start_again();
    server
        .fleet(&ask("{\"amount\": 11}"))
        .failed(6, "policy_denied");
    // What is not said stays as it is.
    server
        .fleet(&["policies", "set", path(&file), "--stage", "observe"])
        .failed(0, "looks at action pay (observe)");
    server.fleet(&ask("{\"amount\": 11}")).ok();
    let back = server.fleet(&["policies", "rollback", "small", "--reason", "again"]);
    back.failed(0, "policy small is at version 3");
    server
        .fleet(&ask("{\"amount\": 11}"))
        .failed(6, "policy_denied");
    let shown = server.fleet(&["policies", "get", "small"]).ok();
    for words in [
        "version 3",
        "2 observe, action pay",
        "deny contains \"too large\"",
    ] {
        assert!(shown.contains(words), "{words:?} is not in\n{shown}");
    }
    let module = server.fleet(&["policies", "get", "small", "--module"]).ok();
    assert_eq!(module, SMALL.trim_end());
    let tried = server.fleet(&[
        "policies",
        "try",
        "pay",
        "--agent",
        "ann",
        "--parameters",
        "{\"amount\": 12}",
    ]);
    tried.failed(6, "deny      small: too large");
    server.fleet(&["policies", "remove", "small"]).ok();
    server.fleet(&ask("{\"amount\": 11}")).ok();
}

#[test]
fn a_file_that_is_wrong_is_shown_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pay.rego");
    let test = |module: &str, cases: &str| {
        std::fs::write(&file, module).unwrap();
        std::fs::write(folder.path().join("pay_test.rego"), cases).unwrap();
        fleet_tests::fleet(&["policies", "test", path(&file)])
    };
    let wrong = test(
        "package fleet\ndeny contains \"x\" if http.send({})\n",
        "package t\n",
    );
    wrong.failed(2, "pay.rego:2:22: unknown function 'http.send'");
    wrong.failed(2, "deny contains \"x\" if http.send({})");
    let cases = "package t\ntest_denied if count(data.fleet.deny) == 1 with input as {\"a\": 1}\ntest_wrong if 1 == 2\n";
    let ran = test(
        "package fleet\ndeny contains \"x\" if input.a == 1\n",
        cases,
    );
    ran.failed(1, "ok   pay_test.rego test_denied");
    ran.failed(1, "FAIL pay_test.rego test_wrong: it does not hold");
    ran.failed(1, "1 of 2 hold");
    test(SMALL, "package t\ntest_x if {\n").failed(2, "pay_test.rego:");
    test(SMALL, "package t\n").failed(0, "it has no test cases");
}

/// Each module is set on a new server, as its page says, and what stands below it is typed.
#[test]
fn the_examples_of_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policies.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut at = None;
    let (mut modules, mut answers) = (0, 0);
    let mut blocks = page.split("```");
    blocks.next();
    while let Some(block) = blocks.next() {
        blocks.next(); // The prose.
        let Some((kind, text)) = block.split_once('\n') else {
            continue;
        };
        if kind == "rego" {
            let (_, folder) = at.insert((Server::dev(), tempfile::tempdir().unwrap()));
            std::fs::write(folder.path().join("pay.rego"), text).unwrap();
            modules += 1;
            continue;
        }
        let Some((server, folder)) = &at else {
            continue;
        };
        match kind {
            "rego-test" => std::fs::write(folder.path().join("pay_test.rego"), text).unwrap(),
            "yaml" => std::fs::write(folder.path().join("data.yaml"), text).unwrap(),
            "console" => answers += super::rules::type_in_at(server, text, folder.path()),
            other => panic!("a block of {other}"),
        }
    }
    assert!(
        modules >= 5 && answers >= 12,
        "{modules} modules, {answers} answers"
    );
}
