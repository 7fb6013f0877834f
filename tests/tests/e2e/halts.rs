//! Halts: they block, they are heard, an agent cannot lift them.
use fleet_tests::{Server, fleet_at};

#[test]
fn a_halt_blocks_until_it_is_released() {
    let server = Server::dev();
    let ask = || server.fleet(&["permits", "request", "x", "--agent", "a", "-x", "r/1"]);
    ask().ok();
    let unsure = server.fleet(&["halt", "--all", "--reason", "test"]);
    unsure.failed(2, "give --yes");
    assert!(
        unsure
            .stderr
            .contains("It reaches 1 agent with 0 live instances, 1 permit held"),
        "{}",
        unsure.stderr
    );
    ask().failed(6, "lock_held");

    let halted = server
        .fleet(&["halt", "--all", "--reason", "test", "--yes", "-o", "json"])
        .json();
    assert_eq!(halted["revoked"], 1);
    let halt = halted["halt"].as_str().unwrap();
    ask().failed(6, "halted");
    assert!(
        server
            .fleet(&["permits", "list", "-o", "name"])
            .ok()
            .is_empty()
    );
    let seen = server.fleet(&["halts", "get", halt, "-o", "json"]).json();
    assert_eq!(
        (&seen["order"]["reason"], &seen["mode"]),
        (&"test".into(), &"immediate".into())
    );
    server.fleet(&["release", halt, "--reason", "done"]).ok();
    ask().ok();
    server.fleet(&["release", halt]).ok();
    server.fleet(&["release", "h999"]).failed(3, "not_found");
}

#[test]
fn a_scope_is_halted_and_its_neighbour_is_not() {
    let server = Server::dev();
    for (agent, scope) in [("a", "emea/pay"), ("b", "apac")] {
        server
            .fleet(&["agents", "register", agent, "--scope", scope])
            .ok();
    }
    server
        .fleet(&[
            "halt", "--scope", "emea", "--mode", "graceful", "--reason", "test", "--yes",
        ])
        .ok();
    server
        .fleet(&["permits", "request", "x", "--agent", "a"])
        .failed(6, "halted");
    server
        .fleet(&["permits", "request", "x", "--agent", "b"])
        .ok();
    server
        .fleet(&["agents", "resume", "a"])
        .failed(5, "stays under");
    server.fleet(&["release", "--all"]).ok();
    server
        .fleet(&["agents", "pause", "a", "--reason", "test"])
        .ok();
    server
        .fleet(&["permits", "request", "x", "--agent", "a"])
        .failed(6, "paused");
    server.fleet(&["agents", "resume", "a"]).ok();
    server
        .fleet(&["permits", "request", "x", "--agent", "a"])
        .ok();
}

#[test]
fn an_agent_cannot_release() {
    let server = Server::with_keys();
    server
        .fleet(&["agents", "register", "a", "--allow-action", "x"])
        .ok();
    let issue = |role: &str| {
        server
            .fleet(&["keys", "issue", "--role", role, "--agent", "a"])
            .ok()
    };
    let (agent, operator, admin) = (issue("agent"), issue("operator"), issue("admin"));
    let halt = server
        .fleet(&[
            "halt", "--agent", "a", "--reason", "test", "--yes", "-o", "name",
        ])
        .ok();
    fleet_at(&server.url, Some(&agent), &["release", &halt]).failed(4, "release_by_agent");
    // Even with another role: the key speaks for an agent. Nor does it get at a key that could.
    for key in [&operator, &admin] {
        fleet_at(&server.url, Some(key), &["release", &halt]).failed(4, "release_by_agent");
        fleet_at(
            &server.url,
            Some(key),
            &["keys", "issue", "--role", "operator"],
        )
        .failed(4, "forbidden");
        fleet_at(&server.url, Some(key), &["limits", "list"]).ok();
    }
    fleet_at(&server.url, Some(&agent), &["permits", "request", "x"]).failed(6, "halted");
    server.fleet(&["release", &halt]).ok();
    fleet_at(&server.url, Some(&agent), &["permits", "request", "x"]).ok();
}
