//! Tools: registered, asked for, declared; and the page about them says what happens.
use fleet_tests::Server;
use std::path::Path;
use std::time::Duration;

const PAY: &str = r#"{"id": "ledger.pay", "arguments": {"required": ["account"]},
  "resources": [{"path": "ledger/{account}", "mode": "exclusive"}]}"#;

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn ask<'a>(agent: &'a str, parameters: &'a str) -> [&'a str; 7] {
    [
        "permits",
        "request",
        "ledger.pay",
        "--agent",
        agent,
        "--parameters",
        parameters,
    ]
}

#[test]
fn a_tool_lives_through_a_restart_and_its_versions() {
    let mut server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pay.json");
    let set = |server: &Server, text: &str| {
        std::fs::write(&file, text).unwrap();
        server.fleet(&["tools", "set", "-f", path(&file), "--reason", "ticket 1"])
    };
    set(&server, PAY).failed(0, "tool ledger.pay is registered: automatic");
    let asked = [
        &ask("ann", r#"{"account": 7}"#)[..],
        &["--request-id", "one"],
    ]
    .concat();
    server.fleet(&asked).ok();
    server.kill();
    server.start_again();
    // A retry of what was asked, not of what it became, gets the first answer.
    let again = server.fleet(&asked).ok();
    assert!(again.contains("ledger/7 exclusive"), "{again}");
    server
        .fleet(&ask("bob", r#"{"account": 7}"#))
        .failed(6, "lock_held");
    server.fleet(&ask("bob", r#"{"account": "a/b"}"#)).failed(
        6,
        "/account: a text or a whole number that makes one segment of a path, not \"a/b\"",
    );
    server
        .fleet(&ask("bob", "{}"))
        .failed(6, "/account: to be there");

    // Who waits while the tool changes claims by the tool as it stands at its turn.
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let asked = ask("bob", r#"{"account": 7}"#);
            server
                .fleet(&[&asked[..], &["--wait", "30s"]].concat())
                .ok()
        });
        let queued = || server.fleet(&["permits", "list"]).ok().contains("queued");
        while !queued() {
            std::thread::sleep(Duration::from_millis(20));
        }
        set(&server, &PAY.replace("ledger/", "book/")).failed(0, "registered");
        let holds = server.fleet(&["permits", "list", "-o", "name"]).ok();
        let first = holds.lines().next().unwrap();
        server
            .fleet(&["permits", "complete", first, "--agent", "ann"])
            .ok();
        let granted = waits.join().unwrap();
        assert!(granted.contains("book/7 exclusive"), "{granted}");
    });

    set(
        &server,
        &PAY.replace(
            "\"required\"",
            "\"$ref\": \"http://localhost/s\", \"required\"",
        ),
    )
    .failed(2, "at \"/$ref\": a reference to a part of this schema");
    let shown = server.fleet(&["tools", "show", "ledger.pay"]).ok();
    for words in ["version   2", "book/{account} exclusive", "\"required\""] {
        assert!(shown.contains(words), "{words:?} is not in\n{shown}");
    }
    let events = server.fleet(&["events"]).ok();
    let words = "tool.set                ledger.pay version 2 automatic by this machine: ticket 1";
    assert!(events.contains(words), "{words:?} is not in\n{events}");
    server.fleet(&["tools", "remove", "ledger.pay"]).ok();
    server.fleet(&ask("cid", "{}")).ok();
}

#[test]
fn what_the_gates_see_is_explained() {
    let server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fleet.yaml");
    let declared = format!("tools:\n  - {}\n", PAY.replace('\n', ""));
    std::fs::write(&file, declared).unwrap();
    let apply = ["apply", "-f", path(&file)];
    assert_eq!(server.fleet(&apply).ok(), "+ tool ledger.pay");
    assert_eq!(server.fleet(&apply).ok(), "");
    let explain = |parameters: &str| {
        let explain = ["permits", "explain", "ledger.pay", "--agent", "ann"];
        server.fleet(&[&explain[..], &["--parameters", parameters]].concat())
    };
    let seen = explain(r#"{"account": 7}"#);
    assert!(
        seen.stdout.contains("ledger.pay.version=1"),
        "{}",
        seen.stdout
    );
    let seen = explain(r#"{"account": ""}"#);
    assert!(seen.stdout.contains("tool_arguments"), "{}", seen.stdout);
    std::fs::write(&file, "tools: []\n").unwrap();
    let pruned = server.fleet(&[&apply[..], &["--prune"]].concat());
    assert_eq!(pruned.ok(), "- tool ledger.pay");
}

#[test]
fn check_says_what_the_guard_would_say() {
    let server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fleet.yaml");
    let tool = r#"{"id": "ledger.pay", "arguments": {"required": ["amount"]}, "approval": {"assignees": [{"role": "operator"}]},
      "cases": [{"when": {"labels": {"desk": "risk"}}, "guard": "automatic"},
        {"when": {"scope": "dev", "parameters": {"/amount": {"above": 10}}}, "guard": "forbidden"},
        {"when": {"parameters": {"/amount": {"above": 1000}}}, "guard": "approval"}]}"#;
    let tool = tool.replace('\n', "");
    let declared = format!("agents:\n  - {{id: ann, scope: dev/pay}}\ntools:\n  - {tool}\n");
    std::fs::write(&file, declared).unwrap();
    let loose = "warning: tool ledger.pay: cases[0] (case 1) is automatic by labels desk=risk, which callers choose themselves; \
                 so whoever says so gets past case 2, which is forbidden.";
    server.fleet(&["apply", "-f", path(&file)]).failed(0, loose);
    let check = |amount: u64, more: &[&str]| {
        let parameters = format!("{{\"amount\": {amount}}}");
        let check = ["tools", "check", "ledger.pay", "--parameters", &parameters];
        server.fleet(&[&check[..], more].concat())
    };
    check(5, &[]).failed(0, loose);
    for (amount, more, code, words) in [
        (5, &[][..], 0, "guard     automatic (no case holds)"),
        (
            2_000,
            &[],
            0,
            "guard     forbidden, if scope dev (case 2: scope dev, /amount above 10)\n          \
             approval of role:operator (case 3: /amount above 1000)",
        ),
        (
            2_000,
            &["--agent", "ann"],
            6,
            "guard     forbidden (case 2: scope dev, /amount above 10)",
        ),
        (
            2_000,
            &["--agent", "nobody"],
            0,
            "guard     approval of role:operator (case 3: /amount above 1000)",
        ),
        (
            2_000,
            &["--agent", "ann", "--label", "desk=risk"],
            0,
            "guard     automatic (case 1: labels desk=risk)",
        ),
    ] {
        check(amount, more).failed(code, words);
    }
    // As it is when it is asked for.
    let asked = ask("ann", r#"{"amount": 2000}"#);
    server
        .fleet(&asked)
        .failed(6, "tool ledger.pay is forbidden in its case 2");
    let json = check(2_000, &["--agent", "ann", "-o", "json"]).json();
    assert_eq!(
        json["guard"],
        serde_json::json!([{"guard": "forbidden", "case": 2}])
    );
}

/// Each file is written for a new server, as its page says, and what stands below it is typed.
#[test]
fn the_examples_of_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tools.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut at = None;
    let mut answers = 0;
    for block in page.split("```").skip(1).step_by(2) {
        match block.split_once('\n') {
            Some(("yaml", text)) => {
                let (_, folder) = at.insert((Server::dev(), tempfile::tempdir().unwrap()));
                std::fs::write(folder.path().join("pay.yaml"), text).unwrap();
            }
            Some(("console", text)) => {
                let (server, folder) = at.as_ref().expect("a file comes first");
                answers += super::rules::type_in_at(server, text, folder.path());
            }
            other => panic!("a block of {other:?}"),
        }
    }
    assert!(answers >= 28, "{answers} answers");
}
