//! etcd beside us: the lock service of its v3 API, `lock` and `unlock` under a lease, through its JSON gateway.
use crate::lanes::{Did, Load, load};
use crate::peer::{Peer, free_port};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What etcd did.
pub struct Etcd {
    pub pairs: Load,
    connections: usize,
}

impl Etcd {
    pub fn json(&self) -> Value {
        json!({
            "what": "etcd: lock and unlock of its v3 lock service, through its JSON gateway",
            "connections": self.connections,
            "one_in_flight_each": self.pairs.json(),
        })
    }
}

/// Measures etcd on ports of its own; `None` where it is not installed.
pub async fn beside(dir: &Path, connections: usize, seconds: u64) -> Option<Etcd> {
    let (addr, peers) = (free_port()?, free_port()?);
    let (client, peer) = (format!("http://{addr}"), format!("http://{peers}"));
    let cluster = format!("default={peer}");
    let line = [
        "--listen-client-urls",
        &client,
        "--advertise-client-urls",
        &client,
        "--listen-peer-urls",
        &peer,
        "--initial-advertise-peer-urls",
        &peer,
        "--initial-cluster",
        &cluster,
        "--data-dir",
    ];
    let _server = Peer::start("etcd", &line, &dir.join("etcd"), addr).await?;
    ready(addr).await?;
    let pairs = load(connections, seconds, move |n, end| one(addr, n, end)).await?;
    Some(Etcd { pairs, connections })
}

/// It listens before it has a leader.
async fn ready(addr: SocketAddr) -> Option<()> {
    for _ in 0..100 {
        let mut stream = TcpStream::connect(addr).await.ok()?;
        let granted = call(&mut stream, "lease/grant", &json!({"TTL": 1})).await;
        if granted.is_some_and(|answer| answer["ID"].is_string()) {
            return Some(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}

async fn one(addr: SocketAddr, connection: usize, end: Instant) -> Option<Did> {
    let mut stream = TcpStream::connect(addr).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let lease = call(&mut stream, "lease/grant", &json!({"TTL": 600})).await?;
    let mut did = Did::nothing();
    while Instant::now() < end {
        // The gateway takes names in base64; letters and digits in groups of four are that.
        let name = format!("bench{:04}{:03}", connection, did.pairs % 1_000);
        let asked = Instant::now();
        let ask = json!({"name": name, "lease": lease["ID"]});
        let locked = call(&mut stream, "lock/lock", &ask).await?;
        did.took(asked);
        let key = locked["key"].as_str()?;
        call(&mut stream, "lock/unlock", &json!({ "key": key })).await?;
        did.pairs += 1;
    }
    Some(did)
}

/// One call, on a connection that is kept.
async fn call(stream: &mut TcpStream, path: &str, body: &Value) -> Option<Value> {
    let body = body.to_string();
    let request = format!(
        "POST /v3/{path} HTTP/1.1\r\nhost: etcd\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        let text = std::str::from_utf8(&read).ok()?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse::<usize>().ok())?
        })?;
        if body.len() >= length {
            return serde_json::from_str(body).ok();
        }
    }
}
