//! Policies, through the real router.
mod common;
use common::{Doors, Reply, claim};
use serde_json::{Value, json};
use std::time::Duration;

const PAY: &str = "/v1/fleets/main/policies/pay";
const PERMITS: &str = "/v1/fleets/main/permits";

fn policy(rules: &str) -> Value {
    json!({"when": {"action": "payment.*"}, "module": format!("package fleet\n{rules}\n")})
}

fn capped() -> Value {
    policy(
        "deny contains sprintf(\"%v is more than %v\", [input.request.parameters.amount, data.fleet.data.most]) if input.request.parameters.amount > data.fleet.data.most",
    )
}

/// A payment of so much, from an account.
fn pay(agent: &str, account: &str, amount: u64) -> Value {
    let mut body = claim(agent, account);
    body["action"] = "payment.send".into();
    body["parameters"] = json!({"amount": amount});
    body
}

async fn ask(doors: &Doors, body: Value) -> Reply {
    doors.post(PERMITS, body).await
}

async fn set_most(doors: &Doors, most: u64) {
    let set = doors
        .put("/v1/fleets/main/policy-data", json!({"most": most}))
        .await;
    assert_eq!(set.status, 200, "{}", set.body);
}

#[tokio::test]
async fn a_policy_is_set_denies_and_goes_back() {
    let doors = Doors::open().await;
    set_most(&doors, 500).await;
    let set = doors.put(&format!("{PAY}?reason=incident"), capped()).await;
    assert_eq!(set.body["changed"], json!(true), "{}", set.body);
    assert_eq!(
        doors.put(PAY, capped()).await.body,
        json!({"changed": false})
    );

    let granted = ask(&doors, pay("ann", "1", 500)).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    let denied = ask(&doors, pay("ann", "2", 501)).await;
    assert_eq!(denied.line(), "403 policy_denied");
    let denial = &denied.body["denial"];
    assert_eq!(denial["gate"], "policy");
    assert_eq!(denial["reason"], "policy pay: 501 is more than 500");
    assert_eq!(
        denial["blocker"],
        json!({"kind": "policy", "policies": ["pay"], "reasons": ["501 is more than 500"]})
    );
    // Other actions are none of its business.
    let mut other = claim("ann", "3");
    other["action"] = "mail.send".into();
    assert_eq!(ask(&doors, other).await.status, 200);

    let explained = doors
        .post(&format!("{PERMITS}:explain"), pay("ann", "4", 501))
        .await;
    let gates = explained.body["gates"].as_array().unwrap();
    let gate = gates.iter().find(|gate| gate["gate"] == "policy").unwrap();
    assert_eq!(
        (&gate["code"], &gate["saw"]["pay"]),
        (&json!("policy_denied"), &json!(0)),
        "{gate}"
    );

    // A batch is judged as well.
    let batch = json!({"requests": [pay("ann", "5", 1), pay("ann", "6", 900)]});
    let batch = doors.post(&format!("{PERMITS}:batch"), batch).await;
    let statuses: Vec<&Value> = batch.body["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| &answer["status"])
        .collect();
    assert_eq!(statuses, [200, 403], "{}", batch.body);

    // What operators tell it counts at once.
    set_most(&doors, 1_000).await;
    assert_eq!(ask(&doors, pay("ann", "7", 900)).await.status, 200);

    let found = doors.get(PAY).await;
    assert_eq!(
        (&found.body["version"], &found.body["denied"]),
        (&json!(1), &json!(2)),
        "{}",
        found.body
    );
    doors.put(PAY, policy("deny contains \"never\"")).await;
    assert_eq!(
        ask(&doors, pay("ann", "8", 1)).await.line(),
        "403 policy_denied"
    );
    let back = doors
        .post(&format!("{PAY}/rollback"), json!({"reason": "too much"}))
        .await;
    assert_eq!(back.status, 200, "{}", back.body);
    assert_eq!(ask(&doors, pay("ann", "9", 1)).await.status, 200);
    let removed = doors
        .send("DELETE", &format!("{PAY}?reason=over"), Value::Null)
        .await;
    assert_eq!(removed.status, 200, "{}", removed.body);
    assert_eq!(ask(&doors, pay("ann", "10", 9_999)).await.status, 200);
}

#[tokio::test]
async fn a_module_that_does_not_compile_is_not_set() {
    let doors = Doors::open().await;
    for (module, words) in [
        ("deny contains \"x\" if input.a >>> 1", "line 2, column 31"),
        ("deny contains \"x\" if time.now_ns() > 1", "use input.now"),
        ("foo if true", "says nothing"),
    ] {
        let set = doors.put(PAY, policy(module)).await;
        assert_eq!(set.line(), "400 invalid module", "{}", set.body);
        let detail = set.body["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
    }
    assert_eq!(doors.get(PAY).await.line(), "404 not_found");
}

#[tokio::test]
async fn what_a_policy_changes_is_what_may_happen() {
    let doors = Doors::open().await;
    let half = "transform := {\"parameters\": {\"amount\": 500}, \"labels\": {\"capped\": \"yes\"}} if input.request.parameters.amount > 500";
    doors.put(PAY, policy(half)).await;
    let mut body = pay("ann", "1", 900);
    body["request_id"] = "r1".into();
    let granted = ask(&doors, body.clone()).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    let changed = &granted.body["changed"];
    assert_eq!(changed["parameters"]["amount"], 500, "{}", granted.body);
    assert_eq!(changed["labels"]["capped"], "yes");
    // A retry of what was asked gets the first answer; what it became is another body.
    let again = ask(&doors, body.clone()).await;
    assert_eq!(again.body["permit"], granted.body["permit"]);
    assert_eq!(again.body["changed"], *changed);
    body["parameters"]["amount"] = json!(500);
    assert_eq!(ask(&doors, body).await.line(), "422 request_id_reused");
    let permit = granted.body["permit"].as_str().unwrap();
    let view = doors.get(&format!("{PERMITS}/{permit}")).await;
    assert_eq!(
        (
            &view.body["request"]["parameters"]["amount"],
            &view.body["asked"]["parameters"]["amount"]
        ),
        (&json!(500), &json!(900)),
        "{}",
        view.body
    );
    // Nothing to change: nothing is said.
    let small = ask(&doors, pay("ann", "2", 1)).await;
    assert_eq!(small.body.get("changed"), None);
}

#[tokio::test]
async fn who_waits_is_judged_anew_when_policies_change() {
    let doors = Doors::open().await;
    doors.put(PAY, capped()).await;
    set_most(&doors, 1_000).await;
    let held = ask(&doors, pay("ann", "1", 1)).await;
    let held = held.body["permit"].as_str().unwrap().to_owned();
    let waits = |agent: &str, amount: u64| {
        let mut body = pay(agent, "1", amount);
        body["wait_ms"] = json!(20_000);
        doors.post(PERMITS, body)
    };
    let (bob, cid) = (waits("bob", 700), waits("cid", 100));
    let finish = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        set_most(&doors, 500).await;
        let complete = format!("{PERMITS}/{held}/complete");
        doors.post(&complete, json!({"agent": "ann"})).await
    };
    let (bob, cid, _) = tokio::join!(bob, cid, finish);
    // What was within bounds when it was asked is not when its turn comes.
    assert_eq!(bob.line(), "403 policy_denied", "{}", bob.body);
    assert_eq!(cid.status, 200, "{}", cid.body);
}

#[tokio::test]
async fn more_for_a_permit_is_judged_too() {
    let doors = Doors::open().await;
    let vault = json!({"when": {"resource": "vault/**"}, "module": "package fleet\ndeny contains \"the vault is closed\" if input.extends\n"});
    doors.put(PAY, vault).await;
    let granted = ask(&doors, claim("ann", "1")).await;
    let permit = granted.body["permit"].as_str().unwrap();
    let at = format!("{PERMITS}/{permit}/extend");
    let extend = |path: &str| {
        let body = json!({"agent": "ann", "resources": [{"path": path, "mode": "exclusive"}]});
        doors.post(&at, body)
    };
    assert_eq!(extend("hall/1").await.status, 200);
    let denied = extend("vault/1").await;
    assert_eq!(denied.line(), "403 policy_denied", "{}", denied.body);
    let mut other = claim("bob", "2");
    other["resources"] = json!([{"path": "vault/2", "mode": "exclusive"}]);
    assert_eq!(ask(&doors, other).await.status, 200);
}

#[tokio::test]
async fn what_is_observed_is_counted_and_stops_nothing() {
    let doors = Doors::open().await;
    let mut never = policy("deny contains \"never\"");
    never["stage"] = "observe".into();
    doors.put(PAY, never.clone()).await;
    assert_eq!(ask(&doors, pay("ann", "1", 1)).await.status, 200);
    assert_eq!(doors.get(PAY).await.body["denied"], 1);
    never["stage"] = "enforce".into();
    doors.put(PAY, never).await;
    assert_eq!(
        ask(&doors, pay("ann", "2", 1)).await.line(),
        "403 policy_denied"
    );
    // The fleet's own stage goes before.
    let mut settings = doors.get("/v1/fleets/main/settings").await.body;
    settings["policy_stage"] = "observe".into();
    doors.put("/v1/fleets/main/settings", settings).await;
    assert_eq!(ask(&doors, pay("ann", "3", 1)).await.status, 200);
}

#[tokio::test]
async fn policies_are_tried_without_effect() {
    let doors = Doors::open().await;
    let test = |body: Value| doors.post("/v1/fleets/main/policies:test", body);
    doors
        .put(
            PAY,
            policy("deny contains \"large\" if input.request.parameters.amount > 5"),
        )
        .await;
    let all = test(json!({"request": pay("ann", "1", 9)})).await;
    assert_eq!(
        all.body,
        json!({"judged": [{"policy": "pay", "opinion": "deny", "reasons": ["large"]}]})
    );
    let module = "package fleet\ntransform := {\"priority\": 9}\n";
    let one = test(json!({"request": pay("ann", "1", 9), "module": module})).await;
    assert_eq!(
        one.body,
        json!({"judged": [{"opinion": "transform", "transform": {"priority": 9}}]})
    );
    let named = test(json!({"request": pay("ann", "1", 1), "policy": "pay"})).await;
    assert_eq!(named.body["judged"][0]["opinion"], "allow");
    let both = test(json!({"request": pay("ann", "1", 1), "policy": "pay", "module": module}));
    assert_eq!(both.await.line(), "400 invalid module");
    assert_eq!(doors.get(PAY).await.body["denied"], 0);
}

#[tokio::test]
async fn who_may_change_and_see_them() {
    let doors = Doors::keys().await;
    doors.put(PAY, policy("deny contains \"x\" if false")).await;
    for (role, scope, read, set) in [
        ("viewer", None, 200, 403),
        ("operator", None, 200, 200),
        ("operator", Some("emea"), 403, 403),
        ("agent", None, 200, 403),
    ] {
        let key = doors.key(json!({"role": role, "scope": scope})).await;
        let got = doors.send_as(Some(&key), "GET", PAY, Value::Null).await;
        assert_eq!(got.status, read, "{role} {scope:?} {}", got.body);
        let body = policy(&format!("deny contains \"{role}\" if false"));
        let put = doors.send_as(Some(&key), "PUT", PAY, body).await;
        assert_eq!(put.status, set, "{role} {scope:?} {}", put.body);
    }
}
