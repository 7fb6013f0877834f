//! What a newcomer types first.
use fleet_tests::{Server, fleet};

#[test]
fn the_quickstart() {
    let server = Server::dev();
    let status = server.fleet(&["status", "-o", "json"]).json();
    assert_eq!(status["agents"], 0);
    let empty = server.fleet(&["agents", "list"]);
    assert_eq!((empty.code, empty.stdout.as_str()), (0, ""));
    assert!(
        empty.stderr.contains("fleet agents register"),
        "{}",
        empty.stderr
    );

    let ask = [
        "permits",
        "request",
        "payment.send",
        "--agent",
        "pay-1",
        "--exclusive",
        "ledger/account-7",
        "-o",
        "name",
    ];
    let permit = server.fleet(&ask).ok();
    assert!(permit.starts_with('p'), "{permit}");
    let status = server.fleet(&["status", "-o", "json"]).json();
    assert_eq!(
        (
            &status["agents"],
            &status["permits_granted"],
            &status["locks_held"]
        ),
        (&1.into(), &1.into(), &1.into())
    );
    server
        .fleet(&["permits", "complete", &permit, "--agent", "pay-1"])
        .ok();
    assert!(server.fleet(&["events"]).ok().contains("permit.finished"));

    let doctor = server.fleet(&["doctor", "--data-dir", server.data_dir().to_str().unwrap()]);
    assert_eq!(doctor.code, 0, "{}", doctor.stdout);
    let audit = fleet(&[
        "audit",
        "verify",
        "--data-dir",
        server.data_dir().to_str().unwrap(),
        "-o",
        "json",
    ]);
    assert_eq!(audit.code, 0, "{}", audit.stderr);
    assert_eq!(audit.json()["fleets"][0]["fleet"], "default/main");
}

#[test]
fn without_a_server_it_says_what_to_do() {
    let nowhere = fleet(&["status", "--server", "http://127.0.0.1:9"]);
    nowhere.failed(1, "fleet dev");
    fleet(&["status", "--server", "127.0.0.1:9"]).failed(2, "http://HOST:PORT");
    fleet(&["permits", "request"]).failed(2, "ACTION");
    fleet(&["nonsense"]).failed(2, "nonsense");
}

#[test]
fn completions_and_help_are_there() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(fleet(&["completions", shell]).ok().contains("fleet"));
    }
    let help = fleet(&["--help"]).ok();
    assert!(
        help.contains("Exit codes:") && help.contains("fleet dev"),
        "{help}"
    );
    assert!(fleet(&["halt", "--help"]).ok().contains("Examples:"));
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let server = Server::dev();
    let dir = server.data_dir();
    let second = fleet(&[
        "dev",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        dir.to_str().unwrap(),
    ]);
    second.failed(
        1,
        "serves this directory; stop it or choose another directory",
    );
    server.fleet(&["status"]).ok();
}
