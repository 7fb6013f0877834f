//! Bad input, through the real router: every refusal names its code and the field to blame.
mod common;
use axum::body::Body;
use axum::http::Request;
use common::{Doors, claim};
use serde_json::{Value, json};

#[tokio::test]
async fn bodies() {
    let doors = Doors::open().await;
    let mut table = String::new();
    let deep = format!(
        "{{\"agent\":\"a\",\"action\":\"x\",\"parameters\":{{\"x\":{}1{}}}}}",
        "[".repeat(200),
        "]".repeat(200)
    );
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("empty", "application/json", b"".to_vec()),
        ("not json", "application/json", b"{\"agent\":".to_vec()),
        ("text after", "application/json", b"{\"agent\":\"a\",\"action\":\"x\"} {}".to_vec()),
        ("a list", "application/json", b"[]".to_vec()),
        ("broken utf-8", "application/json", b"{\"agent\":\"\xff\xfe\"}".to_vec()),
        ("too deep", "application/json", deep.into_bytes()),
        ("content type", "text/plain", b"{}".to_vec()),
        ("no content type", "", b"{}".to_vec()),
        ("not a number", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"cost\":{\"tokens\":NaN}}".to_vec()),
        ("past all numbers", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"cost\":{\"tokens\":1e999}}".to_vec()),
        ("half a character", "application/json", b"{\"agent\":\"\\ud800\",\"action\":\"x\"}".to_vec()),
        ("a label twice", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"labels\":{\"k\":\"1\",\"k\":\"2\"}}".to_vec()),
        ("a parameter twice", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"parameters\":{\"to\":[{\"iban\":1,\"iban\":2}]}}".to_vec()),
        ("large", "application/json", vec![b' '; (1 << 20) + 1]),
        ("10 MB", "application/json", vec![b' '; 10 << 20]),
        ("no action", "application/json", b"{\"agent\":\"a\"}".to_vec()),
        ("no agent", "application/json", b"{\"action\":\"x\"}".to_vec()),
        ("unknown field", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"rush\":1}".to_vec()),
        ("bad name", "application/json", b"{\"agent\":\"a b\",\"action\":\"x\"}".to_vec()),
        ("bad path", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"resources\":[{\"path\":\"a\",\"mode\":\"shared\"},{\"path\":\"a//b\",\"mode\":\"shared\"}]}".to_vec()),
        ("bad mode", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"resources\":[{\"path\":\"a\",\"mode\":\"mine\"}]}".to_vec()),
        ("twice", "application/json", b"{\"agent\":\"a\",\"agent\":\"b\",\"action\":\"x\"}".to_vec()),
        ("priority", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"priority\":11}".to_vec()),
        ("cost", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"cost\":{\"money_micros\":-1}}".to_vec()),
        ("huge cost", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"cost\":{\"tokens\":18446744073709551615}}".to_vec()),
        ("huge wait", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"wait_ms\":18446744073709551615}".to_vec()),
        ("huge ttl", "application/json", b"{\"agent\":\"a\",\"action\":\"x\",\"ttl_ms\":18446744073709551615}".to_vec()),
    ];
    for (what, content_type, bytes) in cases {
        let mut request = Request::post("/v1/fleets/main/permits").header("host", "localhost");
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let reply = doors.raw(request.body(Body::from(bytes)).unwrap()).await;
        assert!(
            reply.status.is_client_error(),
            "{what}: {} {}",
            reply.status,
            reply.body
        );
        table += &format!(
            "{what}: {} | {}\n",
            reply.line(),
            reply.body["detail"].as_str().unwrap_or("")
        );
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn what_is_encoded_is_refused_unread() {
    let doors = Doors::open().await;
    for (encoding, expected) in [
        ("gzip", "415 malformed"),
        ("identity, br", "415 malformed"),
        ("Identity", "200"),
    ] {
        let request = Request::post("/v1/fleets/main/permits")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("content-encoding", encoding)
            .body(Body::from(claim("a", "1").to_string()));
        let reply = doors.raw(request.unwrap()).await;
        assert_eq!(reply.line(), expected, "{encoding}: {}", reply.body);
        if reply.status != 200 {
            let detail = reply.body["detail"].as_str().unwrap();
            assert!(
                detail.contains(encoding) && detail.contains("plain"),
                "{detail}"
            );
        }
    }
}

/// Every object that any body holds, sent as a list of its values.
#[tokio::test]
async fn a_list_is_no_object() {
    let doors = Doors::open().await;
    let claims = json!([{"path": "a", "mode": "shared"}]);
    let selector = json!({"scope": "a"});
    let retry = json!({"retries_max": 1, "backoff": "linear"});
    for (method, path, body) in [
        (
            "POST",
            "permits",
            json!({"agent": "a", "action": "x", "instance": {"id": "i", "epoch": 1}, "cost": {"tokens": 1},
                "resources": claims, "labels": {"k": "v"}, "parameters": {"k": 1}}),
        ),
        (
            "POST",
            "permits:explain",
            json!({"agent": "a", "action": "x", "cost": {"tokens": 1}}),
        ),
        (
            "POST",
            "permits:batch",
            json!({"requests": [{"agent": "a", "action": "x", "cost": {"tokens": 1}}]}),
        ),
        (
            "POST",
            "permits/p1/complete",
            json!({"agent": "a", "cost": {"tokens": 1}}),
        ),
        ("POST", "permits/p1/renew", json!({"agent": "a"})),
        (
            "POST",
            "permits/p1/extend",
            json!({"agent": "a", "resources": claims}),
        ),
        (
            "PUT",
            "agents/a",
            json!({"capabilities": {"domain": "x"}, "allow": {"actions": ["*"]}, "performance": {"latency_ms": 1},
                "config": {"retry": retry}, "labels": {"k": "v"}}),
        ),
        ("POST", "agents/a/status", json!({"status": "active"})),
        (
            "POST",
            "instances",
            json!({"agent": "a", "instance": "i", "labels": {"k": "v"}}),
        ),
        ("POST", "instances/a/i/heartbeat", json!({"epoch": 1})),
        (
            "POST",
            "instances/a/i/acknowledge-halt",
            json!({"epoch": 1, "halt": "h1"}),
        ),
        ("PUT", "scopes/a", json!({"labels": {"k": "v"}})),
        ("PUT", "groups/g", json!({"members": []})),
        ("PUT", "actions/a.b", json!({"risk_reducing": true})),
        (
            "PUT",
            "limits/l",
            json!({"selector": selector, "measure": {"rate": {"permits": 1, "per_ms": 1}}, "reserved": {"low": 1},
                "dynamic": {"floor": 1, "ceiling": 1, "latency_ms_target": 1}}),
        ),
        (
            "PUT",
            "limits/l",
            json!({"measure": {"concurrency": {"max": 1}}}),
        ),
        (
            "PUT",
            "rules/r",
            json!({"when": {"labels": {"k": "v"}, "parameters": {"/n": {"above": 1}}, "during": {"days": ["mon"]}},
                "form": {"contradiction": {"with": selector, "within_ms": 1, "per": ["agent"]}}}),
        ),
        (
            "PUT",
            "rules/r",
            json!({"form": {"bounds": {"parameter": "/n", "around": {"parameter": "/m", "permille": 1}}}}),
        ),
        ("POST", "rules/r/rollback", json!({"version": 1})),
        ("POST", "rules/r/reset", json!({"reason": "x"})),
        (
            "PUT",
            "budgets/b",
            json!({"selector": selector, "each": {"label": "k"}, "unit": "tokens", "period": "day", "hard": 1}),
        ),
        ("POST", "budgets/b/top-up", json!({"amount": 1})),
        ("PUT", "settings", json!({"auto_register": true})),
        (
            "POST",
            "locks:validate",
            json!({"resource": "a", "token": 1}),
        ),
        (
            "POST",
            "halts",
            json!({"target": {"selector": {"k": "v"}}, "mode": "pause", "reason": "x"}),
        ),
        ("POST", "halts/h1/release", json!({"reason": "x"})),
        ("POST", "/v1/fleets", json!({"fleet": "f"})),
        ("POST", "/v1/tenants", json!({"tenant": "t"})),
        ("POST", "/v1/keys", json!({"role": "viewer"})),
    ] {
        let address = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/v1/fleets/main/{path}")
        };
        let mut fields = Vec::new();
        objects(&body, String::new(), &mut fields);
        for field in fields {
            let mut bad = body.clone();
            let place = bad.pointer_mut(&field).unwrap();
            *place = place.as_object().unwrap().values().cloned().collect();
            let reply = doors.send(method, &address, bad).await;
            let field = field.replace("~1", "/");
            // `/resources/0/path` as it is told: `resources[0].path`.
            let told = reply.body["field"].as_str().unwrap_or_default();
            let told = told.replace('[', ".").replace(']', "").replace('.', "/");
            assert_eq!(
                (reply.status.as_u16(), told.as_str()),
                (400, field.trim_start_matches('/')),
                "{address} {field}: {}",
                reply.body
            );
        }
    }
}

/// Where there are objects in `value`, itself included.
fn objects(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                objects(value, format!("{at}/{}", key.replace('/', "~1")), found);
            }
            found.push(at);
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                objects(value, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn addresses_and_queries() {
    let doors = Doors::open().await;
    for (path, body) in [
        (
            "budgets/known",
            json!({"unit": "money", "period": "day", "hard": 1}),
        ),
        ("agents/known", json!({})),
    ] {
        doors.put(&format!("/v1/fleets/main/{path}"), body).await;
    }
    let held = doors
        .post("/v1/fleets/main/permits", claim("known", "1"))
        .await;
    let held = held.body["permit"].as_str().unwrap();
    let mut table = String::new();
    for (method, path, body) in [
        ("GET", "/", Value::Null),
        ("GET", "/v1/nothing", Value::Null),
        ("PATCH", "/v1/fleets/main/permits", Value::Null),
        ("GET", "/v1/fleets/none/status", Value::Null),
        ("GET", "/v1/fleets/a%20b/status", Value::Null),
        ("GET", "/v1/fleets/..%2f..%2fetc/status", Value::Null),
        ("GET", "/v1/fleets/directory/status", Value::Null),
        ("GET", "/v1/fleets/main/permits/7", Value::Null),
        ("GET", "/v1/fleets/main/permits/p%ff", Value::Null),
        ("GET", "/v1/fleets/main/permits/p999999999999", Value::Null),
        ("GET", "/v1/fleets/main/agents/nobody", Value::Null),
        ("GET", "/v1/fleets/main/agents/%2e%2e", Value::Null),
        ("GET", "/v1/fleets/main/agents?count=0", Value::Null),
        ("GET", "/v1/fleets/main/agents?count=x", Value::Null),
        ("GET", "/v1/fleets/main/agents?cuont=1", Value::Null),
        ("GET", "/v1/fleets/main/agents?after=agent-1", Value::Null),
        ("GET", "/v1/fleets/main/agents?labels=x", Value::Null),
        ("GET", "/v1/fleets/main/agents?scope=a//b", Value::Null),
        ("GET", "/v1/fleets/main/scopes/a%2F%2Fb", Value::Null),
        ("GET", "/v1/fleets/main/halts/h9", Value::Null),
        ("GET", "/v1/fleets/main/events?types=nonsense", Value::Null),
        ("PUT", "/v1/fleets/main/agents/a", json!({"id": "b"})),
        (
            "PUT",
            "/v1/fleets/main/agents/a",
            json!({"capabilities": {"skills": [1]}}),
        ),
        (
            "PUT",
            "/v1/fleets/main/limits/l",
            json!({"measure": {"rate": {"permits": 0, "per_ms": 1}}}),
        ),
        (
            "PUT",
            "/v1/fleets/main/limits/l",
            json!({"measure": {"speed": 1}}),
        ),
        (
            "PUT",
            "/v1/fleets/main/budgets/b",
            json!({"unit": "money", "period": "week", "hard": 1}),
        ),
        (
            "POST",
            "/v1/fleets/main/halts",
            json!({"target": "all", "mode": "immediate"}),
        ),
        ("GET", "/v1/fleets/main/agents?count=1&count=2", Value::Null),
        ("DELETE", "/v1/fleets/main/instances/a/i", Value::Null),
        ("GET", "/v1/fleets/main/permits/p1?wait_ms=-1", Value::Null),
        ("DELETE", "/v1/keys/a%20b", Value::Null),
        ("PUT", "/v1/fleets/main/scopes/a/../b", json!({})),
        (
            "PUT",
            "/v1/fleets/main/budgets/b",
            json!({"unit": "money", "period": "day", "hard": u64::MAX}),
        ),
        (
            "PUT",
            "/v1/fleets/main/budgets/b",
            json!({"unit": "money", "period": "day", "hard": 1, "soft": 2}),
        ),
        (
            "PUT",
            "/v1/fleets/main/budgets/b",
            json!({"unit": "money", "period": "day", "hard": -1}),
        ),
        (
            "POST",
            "/v1/fleets/main/budgets/known/top-up",
            json!({"amount": 0}),
        ),
        (
            "POST",
            "/v1/fleets/main/budgets/known/top-up",
            json!({"amount": 1, "account": "a"}),
        ),
        (
            "POST",
            "/v1/fleets/main/budgets/known/top-up",
            json!({"amount": 1, "account": "a".repeat(256)}),
        ),
        (
            "PUT",
            "/v1/fleets/main/agents/a",
            json!({"config": {"concurrency_max": 0}}),
        ),
        (
            "PUT",
            "/v1/fleets/main/agents/a",
            json!({"name": "x".repeat(1_025)}),
        ),
        (
            "POST",
            "/v1/fleets/main/agents/known/status",
            json!({"status": "deprecated", "replaced_by": "known"}),
        ),
        (
            "PUT",
            "/v1/fleets/main/settings",
            json!({"heartbeat_ms": 1}),
        ),
        (
            "POST",
            "/v1/fleets/main/permits/HELD/renew",
            json!({"agent": "known", "ttl_ms": 0}),
        ),
        (
            "POST",
            "/v1/fleets/main/permits/HELD/complete",
            json!({"agent": "known", "cost": {"tokens": u64::MAX}}),
        ),
        (
            "POST",
            "/v1/fleets/main/permits/HELD/extend",
            json!({"agent": "known", "resources": [{"path": "b", "mode": "shared"}], "wait_ms": u64::MAX}),
        ),
        (
            "POST",
            "/v1/fleets/main/halts",
            json!({"target": "all", "mode": "immediate", "reason": ""}),
        ),
        (
            "POST",
            "/v1/fleets/main/halts",
            json!({"target": {"selector": {}}, "mode": "pause", "reason": "x"}),
        ),
        (
            "POST",
            "/v1/fleets/main/halts",
            json!({"target": {"scope": "a", "agent": "a"}, "mode": "pause", "reason": "x"}),
        ),
        (
            "POST",
            "/v1/fleets/main/halts",
            json!({"target": {}, "mode": "pause", "reason": "x"}),
        ),
        (
            "POST",
            "/v1/fleets/main/halts",
            json!({"target": "scope", "mode": "pause", "reason": "x"}),
        ),
        (
            "POST",
            "/v1/fleets/main/halts",
            json!({"target": "all", "mode": 5, "reason": "x"}),
        ),
        ("POST", "/v1/fleets", json!({"fleet": "a:b"})),
        ("POST", "/v1/tenants", json!({"tenant": "system"})),
    ] {
        let reply = doors.send(method, &path.replace("HELD", held), body).await;
        assert!(
            reply.status.is_client_error(),
            "{path}: {} {}",
            reply.status,
            reply.body
        );
        assert_eq!(
            reply.headers["content-type"], "application/problem+json",
            "{path}"
        );
        table += &format!(
            "{method} {path}: {} | {}\n",
            reply.line(),
            reply.body["detail"].as_str().unwrap_or("")
        );
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn foreign_pages_are_kept_out_of_an_open_server() {
    let doors = Doors::open().await;
    for (host, origin, expected) in [
        ("localhost", None, 200),
        ("127.0.0.1:7700", Some("http://localhost:5173"), 200),
        ("evil.example", None, 403),
        ("localhost", Some("https://evil.example"), 403),
    ] {
        let mut request = Request::get("/v1/fleets/main/status").header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let reply = doors.raw(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, expected, "{host} {origin:?}");
    }
}
