//! Redis beside us: `appendfsync always`, `SET key token NX PX 30000` and a compare-and-delete script, one pair after
//! the other on each connection. Spoken raw: no client library stands between.
use crate::figures::{histogram, quantile_us, round};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What Redis did.
pub struct Redis {
    pub pairs_per_s: f64,
    pub set_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    connections: usize,
}

impl Redis {
    pub fn json(&self) -> Value {
        json!({
            "what": "Redis, appendfsync always: SET NX PX and compare-and-delete, pairs a second",
            "connections": self.connections,
            "pairs_per_s": self.pairs_per_s,
            "set_alone_per_s": self.set_per_s,
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
        })
    }
}

/// Stopped when dropped, by its own process id.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures Redis on a port of its own; `None` where it is not installed.
pub async fn beside(dir: &Path, connections: usize, seconds: u64) -> Option<Redis> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").ok()?;
    let addr = listener.local_addr().ok()?;
    drop(listener);
    let data = dir.join("redis");
    std::fs::create_dir_all(&data).ok()?;
    let port = addr.port().to_string();
    let server = Command::new("redis-server")
        .args([
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--appendonly",
            "yes",
        ])
        .args(["--appendfsync", "always", "--save", "", "--dir"])
        .arg(&data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let _server = Server(server);
    for _ in 0..100 {
        if TcpStream::connect(addr).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (pairs_per_s, p50_us, p99_us) = load(addr, connections, seconds, true).await?;
    let (set_per_s, ..) = load(addr, connections, seconds.min(3), false).await?;
    Some(Redis {
        pairs_per_s,
        set_per_s,
        p50_us,
        p99_us,
        connections,
    })
}

const RELEASE: &str =
    "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";

async fn load(
    addr: SocketAddr,
    connections: usize,
    seconds: u64,
    unlock: bool,
) -> Option<(f64, f64, f64)> {
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..connections)
        .map(|number| tokio::spawn(one(addr, number, end, unlock)))
        .collect();
    let (mut count, mut latencies) = (0, histogram());
    for task in tasks {
        let (own, latency) = task.await.ok()??;
        count += own;
        latencies.add(latency).ok()?;
    }
    let rate = round(count as f64 / began.elapsed().as_secs_f64());
    Some((
        rate,
        quantile_us(&latencies, 0.5),
        quantile_us(&latencies, 0.99),
    ))
}

async fn one(
    addr: SocketAddr,
    connection: usize,
    end: Instant,
    unlock: bool,
) -> Option<(u64, hdrhistogram::Histogram<u64>)> {
    let mut stream = TcpStream::connect(addr).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let sha = {
        let answer = call(&mut stream, &["SCRIPT", "LOAD", RELEASE]).await?;
        answer.lines().nth(1)?.to_owned()
    };
    let (mut count, mut latencies) = (0u64, histogram());
    while Instant::now() < end {
        let key = match unlock {
            true => format!("lock:{connection}:{}", count % 1_000),
            false => format!("only:{connection}:{count}"),
        };
        let token = count.to_string();
        let asked = Instant::now();
        let set = call(&mut stream, &["SET", &key, &token, "NX", "PX", "30000"]).await?;
        assert!(set.starts_with("+OK"), "not set: {set}");
        latencies.saturating_record(asked.elapsed().as_nanos() as u64);
        if unlock {
            let deleted = call(&mut stream, &["EVALSHA", &sha, "1", &key, &token]).await?;
            assert!(deleted.starts_with(":1"), "not deleted: {deleted}");
        }
        count += 1;
    }
    Some((count, latencies))
}

async fn call(stream: &mut TcpStream, words: &[&str]) -> Option<String> {
    let mut message = format!("*{}\r\n", words.len());
    for word in words {
        message += &format!("${}\r\n{word}\r\n", word.len());
    }
    stream.write_all(message.as_bytes()).await.ok()?;
    let mut buffer = [0; 256];
    let read = stream.read(&mut buffer).await.ok()?;
    Some(String::from_utf8_lossy(&buffer[..read]).into_owned())
}
