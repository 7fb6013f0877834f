//! Asks a module about a request, on a stack as the server's.
use fleet_policy::{Bounds, Document, Said, compile, input};
use fleet_types::Time;
use fleet_types::permit::Request;
use serde_json::{Value, json};

/// A request of agent `clerk`; `more` replaces its parts.
pub fn request(more: Value) -> Request {
    let mut body = json!({
        "request_id": "r1", "agent": "clerk", "action": "payment.send",
        "parameters": {"amount": 700, "to": "acme"},
    });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    serde_json::from_value(body).unwrap()
}

/// What a module says of it.
pub fn said_of(module: &str, request: &Request, bounds: Bounds) -> Said {
    let module = compile(module).unwrap_or_else(|fault| panic!("{fault}"));
    let agent =
        Document::new(json!({"id": "clerk", "scope": "emea/payments", "groups": ["night"]}));
    // 2026-11-20, 12:00:00 UTC, a Friday.
    let input = input(request, agent, Time(1_795_176_000_000_000), false);
    let data = Document::new(json!({"fleet": {
        "agents": {"clerk": {"owner": "ann"}, "robot": {"owner": "bob"}},
        "data": {"blocked": ["evil"]}, "halts": [], "budgets": {}, "groups": {}, "scopes": {}, "settings": {},
    }}));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(fleet_policy::STACK_BYTES);
        let run = || module.evaluate(&input, &data, bounds);
        thread.spawn_scoped(scope, run).unwrap().join().unwrap()
    })
}

/// What a module says of a plain request.
pub fn said(module: &str) -> Said {
    said_of(module, &request(json!({})), Bounds::default())
}
