//! Conflicts, versions and plans, through the real router.
mod common;
use common::{Doors, claim};
use serde_json::{Value, json};
use std::time::Duration;

const CONFLICTS: &str = "/v1/fleets/main/conflicts";
const PLANS: &str = "/v1/fleets/main/plans";
const PERMITS: &str = "/v1/fleets/main/permits";

/// Asks for what must wait, and goes away while it does.
async fn queue(doors: &Doors, mut body: Value) {
    body["wait_ms"] = json!(600_000);
    let asked = doors.post(PERMITS, body);
    let answer = tokio::time::timeout(Duration::from_millis(100), asked).await;
    assert!(answer.is_err(), "it did not wait");
}

#[tokio::test]
async fn a_lost_update_is_refused() {
    let doors = Doors::open().await;
    let read = doors.get("/v1/fleets/main/versions/ledger/1").await;
    assert_eq!(read.status, 200, "{}", read.body);
    let version = read.body["version"].clone();
    let again = doors.get("/v1/fleets/main/versions/ledger/1").await;
    assert_eq!(
        again.body["version"], version,
        "a second reading changes nothing"
    );
    let wants = |agent: &str| {
        let mut body = claim(agent, "1");
        body["resources"][0]["if_version"] = version.clone();
        body
    };
    let granted = doors.post(PERMITS, wants("ann")).await;
    assert_eq!(
        granted.body["versions"],
        json!([{"path": "ledger/1", "version": version}])
    );
    let permit = granted.body["permit"].as_str().unwrap();
    let ended = doors
        .post(
            &format!("{PERMITS}/{permit}/complete"),
            json!({"agent": "ann"}),
        )
        .await;
    assert_eq!(ended.status, 200, "{}", ended.body);
    let denied = doors.post(PERMITS, wants("bob")).await;
    assert_eq!(denied.line(), "409 version_conflict");
    let blocker = &denied.body["denial"]["blocker"];
    assert_eq!(
        (&blocker["permit"], &blocker["agent"]),
        (&json!(permit), &json!("ann"))
    );
    let mut reader = claim("bob", "2");
    reader["reads"] = json!([{"path": "ledger/1", "version": version}]);
    assert_eq!(
        doors.post(PERMITS, reader.clone()).await.line(),
        "409 version_conflict"
    );
    reader["reads"][0]["version"] = blocker["current"].clone();
    assert_eq!(doors.post(PERMITS, reader.clone()).await.status, 200);
    reader["reads"] = json!([{"path": "a", "version": 1}, {"path": "a", "version": 2}]);
    assert_eq!(
        doors.post(PERMITS, reader).await.line(),
        "400 invalid reads"
    );
    let shown = doors.get("/v1/fleets/main/versions/ledger/1").await;
    assert_eq!(shown.body["written"]["permit"], permit, "{}", shown.body);
}

#[tokio::test]
async fn a_dispute_is_answered_and_decided() {
    let doors = Doors::open().await;
    let rule = json!({"form": {"resolution": {"strategy": {"negotiation": {}}, "after_ms": 0, "deadline_ms": 600_000}}});
    let set = doors.put("/v1/fleets/main/rules/talk", rule).await;
    assert_eq!(set.status, 200, "{}", set.body);
    doors.post(PERMITS, claim("ann", "1")).await;
    queue(&doors, claim("bob", "1")).await;
    queue(&doors, claim("cid", "1")).await;
    let listed = doors
        .get(&format!("{CONFLICTS}?kind=resource&state=resolving"))
        .await;
    let found = listed.body["items"][0].clone();
    assert_eq!(found["resource"], "ledger/1", "{}", listed.body);
    assert_eq!(found["dispute"]["rule"], "talk");
    let at = format!("{CONFLICTS}/{}", found["conflict"].as_str().unwrap());
    let permits = found["permits"].as_array().unwrap();
    let (bob, cid) = (&permits[0], &permits[1]);
    let answer = |agent: &str, permit: &Value, answer: Value| json!({"agent": agent, "permit": permit, "answer": answer});
    for (body, line) in [
        (
            answer("cid", bob, json!({"yield": {}})),
            "403 permit_not_yours",
        ),
        (
            answer("bob", bob, json!({"dance": {}})),
            "400 invalid answer",
        ),
        (
            answer("bob", bob, json!({"defer": {"ms": 0}})),
            "400 invalid answer.defer.ms",
        ),
        (
            answer("bob", bob, json!({"split": {"resources": []}})),
            "409 conflict answer",
        ),
    ] {
        let refused = doors.post(&format!("{at}/answer"), body).await;
        assert_eq!(refused.line(), line, "{}", refused.body);
    }
    let vote = json!({"agent": "ann", "winner": cid});
    let refused = doors.post(&format!("{at}/vote"), vote).await;
    assert_eq!(refused.line(), "409 conflict");
    let offered = doors
        .post(
            &format!("{at}/answer"),
            answer("bob", bob, json!({"yield": {}})),
        )
        .await;
    assert_eq!(offered.body["changed"], true, "{}", offered.body);
    let shown = doors.get(&at).await;
    assert_eq!(shown.body["permits"], json!([cid, bob]), "{}", shown.body);
    assert_eq!(shown.body["resolution"]["how"], "yield");
    let decided = doors
        .post(
            &format!("{at}/resolve"),
            json!({"winner": bob, "reason": "quarter end"}),
        )
        .await;
    assert_eq!(decided.status, 200, "{}", decided.body);
    let shown = doors.get(&at).await;
    assert_eq!(shown.body["permits"], json!([bob, cid]), "{}", shown.body);
    assert_eq!(shown.body["resolution"]["reason"], "quarter end");
    assert_eq!(
        doors.get(&format!("{CONFLICTS}/c9999")).await.line(),
        "404 not_found"
    );
    assert_eq!(
        doors.get(&format!("{CONFLICTS}/x1")).await.line(),
        "400 invalid conflict"
    );
}

#[tokio::test]
async fn agents_and_strangers_do_not_decide() {
    let doors = Doors::keys().await;
    doors.post(PERMITS, claim("ann", "1")).await;
    queue(&doors, claim("bob", "1")).await;
    let listed = doors.get(CONFLICTS).await;
    let conflict = listed.body["items"][0]["conflict"]
        .as_str()
        .unwrap()
        .to_owned();
    let at = format!("{CONFLICTS}/{conflict}/resolve");
    let bob = doors.key(json!({"role": "agent", "agent": "bob"})).await;
    let bound = doors
        .key(json!({"role": "operator", "scope": "emea"}))
        .await;
    for key in [&bob, &bound] {
        let refused = doors.send_as(Some(key), "POST", &at, json!({})).await;
        assert_eq!(refused.line(), "403 forbidden", "{}", refused.body);
    }
    let refused = doors
        .send_as(Some(&bound), "GET", CONFLICTS, Value::Null)
        .await;
    assert_eq!(refused.line(), "403 forbidden");
    assert_eq!(doors.post(&at, json!({})).await.status, 200);
}

#[tokio::test]
async fn a_plan_is_declared_and_withdrawn() {
    let doors = Doors::open().await;
    doors.post(PERMITS, claim("ann", "1")).await;
    doors.post(PERMITS, claim("bob", "2")).await;
    let step = json!({"action": "move", "resources": [{"path": "ledger", "mode": "exclusive"}], "duration_ms": 5_000});
    let plan = |agent: &str| json!({"agent": agent, "steps": [step]});
    let declared = doors.post(PLANS, plan("ann")).await;
    assert_eq!(declared.status, 201, "{}", declared.body);
    assert_eq!(declared.body["collisions"][0]["with"]["kind"], "permit");
    let at = format!("{PLANS}/{}", declared.body["plan"].as_str().unwrap());
    let other = doors.post(PLANS, plan("bob")).await;
    let kinds = other.body["collisions"].as_array().unwrap().iter();
    let kinds: Vec<&str> = kinds
        .map(|it| it["with"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["plan", "permit"], "{}", other.body);
    assert_eq!(other.body["order"].as_array().unwrap().len(), 2);
    let listed = doors.get(&format!("{PLANS}?agent=ann")).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    let none = json!({"agent": "ann", "steps": []});
    assert_eq!(doors.post(PLANS, none).await.line(), "400 invalid steps");
    let gone = doors.send("DELETE", &at, Value::Null).await;
    assert_eq!(gone.body["changed"], true, "{}", gone.body);
    assert_eq!(doors.get(&at).await.line(), "404 not_found");
}
