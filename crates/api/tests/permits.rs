//! Permits through the real router, over the real runtime.
mod common;
use common::{Doors, Reply, claim};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn granted_completed_and_never_twice() {
    let doors = Doors::open().await;
    let mut body = claim("a", "1");
    body["request_id"] = json!("r1");
    let granted = doors.post("/v1/fleets/main/permits", body.clone()).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    assert_eq!(granted.body["decision"], "granted");
    let permit = granted.body["permit"].as_str().unwrap();
    let token = granted.body["resources"][0]["token"].clone();
    let again = doors.post("/v1/fleets/main/permits", body.clone()).await;
    assert_eq!(again.body["permit"], permit);
    body["action"] = json!("payment.other");
    let reused = doors.post("/v1/fleets/main/permits", body).await;
    assert_eq!(reused.line(), "422 request_id_reused", "{}", reused.body);

    let view = doors
        .get(&format!("/v1/fleets/main/permits/{permit}"))
        .await;
    assert_eq!(view.body["state"], "granted");
    let valid = json!({"resource": "ledger/1", "token": token});
    assert_eq!(
        doors
            .post("/v1/fleets/main/locks:validate", valid.clone())
            .await
            .body["valid"],
        true
    );
    let locks = doors.get("/v1/fleets/main/locks?prefix=ledger").await;
    assert_eq!(locks.body["items"][0]["holders"][0]["permit"], permit);

    let complete = format!("/v1/fleets/main/permits/{permit}/complete");
    let done = doors.post(&complete, json!({"agent": "a"})).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(
        doors
            .post("/v1/fleets/main/locks:validate", valid)
            .await
            .body["valid"],
        false
    );
    let gone = doors
        .get(&format!("/v1/fleets/main/permits/{permit}"))
        .await;
    assert_eq!(gone.line(), "404 permit_unknown");
}

#[tokio::test]
async fn a_denial_says_why_and_when() {
    let doors = Doors::open().await;
    doors.post("/v1/fleets/main/permits", claim("a", "1")).await;
    let denied = doors.post("/v1/fleets/main/permits", claim("b", "1")).await;
    assert_eq!(denied.line(), "409 lock_held");
    assert_eq!(denied.headers["content-type"], "application/problem+json");
    assert_eq!(denied.body["denial"]["blocker"]["agent"], "a");
    assert_eq!(
        denied.body["type"],
        "https://fleetcommand.dev/errors/lock_held"
    );
    assert_eq!(
        denied.body["instance"].as_str().unwrap(),
        denied.headers["x-request-id"].to_str().unwrap()
    );

    let limit = json!({"selector": {"action": "mail.*"}, "measure": {"rate": {"permits": 1, "per_ms": 60000}}});
    assert_eq!(
        doors
            .put("/v1/fleets/main/limits/mails", limit)
            .await
            .status,
        200
    );
    let mail = json!({"agent": "a", "action": "mail.send"});
    assert_eq!(
        doors
            .post("/v1/fleets/main/permits", mail.clone())
            .await
            .status,
        200
    );
    let limited = doors.post("/v1/fleets/main/permits", mail).await;
    assert_eq!(limited.line(), "429 rate_limited");
    let retry: u64 = limited.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((50..=60).contains(&retry), "{retry}");
    assert!(
        limited.headers["ratelimit"]
            .to_str()
            .unwrap()
            .starts_with("\"mails\";r=0;t=")
    );
}

#[tokio::test]
async fn a_queued_request_waits_here_and_can_be_polled() {
    let doors = Doors::open().await;
    let first = doors.post("/v1/fleets/main/permits", claim("a", "1")).await;
    let mut second = claim("b", "1");
    second["wait_ms"] = json!(60_000);
    let complete = format!(
        "/v1/fleets/main/permits/{}/complete",
        first.body["permit"].as_str().unwrap()
    );
    let (granted, _) = tokio::join!(
        doors.post("/v1/fleets/main/permits", second.clone()),
        async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            doors.post(&complete, json!({"agent": "a"})).await
        }
    );
    assert_eq!(granted.status, 200, "{}", granted.body);
    assert!(granted.body["resources"][0]["token"].as_u64().unwrap() > 0);

    let mut third = claim("c", "1");
    third["wait_ms"] = json!(300);
    let queued = doors.post("/v1/fleets/main/permits", third).await;
    // The wait of the request and that of this call end together: either answer is right.
    if queued.status == 202 {
        let poll = queued.headers["location"].to_str().unwrap().to_owned();
        let denied = doors.get(&poll).await;
        assert_eq!(denied.line(), "409 wait_timeout", "{}", denied.body);
    } else {
        assert_eq!(queued.line(), "409 wait_timeout", "{}", queued.body);
    }
}

#[tokio::test]
async fn an_extension_waits_and_keeps_what_it_has() {
    let doors = Doors::open().await;
    let first = doors.post("/v1/fleets/main/permits", claim("a", "1")).await;
    let second = doors.post("/v1/fleets/main/permits", claim("b", "2")).await;
    let more = json!({"agent": "b", "resources": [{"path": "ledger/1", "mode": "exclusive"}], "wait_ms": 5000});
    let extend = format!(
        "/v1/fleets/main/permits/{}/extend",
        second.body["permit"].as_str().unwrap()
    );
    let complete = format!(
        "/v1/fleets/main/permits/{}/complete",
        first.body["permit"].as_str().unwrap()
    );
    let (extended, _) = tokio::join!(doors.post(&extend, more.clone()), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        doors.post(&complete, json!({"agent": "a"})).await
    });
    assert_eq!(extended.status, 200, "{}", extended.body);
    assert_eq!(
        extended.body["resources"].as_array().unwrap().len(),
        2,
        "{}",
        extended.body
    );
    let renew = extend.replace("extend", "renew");
    assert_eq!(
        doors
            .post(&renew, json!({"agent": "b", "ttl_ms": 60000}))
            .await
            .status,
        200
    );
    let fail = extend.replace("extend", "fail");
    assert_eq!(
        doors.post(&fail, json!({"agent": "a"})).await.line(),
        "403 permit_not_yours"
    );
    assert_eq!(doors.post(&fail, json!({"agent": "b"})).await.status, 200);
}

#[tokio::test]
async fn a_batch_answers_each() {
    let doors = Doors::open().await;
    let requests = json!({"requests": [claim("a", "1"), claim("b", "1"), {"action": "x"}]});
    let answers = doors.post("/v1/fleets/main/permits:batch", requests).await;
    let statuses: Vec<&Value> = answers.body["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["status"])
        .collect();
    assert_eq!(statuses, [200, 409, 400], "{}", answers.body);
    let many = json!({"requests": vec![claim("a", "1"); 101]});
    assert_eq!(
        doors
            .post("/v1/fleets/main/permits:batch", many)
            .await
            .line(),
        "400 invalid requests"
    );
    let explained = doors
        .post("/v1/fleets/main/permits:explain", claim("b", "1"))
        .await;
    assert_eq!(explained.body["decision"], "denied", "{}", explained.body);
    assert_eq!(explained.body["gates"].as_array().unwrap().len(), 12);
    let listed = doors.get("/v1/fleets/main/permits?agent=a").await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_disk_is_told_to_whoever_asks_whether_it_can_serve() {
    let doors = Doors::open().await;
    doors.post("/v1/fleets", json!({"fleet": "calm"})).await;
    assert_eq!(doors.get("/v1/fleets/calm/status").await.status, 200);
    assert_eq!(doors.get("/readyz").await.status, 200);
    doors.disk.set_full(true);
    let refused = doors.post("/v1/fleets/main/permits", claim("a", "1")).await;
    assert_eq!(refused.line(), "503 read_only");
    // The answer comes a little before the fleet has looked again.
    let ready = until(&doors, 503).await;
    assert_eq!(ready.body["code"], "read_only");
    let detail = ready.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("for default/main;"),
        "only this one has tried: {detail}"
    );
    assert_eq!(doors.get("/healthz").await.status, 200);
    doors.disk.set_full(false);
    until(&doors, 200).await;
    let granted = doors.post("/v1/fleets/main/permits", claim("a", "1")).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
}

/// Asks whether it can serve until the answer has this status; a read makes the fleet look whether writes may be tried.
async fn until(doors: &Doors, status: u16) -> Reply {
    for _ in 0..100 {
        let ready = doors.get("/readyz").await;
        if ready.status == status {
            return ready;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        doors.get("/v1/fleets/main/status").await;
    }
    panic!("it never was {status}");
}

/// Those who wait take all the room that requests have; a halt and its release go through all the same.
#[tokio::test]
async fn a_halt_finds_room_when_all_requests_wait() {
    let limits = fleet_api::Limits {
        requests_max: 1,
        ..fleet_api::Limits::default()
    };
    let mode = fleet_api::Mode::open("127.0.0.1:1".parse().unwrap()).unwrap();
    let doors = std::sync::Arc::new(Doors::start(mode, limits).await);
    let granted = doors.post("/v1/fleets/main/permits", claim("a", "1")).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    let waiting = std::sync::Arc::clone(&doors);
    let waiting = tokio::spawn(async move {
        let mut wanted = claim("b", "1");
        wanted["wait_ms"] = json!(20_000);
        waiting.post("/v1/fleets/main/permits", wanted).await
    });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let refused = doors.get("/v1/fleets/main/halts").await;
    assert_eq!(refused.body["code"], "overloaded", "{}", refused.body);

    let order = json!({"target": "all", "mode": "immediate", "reason": "enough"});
    let halted = doors.post("/v1/fleets/main/halts", order).await;
    assert!(halted.status.is_success(), "{}", halted.body);
    let denied = waiting.await.unwrap();
    assert_eq!(denied.body["code"], "halted", "{}", denied.body);
}
