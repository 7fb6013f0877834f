//! Who may do what, through the real router.
mod common;
use common::{Doors, claim};
use serde_json::{Value, json};

/// One valid request of each kind. The order matters: what is changed comes before what it is taken from.
fn requests() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("GET", "/v1/fleets", Value::Null),
        ("GET", "/v1/fleets/main/status", Value::Null),
        ("GET", "/v1/fleets/main/agents", Value::Null),
        ("GET", "/v1/fleets/main/agents/pay-1", Value::Null),
        ("GET", "/v1/fleets/main/instances", Value::Null),
        ("GET", "/v1/fleets/main/permits", Value::Null),
        ("GET", "/v1/fleets/main/permits?agent=pay-1", Value::Null),
        ("GET", "/v1/fleets/main/locks", Value::Null),
        (
            "POST",
            "/v1/fleets/main/locks:validate",
            json!({"resource": "a", "token": 1}),
        ),
        ("GET", "/v1/fleets/main/limits", Value::Null),
        ("GET", "/v1/fleets/main/budgets", Value::Null),
        ("GET", "/v1/fleets/main/halts", Value::Null),
        ("GET", "/v1/fleets/main/scopes", Value::Null),
        ("GET", "/v1/fleets/main/groups", Value::Null),
        ("GET", "/v1/fleets/main/actions", Value::Null),
        ("GET", "/v1/fleets/main/settings", Value::Null),
        ("GET", "/v1/fleets/main/events", Value::Null),
        ("POST", "/v1/fleets/main/permits", claim("pay-1", "1")),
        ("POST", "/v1/fleets/main/permits", claim("trade-1", "2")),
        (
            "POST",
            "/v1/fleets/main/permits:explain",
            claim("pay-1", "1"),
        ),
        (
            "POST",
            "/v1/fleets/main/instances",
            json!({"agent": "pay-1", "instance": "i"}),
        ),
        (
            "POST",
            "/v1/fleets/main/instances",
            json!({"agent": "trade-1", "instance": "i"}),
        ),
        (
            "PUT",
            "/v1/fleets/main/agents/new-1",
            json!({"scope": "emea/pay"}),
        ),
        (
            "PUT",
            "/v1/fleets/main/agents/new-2",
            json!({"scope": "apac"}),
        ),
        (
            "PUT",
            "/v1/fleets/main/agents/trade-1",
            json!({"scope": "emea/pay"}),
        ),
        (
            "POST",
            "/v1/fleets/main/agents/pay-1/status",
            json!({"status": "active"}),
        ),
        ("DELETE", "/v1/fleets/main/agents/new-1", Value::Null),
        (
            "PUT",
            "/v1/fleets/main/scopes/emea/pay",
            json!({"description": "x"}),
        ),
        (
            "PUT",
            "/v1/fleets/main/limits/in",
            json!({"selector": {"scope": "emea/pay"}, "measure": {"concurrency": {"max": 9}}}),
        ),
        (
            "PUT",
            "/v1/fleets/main/limits/all",
            json!({"measure": {"concurrency": {"max": 900}}}),
        ),
        ("DELETE", "/v1/fleets/main/limits/out", Value::Null),
        ("GET", "/v1/fleets/main/rules", Value::Null),
        ("GET", "/v1/fleets/main/rules/out", Value::Null),
        (
            "PUT",
            "/v1/fleets/main/rules/in",
            json!({"when": {"scope": "emea/pay"}, "form": {"cooling_off": {"for_ms": 1}}}),
        ),
        (
            "PUT",
            "/v1/fleets/main/rules/in",
            json!({"when": {"scope": "emea/pay"}, "form": {"exclusion": {"with": {"scope": "apac"}}}}),
        ),
        (
            "PUT",
            "/v1/fleets/main/rules/all",
            json!({"form": {"cooling_off": {"for_ms": 1}}}),
        ),
        ("POST", "/v1/fleets/main/rules/out/rollback", json!({})),
        ("POST", "/v1/fleets/main/rules/out/reset", json!({})),
        ("DELETE", "/v1/fleets/main/rules/out", Value::Null),
        (
            "PUT",
            "/v1/fleets/main/budgets/in",
            json!({"selector": {"scope": "emea"}, "unit": "tokens", "period": "day", "hard": 9}),
        ),
        (
            "POST",
            "/v1/fleets/main/budgets/in/top-up",
            json!({"amount": 1}),
        ),
        (
            "PUT",
            "/v1/fleets/main/groups/g",
            json!({"members": ["pay-1"]}),
        ),
        (
            "PUT",
            "/v1/fleets/main/actions/pay.*",
            json!({"risk_reducing": true}),
        ),
        (
            "POST",
            "/v1/fleets/main/halts",
            json!({"target": {"scope": "emea/pay"}, "mode": "graceful", "reason": "test"}),
        ),
        (
            "POST",
            "/v1/fleets/main/halts",
            json!({"target": {"agent": "pay-1"}, "mode": "graceful", "reason": "test"}),
        ),
        (
            "POST",
            "/v1/fleets/main/halts",
            json!({"target": {"agent": "trade-1"}, "mode": "graceful", "reason": "test"}),
        ),
        (
            "POST",
            "/v1/fleets/main/halts",
            json!({"target": "all", "mode": "graceful", "reason": "test"}),
        ),
        ("POST", "/v1/fleets/main/halts/HALT/release", json!({})),
        ("GET", "/v1/keys", Value::Null),
        ("POST", "/v1/keys", json!({"role": "viewer"})),
        ("POST", "/v1/fleets", json!({"fleet": "second"})),
        ("POST", "/v1/tenants", json!({"tenant": "acme"})),
    ]
}

#[tokio::test]
async fn roles_and_scopes() {
    let mut columns = Vec::new();
    for key in [
        json!({"role": "viewer"}),
        json!({"role": "agent"}),
        json!({"role": "agent", "agent": "pay-1"}),
        json!({"role": "operator"}),
        json!({"role": "admin"}),
        json!({"role": "viewer", "scope": "emea"}),
        json!({"role": "agent", "scope": "emea"}),
        json!({"role": "operator", "scope": "emea"}),
        json!({"role": "admin", "fleet": "other"}),
    ] {
        // Each key on a server of its own, so that none sees what another did.
        let doors = Doors::keys().await;
        for (agent, scope) in [("pay-1", "emea/pay"), ("trade-1", "apac")] {
            doors
                .put(
                    &format!("/v1/fleets/main/agents/{agent}"),
                    json!({"scope": scope}),
                )
                .await;
        }
        doors.post("/v1/fleets", json!({"fleet": "other"})).await;
        let out = json!({"selector": {"scope": "apac"}, "measure": {"concurrency": {"max": 9}}});
        doors.put("/v1/fleets/main/limits/out", out).await;
        for ms in [1, 2] {
            let out = json!({"when": {"scope": "apac"}, "form": {"cooling_off": {"for_ms": ms}}});
            doors.put("/v1/fleets/main/rules/out", out).await;
        }
        let token = doors.key(key).await;
        let mut column = Vec::new();
        for (method, path, body) in requests() {
            let path = if path.contains("HALT") {
                let order = json!({"target": {"scope": "apac"}, "mode": "pause", "reason": "test"});
                let halt = doors.post("/v1/fleets/main/halts", order).await;
                path.replace("HALT", halt.body["halt"].as_str().unwrap())
            } else {
                path.to_owned()
            };
            let reply = if path.ends_with("events") {
                // A stream without end: only its head counts.
                column.push(events_status(&doors, &token).await);
                continue;
            } else {
                doors.send_as(Some(&token), method, &path, body).await
            };
            column.push(reply.status.as_u16());
        }
        columns.push(column);
    }
    let mut table =
        String::from("view agent bound oper admin | view agent oper in emea | other fleet\n");
    for (row, (method, path, body)) in requests().iter().enumerate() {
        let statuses: Vec<String> = columns
            .iter()
            .map(|column| column[row].to_string())
            .collect();
        let body = if body.is_null() {
            String::new()
        } else {
            format!(" {body}")
        };
        table += &format!("{}  {method} {path}{body}\n", statuses.join(" "));
    }
    insta::assert_snapshot!(table);
}

async fn events_status(doors: &Doors, token: &str) -> u16 {
    use tower::ServiceExt;
    let request = axum::http::Request::get("/v1/fleets/main/events")
        .header("authorization", format!("Bearer {token}"))
        .body(axum::body::Body::empty())
        .unwrap();
    doors
        .router
        .clone()
        .oneshot(request)
        .await
        .unwrap()
        .status()
        .as_u16()
}

#[tokio::test]
async fn nothing_under_v1_answers_without_a_key() {
    let doors = Doors::keys().await;
    let document = serde_json::to_value(fleet_api::openapi()).unwrap();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let address = path
                .replace("{fleet}", "main")
                .replace("{permit}", "p1")
                .replace("{halt}", "h1")
                .replace("{approval}", "a1")
                .replace("{txn}", "t1")
                .replace(['{', '}'], "");
            for key in [None, Some("fk_k-1_00"), Some("nonsense")] {
                let reply = doors
                    .send_as(key, &method.to_uppercase(), &address, Value::Null)
                    .await;
                if path.starts_with("/v1/") {
                    assert_eq!(reply.line(), "401 unauthenticated", "{method} {path}");
                    assert!(reply.headers.contains_key("www-authenticate"));
                    count += 1;
                } else {
                    assert_eq!(reply.status, 200, "{method} {path}");
                }
            }
        }
    }
    assert!(count > 100, "{count}");
}

#[tokio::test]
async fn whoever_may_not_hears_so_whatever_was_sent() {
    let doors = Doors::keys().await;
    let viewer = doors.key(json!({"role": "viewer"})).await;
    let document = serde_json::to_value(fleet_api::openapi()).unwrap();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, described) in item.as_object().unwrap() {
            // To validate a token is for viewers too.
            if described["requestBody"].is_null() || path.ends_with("locks:validate") {
                continue;
            }
            let address = path
                .replace("{fleet}", "main")
                .replace("{permit}", "p1")
                .replace("{halt}", "h1")
                .replace("{approval}", "a1")
                .replace("{txn}", "t1")
                .replace("{conflict}", "c1")
                .replace(['{', '}'], "");
            for (content_type, body) in [
                ("application/json", "{\"a\":"),
                ("application/json", "[]"),
                ("application/json", ""),
                ("text/plain", "hello"),
            ] {
                let request = axum::http::Request::builder()
                    .method(method.to_uppercase().as_str())
                    .uri(&address)
                    .header("authorization", format!("Bearer {viewer}"))
                    .header("content-type", content_type)
                    .body(axum::body::Body::from(body))
                    .unwrap();
                let reply = doors.raw(request).await;
                assert_eq!(reply.line(), "403 forbidden", "{method} {path} {body}");
                count += 1;
            }
        }
    }
    assert!(count > 80, "{count}");
}

#[tokio::test]
async fn a_key_lives_until_it_is_revoked() {
    let doors = Doors::keys().await;
    let token = doors.key(json!({"role": "agent", "agent": "pay-1"})).await;
    let ask = |account: &'static str| {
        let mut body = claim("x", account);
        body.as_object_mut().unwrap().remove("agent");
        doors.send_as(Some(&token), "POST", "/v1/fleets/main/permits", body)
    };
    let granted = ask("1").await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    let other = doors
        .send_as(
            Some(&token),
            "POST",
            "/v1/fleets/main/permits",
            claim("pay-2", "2"),
        )
        .await;
    assert_eq!(other.line(), "403 identity_mismatch agent");

    let listed = doors.get("/v1/keys").await;
    assert!(!listed.body.to_string().contains("hash"), "{}", listed.body);
    let keys = listed.body["keys"].as_array().unwrap();
    let id = keys.iter().find(|key| key["role"] == "agent").unwrap()["id"]
        .as_str()
        .unwrap();
    let revoked = doors
        .send("DELETE", &format!("/v1/keys/{id}"), Value::Null)
        .await;
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    assert_eq!(ask("3").await.line(), "401 unauthenticated");

    let expired = doors.key(json!({"role": "viewer", "expires_at": 1})).await;
    let reply = doors
        .send_as(Some(&expired), "GET", "/v1/fleets", Value::Null)
        .await;
    assert_eq!(reply.line(), "401 unauthenticated");
}

#[tokio::test]
async fn tenants_see_only_themselves() {
    let doors = Doors::keys().await;
    doors.post("/v1/tenants", json!({"tenant": "acme"})).await;
    let acme = doors.key(json!({"role": "admin", "tenant": "acme"})).await;
    let fleets = doors
        .send_as(Some(&acme), "GET", "/v1/fleets", Value::Null)
        .await;
    assert_eq!(fleets.body, json!({"tenant": "acme", "fleets": []}));
    let theirs = doors
        .send_as(Some(&acme), "GET", "/v1/fleets/main/status", Value::Null)
        .await;
    assert_eq!(theirs.line(), "404 not_found");
    for (path, body) in [
        ("/v1/tenants", json!({"tenant": "evil"})),
        ("/v1/keys", json!({"role": "admin", "tenant": "default"})),
    ] {
        let reply = doors.send_as(Some(&acme), "POST", path, body).await;
        assert_eq!(reply.line(), "403 forbidden", "{path}");
    }
    let admin = doors.get("/v1/keys").await.body["keys"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let reply = doors
        .send_as(
            Some(&acme),
            "DELETE",
            &format!("/v1/keys/{admin}"),
            Value::Null,
        )
        .await;
    assert_eq!(reply.line(), "404 not_found");
}
