//! `fleet demo bank`, whole: the binary, 24 processes, its own server, two databases; what its report says.
use fleet_tests::{Server, fleet_in};
use serde_json::Value;

fn number(run: &Value, path: &str) -> i64 {
    let found = run.pointer(path);
    found
        .and_then(Value::as_i64)
        .unwrap_or_else(|| panic!("no number at {path} in {run:#}"))
}

/// Without permits everything goes wrong that can; with them nothing does, though agents and databases are killed.
#[test]
fn both_modes_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let output = fleet_in(
        folder.path(),
        "http://127.0.0.1:9",
        &[
            "demo",
            "bank",
            "--compare",
            "--json",
            "--seconds",
            "12",
            "--kill-agents-every",
            "1s",
            "--kill-banks-every",
            "2s",
        ],
    );
    println!("{}", output.stderr);
    let report = output.json();
    let (without, with) = (&report["uncoordinated"], &report["coordinated"]);
    println!("{:#}", with["desks"]);

    for wrong in [
        "/findings/lost_updates",
        "/findings/double_payments",
        "/findings/frozen_payments",
        "/findings/unapproved_payments",
        "/findings/hasty_fees",
        "/desks/abroad/half_done",
    ] {
        assert!(number(without, wrong) > 0, "{wrong}");
        assert_eq!(number(with, wrong), 0, "{wrong}");
    }
    assert_eq!(with["clean"], true, "{with:#}");
    for worked in [
        "/permits/granted",
        "/permits/queued",
        "/events/killed",
        "/desks/approvals/asked",
        "/desks/abroad/completed",
        "/desks/abroad/compensated",
        "/desks/conflicts/resource",
        "/desks/conflicts/data",
        "/desks/conflicts/business",
    ] {
        assert!(number(with, worked) > 0, "{worked}");
    }
    let approvals = |what: &str| number(with, &format!("/desks/approvals/{what}"));
    let answered = ["approved", "rejected", "timed_out", "moot"].map(approvals);
    assert_eq!(answered.iter().sum::<i64>(), approvals("asked"));

    if with["desks"]["transfers"].is_null() {
        let why = with["desks"]["no_transfers"].as_str().unwrap();
        assert!(why.contains("postgresql"), "{why}");
        return;
    }
    assert!(number(without, "/desks/transfers/kills") > 0);
    assert!(number(without, "/desks/transfers/broken") > 0);
    assert_ne!(number(without, "/desks/transfers/difference"), 0);
    assert!(number(with, "/desks/transfers/done") > 0);
    assert!(number(with, "/desks/transfers/kills") > 0);
    assert_eq!(number(with, "/desks/transfers/difference"), 0);
    assert_eq!(number(with, "/desks/transfers/half_way"), 0);
}

/// On a server without keys the officer says who it is; there is no way to the databases, and that is said.
#[test]
fn on_a_server_that_runs_already() {
    let server = Server::dev();
    let folder = tempfile::tempdir().unwrap();
    let line = ["demo", "bank", "--seconds", "6", "--on", &server.url];
    let output = fleet_in(folder.path(), &server.url, &line);
    println!("{}", output.stderr);
    let said = output.ok();
    for words in [
        "What the audit found wrong",
        "payments during a freeze",
        "Approvals of payments over 6,000",
        "Payments abroad, in four steps",
        "Conflicts avoided, by kind",
        "No transfers between databases: this server is not the demonstration's own.",
        "Every total is exact.",
    ] {
        assert!(said.contains(words), "{words:?} is not in\n{said}");
    }
    assert!(
        said.lines().all(|line| line.chars().count() <= 110),
        "{said}"
    );
}
