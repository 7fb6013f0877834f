//! Transactions: over two real databases money moves, or it does not; webhooks and sessions take part.
use crate::sessions::options;
use fleet_client::http::{EndTxn, NewTxn};
use fleet_client::{Fleet, Session, Signal};
use fleet_tests::{Postgres, Server};
use fleet_types::txn::{Branch, BranchState, Outcome, Participant, Phase, Report, State, View};
use fleet_types::{BranchId, ConnectorId, Millis, Text, TxnId};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

/// Two banks with one account each.
pub struct Banks {
    pub server: Server,
    pub eu: Postgres,
    pub us: Postgres,
}

pub const BOTH: [&str; 2] = ["eu", "us"];

impl Banks {
    pub fn open(server: Server) -> Banks {
        let banks = Banks {
            server,
            eu: Postgres::start(64),
            us: Postgres::start(64),
        };
        for (name, bank) in [("eu", &banks.eu), ("us", &banks.us)] {
            banks.server.keep_secret(name, &bank.url());
        }
        banks
    }

    pub fn url(&self, bank: &str) -> String {
        match bank {
            "eu" => self.eu.url(),
            _ => self.us.url(),
        }
    }

    pub async fn furnish(&self, accounts: u32) {
        let fleet = self.server.client();
        for bank in BOTH {
            let connector = serde_json::json!({
                "id": bank, "to": {"postgres": {"url": {"file": bank}}}, "timeout_ms": 2_000,
            });
            let connector = serde_json::from_value(connector).unwrap();
            fleet.put_connector(&connector).await.unwrap();
            let (client, _) = connect(&self.url(bank)).await;
            let sql = format!(
                "CREATE TABLE account (id int PRIMARY KEY, cents int8 NOT NULL CHECK (cents >= 0)); \
                 INSERT INTO account SELECT n, 1000 FROM generate_series(1, {accounts}) n"
            );
            client.batch_execute(&sql).await.unwrap();
        }
    }

    pub async fn cents(&self, bank: &str) -> i64 {
        let (client, _) = connect(&self.url(bank)).await;
        let row = client.query_one("SELECT sum(cents)::int8 FROM account", &[]);
        row.await.unwrap().get(0)
    }

    pub async fn prepared(&self, bank: &str) -> i64 {
        let (client, _) = connect(&self.url(bank)).await;
        let row = client.query_one("SELECT count(*) FROM pg_prepared_xacts", &[]);
        row.await.unwrap().get(0)
    }
}

pub async fn connect(url: &str) -> (Client, JoinHandle<()>) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let task = tokio::spawn(async move {
        let _ = connection.await; // The server may be killed meanwhile.
    });
    (client, task)
}

/// Does the SQL and prepares it under this name: what an agent does by itself.
pub async fn prepare(url: &str, account: u32, cents: i64, gid: &str) -> Result<(), String> {
    let connected = tokio_postgres::connect(url, NoTls).await;
    let (client, connection) = connected.map_err(|error| error.to_string())?;
    let task = tokio::spawn(async move {
        let _ = connection.await;
    });
    let sql = format!(
        "BEGIN; SET LOCAL lock_timeout = '3s'; \
         UPDATE account SET cents = cents + ({cents}) WHERE id = {account}; PREPARE TRANSACTION '{gid}'"
    );
    let done = client.batch_execute(&sql).await;
    drop(client);
    let _ = task.await;
    done.map_err(|error| error.to_string())
}

pub async fn begin(fleet: &Fleet, timeout_ms: u64) -> TxnId {
    let new = NewTxn {
        agent: Some("teller".parse().unwrap()),
        timeout_ms: Some(Millis(timeout_ms)),
        ..NewTxn::default()
    };
    fleet.begin_txn(&new).await.unwrap().txn
}

pub async fn enlist(fleet: &Fleet, txn: TxnId, bank: &str) -> String {
    let branch = Branch {
        id: BranchId::parse(bank).unwrap(),
        participant: Participant::Postgres {
            connector: ConnectorId::parse(bank).unwrap(),
        },
        payload: None,
    };
    let agent = "teller".parse().unwrap();
    let standing = fleet.enlist(txn, Some(&agent), &branch).await.unwrap();
    standing.gid.unwrap().to_string()
}

pub fn end(wait_ms: u64) -> EndTxn {
    EndTxn {
        agent: Some("teller".parse().unwrap()),
        wait_ms: Some(Millis(wait_ms)),
        ..EndTxn::default()
    }
}

fn states(view: &View) -> Vec<BranchState> {
    view.branches.iter().map(|branch| branch.state).collect()
}

async fn until_over(fleet: &Fleet, txn: TxnId) -> View {
    for _ in 0..60 {
        let view = fleet.txn(txn, Some(Millis(1_000))).await;
        match view {
            Ok(view) if view.state.is_over() => return view,
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("{txn} does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_moves_between_two_databases_or_it_does_not() {
    let mut banks = Banks::open(Server::dev());
    register(&banks);
    banks.furnish(1).await;
    let fleet = banks.server.client();

    // All say yes.
    let permit = banks.server.fleet(&[
        "permits",
        "request",
        "transfer",
        "--agent",
        "teller",
        "-x",
        "account/1",
        "-o",
        "name",
    ]);
    let permit = permit.ok();
    let txn = begin(&fleet, 90_000).await;
    banks
        .server
        .fleet(&[
            "txn",
            "hold",
            &txn.to_string(),
            &permit,
            "--agent",
            "teller",
        ])
        .ok();
    for (bank, cents) in [("eu", -100), ("us", 100)] {
        let gid = enlist(&fleet, txn, bank).await;
        prepare(&banks.url(bank), 1, cents, &gid).await.unwrap();
    }
    let view = fleet.commit_txn(txn, &end(20_000)).await.unwrap();
    assert_eq!(view.state, State::Committed, "{view:?}");
    assert_eq!(
        (banks.cents("eu").await, banks.cents("us").await),
        (900, 1_100)
    );
    let shown = banks.server.fleet(&["txn", "show", &txn.to_string()]).ok();
    for words in ["committed at eu", "decided: commit", "us commit: done"] {
        assert!(shown.contains(words), "{words:?} is not in\n{shown}");
    }
    banks
        .server
        .fleet(&["permits", "get", &permit])
        .failed(3, "has ended");

    // One was not prepared: none commits.
    let txn = begin(&fleet, 90_000).await;
    let gid = enlist(&fleet, txn, "eu").await;
    prepare(&banks.eu.url(), 1, -100, &gid).await.unwrap();
    enlist(&fleet, txn, "us").await;
    let view = fleet.commit_txn(txn, &end(20_000)).await.unwrap();
    assert_eq!(view.state, State::Aborted, "{view:?}");
    assert_eq!(states(&view), [BranchState::Aborted, BranchState::Refused]);
    assert_eq!(
        (banks.cents("eu").await, banks.cents("us").await),
        (900, 1_100)
    );
    assert_eq!(banks.prepared("eu").await, 0);

    // The database is gone when commit is decided, and the coordinator too, before it could say so.
    let txn = begin(&fleet, 90_000).await;
    for (bank, cents) in [("eu", -100), ("us", 100)] {
        let gid = enlist(&fleet, txn, bank).await;
        prepare(&banks.url(bank), 1, cents, &gid).await.unwrap();
    }
    banks.us.kill();
    let view = fleet.commit_txn(txn, &end(1_000)).await.unwrap();
    assert_eq!(view.state, State::Preparing, "{view:?}");
    banks.server.kill();
    banks.us.start_again();
    banks.server.start_again();
    let view = until_over(&fleet, txn).await;
    assert_eq!(view.state, State::Committed, "{view:?}");
    assert_eq!(
        (banks.cents("eu").await, banks.cents("us").await),
        (800, 1_200)
    );

    // Somebody else rolls a branch back on its own: it is found out from the database, recorded and shown.
    let txn = begin(&fleet, 90_000).await;
    for (bank, cents) in [("eu", -100), ("us", 100)] {
        let gid = enlist(&fleet, txn, bank).await;
        prepare(&banks.url(bank), 1, cents, &gid).await.unwrap();
    }
    banks.eu.kill();
    let going = fleet.commit_txn(txn, &end(1_000)).await.unwrap();
    assert!(!going.state.is_over(), "{going:?}");
    assert_eq!(
        (banks.prepared("us").await, banks.cents("us").await),
        (1, 1_200)
    );
    let (us, _) = connect(&banks.us.url()).await;
    let gid = going.branches[1].gid.clone().unwrap();
    us.batch_execute(&format!("ROLLBACK PREPARED '{gid}'"))
        .await
        .unwrap();
    banks.eu.start_again();
    let view = until_over(&fleet, txn).await;
    assert_eq!(view.state, State::Mixed, "{view:?}");
    assert_eq!(
        states(&view),
        [BranchState::Committed, BranchState::AbortedAlone]
    );
    assert_eq!(
        (banks.cents("eu").await, banks.cents("us").await),
        (700, 1_200)
    );
}

/// An older one lies prepared beside it, so that its number lies past the end of the database's snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_out_beside_another_that_is_prepared() {
    let mut banks = Banks::open(Server::dev());
    register(&banks);
    banks.furnish(2).await;
    let fleet = banks.server.client();
    prepare(&banks.us.url(), 2, 1, "somebody:else")
        .await
        .unwrap();
    let txn = begin(&fleet, 90_000).await;
    for (bank, cents) in [("eu", -100), ("us", 100)] {
        let gid = enlist(&fleet, txn, bank).await;
        prepare(&banks.url(bank), 1, cents, &gid).await.unwrap();
    }
    // While the other database is away this one has voted; that it commits is never told.
    banks.eu.kill();
    let going = fleet.commit_txn(txn, &end(1_000)).await.unwrap();
    assert_eq!(going.state, State::Preparing, "{going:?}");
    let (us, _) = connect(&banks.us.url()).await;
    let gid = going.branches[1].gid.clone().unwrap();
    us.batch_execute(&format!("COMMIT PREPARED '{gid}'"))
        .await
        .unwrap();
    banks.eu.start_again();
    let view = until_over(&fleet, txn).await;
    assert_eq!(view.state, State::Committed, "{view:?}");
    assert_eq!(
        (banks.cents("eu").await, banks.cents("us").await),
        (1_900, 2_100)
    );
}

pub fn register(banks: &Banks) {
    banks.server.fleet(&["agents", "register", "teller"]).ok();
}

/// Prepared after its transaction was over: rolled back, and nobody else's is.
#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_nobody_is_rolled_back() {
    let mut banks = Banks::open(Server::with_keys()); // `fleet dev` reads no environment.
    banks.server.set("FLEET_OUTSIDE__ORPHANS_AFTER_MS", "300");
    banks.server.set("FLEET_OUTSIDE__ORPHANS_EVERY_MS", "200");
    banks.server.kill();
    banks.server.start_again();
    register(&banks);
    banks.furnish(3).await;
    let fleet = banks.server.client();
    let live = begin(&fleet, 60_000).await;
    let lives = enlist(&fleet, live, "eu").await;
    prepare(&banks.eu.url(), 1, 1, &lives).await.unwrap();
    prepare(&banks.eu.url(), 2, 1, "somebody:else:t1:eu")
        .await
        .unwrap();
    let dead = begin(&fleet, 60_000).await;
    let late = enlist(&fleet, dead, "eu").await;
    let view = fleet.abort_txn(dead, &end(10_000)).await.unwrap();
    assert_eq!(view.state, State::Aborted);
    prepare(&banks.eu.url(), 3, 1, &late).await.unwrap();
    for round in 0.. {
        if banks.prepared("eu").await == 2 {
            break;
        }
        assert!(round < 100, "it was not rolled back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(
        banks.prepared("eu").await,
        2,
        "a live one and another's stay"
    );
    let view = fleet.commit_txn(live, &end(10_000)).await.unwrap();
    assert_eq!(view.state, State::Committed, "{view:?}");
}

/// An address that says yes to everything; what it was told, by `webhook-id`.
fn hook() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/told", listener.local_addr().unwrap());
    let (sender, told) = mpsc::sync_channel(1_000);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut length, mut id, mut signed) = (0, String::new(), false);
            let mut line = String::new();
            while stream.read_line(&mut line).unwrap_or(0) > 2 {
                let (name, value) = line.split_once(": ").unwrap_or(("", ""));
                match name {
                    "content-length" => length = value.trim().parse().unwrap(),
                    "webhook-id" => value.trim().clone_into(&mut id),
                    "webhook-signature" => signed = value.starts_with("v1,"),
                    _ => {}
                }
                line.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            assert!(signed, "{id} is not signed");
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["id"], id.as_str());
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            if sender.send(id).is_err() {
                return;
            }
        }
    });
    (url, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_and_a_session_take_part() {
    let server = Server::dev();
    server.keep_secret("hook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let (url, told) = hook();
    let fleet = server.client();
    let connector = serde_json::json!({
        "id": "hook", "to": {"webhook": {"url": url, "secret": {"file": "hook"}}},
    });
    let connector = serde_json::from_value(connector).unwrap();
    fleet.put_connector(&connector).await.unwrap();
    server.fleet(&["agents", "register", "teller"]).ok();
    let clerk = Session::connect(options(&server, "clerk")).await.unwrap();
    let mut signals = clerk.signals();
    let txn = begin(&fleet, 90_000).await;
    let id = txn.to_string();
    server
        .fleet(&[
            "txn",
            "enlist",
            &id,
            "hook",
            "--webhook",
            "hook",
            "--agent",
            "teller",
        ])
        .ok();
    server
        .fleet(&[
            "txn",
            "enlist",
            &id,
            "clerk",
            "--session",
            "clerk/i-1",
            "--agent",
            "teller",
        ])
        .ok();
    let ended = tokio::spawn({
        let fleet = fleet.clone();
        async move { fleet.commit_txn(txn, &end(20_000)).await.unwrap() }
    });
    let mut phases = Vec::new();
    while phases.len() < 2 {
        let Signal::Transaction(order) = signals.recv().await.unwrap() else {
            continue;
        };
        if phases.contains(&order.phase) {
            continue; // It is told again until it has answered.
        }
        phases.push(order.phase);
        let report = Report {
            txn,
            branch: order.branch,
            phase: order.phase,
            outcome: Outcome::Done,
            attempt: None,
            evidence: Text::default(),
            reason: Text::default(),
        };
        clerk.report(report).await.unwrap();
    }
    assert_eq!(phases, [Phase::Prepare, Phase::Commit]);
    let view = ended.await.unwrap();
    assert_eq!(view.state, State::Committed, "{view:?}");
    let wanted = [format!("{txn}.hook.prepare"), format!("{txn}.hook.commit")];
    let heard: Vec<String> = told.try_iter().collect();
    assert_eq!(heard, wanted);
}
