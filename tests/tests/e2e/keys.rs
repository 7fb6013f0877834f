//! Keys, and the exit codes that scripts act on.
use fleet_tests::{Server, fleet, fleet_at};

#[test]
fn keys_open_what_they_should_and_no_more() {
    let server = Server::with_keys();
    let admin = server.key.clone().unwrap();
    let with = |key: Option<&str>, line: &[&str]| fleet_at(&server.url, key, line);
    with(None, &["status"]).failed(4, "FLEET_KEY");
    with(Some("fk_k-000000000000_00"), &["status"]).failed(4, "unauthenticated");
    with(Some(&admin), &["status"]).ok();

    let viewer = with(
        Some(&admin),
        &[
            "keys",
            "issue",
            "--role",
            "viewer",
            "--description",
            "a screen",
        ],
    )
    .ok();
    with(Some(&viewer), &["status"]).ok();
    with(Some(&viewer), &["halt", "--all", "--reason", "x", "--yes"]).failed(4, "forbidden");
    with(Some(&viewer), &["keys", "list"]).failed(4, "forbidden");
    with(Some(&viewer), &["agents", "get", "nobody"]).failed(3, "not_found");

    let keys = with(Some(&admin), &["keys", "list", "-o", "json"]).json();
    let screen = keys
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["role"] == "viewer")
        .unwrap();
    assert!(!keys.to_string().contains("hash") && screen["description"] == "a screen");
    with(
        Some(&admin),
        &["keys", "revoke", screen["id"].as_str().unwrap()],
    )
    .ok();
    with(Some(&viewer), &["status"]).failed(4, "unauthenticated");

    // A key bound to an agent speaks for nobody else.
    with(
        Some(&admin),
        &["agents", "register", "a", "--allow-action", "x"],
    )
    .ok();
    let agent = with(
        Some(&admin),
        &["keys", "issue", "--role", "agent", "--agent", "a"],
    )
    .ok();
    with(Some(&agent), &["permits", "request", "x"]).ok();
    with(Some(&agent), &["permits", "request", "x", "--agent", "b"]).failed(4, "identity_mismatch");
    with(Some(&agent), &["permits", "request", "other"]).failed(6, "action_not_allowed");
    with(Some(&agent), &["status", "--fleet", "elsewhere"]).failed(3, "not_found");
}

#[test]
fn a_server_without_a_first_key_says_how_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    fleet(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data])
        .failed(1, "fleet keys bootstrap");
    let running = Server::with_keys();
    let data = running.data_dir();
    fleet(&["keys", "bootstrap", "--data-dir", data.to_str().unwrap()])
        .failed(1, "serves this directory");
}

#[test]
fn a_second_bootstrap_makes_no_second_key_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let bootstrap = |more: &[&str]| {
        let mut line = vec!["keys", "bootstrap", "--data-dir", data.to_str().unwrap()];
        line.extend(more);
        fleet(&line)
    };
    let first = bootstrap(&[]).ok();
    let id = first.trim_start_matches("fk_").split('_').next().unwrap();
    let again = bootstrap(&[]);
    again.failed(5, "--another");
    again.failed(5, id);
    assert_eq!(again.stdout, "");

    let other = bootstrap(&["--another"]).ok();
    assert_ne!(first, other);
    let server = Server::with_keys_in(folder, first);
    let status = |key: &str| fleet_at(&server.url, Some(key), &["status"]);
    status(server.key.as_deref().unwrap()).ok();
    status(&other).ok();
    let list = server.fleet(&["keys", "list", "-o", "name"]).ok();
    assert_eq!(list.lines().count(), 2);
}
