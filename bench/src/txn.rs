//! `txn`: 16 agents, each moves money between two real PostgreSQL servers by two-phase commits, one after the other: begin,
//! enlist twice, prepare in both at once, commit. Beside it: the same two updates as two plain transactions at once, without
//! anybody who coordinates them.
use crate::figures::{Figures, histogram, quantile_us, round};
use crate::served::serve;
use crate::world::{LARGE, agent_id};
use fleet_client::http::{EndTxn, NewTxn};
use fleet_client::{Fleet, Http};
use fleet_tests::Postgres;
use fleet_types::txn::{Branch, Participant, State};
use fleet_types::{BranchId, ConnectorId, FleetId, Millis};
use hdrhistogram::Histogram;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls};

const AGENTS: usize = 16;
const BOTH: [&str; 2] = ["eu", "us"];

pub fn run(seconds: u64, dir: Option<&Path>) -> Figures {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let banks = [Postgres::start(100), Postgres::start(100)];
    let secrets = dir.join("secrets/default");
    std::fs::create_dir_all(&secrets).expect("a directory for secrets");
    for (name, bank) in BOTH.into_iter().zip(&banks) {
        std::fs::write(secrets.join(name), bank.url()).expect("a secret can be written");
    }
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    runtime.block_on(async {
        let served = serve(dir, LARGE).await;
        let main = FleetId::parse("main").expect("a name");
        let http = Http::new(&served.url, None).expect("its own address");
        let fleet = http.fleet(main);
        for (name, bank) in BOTH.into_iter().zip(&banks) {
            let connector = json!({"id": name, "to": {"postgres": {"url": {"file": name}}}});
            let connector = serde_json::from_value(connector).expect("a connector");
            fleet.put_connector(&connector).await.expect("it is set");
            let sql = "CREATE TABLE account (id int PRIMARY KEY, cents int8 NOT NULL); \
                       INSERT INTO account SELECT n, 1000000 FROM generate_series(1, 1000) n";
            let client = connect(&bank.url()).await;
            client.batch_execute(sql).await.expect("a table");
        }
        let urls = [banks[0].url(), banks[1].url()];
        let (alone, _) = load(seconds, &urls, None).await;
        let (together, latency) = load(seconds, &urls, Some(&fleet)).await;
        served.running.stop().await;
        Figures {
            p50_us: Some(quantile_us(&latency, 0.5)),
            p99_us: Some(quantile_us(&latency, 0.99)),
            beside: Some(json!({
                "what": "the same two updates as two plain transactions at once, uncoordinated, by the same agents",
                "pairs_per_s": round(alone),
            })),
            ratio: Some((together / alone * 1_000.0).round() / 1_000.0),
            ..Figures::new("txn")
        }
        .with("commits_per_s", round(together))
        .with("agents", AGENTS)
    })
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("it listens");
    tokio::spawn(connection);
    client
}

async fn load(seconds: u64, urls: &[String; 2], fleet: Option<&Fleet>) -> (f64, Histogram<u64>) {
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let agents: Vec<_> = (0..AGENTS)
        .map(|number| tokio::spawn(one(number, end, urls.clone(), fleet.cloned())))
        .collect();
    let (mut count, mut latency) = (0, histogram());
    for agent in agents {
        let own = agent.await.expect("no agent panics");
        count += own.len();
        latency.add(own).expect("alike histograms");
    }
    (count as f64 / began.elapsed().as_secs_f64(), latency)
}

async fn one(
    number: usize,
    end: Instant,
    urls: [String; 2],
    fleet: Option<Fleet>,
) -> Histogram<u64> {
    let clients = [connect(&urls[0]).await, connect(&urls[1]).await];
    let mut latency = histogram();
    let mut count = 0;
    while Instant::now() < end {
        count += 1;
        // Rows of its own: what is measured is the commit, not waiting for each other.
        let row = number * 60 + count % 60 + 1;
        let began = Instant::now();
        match &fleet {
            Some(fleet) => together(fleet, &clients, number, row).await,
            None => {
                let [eu, us] = &clients;
                let sql = |cents: i64| update(row, cents) + "COMMIT";
                let (down, up) = (sql(-1), sql(1));
                let both = tokio::join!(eu.batch_execute(&down), us.batch_execute(&up));
                both.0.and(both.1).expect("both update");
            }
        }
        let took = began.elapsed().as_nanos() as u64;
        latency.record(took.max(1)).expect("below a minute");
    }
    latency
}

fn update(row: usize, cents: i64) -> String {
    format!("BEGIN; UPDATE account SET cents = cents + ({cents}) WHERE id = {row}; ")
}

async fn together(fleet: &Fleet, clients: &[Client; 2], number: usize, row: usize) {
    let agent = agent_id(number);
    let new = NewTxn {
        agent: Some(agent.clone()),
        ..NewTxn::default()
    };
    let txn = fleet.begin_txn(&new).await.expect("it begins").txn;
    let enlist = async |bank: &str| {
        let branch = Branch {
            id: BranchId::parse(bank).expect("a name"),
            participant: Participant::Postgres {
                connector: ConnectorId::parse(bank).expect("a name"),
            },
            payload: None,
        };
        let standing = fleet.enlist(txn, Some(&agent), &branch).await;
        standing
            .expect("it is enlisted")
            .gid
            .expect("it has a name")
    };
    let (eu, us) = tokio::join!(enlist("eu"), enlist("us"));
    let sql = |cents: i64, gid: &str| update(row, cents) + &format!("PREPARE TRANSACTION '{gid}'");
    let (down, up) = (sql(-1, &eu), sql(1, &us));
    let both = tokio::join!(
        clients[0].batch_execute(&down),
        clients[1].batch_execute(&up)
    );
    both.0.and(both.1).expect("both are prepared");
    let end = EndTxn {
        agent: Some(agent),
        wait_ms: Some(Millis(20_000)),
        ..EndTxn::default()
    };
    let view = fleet.commit_txn(txn, &end).await.expect("it is asked");
    assert_eq!(view.state, State::Committed, "{view:?}");
}
