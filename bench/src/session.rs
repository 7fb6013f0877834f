//! `session`: 64 WebSocket sessions on loopback, server and clients on the same cores. Beside it, in the same call:
//! Redis with `appendfsync always`, bare lock and unlock pairs over 64 connections, which is what people use for
//! locks today.
use crate::figures::{Figures, cpu, histogram, quantile_us, round};
use crate::redis::{self, Redis};
use crate::served::{Served, serve};
use crate::world::{LARGE, agent_id};
use fleet_client::{Ask, Options, Session};
use fleet_types::permit::Decision;
use hdrhistogram::Histogram;
use std::path::Path;
use std::time::{Duration, Instant};

/// Sessions, and connections to Redis.
pub const SESSIONS: usize = 64;

pub fn run(seconds: u64, dir: Option<&Path>) -> Figures {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    runtime.block_on(async {
        let beside = redis::beside(dir, SESSIONS, seconds).await;
        let served = serve(&dir.join("fleet"), LARGE).await;
        let alone = load(&served, seconds, 1).await;
        let deep = load(&served, seconds, 8).await;
        served.running.stop().await;
        let theirs = beside.as_ref().map(|redis: &Redis| redis.pairs_per_s);
        Figures {
            permits_per_s: Some(alone.rate),
            p50_us: Some(alone.p50_us),
            p99_us: Some(alone.p99_us),
            cpu_us_per_op: Some(alone.cpu_us),
            beside: Some(match &beside {
                Some(redis) => redis.json(),
                None => "redis-server is not installed: apt-get install redis-server".into(),
            }),
            ratio: theirs.map(|theirs| (alone.rate / theirs * 1_000.0).round() / 1_000.0),
            ..Figures::new("session")
        }
        .with("sessions", SESSIONS)
        .with(
            "eight_in_flight_each",
            serde_json::json!({
                "permits_per_s": deep.rate, "p50_us": deep.p50_us, "p99_us": deep.p99_us,
                "cpu_us_per_op": deep.cpu_us,
            }),
        )
    })
}

struct Load {
    rate: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
}

/// Every session keeps `depth` permits going, each asked for, granted, completed, one after the other.
async fn load(served: &Served, seconds: u64, depth: usize) -> Load {
    let mut sessions = Vec::new();
    for number in 0..SESSIONS {
        let options = Options::new(
            served.url.clone(),
            "main".parse().expect("a name"),
            agent_id(number),
            format!("bench-{depth}").parse().expect("a name"),
        );
        sessions.push(Session::connect(options).await.expect("it connects"));
    }
    let (began, cpu_before) = (Instant::now(), cpu());
    let end = began + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for (number, session) in sessions.iter().enumerate() {
        for lane in 0..depth {
            let session = session.clone();
            tasks.push(tokio::spawn(one(session, number * depth + lane, end)));
        }
    }
    let mut latencies = histogram();
    let mut pairs = 0;
    for task in tasks {
        let (count, own) = task.await.expect("no task panics");
        pairs += count;
        latencies.add(own).expect("alike histograms");
    }
    let spent = began.elapsed().as_secs_f64();
    let cpu_us = round((cpu() - cpu_before).as_secs_f64() * 1e6 / pairs as f64);
    for session in sessions {
        session.close("measured").await.expect("it closes");
    }
    Load {
        rate: round(pairs as f64 / spent),
        p50_us: quantile_us(&latencies, 0.5),
        p99_us: quantile_us(&latencies, 0.99),
        cpu_us,
    }
}

async fn one(session: Session, lane: usize, end: Instant) -> (u64, Histogram<u64>) {
    let mut latencies = histogram();
    let (mut pairs, mut number) = (0, 0);
    while Instant::now() < end {
        number += 1;
        let path = format!("ledger/eu/lane-{lane}/acc-{}", number % 1_000);
        let ask = Ask::new("payment.send".parse().expect("a name"))
            .exclusive(path.parse().expect("a path"));
        let asked = Instant::now();
        match session.request(ask).await.expect("it is answered") {
            Decision::Granted(grant) => {
                latencies.saturating_record(asked.elapsed().as_nanos() as u64);
                session
                    .complete(grant.permit)
                    .await
                    .expect("it is answered");
                pairs += 1;
            }
            other => panic!("not granted: {other:?}"),
        }
    }
    (pairs, latencies)
}
