//! `session`: 64 WebSocket sessions on loopback, server and clients on the same cores. Beside it, in the same call, what
//! people use for locks today, with as many connections: Redis with `appendfsync always`, and etcd. All of them are
//! spoken raw; what our own client library costs on top stands in the figures too.
use crate::figures::Figures;
use crate::lanes::{Did, Load, load};
use crate::served::{Served, serve};
use crate::world::{LARGE, agent_id};
use crate::{etcd, frames, redis};
use fleet_client::{Ask, Options, Session};
use fleet_types::permit::Decision;
use std::path::Path;
use std::time::Instant;

/// Sessions, and connections to those beside.
pub const SESSIONS: usize = 64;

pub fn run(seconds: u64, dir: Option<&Path>) -> Figures {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    runtime.block_on(async {
        let redis = redis::beside(dir, SESSIONS, seconds).await;
        let etcd = etcd::beside(dir, SESSIONS, seconds).await;
        let served = serve(&dir.join("fleet"), LARGE).await;
        let addr = served.running.addr;
        let raw = |lanes| {
            load(SESSIONS, seconds, move |n, end| {
                frames::session(addr, n, lanes, end)
            })
        };
        let alone = raw(1).await.expect("the server answers");
        let deep = raw(8).await.expect("the server answers");
        let library = by_library(&served, seconds).await;
        served.running.stop().await;
        let missing = |package: &str| format!("not installed: apt-get install {package}").into();
        let over = |theirs: Option<Load>, ours: Load| {
            theirs.map(|theirs| (ours.pairs_per_s / theirs.pairs_per_s * 1_000.0).round() / 1_000.0)
        };
        let to_redis = over(redis.as_ref().map(|redis| redis.alone), alone);
        let deep_to_redis = over(redis.as_ref().map(|redis| redis.deep), deep);
        let to_etcd = over(etcd.as_ref().map(|etcd| etcd.pairs), alone);
        Figures {
            permits_per_s: Some(alone.pairs_per_s),
            p50_us: Some(alone.p50_us),
            p99_us: Some(alone.p99_us),
            cpu_us_per_op: Some(alone.cpu_us),
            beside: Some(serde_json::json!({
                "redis": redis.map_or_else(|| missing("redis-server"), |redis| redis.json()),
                "etcd": etcd.map_or_else(|| missing("etcd-server"), |etcd| etcd.json()),
            })),
            ratio: to_redis,
            ..Figures::new("session")
        }
        .with("sessions", SESSIONS)
        .with("eight_in_flight_each", deep.json())
        .with("eight_in_flight_ratio", deep_to_redis)
        .with("ratio_to_etcd", to_etcd)
        .with("by_client_library", library.json())
    })
}

/// Every session asks by the client library, one permit after the other.
async fn by_library(served: &Served, seconds: u64) -> Load {
    let mut sessions = Vec::new();
    for number in 0..SESSIONS {
        let options = Options::new(
            served.url.clone(),
            "main".parse().expect("a name"),
            agent_id(number),
            "bench".parse().expect("a name"),
        );
        sessions.push(Session::connect(options).await.expect("it connects"));
    }
    let ask = |number: usize, end| one(sessions[number].clone(), number, end);
    let load = load(SESSIONS, seconds, ask)
        .await
        .expect("the server answers");
    for session in sessions {
        session.close("measured").await.expect("it closes");
    }
    load
}

async fn one(session: Session, lane: usize, end: Instant) -> Option<Did> {
    let mut did = Did::nothing();
    while Instant::now() < end {
        let path = format!("ledger/eu/lane-{lane}/acc-{}", did.pairs % 1_000);
        let ask = Ask::new("payment.send".parse().ok()?).exclusive(path.parse().ok()?);
        let asked = Instant::now();
        let Decision::Granted(grant) = session.request(ask).await.ok()? else {
            return None;
        };
        did.took(asked);
        session.complete(grant.permit).await.ok()?;
        did.pairs += 1;
    }
    Some(did)
}
