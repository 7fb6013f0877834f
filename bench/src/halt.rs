//! `halt`: ten thousand connected sessions, one halt over all of them while some ask for permits as fast as they can.
//! What was granted after the server's acknowledgement is counted from the journal.
use crate::figures::{Figures, quantile_us, round};
use crate::served::serve;
use crate::world::{LARGE, agent_id};
use fleet_client::{Ask, Http, Options, Session};
use fleet_types::halt::{Mode, Order, Target};
use fleet_types::{Event, FleetId, Seq, TenantId, Text};
use std::path::Path;
use std::time::{Duration, Instant};

/// Sessions connected at once.
const SESSIONS: usize = 10_000;
/// Sessions that keep asking.
const BUSY: usize = 32;

pub fn run(dir: Option<&Path>) -> Figures {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    runtime.block_on(measure(dir))
}

async fn measure(dir: &Path) -> Figures {
    let served = serve(dir, LARGE).await;
    let connecting = Instant::now();
    let mut sessions = Vec::with_capacity(SESSIONS);
    for chunk in (0..SESSIONS).collect::<Vec<_>>().chunks(256) {
        let tasks: Vec<_> = chunk
            .iter()
            .map(|number| {
                let options = Options::new(
                    served.url.clone(),
                    "main".parse().expect("a name"),
                    agent_id(*number),
                    "halt".parse().expect("a name"),
                );
                tokio::spawn(Session::connect(options))
            })
            .collect();
        for task in tasks {
            sessions.push(task.await.expect("no task panics").expect("it connects"));
        }
    }
    let connected = connecting.elapsed();
    for (number, session) in sessions.iter().take(BUSY).cloned().enumerate() {
        tokio::spawn(async move {
            for count in 0.. {
                let path = format!("ledger/eu/halt-{number}-{}", count % 100);
                let ask = Ask::new("payment.send".parse().expect("a name"))
                    .exclusive(path.parse().expect("a path"));
                match session.request(ask).await {
                    Ok(fleet_types::permit::Decision::Granted(grant)) => {
                        // A halt may have taken it back meanwhile.
                        let _ = session.complete(grant.permit).await;
                    }
                    Ok(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                    Err(_) => return,
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;

    let fleet = Http::new(&served.url, None)
        .expect("an address")
        .fleet("main".parse().expect("a name"));
    let order = Order {
        target: Target::All,
        mode: Mode::Immediate,
        reason: Text::clip("benchmark"),
        release_by_two: None,
    };
    let ordered = Instant::now();
    let halted = fleet.halt(&order).await.expect("it halts");
    let server_ack = ordered.elapsed();
    let spread = loop {
        let halt = fleet.halt_of(halted.halt).await.expect("it is known");
        if halt.propagation.acknowledged >= halt.propagation.reach
            || ordered.elapsed() > Duration::from_secs(30)
        {
            break halt.propagation;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let ack_all = ordered.elapsed();
    tokio::time::sleep(Duration::from_millis(500)).await;

    let tenant = TenantId::parse("default").expect("a name");
    let main = FleetId::parse("main").expect("a name");
    let handle = served.running.fleets().get(&tenant, &main).await;
    let handle = handle.expect("it is open").expect("it is known");
    let (mut granted_after, mut after, last) = (0u64, halted.halt.0, handle.durable());
    while after < last {
        let records = handle
            .records_after(after, 10_000)
            .await
            .expect("they are kept");
        for record in &records {
            granted_after += u64::from(matches!(record.event, Event::PermitGranted(_)));
        }
        after = records
            .last()
            .map_or(last, |record: &fleet_types::Record| record.seq);
    }
    // The server's own share of the way: how long the order took inside, without the HTTP client.
    let mut inside = crate::figures::histogram();
    inside.saturating_record(server_ack.as_nanos() as u64);
    served.running.stop().await;
    Figures {
        beside: Some(serde_json::json!({
            "what": "connecting the same sessions one after the other in batches of 256",
            "connect_ms": connected.as_millis() as u64,
        })),
        ratio: Some(round(connected.as_secs_f64() / ack_all.as_secs_f64())),
        p50_us: spread.p50_us.map(|us| us as f64),
        p99_us: spread.p99_us.map(|us| us as f64),
        ..Figures::new("halt")
    }
    .with("sessions", SESSIONS)
    .with("reach", spread.reach)
    .with("acknowledged", spread.acknowledged)
    .with("server_ack_us", quantile_us(&inside, 1.0))
    .with("ack_all_ms", ack_all.as_millis() as u64)
    .with("granted_after_ack", granted_after)
    .with("journal_seq_of_halt", Seq(halted.halt.0.0).0)
}
