//! Coordination rules, through the real router.
mod common;
use common::{Doors, Reply, claim};
use serde_json::{Value, json};
use std::time::Duration;

const FREEZE: &str = "/v1/fleets/main/rules/freeze-pay";

fn freeze(within_ms: u64) -> Value {
    json!({"when": {"action": "account.freeze"}, "form": {"contradiction": {"with": {"action": "payment.*"}, "within_ms": within_ms}}})
}

fn small() -> Value {
    json!({"when": {"action": "payment.*"}, "form": {"bounds": {"parameter": "/amount", "at_most": 10}}})
}

/// Asks for an action on an account.
async fn ask(doors: &Doors, agent: &str, account: &str, action: &str) -> Reply {
    let mut body = claim(agent, account);
    body["action"] = action.into();
    doors.post("/v1/fleets/main/permits", body).await
}

/// Asks for what must wait, and goes away while it does.
async fn queue(doors: &Doors, mut body: Value) {
    body["wait_ms"] = json!(600_000);
    let asked = doors.post("/v1/fleets/main/permits", body);
    let answer = tokio::time::timeout(Duration::from_millis(100), asked).await;
    assert!(answer.is_err(), "it did not wait");
}

#[tokio::test]
async fn a_rule_is_set_stops_and_goes_back() {
    let doors = Doors::open().await;
    let set = doors
        .put(&format!("{FREEZE}?reason=incident"), freeze(10_000))
        .await;
    assert_eq!(
        (set.status.as_u16(), &set.body["changed"]),
        (200, &json!(true)),
        "{}",
        set.body
    );
    let again = doors.put(FREEZE, freeze(10_000)).await;
    assert_eq!(again.body, json!({"changed": false}));

    let frozen = ask(&doors, "ann", "1", "account.freeze").await;
    assert_eq!(frozen.status, 200, "{}", frozen.body);
    let denied = ask(&doors, "bob", "1", "payment.send").await;
    assert_eq!(denied.line(), "409 rule_violated");
    let denial = &denied.body["denial"];
    assert_eq!(denial["gate"], "rules");
    assert_eq!(
        denial["blocker"],
        json!({"kind": "rule", "rule": "freeze-pay", "key": "ledger/1"})
    );
    let explained = doors
        .post("/v1/fleets/main/permits:explain", claim("bob", "1"))
        .await;
    let gates = explained.body["gates"].as_array().unwrap();
    let gate = gates.iter().find(|gate| gate["gate"] == "rules").unwrap();
    assert_eq!(gate["code"], "rule_violated", "{gate}");
    queue(&doors, claim("bob", "1")).await;

    let found = doors.get(FREEZE).await;
    let tag = found.headers["etag"].to_str().unwrap().to_owned();
    let counts = |body: &Value| {
        ["version", "stopped", "waiting", "in_flight"].map(|name| body[name].as_u64().unwrap())
    };
    assert_eq!(counts(&found.body), [1, 2, 1, 1], "{}", found.body);
    assert_eq!(found.body["rule"]["id"], "freeze-pay");

    // Nobody overwrites what they have not seen.
    doors.put(FREEZE, freeze(20_000)).await;
    let late = axum::http::Request::put(FREEZE)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("if-match", tag)
        .body(axum::body::Body::from(freeze(30_000).to_string()))
        .unwrap();
    assert_eq!(doors.raw(late).await.line(), "412 precondition_failed");

    let found = doors.get(FREEZE).await;
    // The same cases and form: what is in flight counts on.
    assert_eq!(counts(&found.body), [2, 2, 1, 1], "{}", found.body);
    assert_eq!(found.body["versions"][0]["version"], 1);
    let listed = doors.get("/v1/fleets/main/rules").await;
    let row = &listed.body["items"][0];
    assert_eq!((&row["version"], row.get("versions")), (&json!(2), None));

    let back = doors
        .post(&format!("{FREEZE}/rollback"), json!({"reason": "too long"}))
        .await;
    assert_eq!(back.status, 200, "{}", back.body);
    let found = doors.get(FREEZE).await;
    assert_eq!(
        (
            &found.body["version"],
            &found.body["rule"]["form"]["contradiction"]["within_ms"]
        ),
        (&json!(3), &json!(10_000))
    );
    let nowhere = doors
        .post(&format!("{FREEZE}/rollback"), json!({"version": 9}))
        .await;
    assert_eq!(nowhere.line(), "404 not_found");

    let removed = doors
        .send("DELETE", &format!("{FREEZE}?reason=over"), Value::Null)
        .await;
    assert_eq!(removed.status, 200, "{}", removed.body);
    assert_eq!(doors.get(FREEZE).await.line(), "404 not_found");
}

#[tokio::test]
async fn what_is_observed_is_counted_and_stops_nothing() {
    let doors = Doors::open().await;
    let mut rule = small();
    rule["stage"] = "observe".into();
    doors.put("/v1/fleets/main/rules/small", rule).await;
    let mut pay = claim("ann", "1");
    pay["parameters"] = json!({"amount": 11});
    let granted = doors.post("/v1/fleets/main/permits", pay.clone()).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    // Denied by its lock, and counted all the same; one that is within bounds is not.
    let denied = doors.post("/v1/fleets/main/permits", pay.clone()).await;
    assert_eq!(denied.line(), "409 lock_held");
    pay["parameters"] = json!({"amount": 1});
    doors.post("/v1/fleets/main/permits", pay.clone()).await;
    // One that waits counts once, also when it is granted in the end.
    pay["parameters"] = json!({"amount": 12});
    queue(&doors, pay).await;
    let granted = granted.body["permit"].as_str().unwrap();
    let complete = format!("/v1/fleets/main/permits/{granted}/complete");
    doors.post(&complete, json!({"agent": "ann"})).await;
    let held = doors.get("/v1/fleets/main/permits?agent=ann").await;
    let states: Vec<&Value> = held.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["state"])
        .collect();
    assert_eq!(states, ["granted"], "{}", held.body);
    let found = doors.get("/v1/fleets/main/rules/small").await;
    assert_eq!(found.body["stopped"], 3, "{}", found.body);
}

#[tokio::test]
async fn a_throttle_trips_until_a_person_resets_it() {
    let doors = Doors::keys().await;
    let throttle = json!({"when": {"action": "retry"}, "form": {"throttle": {"max": 1, "window_ms": 600_000, "per": ["agent"]}}});
    let path = "/v1/fleets/main/rules/runaway";
    doors.put(path, throttle).await;
    assert_eq!(ask(&doors, "ann", "1", "retry").await.status, 200);
    let denied = ask(&doors, "ann", "2", "retry").await;
    assert_eq!(denied.line(), "403 rule_tripped", "{}", denied.body);
    assert_eq!(ask(&doors, "bob", "3", "retry").await.status, 200);
    assert_eq!(doors.get(path).await.body["tripped"], json!(["ann"]));
    let reset = format!("{path}/reset");
    for role in ["agent", "operator", "admin"] {
        let key = doors.key(json!({"role": role, "agent": "ann"})).await;
        let refused = doors
            .send_as(Some(&key), "POST", &reset, json!({"reason": "mine"}))
            .await;
        assert_eq!(refused.line(), "403 forbidden", "{role}");
    }
    let person = doors.key(json!({"role": "operator"})).await;
    let done = doors
        .send_as(Some(&person), "POST", &reset, json!({"reason": "mended"}))
        .await;
    assert_eq!(done.body["changed"], true, "{}", done.body);
    let found = doors.get(path).await;
    assert_eq!(found.body.get("tripped"), None, "{}", found.body);
    let again = doors.post(&reset, json!({})).await;
    assert_eq!(again.body["changed"], false, "{}", again.body);
}

/// All cases of a rule stand within the key's scope, also those of a version that it goes back to.
#[tokio::test]
async fn a_key_bound_to_a_scope_reaches_only_rules_within_it() {
    let doors = Doors::keys().await;
    let token = doors
        .key(json!({"role": "operator", "scope": "emea"}))
        .await;
    let rule = |own: Option<&str>, other: Option<&str>| {
        let case = |scope: Option<&str>| scope.map_or(json!({}), |scope| json!({"scope": scope}));
        json!({"when": case(own), "form": {"exclusion": {"with": case(other)}}})
    };
    let path = "/v1/fleets/main/rules/r";
    for (own, other, line) in [
        (Some("emea/pay"), Some("apac"), "403 forbidden"),
        (Some("apac"), Some("emea/pay"), "403 forbidden"),
        (Some("emea/pay"), None, "403 forbidden"),
        (None, Some("emea"), "403 forbidden"),
        (Some("emea/pay"), Some("emea"), "200"),
    ] {
        let reply = doors
            .send_as(Some(&token), "PUT", path, rule(own, other))
            .await;
        assert_eq!(reply.line(), line, "{own:?} {other:?}: {}", reply.body);
    }
    // Version 2 is wider, 3 is not.
    doors.put(path, rule(Some("emea"), None)).await;
    for (method, what) in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/rollback"),
        ("POST", "/reset"),
    ] {
        let body = if method == "POST" {
            json!({})
        } else {
            Value::Null
        };
        let reply = doors
            .send_as(Some(&token), method, &format!("{path}{what}"), body)
            .await;
        let line = if method == "GET" {
            "404 not_found"
        } else {
            "403 forbidden"
        };
        assert_eq!(reply.line(), line, "{method} {what}");
    }
    let listed = doors
        .send_as(Some(&token), "GET", "/v1/fleets/main/rules", Value::Null)
        .await;
    assert_eq!(listed.body["items"], json!([]));
    doors.put(path, rule(Some("emea"), Some("emea"))).await;
    let scope = doors.get("/v1/fleets/main/scopes/emea").await;
    assert_eq!(scope.body["rules"], json!(["r"]), "{}", scope.body);
    let found = doors.send_as(Some(&token), "GET", path, Value::Null).await;
    let versions = found.body["versions"].as_array().unwrap();
    let versions: Vec<_> = versions.iter().map(|former| &former["version"]).collect();
    assert_eq!(versions, [&json!(1)], "{}", found.body);
    let back = format!("{path}/rollback");
    for (body, line) in [
        (json!({}), "403 forbidden"),
        (json!({"version": 2}), "403 forbidden"),
        (json!({"version": 1}), "200"),
        (json!({"version": 7}), "404 not_found"),
    ] {
        let reply = doors
            .send_as(Some(&token), "POST", &back, body.clone())
            .await;
        assert_eq!(reply.line(), line, "{body}: {}", reply.body);
    }
}

/// Each names the field to blame.
#[tokio::test]
async fn what_is_wrong_with_a_rule() {
    let doors = Doors::open().await;
    let mut table = String::new();
    let quota = |more: Value| {
        let mut quota = json!({"max": 1, "window_ms": 1});
        for (name, value) in more.as_object().unwrap() {
            quota[name] = value.clone();
        }
        json!({"form": {"quota": quota}})
    };
    let when = |when: Value| json!({"when": when, "form": {"cooling_off": {"for_ms": 1}}});
    for (what, body) in [
        ("no form", json!({})),
        (
            "unknown field",
            json!({"form": {"cooling_off": {"for_ms": 1}}, "scope": "emea"}),
        ),
        ("unknown field of a form", quota(json!({"burst": 2}))),
        ("unknown field of a case", when(json!({"actions": "x"}))),
        ("unknown form", json!({"form": {"curfew": {}}})),
        (
            "two forms",
            json!({"form": {"cooling_off": {"for_ms": 1}, "exclusion": {"with": {}}}}),
        ),
        (
            "unknown stage",
            json!({"stage": "live", "form": {"cooling_off": {"for_ms": 1}}}),
        ),
        (
            "another id",
            json!({"id": "other", "form": {"cooling_off": {"for_ms": 1}}}),
        ),
        (
            "bad pointer",
            json!({"form": {"bounds": {"parameter": "amount", "at_most": 1}}}),
        ),
        (
            "bad pointer of a case",
            when(json!({"parameters": {"amount": {"equals": 1}}})),
        ),
        (
            "bad pointer of a part",
            quota(json!({"per": ["parameter:amount"]})),
        ),
        ("bad escape", quota(json!({"sum": "/a~2"}))),
        ("bad clock", when(json!({"during": {"from": "8:30"}}))),
        ("late clock", when(json!({"during": {"to": "24:01"}}))),
        ("bad day", when(json!({"during": {"days": ["monday"]}}))),
        (
            "bad offset",
            when(json!({"during": {"utc_offset_minutes": 841}})),
        ),
        (
            "per twice",
            quota(json!({"per": ["agent", "resource", "agent"]})),
        ),
        ("per unknown", quota(json!({"per": ["owner"]}))),
        (
            "per too many",
            quota(json!({"per": ["agent", "resource", "action", "label:a", "label:b"]})),
        ),
        (
            "a condition that says nothing",
            when(json!({"parameters": {"/x": {}}})),
        ),
        (
            "no room at all",
            json!({"form": {"bounds": {"parameter": "/x", "at_least": 2, "at_most": 1}}}),
        ),
        ("no window", quota(json!({"window_ms": 0}))),
        ("a long window", quota(json!({"window_ms": u64::MAX}))),
        ("nothing", quota(json!({"max": 0}))),
        ("less than nothing", quota(json!({"max": -1}))),
        ("more than all", quota(json!({"max": 1e300}))),
        ("no number", quota(json!({"max": "1"}))),
    ] {
        let reply = doors.put("/v1/fleets/main/rules/r", body).await;
        table += &format!(
            "{what}: {} | {}\n",
            reply.line(),
            reply.body["detail"].as_str().unwrap_or_default()
        );
    }
    for (path, body) in [
        ("rollback", json!({"version": 0})),
        ("rollback", json!({"version": -1})),
        ("rollback", json!({"to": 1})),
        ("reset", json!({"version": 1})),
    ] {
        let reply = doors
            .post(&format!("/v1/fleets/main/rules/r/{path}"), body.clone())
            .await;
        table += &format!(
            "{path} {body}: {} | {}\n",
            reply.line(),
            reply.body["detail"].as_str().unwrap_or_default()
        );
    }
    let reply = doors.put("/v1/fleets/main/rules/r?reasn=x", small()).await;
    table += &format!("query: {}\n", reply.line());
    insta::assert_snapshot!(table);
}
