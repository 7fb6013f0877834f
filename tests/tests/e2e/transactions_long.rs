//! Money moves between two databases while they and the server are killed.
use crate::transactions::{BOTH, Banks, end, prepare, register};
use fleet_client::Fleet;
use fleet_client::http::NewTxn;
use fleet_tests::Server;
use fleet_types::txn::{Branch, Participant, State};
use fleet_types::{BranchId, ConnectorId, Millis};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// Transfers one after the other, whatever happens; each is tried in full or given up.
async fn transfer(fleet: &Fleet, urls: &[String; 2], number: u32) -> Option<()> {
    let new = NewTxn {
        agent: Some("teller".parse().ok()?),
        timeout_ms: Some(Millis(3_000)),
        ..NewTxn::default()
    };
    let txn = fleet.begin_txn(&new).await.ok()?.txn;
    let (account, cents) = (number % 20 + 1, i64::from(number % 7) + 1);
    for (at, bank) in BOTH.into_iter().enumerate() {
        let branch = Branch {
            id: BranchId::parse(bank).ok()?,
            participant: Participant::Postgres {
                connector: ConnectorId::parse(bank).ok()?,
            },
            payload: None,
        };
        let agent = "teller".parse().ok()?;
        let standing = fleet.enlist(txn, Some(&agent), &branch).await.ok()?;
        let cents = if (at == 0) == number.is_multiple_of(2) {
            -cents
        } else {
            cents
        };
        prepare(&urls[at], account, cents, &standing.gid?)
            .await
            .ok()?;
    }
    let view = fleet.commit_txn(txn, &end(2_000)).await.ok()?;
    (view.state == State::Committed).then_some(())
}

/// Server and databases are killed in rounds while money moves: in the end none is lost, and nothing stays prepared.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: cargo nextest run --workspace --profile long --run-ignored only -E 'test(long_killed_banks)'"]
async fn long_killed_banks() {
    let rounds = std::env::var("FLEET_ROUNDS")
        .ok()
        .and_then(|it| it.parse().ok());
    let rounds: u32 = rounds.unwrap_or(20);
    let mut banks = Banks::open(Server::with_keys());
    banks.server.set("FLEET_OUTSIDE__ORPHANS_AFTER_MS", "4000");
    banks.server.set("FLEET_OUTSIDE__ORPHANS_EVERY_MS", "500");
    banks.server.kill();
    banks.server.start_again();
    register(&banks);
    banks.furnish(20).await;
    let whole = banks.cents("eu").await + banks.cents("us").await;
    let stop = Arc::new(AtomicBool::new(false));
    let committed = Arc::new(AtomicU32::new(0));
    let urls = [banks.eu.url(), banks.us.url()];
    let tellers: Vec<_> = (0..6)
        .map(|teller| {
            let (fleet, urls) = (banks.server.client(), urls.clone());
            let (stop, committed) = (stop.clone(), committed.clone());
            tokio::spawn(async move {
                let mut number = teller * 1_000_003;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    if transfer(&fleet, &urls, number).await.is_some() {
                        committed.fetch_add(1, Ordering::Relaxed);
                    } else {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            })
        })
        .collect();
    for round in 0..rounds {
        tokio::time::sleep(Duration::from_millis(500 + u64::from(round * 37 % 400))).await;
        match round % 5 {
            0 | 2 => {
                banks.server.kill();
                banks.server.start_again();
            }
            1 => {
                banks.eu.kill();
                banks.eu.start_again();
            }
            3 => {
                banks.us.kill();
                banks.us.start_again();
            }
            _ => {
                banks.us.kill();
                banks.server.kill();
                banks.us.start_again();
                banks.server.start_again();
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    for teller in tellers {
        teller.await.unwrap();
    }
    let fleet = banks.server.client();
    for round in 0.. {
        let live = fleet.txns(false).await.map_or(1, |txns| txns.len());
        let prepared = banks.prepared("eu").await + banks.prepared("us").await;
        if live == 0 && prepared == 0 {
            break;
        }
        assert!(
            round < 900,
            "{live} transactions do not end, {prepared} stay prepared"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let committed = committed.load(Ordering::Relaxed);
    println!("{committed} transfers were seen to commit in {rounds} rounds");
    assert_eq!(
        banks.cents("eu").await + banks.cents("us").await,
        whole,
        "money was lost or made"
    );
    assert!(
        committed > rounds,
        "{committed} transfers: it tests nothing"
    );
    let mixed = fleet.txns(true).await.unwrap();
    assert!(
        mixed.iter().all(|txn| txn.state != State::Mixed),
        "{mixed:?}"
    );
}
