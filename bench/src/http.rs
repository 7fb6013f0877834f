//! `http`: 64 keep-alive connections, each asks for a permit and completes it, one after the other. The requests are
//! written raw, so that what is measured is the server and not a client library.
use crate::figures::{Figures, cpu, histogram, quantile_us, round};
use crate::served::serve;
use crate::world::{LARGE, agent_id};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Keep-alive connections.
const CONNECTIONS: usize = 64;

pub fn run(seconds: u64, dir: Option<&Path>) -> Figures {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    runtime.block_on(async {
        let served = serve(dir, LARGE).await;
        let addr = served.running.addr;
        // Beside: the same connections asking for nothing but /healthz.
        let (bare, ..) = load(addr, seconds.min(3), Kind::Health).await;
        let (rate, p50, p99, cpu_us) = load(addr, seconds, Kind::Permits).await;
        served.running.stop().await;
        Figures {
            permits_per_s: Some(rate),
            p50_us: Some(p50),
            p99_us: Some(p99),
            cpu_us_per_op: Some(cpu_us),
            beside: Some(serde_json::json!({
                "what": "the same server and connections, two requests for /healthz in place of a pair",
                "pairs_per_s": bare,
            })),
            ratio: Some((rate / bare * 1_000.0).round() / 1_000.0),
            ..Figures::new("http")
        }
        .with("connections", CONNECTIONS)
    })
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Permits,
    /// Permits with arguments, for policies to look at.
    Payments,
    Health,
}

/// Pairs a second, p50 and p99 of asking in microseconds, processor time of a pair.
pub async fn load(addr: SocketAddr, seconds: u64, kind: Kind) -> (f64, f64, f64, f64) {
    let (began, cpu_before) = (Instant::now(), cpu());
    let end = began + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|number| tokio::spawn(one(addr, number, end, kind)))
        .collect();
    let (mut pairs, mut latencies) = (0, histogram());
    for task in tasks {
        let (own, latency) = task.await.expect("no task panics");
        pairs += own;
        latencies.add(latency).expect("alike histograms");
    }
    let rate = round(pairs as f64 / began.elapsed().as_secs_f64());
    let cpu_us = round((cpu() - cpu_before).as_secs_f64() * 1e6 / pairs as f64);
    (
        rate,
        quantile_us(&latencies, 0.5),
        quantile_us(&latencies, 0.99),
        cpu_us,
    )
}

async fn one(
    addr: SocketAddr,
    connection: usize,
    end: Instant,
    kind: Kind,
) -> (u64, hdrhistogram::Histogram<u64>) {
    let mut stream = TcpStream::connect(addr).await.expect("it connects");
    stream.set_nodelay(true).expect("a socket option");
    let agent = agent_id(connection);
    let (mut pairs, mut latencies) = (0u64, histogram());
    // Ids are not used again when the same connections are opened once more.
    let began = fleet_runtime::Clock::now(&fleet_runtime::WallClock).0;
    let mut buffer = Vec::with_capacity(4_096);
    while Instant::now() < end {
        if kind == Kind::Health {
            for _ in 0..2 {
                let (status, _) = call(&mut stream, &mut buffer, "GET", "/healthz", "").await;
                assert_eq!(status, 200);
            }
            pairs += 1;
            continue;
        }
        let arguments = match kind {
            Kind::Payments => {
                r#","parameters":{"amount":250,"currency":"EUR","to":"DE02120300000000202051","reference":"AB123456"}"#
            }
            Kind::Permits | Kind::Health => "",
        };
        let body = format!(
            r#"{{"request_id":"h-{connection}-{began}-{pairs}","agent":"{agent}","action":"payment.send","resources":[{{"path":"ledger/eu/http-{connection}-{}","mode":"exclusive"}}]{arguments}}}"#,
            pairs % 1_000
        );
        let asked = Instant::now();
        let path = "/v1/fleets/main/permits";
        let (status, answer) = call(&mut stream, &mut buffer, "POST", path, &body).await;
        assert_eq!(status, 200, "{answer}");
        latencies.saturating_record(asked.elapsed().as_nanos() as u64);
        let permit = answer.split("\"permit\":\"").nth(1).expect("a permit");
        let permit = permit.split('"').next().expect("its end").to_owned();
        let path = format!("/v1/fleets/main/permits/{permit}/complete");
        let body = format!(r#"{{"agent":"{agent}"}}"#);
        let (status, answer) = call(&mut stream, &mut buffer, "POST", &path, &body).await;
        assert_eq!(status, 200, "{answer}");
        pairs += 1;
    }
    (pairs, latencies)
}

/// One request and its answer: the status and the body.
pub async fn call(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String) {
    let message = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream
        .write_all(message.as_bytes())
        .await
        .expect("it can be sent");
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await.expect("it can be read");
        assert!(read > 0, "the server hung up");
        let text = String::from_utf8_lossy(buffer);
        let Some((head, rest)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let wanted = name.eq_ignore_ascii_case("content-length");
            wanted.then(|| value.trim().parse::<usize>().ok())?
        });
        if rest.len() >= length.unwrap_or(0) {
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
            return (status.unwrap_or(0), rest.to_owned());
        }
    }
}
