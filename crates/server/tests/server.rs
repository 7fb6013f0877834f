//! The server as a whole: how it starts, what it refuses, and that a stop and a start lose nothing.
use fleet_server::config::{Bounds, Mode, Store};
use fleet_server::{Config, Error, Running, bootstrap_key, start};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn config(mode: Mode, data: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: data.to_owned(),
        mode,
        ..Config::default()
    }
}

async fn http(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{head}\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn ask(running: &Running, key: &str, request_id: &str) -> String {
    let body = format!(
        "{{\"request_id\":\"{request_id}\",\"agent\":\"a\",\"action\":\"x\",\"resources\":[{{\"path\":\"r/{request_id}\",\"mode\":\"exclusive\"}}]}}"
    );
    let head = format!("POST /v1/fleets/main/permits HTTP/1.1\r\nauthorization: Bearer {key}");
    http(running.addr, &head, &body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_granted_is_there_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let running = start(config(Mode::Dev, data.path())).await.unwrap();
    assert_ne!(running.addr.port(), 0);
    assert!(
        http(running.addr, "GET /readyz HTTP/1.1", "")
            .await
            .contains("200 OK")
    );
    let first = ask(&running, "", "r1").await;
    assert!(first.contains("\"granted\""), "{first}");
    running.stop().await;

    let running = start(config(Mode::Dev, data.path())).await.unwrap();
    let again = ask(&running, "", "r1").await;
    let permit = |answer: &str| {
        answer
            .split("\"permit\":\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(permit(&first), permit(&again));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_keys_needs_a_first_one() {
    let data = tempfile::tempdir().unwrap();
    let Err(refused) = start(config(Mode::Serve, data.path())).await else {
        panic!("it served without a key");
    };
    assert!(matches!(refused, Error::NoKeys { .. }));
    assert!(
        refused.to_string().contains("fleet keys bootstrap"),
        "{refused}"
    );

    let token = bootstrap_key(data.path(), false).await.unwrap();
    let running = start(config(Mode::Serve, data.path())).await.unwrap();
    assert!(
        bootstrap_key(data.path(), true).await.is_err(),
        "it wrote beside a running server"
    );
    let head = format!("PUT /v1/fleets/main/agents/a HTTP/1.1\r\nauthorization: Bearer {token}");
    let allowed = http(
        running.addr,
        &head,
        "{\"allow\":{\"actions\":[\"x\"],\"resources\":[\"r/*\"]}}",
    )
    .await;
    assert!(allowed.contains("200 OK"), "{allowed}");
    let granted = ask(&running, &token, "r1").await;
    assert!(granted.contains("\"granted\""), "{granted}");
    let refused = ask(&running, "fk_k-1_00", "r2").await;
    assert!(refused.contains("401 Unauthorized"), "{refused}");
    running.stop().await;
}

#[tokio::test]
async fn an_open_server_stays_on_this_machine() {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(Mode::Dev, data.path());
    config.listen = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(start(config).await, Err(Error::NotLoopback(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_cut_and_too_many_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(Mode::Dev, data.path());
    config.store = Store::Memory;
    config.limits = Bounds {
        connections_max: 2,
        header_timeout_ms: 300,
        body_timeout_ms: 300,
        ..Bounds::default()
    };
    let running = start(config).await.unwrap();
    let begun = Instant::now();
    let mut head = TcpStream::connect(running.addr).await.unwrap();
    head.write_all(b"GET /healthz HTTP/1.1\r\nhost: local")
        .await
        .unwrap();
    let mut body = TcpStream::connect(running.addr).await.unwrap();
    let begin = "POST /v1/fleets/main/permits HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    body.write_all(begin.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut third = TcpStream::connect(running.addr).await.unwrap();
    // Closed, or reset, without an answer.
    let mut nothing = Vec::new();
    let _ = third.read_to_end(&mut nothing).await;
    assert!(nothing.is_empty());
    let mut answer = Vec::new();
    let _ = head.read_to_end(&mut answer).await;
    let mut answer = vec![0; 12];
    body.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop((head, body));
    running.stop().await;
}
