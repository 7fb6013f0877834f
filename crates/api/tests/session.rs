//! Sessions over real sockets, with a WebSocket client that others wrote.
mod common;
use common::Doors;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

struct Session(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Session {
    async fn open(address: SocketAddr, key: Option<&str>) -> Session {
        let mut request = format!("ws://{address}/v1/fleets/main/session")
            .into_client_request()
            .unwrap();
        if let Some(key) = key {
            let value = format!("Bearer {key}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        Session(connect_async(request).await.unwrap().0)
    }

    async fn hello(address: SocketAddr, agent: &str, resume: Option<u64>) -> (Session, Value) {
        let mut session = Session::open(address, None).await;
        let mut hello = json!({"id": 1, "protocol": 1, "agent": agent, "instance": "i"});
        if let Some(epoch) = resume {
            hello["resume"] = json!(epoch);
        }
        session.say(json!({"hello": hello})).await;
        let welcome = session.hear().await["welcome"].clone();
        assert!(welcome.is_object(), "{welcome}");
        (session, welcome)
    }

    async fn say(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn message(&mut self) -> Message {
        let next = tokio::time::timeout(Duration::from_secs(5), self.0.next());
        next.await
            .expect("nothing was heard")
            .expect("the stream ended")
            .unwrap()
    }

    async fn hear(&mut self) -> Value {
        loop {
            match self.message().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("heard {other:?}"),
            }
        }
    }

    /// The code that the server closes with.
    async fn end(&mut self) -> u16 {
        loop {
            if let Message::Close(Some(close)) = self.message().await {
                return close.code.into();
            }
        }
    }
}

fn request(id: u64, account: &str, wait_ms: u64) -> Value {
    json!({"request": {"id": id, "permit": {
        "action": "payment.send",
        "resources": [{"path": format!("ledger/{account}"), "mode": "exclusive"}],
        "wait_ms": wait_ms,
    }}})
}

#[tokio::test]
async fn ask_finish_and_leave() {
    let doors = Doors::open().await;
    let address = doors.listen().await;
    let (mut session, welcome) = Session::hello(address, "a", None).await;
    assert_eq!(welcome["heartbeat_ms"], 5_000);
    session.say(json!({"heartbeat": {}})).await;
    for id in 2..200 {
        session.say(request(id, &id.to_string(), 0)).await;
    }
    let mut permits = Vec::new();
    for _ in 2..200 {
        let heard = session.hear().await;
        assert!(
            heard["granted"]["resources"][0]["token"].is_u64(),
            "{heard}"
        );
        permits.push(heard["granted"]["permit"].clone());
    }
    session
        .say(json!({"renew": {"id": 500, "permit": permits[0], "ttl_ms": 60000}}))
        .await;
    assert_eq!(session.hear().await["granted"]["id"], 500);
    session.say(json!({"extend": {"id": 501, "permit": permits[0], "resources": [{"path": "x", "mode": "shared"}]}})).await;
    assert_eq!(
        session.hear().await["granted"]["resources"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    session
        .say(json!({"finish": {"id": 502, "permit": permits[0], "ending": "completed"}}))
        .await;
    assert_eq!(session.hear().await["finished"]["ending"], "completed");
    session
        .say(json!({"finish": {"id": 503, "permit": "p999999", "ending": "completed"}}))
        .await;
    let problem = session.hear().await;
    assert_eq!(
        (&problem["problem"]["id"], &problem["problem"]["code"]),
        (&json!(503), &json!("permit_unknown"))
    );
    session
        .say(json!({"bye": {"id": 504, "reason": "done"}}))
        .await;
    assert_eq!(session.hear().await["done"]["id"], 504);
    assert_eq!(session.end().await, 1000);
    assert_eq!(
        doors.get("/v1/fleets/main/status").await.body["permits_granted"],
        0
    );
}

#[tokio::test]
async fn what_waits_is_pushed() {
    let doors = Doors::open().await;
    let address = doors.listen().await;
    let (mut one, _) = Session::hello(address, "one", None).await;
    let (mut two, _) = Session::hello(address, "two", None).await;
    one.say(request(2, "1", 0)).await;
    let held = one.hear().await["granted"]["permit"].clone();
    two.say(request(2, "1", 60_000)).await;
    let queued = two.hear().await["queued"].clone();
    assert_eq!(queued["waits_for"]["agent"], "one", "{queued}");
    one.say(json!({"finish": {"id": 3, "permit": held, "ending": "completed"}}))
        .await;
    let pushed = two.hear().await["granted"].clone();
    assert_eq!(pushed["permit"], queued["permit"]);
    assert!(pushed["id"].is_null());
    // A request that nobody waits for any more is denied when its time is over.
    one.say(request(4, "1", 50)).await;
    assert_eq!(one.hear().await["finished"]["id"], 3);
    assert!(one.hear().await["queued"].is_object());
    assert_eq!(one.hear().await["denied"]["code"], "wait_timeout");
}

#[tokio::test]
async fn a_halt_reaches_a_session_at_once() {
    let doors = Doors::open().await;
    let address = doors.listen().await;
    let (mut session, _) = Session::hello(address, "a", None).await;
    session.say(request(2, "1", 0)).await;
    let permit = session.hear().await["granted"]["permit"].clone();
    let order = json!({"target": "all", "mode": "immediate", "reason": "test"});
    let halt = doors.post("/v1/fleets/main/halts", order).await.body["halt"].clone();
    let mut heard = vec![session.hear().await];
    if heard[0].get("halt").is_none() {
        heard.push(session.hear().await);
    }
    assert!(
        heard.iter().any(|frame| frame["halt"]["halt"] == halt),
        "{heard:?}"
    );
    session
        .say(json!({"acknowledge_halt": {"id": 3, "halt": halt}}))
        .await;
    while session.hear().await["done"]["id"] != 3 {}
    session
        .say(json!({"finish": {"id": 4, "permit": permit, "ending": "completed"}}))
        .await;
    assert_eq!(session.hear().await["problem"]["id"], 4);
    // Who comes back is told in the welcome.
    let (_, welcome) = Session::hello(address, "b", None).await;
    assert_eq!(
        welcome["halts"].as_array().map(Vec::len),
        Some(1),
        "{welcome}"
    );
}

#[tokio::test]
async fn an_agent_is_asked_to_approve_and_answers() {
    let doors = Doors::open().await;
    let address = doors.listen().await;
    let rule = json!({"when": {"action": "payment.*"}, "form": {"approval": {
        "assignees": [{"agent": "boss"}], "question": "pay?",
    }}});
    doors.put("/v1/fleets/main/rules/big", rule).await;
    let (mut boss, _) = Session::hello(address, "boss", None).await;
    let (mut asker, _) = Session::hello(address, "a", None).await;
    asker.say(request(2, "1", 60_000)).await;
    let waits = asker.hear().await;
    let approval = waits["queued"]["waits_for"]["approval"].clone();
    assert!(approval.is_string(), "{waits}");

    let heard = boss.hear().await;
    let asked = &heard["approval"]["approval"];
    assert_eq!(
        (&asked["approval"], &asked["question"]),
        (&approval, &json!("pay?"))
    );
    assert_eq!(asked["asker"]["agent"], "a");
    // Who comes back is asked again.
    drop(boss);
    let (mut boss, _) = Session::hello(address, "boss", None).await;
    assert_eq!(boss.hear().await, heard);
    let voice = |option: &str| json!({"answer": {"id": 7, "approval": approval, "option": option}});
    // Whoever asked does not decide, over its session neither.
    asker.say(voice("approve")).await;
    assert_eq!(asker.hear().await["problem"]["code"], "self_approval");
    boss.say(voice("maybe")).await;
    let problem = boss.hear().await;
    assert_eq!(
        (&problem["problem"]["id"], &problem["problem"]["field"]),
        (&json!(7), &json!("option"))
    );
    boss.say(voice("approve")).await;
    let counted = boss.hear().await;
    let expected = json!({"id": 7, "approval": approval, "state": "approved", "missing": 0});
    assert_eq!(counted["counted"], expected);
    let granted = asker.hear().await;
    assert_eq!(
        granted["granted"]["permit"], waits["queued"]["permit"],
        "{granted}"
    );
}

#[tokio::test]
async fn malformed_frames_are_answered_and_counted() {
    let doors = Doors::open().await;
    let address = doors.listen().await;
    let mut session = Session::open(address, None).await;
    session.say(json!({"heartbeat": {}})).await;
    assert_eq!(session.hear().await["problem"]["code"], "malformed");
    session
        .say(json!({"hello": {"id": 7, "protocol": 9, "agent": "a", "instance": "i"}}))
        .await;
    let problem = session.hear().await["problem"].clone();
    assert_eq!(
        (&problem["id"], &problem["field"]),
        (&json!(7), &json!("hello.protocol"))
    );
    session
        .say(json!({"hello": {"id": 8, "protocol": 1, "agent": "a", "instance": "i"}}))
        .await;
    assert_eq!(session.hear().await["welcome"]["id"], 8);
    session
        .0
        .send(Message::Ping(b"hey"[..].to_vec().into()))
        .await
        .unwrap();
    assert_eq!(
        session.message().await,
        Message::Pong(b"hey"[..].to_vec().into())
    );
    let bad = json!({"request": {"id": 9, "permit": {"action": "x", "rush": true}}});
    session.say(bad.clone()).await;
    let problem = session.hear().await["problem"].clone();
    assert_eq!(
        (&problem["id"], &problem["code"]),
        (&json!(9), &json!("invalid")),
        "{problem}"
    );
    session.say(request(10, "1", 0)).await;
    assert_eq!(session.hear().await["granted"]["id"], 10);
    for _ in 0..13 {
        session.say(bad.clone()).await;
    }
    assert_eq!(session.end().await, 1008);

    let (mut session, _) = Session::hello(address, "b", None).await;
    session
        .0
        .send(Message::text("x".repeat(70_000)))
        .await
        .unwrap();
    assert_eq!(session.hear().await["problem"]["code"], "malformed");
    assert_eq!(session.end().await, 1009);
}

#[tokio::test]
async fn what_is_wrong_with_a_frame_is_said() {
    let doors = Doors::open().await;
    let address = doors.listen().await;
    let mut table = String::new();
    for frame in [
        "",
        "hello",
        "7",
        "[]",
        "{}",
        "\"heartbeat\"",
        "{\"heartbeat\":[]}",
        "{\"dance\":{}}",
        "{\"ready\":{\"id\":5}} {}",
        "{\"ready\":{\"id\":5},\"heartbeat\":{}}",
        "{\"ready\":{\"id\":5},\"ready\":{\"id\":6}}",
        "{\"ready\":{\"id\":5,\"id\":6}}",
        "{\"ready\":[5]}",
        "{\"ready\":{\"id\":-1}}",
        "{\"request\":{\"id\":5,\"permit\":{\"action\":\"x\",\"cost\":[5,7]}}}",
        "{\"request\":{\"id\":5,\"permit\":{\"action\":\"x\",\"labels\":{\"k\":\"1\",\"k\":\"2\"}}}}",
        "{\"request\":{\"id\":5,\"permit\":{\"action\":\"x\",\"parameters\":{\"a\":{\"b\":1,\"b\":2}}}}}",
        "{\"request\":{\"id\":5,\"permit\":{\"action\":\"x\",\"cost\":{\"tokens\":NaN}}}}",
        "{\"request\":{\"id\":5,\"permit\":{\"action\":\"x\",\"ttl_ms\":0}}}",
        "{\"renew\":{\"id\":5,\"permit\":\"HELD\",\"ttl_ms\":0}}",
        "{\"extend\":{\"id\":5,\"permit\":\"HELD\",\"resources\":[[\"a\",\"shared\"]]}}",
        "{\"extend\":{\"id\":5,\"permit\":\"HELD\",\"resources\":[{\"path\":\"b\",\"mode\":\"shared\"}],\"wait_ms\":4000000}}",
        "{\"finish\":{\"id\":5,\"permit\":\"HELD\",\"ending\":\"vanished\"}}",
        "{\"finish\":{\"id\":5,\"permit\":\"HELD\",\"ending\":\"completed\",\"cost\":{\"tokens\":1000000000000001}}}",
        "{\"acknowledge_halt\":{\"id\":5,\"halt\":\"h1\",\"in_flight\":4294967296}}",
        "{\"bye\":{\"id\":5,\"reason\":\"\\u0007\"}}",
    ] {
        // Each in a session of its own, as too many would close one.
        let (mut session, _) = Session::hello(address, "a", None).await;
        session.say(request(2, "1", 0)).await;
        let held = session.hear().await["granted"]["permit"].clone();
        let held = held.as_str().unwrap();
        session
            .0
            .send(Message::text(frame.replace("HELD", held)))
            .await
            .unwrap();
        let problem = session.hear().await["problem"].clone();
        table += &format!(
            "{frame}: {} {} {} | {}\n",
            problem["id"],
            problem["code"].as_str().unwrap_or_default(),
            problem["field"].as_str().unwrap_or("-"),
            problem["detail"].as_str().unwrap_or_default()
        );
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_session_resumes_where_it_was_cut() {
    let doors = Doors::open().await;
    let address = doors.listen().await;
    let (mut session, welcome) = Session::hello(address, "a", None).await;
    session.say(request(2, "1", 0)).await;
    let permit = session.hear().await["granted"]["permit"].clone();
    drop(session);
    let (mut session, again) = Session::hello(address, "a", welcome["epoch"].as_u64()).await;
    assert_eq!(again["epoch"], welcome["epoch"]);
    session
        .say(json!({"finish": {"id": 3, "permit": permit, "ending": "completed"}}))
        .await;
    assert_eq!(session.hear().await["finished"]["permit"], permit);
    let (_, anew) = Session::hello(address, "a", None).await;
    assert!(anew["epoch"].as_u64() > welcome["epoch"].as_u64());
}

#[tokio::test]
async fn more_than_may_be_in_flight_is_refused() {
    let doors = Doors::open().await;
    let address = doors.listen().await;
    let (mut session, _) = Session::hello(address, "a", None).await;
    let count = 5_000u64;
    for id in 0..count {
        session
            .0
            .feed(Message::text(request(id, &id.to_string(), 0).to_string()))
            .await
            .unwrap();
    }
    session.0.flush().await.unwrap();
    let (mut granted, mut refused) = (0, 0);
    for _ in 0..count {
        let heard = session.hear().await;
        match heard["problem"]["code"].as_str() {
            Some(code) => {
                assert_eq!(code, "overloaded");
                refused += 1;
            }
            None => granted += 1,
        }
    }
    assert_eq!(granted + refused, count);
    assert!(granted >= 1_024, "{granted}");
}

#[tokio::test]
async fn keys_bind_sessions_and_end_them() {
    let doors = Doors::keys().await;
    let address = doors.listen().await;
    let plain = format!("ws://{address}/v1/fleets/main/session")
        .into_client_request()
        .unwrap();
    assert!(connect_async(plain).await.is_err());
    let key = doors.key(json!({"role": "agent", "agent": "a"})).await;
    let mut session = Session::open(address, Some(&key)).await;
    session
        .say(json!({"hello": {"id": 1, "protocol": 1, "agent": "b", "instance": "i"}}))
        .await;
    assert_eq!(session.hear().await["problem"]["code"], "identity_mismatch");
    session
        .say(json!({"hello": {"id": 2, "protocol": 1, "agent": "a", "instance": "i"}}))
        .await;
    assert_eq!(session.hear().await["welcome"]["id"], 2);
    let keys = doors.get("/v1/keys").await;
    let id = keys.body["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["role"] == "agent")
        .unwrap()["id"]
        .clone();
    doors
        .send(
            "DELETE",
            &format!("/v1/keys/{}", id.as_str().unwrap()),
            Value::Null,
        )
        .await;
    assert_eq!(session.hear().await["problem"]["code"], "unauthenticated");
    assert_eq!(session.end().await, 1008);
}

#[tokio::test]
async fn a_stopping_server_says_so_and_hello_is_awaited_only_so_long() {
    let limits = fleet_api::Limits {
        hello_timeout: Duration::from_millis(100),
        ..fleet_api::Limits::default()
    };
    let mode = fleet_api::Mode::open("127.0.0.1:1".parse().unwrap()).unwrap();
    let doors = Doors::start(mode, limits).await;
    let address = doors.listen().await;
    let mut silent = Session::open(address, None).await;
    assert_eq!(silent.hear().await["problem"]["code"], "timeout");
    assert_eq!(silent.end().await, 1008);
    let (mut session, _) = Session::hello(address, "a", None).await;
    doors.app.stop();
    assert_eq!(session.end().await, 1001);
}
