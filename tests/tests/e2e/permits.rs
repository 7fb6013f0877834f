//! Permits by the command line.
use fleet_client::Ask;
use fleet_tests::Server;
use fleet_types::Code;
use fleet_types::permit::Decision;
use std::thread;
use std::time::Duration;

#[test]
fn who_comes_second_is_denied_or_waits() {
    let server = Server::dev();
    let ask = |agent: &str, more: &[&str]| {
        let mut line = vec![
            "permits",
            "request",
            "payment.send",
            "--agent",
            agent,
            "-x",
            "ledger/a",
        ];
        line.extend(more);
        server.fleet(&line)
    };
    let first = ask("one", &["-o", "name"]).ok();
    let denied = ask("two", &["-o", "json"]);
    assert_eq!(denied.code, 6, "{}", denied.stderr);
    let denied = denied.json();
    assert_eq!(
        (&denied["decision"], &denied["code"]),
        (&"denied".into(), &"lock_held".into())
    );
    assert_eq!(denied["blocker"]["permit"], first.as_str());

    // A lock on what lies below is in the way too, and says what holds it.
    server
        .fleet(&[
            "permits",
            "request",
            "x",
            "--agent",
            "two",
            "-x",
            "ledger/a/b",
        ])
        .failed(6, "ledger/a held by one");

    thread::scope(|scope| {
        let waits = scope.spawn(|| ask("two", &["--wait", "20s", "-o", "json"]));
        while server
            .fleet(&["permits", "list", "--state", "queued", "-o", "name"])
            .ok()
            .is_empty()
        {
            thread::sleep(Duration::from_millis(20));
        }
        server
            .fleet(&["permits", "complete", &first, "--agent", "one"])
            .ok();
        let granted = waits.join().unwrap();
        assert_eq!(granted.code, 0, "{}", granted.stderr);
        assert_eq!(granted.json()["decision"], "granted");
    });
    // However short, a wait ends with the last word.
    for wait in ["1ms", "5ms", "20ms", "100ms"] {
        ask("three", &["--wait", wait]).failed(6, "wait_timeout");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_is_over_is_a_denial_and_not_a_place_in_the_queue() {
    let server = Server::dev();
    let client = server.client();
    let ask = |agent: &str| {
        Ask::new("x".parse().unwrap())
            .agent(agent.parse().unwrap())
            .exclusive("ledger/a".parse().unwrap())
    };
    let held = client.request(ask("one")).await.unwrap();
    assert!(matches!(held, Decision::Granted(_)));
    for wait in 1..40 {
        let ask = ask("two").wait(Duration::from_millis(wait));
        let decision = client.request(ask).await.unwrap();
        assert!(
            matches!(&decision, Decision::Denied(denial) if denial.code == Code::WaitTimeout),
            "{wait} ms: {decision:?}"
        );
    }
}

#[test]
fn a_repeat_gets_the_first_answer() {
    let server = Server::dev();
    let ask = |resource: &str| {
        server.fleet(&[
            "permits",
            "request",
            "x",
            "--agent",
            "a",
            "-x",
            resource,
            "--request-id",
            "r-1",
            "-o",
            "json",
        ])
    };
    let first = ask("ledger/1");
    assert_eq!(first.json(), ask("ledger/1").json());
    ask("ledger/2").failed(5, "request_id_reused");
}

#[test]
fn tokens_are_checked_and_leases_renewed() {
    let server = Server::dev();
    let granted = server
        .fleet(&[
            "permits", "request", "x", "--agent", "a", "-x", "r/1", "-o", "json",
        ])
        .json();
    let (permit, token) = (
        granted["permit"].as_str().unwrap(),
        granted["resources"][0]["token"].to_string(),
    );
    let validate = |token: &str| server.fleet(&["locks", "validate", "r/1", "--token", token]);
    assert_eq!(validate(&token).ok(), "valid");
    validate("1").failed(5, "stale");
    let renewed = server
        .fleet(&[
            "permits", "renew", permit, "--agent", "a", "--ttl", "10m", "-o", "json",
        ])
        .json();
    assert!(renewed["expires_at"].as_u64() > granted["expires_at"].as_u64());
    server
        .fleet(&["permits", "cancel", permit, "--agent", "a"])
        .ok();
    validate(&token).failed(5, "stale");
    server
        .fleet(&["permits", "complete", permit, "--agent", "a"])
        .failed(3, "permit_unknown");
    server
        .fleet(&["permits", "get", "p999"])
        .failed(3, "permit_unknown");
}

#[test]
fn limits_and_budgets_stop_and_say_so() {
    let server = Server::dev();
    server
        .fleet(&[
            "limits",
            "set",
            "one-at-once",
            "--concurrency",
            "1",
            "--action",
            "payment.*",
        ])
        .ok();
    server
        .fleet(&[
            "budgets", "set", "a-day", "--money", "1.00", "--period", "day",
        ])
        .ok();
    let ask = |action: &str, money: &str| {
        server.fleet(&[
            "permits", "request", action, "--agent", "a", "--money", money, "-o", "name",
        ])
    };
    let permit = ask("payment.send", "0.60").ok();
    ask("payment.send", "0").failed(6, "");
    let dear = server.fleet(&[
        "permits", "request", "other", "--agent", "a", "--money", "0.50",
    ]);
    dear.failed(6, "budget_exhausted");
    server
        .fleet(&[
            "budgets", "top-up", "a-day", "--money", "0.20", "--reason", "test",
        ])
        .ok();
    ask("other", "0.50").ok();
    server
        .fleet(&[
            "permits", "complete", &permit, "--agent", "a", "--money", "0.10",
        ])
        .ok();
    let budget = server
        .fleet(&["budgets", "get", "a-day", "-o", "json"])
        .json();
    let account = &budget["accounts"][0];
    assert_eq!(
        (&account["spent"], &account["reserved"], &account["hard"]),
        (&100_000.into(), &500_000.into(), &1_200_000.into())
    );
    let explained = server
        .fleet(&[
            "permits",
            "explain",
            "payment.send",
            "--agent",
            "a",
            "--money",
            "9",
            "-o",
            "json",
        ])
        .json();
    assert_eq!(explained["decision"], "denied");
}

#[test]
fn explain_answers_for_an_agent_that_has_not_asked_yet() {
    let server = Server::dev();
    let explained = server.fleet(&["permits", "explain", "x", "--agent", "new", "-x", "r/1"]);
    assert!(explained.ok().starts_with("would be granted"));
    let agents = server.fleet(&["agents", "list", "-o", "name"]).ok();
    assert_eq!(agents, "", "explain changes nothing");
}

#[test]
fn who_is_told_to_end_leaves_nothing_in_the_queue() {
    let server = Server::dev();
    let line = |agent: &'static str, more: &[&'static str]| {
        let mut line = vec!["permits", "request", "x", "--agent", agent, "-x", "r/1"];
        line.extend(["-o", "name"].iter().chain(more));
        line
    };
    let held = server.fleet(&line("one", &[])).ok();
    let queued = || {
        server
            .fleet(&["permits", "list", "--state", "queued", "-o", "name"])
            .ok()
    };
    let begin = |line: &[&str]| {
        let asks = server.follow(line);
        while queued().is_empty() {
            thread::sleep(Duration::from_millis(20));
        }
        asks
    };
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let line = line("two", &["--wait", "60s", "--request-id", signal]);
        let mut asks = begin(&line);
        asks.signal(signal);
        assert_eq!(asks.code(), Some(code));
        assert_eq!(queued(), "");
        // Its id tells what became of it.
        server.fleet(&line).failed(6, "");
    }
    let denied = server.fleet(&["events", "--types", "permit.denied"]).ok();
    assert_eq!(denied.matches("cancelled").count(), 2, "{denied}");

    // Killed, it cannot: the request waits on, and its id finds it again.
    let line = line("two", &["--wait", "60s", "--request-id", "KILL"]);
    drop(begin(&line));
    let left = queued();
    assert_ne!(left, "");
    thread::scope(|scope| {
        let again = scope.spawn(|| server.fleet(&line));
        server
            .fleet(&["permits", "complete", &held, "--agent", "one"])
            .ok();
        assert_eq!(again.join().unwrap().ok(), left);
    });
    server
        .fleet(&["permits", "cancel", &left, "--agent", "two"])
        .ok();

    // The person who withdraws one that waits is told so.
    server
        .fleet(&["permits", "request", "x", "--agent", "one", "-x", "r/1"])
        .ok();
    let mut asks = begin(&[
        "permits", "request", "x", "--agent", "two", "-x", "r/1", "--wait", "60s",
    ]);
    let waits = queued();
    let told = server.fleet(&["permits", "cancel", &waits, "--agent", "two"]);
    assert_eq!(
        (told.code, told.stderr),
        (0, format!("{waits} is withdrawn\n"))
    );
    assert_eq!(asks.code(), Some(6));
}
