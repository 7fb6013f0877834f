//! Definitions with versions, lists with cursors, streams of events, and instances that poll.
mod common;
use axum::body::Body;
use axum::http::Request;
use common::{Doors, claim};
use fleet_types::Millis;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

#[tokio::test]
async fn a_change_needs_the_version_it_saw() {
    let doors = Doors::open().await;
    let path = "/v1/fleets/main/agents/a";
    assert_eq!(
        doors.put(path, json!({"description": "one"})).await.body["changed"],
        true
    );
    let seen = doors.get(path).await;
    let tag = seen.headers["etag"].to_str().unwrap().to_owned();
    let conditional = async |tag: &str, name: &str, body: Value| {
        let request = Request::put(path)
            .header("host", "localhost")
            .header(name, tag)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        doors.raw(request).await
    };
    // Use does not change the tag.
    doors.post("/v1/fleets/main/permits", claim("a", "1")).await;
    let two = conditional(&tag, "if-match", json!({"description": "two"})).await;
    assert_eq!(two.status, 200, "{}", two.body);
    let three = conditional(&tag, "if-match", json!({"description": "three"})).await;
    assert_eq!(three.line(), "412 precondition_failed");
    let new = conditional("*", "if-none-match", json!({"description": "new"})).await;
    assert_eq!(new.line(), "412 precondition_failed");
    let tag = doors.get(path).await.headers["etag"]
        .to_str()
        .unwrap()
        .to_owned();
    let request = Request::get(path)
        .header("host", "localhost")
        .header("if-none-match", tag);
    let same = doors.raw(request.body(Body::empty()).unwrap()).await;
    assert_eq!(same.status, 304);
}

#[tokio::test]
async fn lists_go_on_where_they_stopped() {
    let doors = Doors::open().await;
    for number in 0..7 {
        doors
            .put(
                &format!("/v1/fleets/main/agents/agent-{number}"),
                json!({"scope": format!("s/{number}")}),
            )
            .await;
    }
    let mut seen = Vec::new();
    let mut path = "/v1/fleets/main/agents?count=3".to_owned();
    loop {
        let page = doors.get(&path).await;
        let items = page.body["items"].as_array().unwrap().clone();
        seen.extend(
            items
                .iter()
                .map(|row| row["definition"]["id"].as_str().unwrap().to_owned()),
        );
        match page.body["next"].as_str() {
            Some(next) => path = format!("/v1/fleets/main/agents?count=3&after={next}"),
            None => break,
        }
    }
    assert_eq!(
        seen,
        (0..7).map(|n| format!("agent-{n}")).collect::<Vec<_>>()
    );
    let one = doors.get("/v1/fleets/main/agents?scope=s/4").await;
    assert_eq!(one.body["items"].as_array().unwrap().len(), 1);
    let declared = doors
        .put("/v1/fleets/main/scopes/s/4", json!({"description": "four"}))
        .await;
    assert_eq!(declared.status, 200, "{}", declared.body);
    assert_eq!(
        doors.get("/v1/fleets/main/scopes/s/4").await.body["description"],
        "four"
    );
}

/// Reads a stream until `count` events came.
async fn read(doors: &Doors, path: &str, last: Option<u64>, count: usize) -> Vec<(u64, String)> {
    let mut request = Request::get(path).header("host", "localhost");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = doors
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let mut text = String::new();
    while text.matches("\ndata: ").count() < count {
        let frame = tokio::time::timeout(Duration::from_secs(5), body.frame())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
    }
    text.split("\n\n")
        .filter_map(|event| {
            let mut lines = event.lines();
            let id = lines.next()?.strip_prefix("id: ")?.parse().ok()?;
            Some((id, lines.next()?.strip_prefix("event: ")?.to_owned()))
        })
        .collect()
}

#[tokio::test]
async fn events_resume_from_the_journal() {
    let doors = Doors::open().await;
    for account in ["1", "2", "3"] {
        doors
            .post("/v1/fleets/main/permits", claim("a", account))
            .await;
    }
    let all = read(&doors, "/v1/fleets/main/events?after=0", None, 5).await;
    let ids: Vec<u64> = all.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    let rest = read(
        &doors,
        "/v1/fleets/main/events",
        Some(ids[2]),
        ids.len() - 3,
    )
    .await;
    assert_eq!(rest, all[3..]);
    let grants = read(
        &doors,
        "/v1/fleets/main/events?after=0&types=permit.*",
        None,
        3,
    )
    .await;
    assert!(
        grants.iter().all(|(_, name)| name == "permit.granted"),
        "{grants:?}"
    );

    let live = read(&doors, "/v1/fleets/main/events", None, 1);
    let (live, _) = tokio::join!(live, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        doors.post("/v1/fleets/main/permits", claim("a", "4")).await
    });
    assert_eq!(live[0].1, "permit.granted");
}

/// Ends when the server closes, well before a quiet stream would be heard of.
async fn ends_soon(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let ended = tokio::time::timeout(Duration::from_secs(3), stream.read_to_string(&mut text));
    ended.await.expect("it goes on").unwrap();
    text
}

#[tokio::test]
async fn what_lasts_ends_with_its_key() {
    let doors = Doors::keys().await;
    let address = doors.listen().await;
    let open = async |path: &str, key: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET /v1/fleets/main/{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let revoked = doors.key(json!({"role": "agent"})).await;
    let connected = json!({"agent": "a", "instance": "i"});
    let connected = doors.post("/v1/fleets/main/instances", connected).await;
    assert_eq!(connected.status, 200, "{}", connected.body);
    let stream = open("events", &revoked).await;
    let poll = open("instances/a/i/signals?wait_ms=20000", &revoked).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    for key in doors.get("/v1/keys").await.body["keys"].as_array().unwrap() {
        if key["role"] == "agent" {
            let path = format!("/v1/keys/{}", key["id"].as_str().unwrap());
            assert_eq!(doors.send("DELETE", &path, Value::Null).await.status, 200);
        }
    }
    assert!(ends_soon(stream).await.contains(": fleetcommand"));
    assert!(ends_soon(poll).await.starts_with("HTTP/1.1 401"));

    let end = fleet_api::app::wall_clock().after(Millis(500));
    let expiring = doors
        .key(json!({"role": "viewer", "expires_at": end}))
        .await;
    let stream = open("events", &expiring).await;
    assert!(ends_soon(stream).await.contains(": fleetcommand"));
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_with_a_word() {
    let limits = fleet_api::Limits {
        write_timeout: Duration::from_millis(200),
        ..fleet_api::Limits::default()
    };
    let mode = fleet_api::Mode::open("127.0.0.1:1".parse().unwrap()).unwrap();
    let doors = Doors::start(mode, limits).await;
    for number in 0..2_000 {
        let path = format!("/v1/fleets/main/groups/g-{number}");
        let reply = doors.put(&path, json!({"members": []})).await;
        assert_eq!(reply.status, 200);
    }
    let request = Request::get("/v1/fleets/main/events?after=0").header("host", "localhost");
    let response = doors
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&text).unwrap();
    let (before, last) = text.rsplit_once("event: lagged\n").unwrap();
    let last_id = before
        .rsplit("id: ")
        .next()
        .unwrap()
        .lines()
        .next()
        .unwrap();
    assert!(
        last.starts_with(&format!("data: {{\"after\":{last_id}}}")),
        "{last} after {last_id}"
    );
}

#[tokio::test]
async fn an_instance_that_polls_hears_of_halts_and_decisions() {
    let doors = Doors::open().await;
    let connected = doors
        .post(
            "/v1/fleets/main/instances",
            json!({"agent": "a", "instance": "i"}),
        )
        .await;
    assert_eq!(connected.status, 200, "{}", connected.body);
    let epoch = connected.body["epoch"].as_u64().unwrap();
    let place = "/v1/fleets/main/instances/a/i";
    assert_eq!(
        doors
            .post(&format!("{place}/heartbeat"), json!({"epoch": epoch}))
            .await
            .status,
        204
    );
    let stale = doors
        .post(&format!("{place}/heartbeat"), json!({"epoch": epoch + 1}))
        .await;
    assert_eq!(stale.line(), "409 instance_stale");

    let order = json!({"target": {"agent": "a"}, "mode": "graceful", "reason": "look at this"});
    let poll = format!("{place}/signals?wait_ms=5000&epoch={epoch}");
    let (told, halted) = tokio::join!(doors.get(&poll), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        doors.post("/v1/fleets/main/halts", order).await
    });
    assert_eq!(halted.status, 201, "{}", halted.body);
    let halt = halted.body["halt"].as_str().unwrap();
    assert_eq!(
        told.body["signals"][0]["signal"]["halt"]["halt"], halt,
        "{}",
        told.body
    );
    let seen = doors
        .post(
            &format!("{place}/acknowledge-halt"),
            json!({"epoch": epoch, "halt": halt}),
        )
        .await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    let view = doors.get(&format!("/v1/fleets/main/halts/{halt}")).await;
    assert_eq!(view.body["propagation"]["acknowledged"], 1, "{}", view.body);
    let denied = doors.post("/v1/fleets/main/permits", claim("a", "1")).await;
    assert_eq!(denied.line(), "403 halted");
    let released = doors
        .post(&format!("/v1/fleets/main/halts/{halt}/release"), json!({}))
        .await;
    assert_eq!(released.body["released"], true);
    let number = told.body["signals"][0]["number"].as_u64().unwrap();
    let told = doors.get(&format!("{poll}&after={number}")).await;
    assert_eq!(
        told.body["signals"][0]["signal"]["released"]["halt"], halt,
        "{}",
        told.body
    );
    let gone = doors
        .send("DELETE", &format!("{place}?epoch={epoch}"), Value::Null)
        .await;
    assert_eq!(gone.status, 200, "{}", gone.body);
}
