//! What the commands have in common: waiting for a server, names of the same thing, exit codes, amounts.
use fleet_tests::{Server, fleet};
use std::time::Duration;

#[test]
fn status_waits_for_a_server() {
    fleet(&[
        "--server",
        "http://127.0.0.1:1",
        "status",
        "--wait",
        "300ms",
    ])
    .failed(1, "no server at http://127.0.0.1:1");
    let mut server = Server::dev();
    server.kill();
    let url = server.url.clone();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| fleet(&["--server", &url, "status", "--wait", "60s"]).ok());
        // So that it has begun to wait; either way it must come through.
        std::thread::sleep(Duration::from_millis(200));
        server.start_again();
        assert!(waits.join().unwrap().contains("fleet     main"));
    });
    // What is typed next finds it there.
    fleet(&["--server", &url, "locks", "list"]).ok();
}

#[test]
fn show_and_get_show_the_same() {
    let server = Server::dev();
    server.fleet(&["agents", "register", "ann"]).ok();
    server
        .fleet(&["permits", "request", "x", "--agent", "ann", "-x", "a"])
        .ok();
    for noun in [["agents", "ann"], ["permits", "p3"], ["versions", "a"]] {
        let shown = |word: &str| server.fleet(&[noun[0], word, noun[1], "-o", "json"]).json();
        assert_eq!(
            shown("show")["version"],
            shown("get")["version"],
            "{noun:?}"
        );
    }
    let shown = server.fleet(&["audit", "show", "3"]).json();
    assert_eq!(shown["seq"], 3);
    assert_eq!(server.fleet(&["audit", "get", "--seq", "3"]).json(), shown);
}

#[test]
fn amounts_are_told_in_their_own_unit() {
    let server = Server::dev();
    let set = ["budgets", "set", "day", "--period", "day", "--soft", "1.50"];
    server
        .fleet(&[&set[..], &["--money", "2.50"]].concat())
        .ok();
    let raise = ["budgets", "top-up", "day", "--money", "0.25"];
    server.fleet(&raise).ok();
    let ask = |money: &str| {
        let ask = ["permits", "request", "x", "--agent", "ann", "--money"];
        server.fleet(&[&ask[..], &[money]].concat())
    };
    ask("2").ok();
    ask("1").failed(6, "in the way: budget day");
    let events = server.fleet(&["events"]).ok();
    for words in ["day by 0.25", "day: 2.00 used, told from 1.50 on"] {
        assert!(events.contains(words), "{words:?} is not in\n{events}");
    }
    ask("2000000000").failed(
        2,
        "2000000000 is too much: an amount is at most 1,000,000,000.00",
    );
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let demo = ["demo", "bank", "--uncoordinated", "--data-dir", data];
    let ask = [&demo[..], &["--input", "no-such-file.csv"]].concat();
    fleet(&ask).failed(2, "input no-such-file.csv: No such file or directory");
}

#[test]
fn a_record_tells_the_times_of_then() {
    let server = Server::dev();
    let ask = |agent: &str, ttl: &str| {
        let ask = ["permits", "request", "x", "-x", "a", "--agent"];
        server.fleet(&[&ask[..], &[agent, "--ttl", ttl]].concat())
    };
    ask("ann", "1s").ok();
    ask("bob", "1s").failed(6, "a held by ann (p3) until in ");
    std::thread::sleep(Duration::from_millis(1_100));
    let conflict = server.fleet(&["conflicts", "list", "-o", "name"]).ok();
    let shown = server.fleet(&["conflicts", "show", &conflict]).ok();
    let last = shown
        .lines()
        .find(|line| line.starts_with("last "))
        .unwrap();
    // Two times: when it was, and until when it was held then.
    assert!(
        last.contains("a held by ann (p3) until 20") && last.ends_with('Z'),
        "{last}"
    );
    assert!(!last.contains("ago") && !last.contains(" in "), "{last}");
}
