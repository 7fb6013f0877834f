//! `status` and `register`: how long the glance at ten thousand agents and the registration of one take over HTTP
//! while permits are asked for on other connections. Beside it: the same without load.
use crate::figures::{Figures, histogram, quantile_us, round};
use crate::http::call;
use crate::served::serve;
use crate::world::{LARGE, agent_id};
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Connections that ask for permits meanwhile.
const BUSY: usize = 16;

/// What is measured.
#[derive(Clone, Copy, PartialEq)]
pub enum What {
    /// `GET …/status`.
    Status,
    /// `PUT …/agents/{agent}`.
    Register,
}

pub fn run(what: What, seconds: u64, dir: Option<&Path>) -> Figures {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    runtime.block_on(async {
        let served = serve(dir, LARGE).await;
        let addr = served.running.addr;
        let quiet = ask(addr, what, seconds.min(3), 0).await;
        let stop = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..BUSY)
            .map(|number| tokio::spawn(permits(addr, number, stop.clone())))
            .collect();
        let loaded = ask(addr, what, seconds, 1_000_000).await;
        stop.store(true, Ordering::Relaxed);
        let mut pairs = 0;
        for task in busy {
            pairs += task.await.expect("no task panics");
        }
        served.running.stop().await;
        let name = match what {
            What::Status => "status",
            What::Register => "register",
        };
        Figures {
            permits_per_s: Some(round(pairs as f64 / seconds as f64)),
            p50_us: Some(quantile_us(&loaded, 0.5)),
            p99_us: Some(quantile_us(&loaded, 0.99)),
            beside: Some(serde_json::json!({
                "what": "the same without load",
                "p50_us": quantile_us(&quiet, 0.5), "p99_us": quantile_us(&quiet, 0.99),
            })),
            ratio: Some(round(
                quantile_us(&loaded, 0.99) / quantile_us(&quiet, 0.99),
            )),
            ..Figures::new(name)
        }
        .with("agents", LARGE.agents)
        .with("asked", loaded.len())
    })
}

async fn ask(addr: SocketAddr, what: What, seconds: u64, first: u64) -> Histogram<u64> {
    let mut stream = TcpStream::connect(addr).await.expect("it connects");
    stream.set_nodelay(true).expect("a socket option");
    let (mut buffer, mut latencies) = (Vec::new(), histogram());
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut number = first;
    while Instant::now() < end {
        number += 1;
        let (method, path, body) = match what {
            What::Status => ("GET", "/v1/fleets/main/status".to_owned(), String::new()),
            What::Register => (
                "PUT",
                format!("/v1/fleets/main/agents/new-{number}"),
                format!(r#"{{"id":"new-{number}","scope":"emea/treasury/desk-1"}}"#),
            ),
        };
        let asked = Instant::now();
        let (status, answer) = call(&mut stream, &mut buffer, method, &path, &body).await;
        latencies.saturating_record(asked.elapsed().as_nanos() as u64);
        assert!(status < 300, "{status}: {answer}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    latencies
}

async fn permits(addr: SocketAddr, number: usize, stop: Arc<AtomicBool>) -> u64 {
    let mut stream = TcpStream::connect(addr).await.expect("it connects");
    let (mut buffer, mut pairs) = (Vec::new(), 0u64);
    let agent = agent_id(number);
    while !stop.load(Ordering::Relaxed) {
        let body = format!(
            r#"{{"request_id":"b-{number}-{pairs}","agent":"{agent}","action":"payment.send","resources":[{{"path":"ledger/eu/busy-{number}","mode":"exclusive"}}]}}"#
        );
        let path = "/v1/fleets/main/permits";
        let (status, answer) = call(&mut stream, &mut buffer, "POST", path, &body).await;
        assert_eq!(status, 200, "{answer}");
        let permit = answer.split("\"permit\":\"").nth(1).expect("a permit");
        let permit = permit.split('"').next().expect("its end").to_owned();
        let path = format!("/v1/fleets/main/permits/{permit}/complete");
        let body = format!(r#"{{"agent":"{agent}"}}"#);
        let (status, answer) = call(&mut stream, &mut buffer, "POST", &path, &body).await;
        assert_eq!(status, 200, "{answer}");
        pairs += 1;
    }
    pairs
}
