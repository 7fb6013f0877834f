//! How many permits a second sessions can ask for and finish: real sockets, real frames, and the fleet's writer behind
//! them. Server and clients share this process and its processors.
//!
//! `session_load [sessions] [depth] [seconds] [memory|sqlite]`: each session keeps `depth` permits on the way.
use fleet_api::{App, Limits, Mode, router};
use fleet_journal::{Journal, Memory, Sqlite};
use fleet_runtime::{Fleets, Options};
use fleet_types::directory::Command as Directory;
use fleet_types::session::ServerFrame;
use fleet_types::settings::{DefaultDecision, Settings};
use fleet_types::{Actor, Command, Envelope, FleetId, TenantId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Fallible<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(run())
}

async fn run() -> Fallible<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| -> Fallible<u64> {
        Ok(args.get(at).map_or(Ok(default), |text| text.parse())?)
    };
    let (sessions, depth, seconds) = (number(0, 64)?, number(1, 16)?, number(2, 5)?);
    let directory = std::env::temp_dir().join(format!("session-load-{}", std::process::id()));
    let journal: Box<dyn Journal> = match args.get(3).map(String::as_str) {
        Some("sqlite") => Box::new(Sqlite::open(
            &directory,
            fleet_journal::sqlite::Options::default(),
        )?),
        _ => Box::new(Memory::default()),
    };
    let fleets = Fleets::start(journal, Options::default())?;
    prepare(&fleets).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = App::start(fleets.clone(), Mode::open(address)?, Limits::default()).await?;
    tokio::spawn(async move { axum::serve(listener, router(app)).await });

    let stop = Arc::new(AtomicBool::new(false));
    let pairs = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let cpu = processor_seconds();
    let tasks: Vec<_> = (0..sessions)
        .map(|number| {
            let (stop, pairs) = (Arc::clone(&stop), Arc::clone(&pairs));
            tokio::spawn(async move { client(address, number, depth, &stop, &pairs).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let took = begun.elapsed().as_secs_f64();
    let count = pairs.load(Ordering::Relaxed);
    let busy = processor_seconds() - cpu;
    for task in tasks {
        task.await??;
    }
    eprintln!(
        "{sessions} sessions × {depth}: {:.0} pairs/s, {:.1} µs of processor a pair",
        count as f64 / took,
        busy * 1e6 / count.max(1) as f64
    );
    fleets.stop().await;
    // There may be none.
    let _ = std::fs::remove_dir_all(&directory);
    Ok(())
}

async fn prepare(fleets: &Fleets) -> Fallible<()> {
    let tenant = TenantId::parse("default")?;
    let fleet = FleetId::parse("main")?;
    for command in [
        Directory::CreateTenant {
            tenant: tenant.clone(),
        },
        Directory::CreateFleet {
            tenant: tenant.clone(),
            fleet: fleet.clone(),
        },
    ] {
        let command = Command::Directory(command);
        fleets
            .directory()
            .call(Envelope {
                by: Actor::System,
                command,
            })
            .await?
            .map_err(|r| r.message.to_string())?;
    }
    let settings = Settings {
        default_decision: DefaultDecision::Allow,
        auto_register: true,
        ..Settings::default()
    };
    let main = fleets.get(&tenant, &fleet).await?.ok_or("no fleet")?;
    let command = Command::Configure(Box::new(settings));
    main.call(Envelope {
        by: Actor::Local,
        command,
    })
    .await?
    .map_err(|r| r.message.to_string())?;
    Ok(())
}

/// User and system time of this process.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rest = text.rsplit(')').next().unwrap_or("");
    let ticks: f64 = rest
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

async fn client(
    address: std::net::SocketAddr,
    number: u64,
    depth: u64,
    stop: &AtomicBool,
    pairs: &AtomicU64,
) -> Fallible<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let hello = format!(
        "GET /v1/fleets/main/session HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(hello.as_bytes()).await?;
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let mut byte = [0u8; 1];
        stream.read_exact(&mut byte).await?;
        read.push(byte[0]);
    }
    let mut out = Vec::new();
    frame(
        &mut out,
        &format!(
            "{{\"hello\":{{\"id\":0,\"protocol\":1,\"agent\":\"agent-{number}\",\"instance\":\"i\"}}}}"
        ),
    );
    stream.write_all(&out).await?;
    out.clear();
    let mut buffer = vec![0u8; 1 << 20];
    let (mut start, mut end) = (0, 0);
    let mut next = 1u64;
    let mut welcomed = false;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let count = stream.read(&mut buffer[end..]).await?;
        if count == 0 {
            return Err("the server closed".into());
        }
        end += count;
        while let Some((from, to)) = whole(&buffer[start..end]) {
            let bytes = &buffer[start + from..start + to];
            match serde_json::from_slice(bytes)? {
                ServerFrame::Welcome(_) => {
                    welcomed = true;
                    for _ in 0..depth {
                        request(&mut out, number, &mut next);
                    }
                }
                ServerFrame::Granted(granted) => {
                    frame(
                        &mut out,
                        &format!(
                            "{{\"finish\":{{\"id\":{next},\"permit\":\"{}\",\"ending\":\"completed\"}}}}",
                            granted.permit
                        ),
                    );
                    next += 1;
                }
                ServerFrame::Finished(_) => {
                    pairs.fetch_add(1, Ordering::Relaxed);
                    request(&mut out, number, &mut next);
                }
                other => return Err(format!("{other:?}").into()),
            }
            start += to;
        }
        if start == end {
            (start, end) = (0, 0);
        } else if start > buffer.len() / 2 {
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
        }
        assert!(
            welcomed || out.is_empty(),
            "nothing is asked before the welcome"
        );
        stream.write_all(&out).await?;
        out.clear();
    }
}

fn request(out: &mut Vec<u8>, number: u64, next: &mut u64) {
    frame(
        out,
        &format!(
            "{{\"request\":{{\"id\":{next},\"permit\":{{\"action\":\"payment.send\",\"resources\":[{{\"path\":\"ledger/eu/account-{number}-{next}\",\"mode\":\"exclusive\"}}],\"cost\":{{\"money_micros\":1000}}}}}}}}"
        ),
    );
    *next += 1;
}

/// A masked text frame; a mask of zeros changes nothing.
fn frame(out: &mut Vec<u8>, text: &str) {
    out.push(0x81);
    match u8::try_from(text.len()) {
        Ok(short) if short < 126 => out.push(0x80 | short),
        _ => {
            out.push(0x80 | 126);
            out.extend((text.len() as u16).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend(text.as_bytes());
}

/// Where the content of the next whole frame lies.
fn whole(bytes: &[u8]) -> Option<(usize, usize)> {
    let (from, length) = match bytes {
        [_, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        [_, short, ..] if *short < 126 => (2, usize::from(*short)),
        _ => return None,
    };
    (bytes.len() >= from + length).then_some((from, from + length))
}
