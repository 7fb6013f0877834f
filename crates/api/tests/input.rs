//! Bad input, through the real router: every refusal names its code and the field to blame.
mod common;
use axum::body::Body;
use axum::http::Request;
use common::Doors;
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
async fn addresses_and_queries() {
    let doors = Doors::open().await;
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
        ("POST", "/v1/fleets", json!({"fleet": "a:b"})),
        ("POST", "/v1/tenants", json!({"tenant": "system"})),
    ] {
        let reply = doors.send(method, path, body).await;
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
