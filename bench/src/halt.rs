//! `halt`: ten thousand connected sessions, one halt over all of them while some are at work, about 3,000 permits a second.
//! What was granted after the server's acknowledgement is counted from the journal.
use crate::figures::{Figures, round};
use crate::served::serve;
use crate::world::{LARGE, agent_id};
use fleet_client::{Ask, Http, Options, Session};
use fleet_types::halt::{Mode, Order, Target};
use fleet_types::permit::Decision;
use fleet_types::{Event, FleetId, TenantId, Text};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Sessions connected at once.
const SESSIONS: usize = 10_000;
/// Sessions at work, and how long each rests between two permits.
const BUSY: usize = 32;
const REST: Duration = Duration::from_millis(10);
/// Processes that hold the sessions: one process may not open as many files as both ends need.
const HOLDERS: usize = 2;

pub fn run(dir: Option<&Path>) -> Figures {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    runtime.block_on(measure(dir))
}

/// A process that holds sessions; ended by its own process id when dropped.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Holder {
    fn start(url: &str, first: usize, count: usize) -> Holder {
        let program = std::env::current_exe().expect("a program knows itself");
        let child = Command::new(program)
            .args(["hold", "--url", url])
            .args(["--first", &first.to_string(), "--count", &count.to_string()])
            .stdout(Stdio::piped())
            .spawn();
        Holder(child.expect("it starts"))
    }

    /// Waits until all of its sessions are connected.
    fn connected(&mut self) {
        let stdout = self.0.stdout.as_mut().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it can be read");
        assert_eq!(line.trim(), "connected", "the sessions did not come about");
    }
}

/// Connects sessions, says so, and holds them until it is killed; the first few keep asking for permits.
pub fn hold(url: &str, first: usize, count: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    runtime.block_on(async {
        let mut sessions = Vec::with_capacity(count);
        for chunk in (first..first + count).collect::<Vec<_>>().chunks(128) {
            let tasks: Vec<_> = chunk
                .iter()
                .map(|number| {
                    let options = Options::new(
                        url,
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
        for (number, session) in sessions.iter().take(BUSY / HOLDERS).cloned().enumerate() {
            tokio::spawn(ask_for_ever(session, first + number));
        }
        println!("connected");
        std::future::pending::<()>().await;
    });
}

async fn ask_for_ever(session: Session, number: usize) {
    for count in 0.. {
        let path = format!("ledger/eu/halt-{number}-{}", count % 100);
        let ask = Ask::new("payment.send".parse().expect("a name"))
            .exclusive(path.parse().expect("a path"));
        match session.request(ask).await {
            Ok(Decision::Granted(grant)) => {
                // A halt may have taken it back meanwhile.
                let _ = session.complete(grant.permit).await;
            }
            Ok(_) => {} // Halted, or taken by another.
            Err(_) => return,
        }
        tokio::time::sleep(REST).await;
    }
}

/// Halts everybody as an operator would: by a thread of its own with a connection that stands.
async fn order_from_elsewhere(url: String) -> (fleet_types::HaltId, Duration) {
    let order = Order {
        target: Target::All,
        mode: Mode::Immediate,
        reason: Text::clip("benchmark"),
        release_by_two: None,
    };
    let operator = std::thread::spawn(move || {
        let alone = tokio::runtime::Builder::new_current_thread();
        let runtime = { alone }.enable_all().build().expect("tokio starts");
        runtime.block_on(async {
            let fleet = Http::new(&url, None).expect("an address");
            let fleet = fleet.fleet("main".parse().expect("a name"));
            fleet.status().await.expect("it is told");
            let ordered = Instant::now();
            let halted = fleet.halt(&order).await.expect("it halts");
            (halted.halt, ordered.elapsed())
        })
    });
    let joined = tokio::task::spawn_blocking(move || operator.join());
    let joined = joined.await.expect("no task panics");
    joined.expect("the operator does not panic")
}

async fn measure(dir: &Path) -> Figures {
    let served = serve(dir, LARGE).await;
    let connecting = Instant::now();
    let each = SESSIONS / HOLDERS;
    let mut holders: Vec<Holder> = (0..HOLDERS)
        .map(|number| Holder::start(&served.url, number * each, each))
        .collect();
    let holders = tokio::task::spawn_blocking(move || {
        holders.iter_mut().for_each(Holder::connected);
        holders
    });
    let holders = holders.await.expect("they connect");
    let connected = connecting.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;

    let fleet = Http::new(&served.url, None)
        .expect("an address")
        .fleet("main".parse().expect("a name"));
    let ordered = Instant::now();
    let (halt, server_ack) = order_from_elsewhere(served.url.clone()).await;
    let spread = loop {
        let seen = fleet.halt_of(halt).await.expect("it is known");
        if seen.propagation.acknowledged >= seen.propagation.reach
            || ordered.elapsed() > Duration::from_secs(30)
        {
            break seen.propagation;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let ack_all = ordered.elapsed();
    tokio::time::sleep(Duration::from_millis(500)).await;

    let tenant = TenantId::parse("default").expect("a name");
    let main = FleetId::parse("main").expect("a name");
    let handle = served.running.fleets().get(&tenant, &main).await;
    let handle = handle.expect("it is open").expect("it is known");
    let (mut granted_after, mut after, last) = (0u64, halt.0, handle.durable());
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
    drop(holders);
    served.running.stop().await;
    Figures {
        beside: Some(serde_json::json!({
            "what": "connecting the same sessions from two processes",
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
    .with("server_ack_us", server_ack.as_micros() as u64)
    .with("ack_all_ms", ack_all.as_millis() as u64)
    .with("granted_after_ack", granted_after)
}
