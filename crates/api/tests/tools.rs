//! Tools, through the real router.
mod common;
use common::{Doors, claim};
use serde_json::{Value, json};

const PAY: &str = "/v1/fleets/main/tools/ledger.pay";
const PERMITS: &str = "/v1/fleets/main/permits";

fn pay(agent: &str, parameters: Value) -> Value {
    json!({"agent": agent, "action": "ledger.pay", "parameters": parameters})
}

fn tool() -> Value {
    json!({
        "arguments": {"properties": {"amount": {"type": "integer"}}},
        "resources": [{"path": "ledger/{account}", "mode": "exclusive"}],
    })
}

#[tokio::test]
async fn a_tool_is_set_and_what_follows_is_held() {
    let doors = Doors::open().await;
    let set = doors.put(&format!("{PAY}?reason=ticket"), tool()).await;
    assert_eq!(set.body["changed"], json!(true), "{}", set.body);
    assert_eq!(doors.put(PAY, tool()).await.body, json!({"changed": false}));
    let seen = doors.get(PAY).await;
    assert_eq!(
        (&seen.body["version"], &seen.body["tool"]["id"]),
        (&json!(1), &json!("ledger.pay"))
    );

    let granted = doors
        .post(PERMITS, pay("ann", json!({"account": "7", "amount": 1})))
        .await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    let changed = &granted.body["changed"]["resources"];
    assert_eq!(
        *changed,
        json!([{"path": "ledger/7", "mode": "exclusive"}]),
        "{}",
        granted.body
    );
    let held = doors.post(PERMITS, claim("bob", "x")).await;
    assert_eq!(held.status, 200, "{}", held.body);

    let denied = doors
        .post(PERMITS, pay("bob", json!({"account": "8", "amount": "x"})))
        .await;
    assert_eq!(denied.line(), "422 tool_arguments");
    let fault = json!({"argument": "/amount", "wanted": "it is not of type \"integer\""});
    assert_eq!(
        denied.body["denial"]["blocker"],
        json!({"kind": "tool", "tool": "ledger.pay", "faults": [fault]})
    );
    let denied = doors
        .post(PERMITS, pay("bob", json!({"account": "../8", "amount": 1})))
        .await;
    assert_eq!(denied.line(), "422 tool_arguments");

    let wrong = json!({"arguments": {"$ref": "https://example.org/s.json"}});
    let refused = doors.put(PAY, wrong).await;
    assert_eq!(refused.line(), "400 invalid arguments");
    assert_eq!(doors.send("DELETE", PAY, Value::Null).await.status, 200);
    assert_eq!(doors.get(PAY).await.status, 404);
}

#[tokio::test]
async fn policies_see_what_follows_and_what_they_change_is_looked_at() {
    let doors = Doors::open().await;
    doors.put(PAY, tool()).await;
    let set = |name: &str, when: Value, rules: &str| {
        let body = json!({"when": when, "module": format!("package fleet\n{rules}\n")});
        let path = format!("/v1/fleets/main/policies/{name}");
        let doors = &doors;
        async move {
            let set = doors.put(&path, body).await;
            assert_eq!(set.status, 200, "{}", set.body);
        }
    };
    set(
        "vault",
        json!({"resource": "ledger/vault"}),
        "deny contains \"not the vault\"",
    )
    .await;
    set(
        "moved",
        json!({"agent": "cid"}),
        "transform := {\"parameters\": {\"account\": \"new\"}} if input.request.parameters.account == \"old\" else := {\"parameters\": {\"account\": \"a/b\"}} if input.request.parameters.account == \"odd\"",
    )
    .await;
    let asked = async |agent: &str, account: &str| {
        doors
            .post(PERMITS, pay(agent, json!({ "account": account })))
            .await
    };
    let denied = asked("ann", "vault").await;
    assert_eq!(denied.line(), "403 policy_denied");
    let granted = asked("cid", "old").await;
    assert_eq!(
        granted.body["changed"]["resources"],
        json!([{"path": "ledger/new", "mode": "exclusive"}]),
        "{}",
        granted.body
    );
    assert_eq!(asked("cid", "odd").await.line(), "422 tool_arguments");
}
