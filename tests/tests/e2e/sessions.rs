//! Sessions of the client library with the real server.
use fleet_client::{Ask, Kind, Options, Session, Signal};
use fleet_tests::Server;
use fleet_types::permit::Decision;
use fleet_types::{AgentId, Code, FleetId, InstanceId, Millis, PermitId};
use std::time::Duration;

pub fn options(server: &Server, agent: &str) -> Options {
    Options::new(
        &server.url,
        FleetId::parse("main").unwrap(),
        AgentId::parse(agent).unwrap(),
        InstanceId::parse("i-1").unwrap(),
    )
    .key(server.key.clone())
}

async fn connect(server: &Server, agent: &str) -> Session {
    Session::connect(options(server, agent)).await.unwrap()
}

fn ask(resource: &str) -> Ask {
    Ask::new("payment.send".parse().unwrap()).exclusive(resource.parse().unwrap())
}

/// Until so many requests wait.
async fn until_queued(server: &Server, count: u64) {
    while server.client().status().await.unwrap().permits_waiting < count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn granted(decision: Decision) -> PermitId {
    match decision {
        Decision::Granted(grant) => grant.permit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queued_permit_is_granted_by_push() {
    let server = Server::dev();
    let (one, two) = (connect(&server, "one").await, connect(&server, "two").await);
    let first = granted(one.request(ask("ledger/a")).await.unwrap());
    // Without waiting, an answer now.
    let denied = two.request(ask("ledger/a")).await.unwrap();
    assert!(matches!(denied, Decision::Denied(denial) if denial.code == Code::LockHeld));
    let waits = tokio::spawn({
        let two = two.clone();
        async move { two.ask(ask("ledger/a").wait(Duration::from_secs(20))).await }
    });
    until_queued(&server, 1).await;
    let mut signals = two.signals();
    let now = two
        .request_now(ask("ledger/a").wait(Duration::from_secs(20)))
        .await
        .unwrap();
    assert!(matches!(now, Decision::Queued(_)));
    one.complete(first).await.unwrap();
    let turn = waits.await.unwrap().unwrap();
    assert!(turn.queued);
    two.complete(granted(turn.decision)).await.unwrap();
    let Signal::Granted(grant) = signals.recv().await.unwrap() else {
        panic!("another signal")
    };
    let more = two
        .extend(grant.permit, vec![claim("ledger/b")], Millis(0))
        .await
        .unwrap();
    assert!(matches!(more, Decision::Granted(grant) if grant.resources.len() == 2));
    two.renew(grant.permit, Some(Millis(60_000))).await.unwrap();
    two.close("done").await.unwrap();
    assert_eq!(
        two.request(ask("ledger/c")).await.unwrap_err().kind(),
        Kind::Over
    );
    // Good-bye released everything.
    granted(one.request(ask("ledger/b")).await.unwrap());
}

fn claim(path: &str) -> fleet_types::lock::Claim {
    fleet_types::lock::Claim::new(path.parse().unwrap(), fleet_types::lock::Mode::Exclusive)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halt_is_heard_obeyed_and_acknowledged() {
    let server = Server::dev();
    let session = connect(&server, "one").await;
    let mut signals = session.signals();
    let permit = granted(session.request(ask("ledger/a")).await.unwrap());
    let halt = server
        .fleet(&["halt", "--all", "--reason", "test", "--yes", "-o", "json"])
        .json();
    assert_eq!((&halt["reach"], &halt["revoked"]), (&1.into(), &1.into()));
    // Other signals, such as a permit taken back, may come first.
    while !matches!(signals.recv().await.unwrap(), Signal::Halted(_)) {}
    assert_eq!(
        signals.recv().await.unwrap(),
        Signal::Revoked {
            permit,
            code: Code::Halted
        }
    );
    assert!(session.standing().is_halted());
    let denied = session.request(ask("ledger/b")).await.unwrap();
    assert!(matches!(denied, Decision::Denied(denial) if denial.code == Code::Halted));
    assert_eq!(
        session.complete(permit).await.unwrap_err().code(),
        Some(Code::PermitUnknown)
    );

    let id = halt["halt"].as_str().unwrap();
    let seen = server.fleet(&["halts", "get", id, "-o", "json"]).json();
    assert_eq!(
        (
            &seen["propagation"]["acknowledged"],
            &seen["propagation"]["reach"]
        ),
        (&1.into(), &1.into())
    );
    assert!(seen["propagation"]["max_us"].as_u64().unwrap() > 0);
    // Who connects under a halt hears of it with the welcome.
    assert!(connect(&server, "two").await.standing().is_halted());
    server.fleet(&["release", id]).ok();
    assert!(matches!(signals.recv().await.unwrap(), Signal::Released(_)));
    assert!(session.standing().is_free());
    granted(session.request(ask("ledger/a")).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_request_hears_of_an_immediate_halt() {
    let server = Server::dev();
    let (one, two) = (connect(&server, "one").await, connect(&server, "two").await);
    granted(one.request(ask("ledger/a")).await.unwrap());
    let waits = tokio::spawn(async move {
        two.request(ask("ledger/a").wait(Duration::from_secs(30)))
            .await
    });
    until_queued(&server, 1).await;
    server
        .fleet(&["halt", "--all", "--reason", "test", "--yes"])
        .ok();
    let answer = tokio::time::timeout(Duration::from_secs(5), waits)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(answer.unwrap(), Decision::Denied(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_come_in_hears_why() {
    let server = Server::with_keys();
    let unknown = Session::connect(options(&server, "nobody"))
        .await
        .err()
        .unwrap();
    assert_eq!(unknown.code(), Some(Code::AgentUnknown));
    server
        .fleet(&["agents", "register", "a", "--allow-action", "x"])
        .ok();
    let refused = Session::connect(options(&server, "a").key(None))
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code(), Some(Code::Unauthenticated));
    let key = server
        .fleet(&[
            "keys", "issue", "--role", "agent", "--agent", "a", "-o", "json",
        ])
        .json();
    let session =
        Session::connect(options(&server, "a").key(key["token"].as_str().map(str::to_owned)))
            .await
            .unwrap();
    // A revoked key ends the session for good.
    server
        .fleet(&["keys", "revoke", key["key"]["id"].as_str().unwrap()])
        .ok();
    let mut watch = session.watch();
    tokio::time::timeout(
        Duration::from_secs(20),
        watch.wait_for(|standing| standing.over),
    )
    .await
    .unwrap()
    .unwrap();
    assert!(
        session
            .request(Ask::new("x".parse().unwrap()))
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_an_error_and_never_a_grant() {
    let mut server = Server::dev();
    let session = Session::connect(options(&server, "a").patience(Duration::from_millis(300)))
        .await
        .unwrap();
    let held = granted(
        session
            .request(ask("ledger/a").ttl(Duration::from_secs(60)))
            .await
            .unwrap(),
    );
    server.kill();
    let mut watch = session.watch();
    watch
        .wait_for(|standing| !standing.connected)
        .await
        .unwrap();
    assert_eq!(
        session.request(ask("ledger/b")).await.unwrap_err().kind(),
        Kind::Lost
    );
    server.start_again();
    watch.wait_for(|standing| standing.connected).await.unwrap();
    // The same life goes on, with what it held.
    session.complete(held).await.unwrap();
    granted(session.request(ask("ledger/b")).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_sessions_of_one_instance_the_second_stands() {
    let server = Server::dev();
    let first = connect(&server, "one").await;
    let held = granted(first.request(ask("ledger/a")).await.unwrap());
    let second = connect(&server, "one").await;
    let mut watch = first.watch();
    let over = watch.wait_for(|standing| standing.over);
    tokio::time::timeout(Duration::from_secs(5), over)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        first.request(ask("ledger/b")).await.unwrap_err().kind(),
        Kind::Over
    );
    // What the first one held was released with its life, and the second one stays.
    assert_eq!(
        second.complete(held).await.unwrap_err().code(),
        Some(Code::PermitUnknown)
    );
    granted(second.request(ask("ledger/a")).await.unwrap());
    assert!(second.standing().connected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_stops_waiting_gives_the_grant_back() {
    let server = Server::dev();
    let (one, two) = (connect(&server, "one").await, connect(&server, "two").await);
    let first = granted(one.request(ask("ledger/a")).await.unwrap());
    let waits = two.request(ask("ledger/a").wait(Duration::from_secs(20)));
    let gave_up = tokio::time::timeout(Duration::from_millis(200), waits).await;
    assert!(gave_up.is_err());
    one.complete(first).await.unwrap();
    // Granted to nobody, and given back at once.
    let again = ask("ledger/a").wait(Duration::from_secs(5));
    granted(one.request(again).await.unwrap());
}
