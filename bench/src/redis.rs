//! Redis beside us: `appendfsync always`, `SET key token NX PX 30000` and a compare-and-delete script. Spoken raw: no
//! client library stands between.
use crate::lanes::{Did, Load, load};
use crate::peer::{Peer, free_port};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What Redis did.
pub struct Redis {
    /// Lock and unlock, one pair after the other on each connection.
    pub alone: Load,
    /// Eight pairs going on each connection.
    pub deep: Load,
    set: Load,
    connections: usize,
}

impl Redis {
    pub fn json(&self) -> Value {
        json!({
            "what": "Redis, appendfsync always: SET NX PX and compare-and-delete",
            "connections": self.connections,
            "one_in_flight_each": self.alone.json(),
            "eight_in_flight_each": self.deep.json(),
            "set_alone": self.set.json(),
        })
    }
}

/// Measures Redis on a port of its own; `None` where it is not installed.
pub async fn beside(dir: &Path, connections: usize, seconds: u64) -> Option<Redis> {
    let addr = free_port()?;
    let port = addr.port().to_string();
    let data = dir.join("redis");
    let line = ["--port", &port, "--bind", "127.0.0.1", "--save", ""];
    let durable = ["--appendonly", "yes", "--appendfsync", "always", "--dir"];
    let _server = Peer::start("redis-server", &[&line[..], &durable].concat(), &data, addr).await?;
    let pairs = |lanes| {
        load(connections, seconds, move |n, end| {
            one(addr, n, lanes, true, end)
        })
    };
    Some(Redis {
        alone: pairs(1).await?,
        deep: pairs(8).await?,
        set: load(connections, seconds.min(3), move |n, end| {
            one(addr, n, 1, false, end)
        })
        .await?,
        connections,
    })
}

const RELEASE: &str =
    "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";

/// One connection that keeps `lanes` pairs going.
async fn one(
    addr: SocketAddr,
    connection: usize,
    lanes: usize,
    unlock: bool,
    end: Instant,
) -> Option<Did> {
    let mut stream = TcpStream::connect(addr).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (mut out, mut read) = (String::new(), Vec::new());
    words(&mut out, &["SCRIPT", "LOAD", RELEASE]);
    stream.write_all(out.as_bytes()).await.ok()?;
    let mut loaded = [0; 256];
    let count = stream.read(&mut loaded).await.ok()?;
    let loaded = String::from_utf8_lossy(&loaded[..count]).into_owned();
    let sha = loaded.lines().nth(1)?;

    let (mut did, mut count, mut taken) = (Did::nothing(), 0u64, 0);
    // Redis answers in the order it was asked.
    let mut asked: VecDeque<(usize, bool)> = VecDeque::new();
    let mut locks = vec![(Instant::now(), String::new(), String::new()); lanes];
    let mut lock = |lane: usize, out: &mut String, asked: &mut VecDeque<_>, locks: &mut Vec<_>| {
        count += 1;
        let key = match unlock {
            true => format!("lock:{connection}:{lane}:{}", count % 1_000),
            false => format!("only:{connection}:{count}"),
        };
        let token = count.to_string();
        words(out, &["SET", &key, &token, "NX", "PX", "30000"]);
        asked.push_back((lane, true));
        locks[lane] = (Instant::now(), key, token);
    };
    out.clear();
    for lane in 0..lanes {
        lock(lane, &mut out, &mut asked, &mut locks);
    }
    while !asked.is_empty() {
        stream.write_all(out.as_bytes()).await.ok()?;
        out.clear();
        read.drain(..taken);
        taken = 0;
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        while let Some(length) = read[taken..].iter().position(|byte| *byte == b'\n') {
            let answer = &read[taken..taken + length];
            taken += length + 1;
            let (lane, was_lock) = asked.pop_front()?;
            if was_lock {
                assert!(answer.starts_with(b"+OK"), "not set: {answer:?}");
                did.took(locks[lane].0);
            } else {
                assert!(answer.starts_with(b":1"), "not deleted: {answer:?}");
            }
            if was_lock && unlock {
                let (_, key, token) = &locks[lane];
                words(&mut out, &["EVALSHA", sha, "1", key, token]);
                asked.push_back((lane, false));
                continue;
            }
            did.pairs += 1;
            if Instant::now() < end {
                lock(lane, &mut out, &mut asked, &mut locks);
            }
        }
    }
    Some(did)
}

/// A command in the protocol of Redis.
fn words(out: &mut String, words: &[&str]) {
    *out += &format!("*{}\r\n", words.len());
    for word in words {
        *out += &format!("${}\r\n{word}\r\n", word.len());
    }
}
