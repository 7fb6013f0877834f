//! Approvals, through the real router: who may answer with which key, what is refused, and many at once.
mod common;
use common::{Doors, Reply, claim};
use serde_json::{Value, json};
use std::time::Duration;

const APPROVALS: &str = "/v1/fleets/main/approvals";
const PERMITS: &str = "/v1/fleets/main/permits";
const RULE: &str = "/v1/fleets/main/rules/big";

/// A key, by its public name and its token.
struct Key {
    id: String,
    token: String,
}

async fn key(doors: &Doors, body: Value) -> Key {
    let issued = doors.post("/v1/keys", body).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Key {
        id: text(&issued.body["key"]["id"]),
        token: text(&issued.body["token"]),
    }
}

async fn rule(doors: &Doors, terms: Value) {
    let body = json!({"when": {"action": "payment.*"}, "form": {"approval": terms}});
    let set = doors.put(RULE, body).await;
    assert_eq!(set.status, 200, "{}", set.body);
}

/// Asks for what must be approved, and goes away while it waits; the newest approval.
async fn asked(doors: &Doors, as_key: Option<&str>, agent: &str, account: &str) -> String {
    let mut body = claim(agent, account);
    body["wait_ms"] = json!(600_000);
    body["approval"] = json!({"context": "invoice 7", "urgency": "high"});
    let key = as_key.or(doors.admin.as_deref());
    let waiting = doors.send_as(key, "POST", PERMITS, body);
    let answer = tokio::time::timeout(Duration::from_millis(100), waiting).await;
    assert!(answer.is_err(), "it did not wait: {}", answer.unwrap().body);
    let list = doors.get(&format!("{APPROVALS}?state=open&count=1")).await;
    let newest = &list.body["items"][0]["approval"];
    newest.as_str().unwrap().to_owned()
}

async fn answer(doors: &Doors, key: Option<&str>, approval: &str, body: Value) -> Reply {
    let key = key.or(doors.admin.as_deref());
    let path = format!("{APPROVALS}/{approval}/answer");
    doors.send_as(key, "POST", &path, body).await
}

fn yes() -> Value {
    json!({"option": "approve"})
}

#[tokio::test]
async fn a_permit_waits_for_a_person_and_is_granted() {
    let doors = Doors::keys().await;
    let boss = key(&doors, json!({"role": "agent"})).await;
    rule(
        &doors,
        json!({"assignees": [{"user": boss.id}], "question": "pay?"}),
    )
    .await;

    let denied = doors.post(PERMITS, claim("ann", "1")).await;
    assert_eq!(denied.line(), "403 approval_required");
    let blocker = json!({
        "kind": "approval", "source": {"rule": "big"}, "assignees": [{"user": boss.id}], "needed": 1,
    });
    assert_eq!(denied.body["denial"]["blocker"], blocker);
    let explained = doors
        .post(&format!("{PERMITS}:explain"), claim("ann", "1"))
        .await;
    let gates = explained.body["gates"].as_array().unwrap();
    let gate = gates.iter().find(|it| it["gate"] == "approval").unwrap();
    assert_eq!(gate["code"], "approval_required", "{gate}");
    assert_eq!(gate["saw"]["rule big.needed"], 1, "{gate}");

    let approval = asked(&doors, None, "ann", "1").await;
    let waiting = doors
        .get(&format!("{PERMITS}?state=awaiting_approval"))
        .await;
    let permit = &waiting.body["items"][0];
    assert_eq!(permit["waits_for"]["approval"], json!(approval));
    let permit = permit["permit"].as_str().unwrap().to_owned();

    let found = doors.get(&format!("{APPROVALS}/{approval}")).await.body;
    assert_eq!(
        (&found["state"], &found["question"]),
        (&json!("open"), &json!("pay?"))
    );
    assert_eq!(found["urgency"], "high");
    assert_eq!(found["about"]["context"], "invoice 7");
    assert_eq!(found["subject"]["permit"], json!(permit));
    assert_eq!(found["subject"]["request"]["action"], "payment.send");

    let counted = answer(&doors, Some(&boss.token), &approval, yes()).await;
    assert_eq!(counted.status, 200, "{}", counted.body);
    let expected = json!({"approval": approval, "state": "approved", "missing": 0});
    assert_eq!(counted.body, expected);
    let permit = doors.get(&format!("{PERMITS}/{permit}")).await;
    assert_eq!(permit.body["state"], "granted", "{}", permit.body);
    let found = doors.get(&format!("{APPROVALS}/{approval}")).await.body;
    assert_eq!(found["answers"][0]["person"], json!({"user": boss.id}));
    let of_rule = doors.get(RULE).await.body;
    assert_eq!(of_rule["stopped"], 2, "{of_rule}");
}

#[tokio::test]
async fn each_refusal_says_why_and_changes_nothing() {
    let doors = Doors::keys().await;
    let boss = key(&doors, json!({"role": "agent"})).await;
    let other = key(&doors, json!({"role": "admin"})).await;
    let viewer = key(&doors, json!({"role": "viewer"})).await;
    let asker = key(&doors, json!({"role": "agent"})).await;
    let ann = key(&doors, json!({"role": "agent", "agent": "ann"})).await;
    let terms = json!({
        "assignees": [{"user": boss.id}, {"user": asker.id}, {"agent": "ann"}, {"agent": "bob"}],
        "fields": [{"id": "why", "required": true}],
    });
    rule(&doors, terms).await;
    let approval = asked(&doors, Some(&asker.token), "ann", "1").await;
    let why = json!({"option": "approve", "fields": {"why": "it is right"}});
    let speaking = |person: Value| {
        let mut body = why.clone();
        body["speaks_as"] = person;
        body
    };
    for (key, body, expected) in [
        (&viewer, why.clone(), "403 forbidden"),
        // An admin is asked only where it is named.
        (&other, why.clone(), "403 not_an_assignee"),
        (&asker, why.clone(), "403 self_approval"),
        (
            &asker,
            speaking(json!({"agent": "bob"})),
            "403 self_approval",
        ),
        (&ann, why.clone(), "403 self_approval"),
        (
            &boss,
            speaking(json!({"agent": "ann"})),
            "403 self_approval",
        ),
        (
            &ann,
            speaking(json!({"agent": "bob"})),
            "403 identity_mismatch agent",
        ),
        (
            &boss,
            speaking(json!({"user": other.id})),
            "403 identity_mismatch speaks_as",
        ),
        (&boss, json!({"option": "maybe"}), "400 invalid option"),
        (&boss, yes(), "400 invalid fields.why"),
        (
            &boss,
            json!({"option": "approve", "fields": {"why": 1}}),
            "400 invalid fields.why",
        ),
        (
            &boss,
            json!({"option": "approve", "fields": {"x": 1}}),
            "400 invalid fields.x",
        ),
        (
            &boss,
            json!({"option": "approve", "role": "admin"}),
            "400 invalid role",
        ),
        (
            &boss,
            json!({"option": "approve", "proof": {"role": "admin"}}),
            "400 invalid proof",
        ),
        (&boss, json!({"fields": {}}), "400 invalid option"),
    ] {
        let refused = answer(&doors, Some(&key.token), &approval, body.clone()).await;
        assert_eq!(refused.line(), expected, "{body}: {}", refused.body);
    }
    let found = doors.get(&format!("{APPROVALS}/{approval}")).await.body;
    assert_eq!(
        (&found["state"], &found["answers"]),
        (&json!("open"), &Value::Null)
    );

    for (path, body, expected) in [
        ("escalate", json!({}), "409 conflict"),
        (
            "reassign",
            json!({"assignees": []}),
            "400 invalid assignees",
        ),
        (
            "reassign",
            json!({"assignees": [{"role": "viewer"}]}),
            "400 invalid assignees[0]",
        ),
        (
            "reassign",
            json!({"assignees": [{"user": "k"}], "needed": 2}),
            "400 invalid needed",
        ),
        ("comment", json!({"comment": ""}), "400 invalid comment"),
    ] {
        let refused = doors
            .post(&format!("{APPROVALS}/{approval}/{path}"), body)
            .await;
        assert_eq!(refused.line(), expected, "{path}: {}", refused.body);
    }
    let path = format!("{APPROVALS}/{approval}/reassign");
    let body = json!({"assignees": [{"user": asker.id}]});
    let refused = doors.send_as(Some(&boss.token), "POST", &path, body).await;
    assert_eq!(refused.line(), "403 forbidden");

    let nowhere = answer(&doors, Some(&boss.token), "a999", why.clone()).await;
    assert_eq!(nowhere.line(), "404 not_found");
    let wrong = answer(&doors, Some(&boss.token), "7", why.clone()).await;
    assert_eq!(wrong.line(), "400 invalid approval");
    assert_eq!(
        doors.get(&format!("{APPROVALS}/a999")).await.line(),
        "404 not_found"
    );
    let wrong = doors.get(&format!("{APPROVALS}?assignee=somebody")).await;
    assert_eq!(wrong.line(), "400 invalid assignee");

    let no = json!({"option": "reject", "fields": {"why": "wrong"}, "comment": "ask again"});
    let counted = answer(&doors, Some(&boss.token), &approval, no.clone()).await;
    assert_eq!(counted.body["state"], "rejected", "{}", counted.body);
    let late = answer(&doors, Some(&boss.token), &approval, no).await;
    assert_eq!(late.line(), "409 approval_closed");
}

#[tokio::test]
async fn roles_reach_as_far_as_their_scope() {
    let doors = Doors::keys().await;
    let path = "/v1/fleets/main/agents/ann";
    let body = json!({"version": "1", "scope": "emea/pay"});
    assert_eq!(doors.put(path, body).await.status, 200);
    rule(&doors, json!({"assignees": [{"role": "operator"}]})).await;
    let free = key(&doors, json!({"role": "operator"})).await;
    let near = key(&doors, json!({"role": "operator", "scope": "emea"})).await;
    let far = key(&doors, json!({"role": "operator", "scope": "apac"})).await;
    let low = key(&doors, json!({"role": "agent"})).await;

    let approval = asked(&doors, None, "ann", "1").await;
    for (key, mine) in [(&free, 1), (&near, 1), (&far, 0), (&low, 0)] {
        let path = format!("{APPROVALS}?mine=true");
        let list = doors
            .send_as(Some(&key.token), "GET", &path, Value::Null)
            .await;
        assert_eq!(
            list.body["items"].as_array().unwrap().len(),
            mine,
            "{}",
            list.body
        );
    }
    let path = format!("{APPROVALS}/{approval}");
    let get = async |key: &Key| {
        doors
            .send_as(Some(&key.token), "GET", &path, Value::Null)
            .await
    };
    assert_eq!(get(&far).await.line(), "404 not_found");
    assert_eq!(get(&near).await.status, 200);
    for key in [&far, &low] {
        let refused = answer(&doors, Some(&key.token), &approval, yes()).await;
        assert_eq!(refused.line(), "403 not_an_assignee");
    }
    let counted = answer(&doors, Some(&near.token), &approval, yes()).await;
    assert_eq!(counted.body["state"], "approved", "{}", counted.body);

    // By name, a key is asked wherever the asker stands, and sees it.
    rule(&doors, json!({"assignees": [{"user": far.id}]})).await;
    let approval = asked(&doors, None, "ann", "2").await;
    let path = format!("{APPROVALS}/{approval}");
    let seen = doors
        .send_as(Some(&far.token), "GET", &path, Value::Null)
        .await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    let counted = answer(&doors, Some(&far.token), &approval, yes()).await;
    assert_eq!(counted.body["state"], "approved", "{}", counted.body);
}

#[tokio::test]
async fn another_answers_in_ones_place() {
    let doors = Doors::keys().await;
    let boss = key(&doors, json!({"role": "agent"})).await;
    let deputy = key(&doors, json!({"role": "agent"})).await;
    rule(&doors, json!({"assignees": [{"user": boss.id}]})).await;
    let delegations = "/v1/fleets/main/delegations";
    let approval = asked(&doors, None, "ann", "1").await;
    let refused = answer(&doors, Some(&deputy.token), &approval, yes()).await;
    assert_eq!(refused.line(), "403 not_an_assignee");

    let to = json!({"to": {"user": deputy.id}, "for_ms": 60_000, "reason": "on leave"});
    let mut theirs = to.clone();
    theirs["from"] = json!({"user": boss.id});
    let stolen = doors
        .send_as(Some(&deputy.token), "POST", delegations, theirs)
        .await;
    assert_eq!(stolen.line(), "403 forbidden from");
    let given = doors
        .send_as(Some(&boss.token), "POST", delegations, to)
        .await;
    assert_eq!(given.body["changed"], true, "{}", given.body);
    let list = doors.get(delegations).await.body;
    assert_eq!(list["items"][0]["to"], json!({"user": deputy.id}), "{list}");
    let chain = json!({"to": {"user": "k-7"}, "for_ms": 60_000});
    let chain = doors
        .send_as(Some(&deputy.token), "POST", delegations, chain)
        .await;
    assert_eq!(chain.line(), "409 conflict");

    let counted = answer(&doors, Some(&deputy.token), &approval, yes()).await;
    assert_eq!(counted.body["state"], "approved", "{}", counted.body);
    let found = doors.get(&format!("{APPROVALS}/{approval}")).await.body;
    assert_eq!(found["answers"][0]["in_place_of"], json!({"user": boss.id}));

    let end = "/v1/fleets/main/delegations:end";
    let over = doors
        .send_as(Some(&boss.token), "POST", end, json!({}))
        .await;
    assert_eq!(over.body["changed"], true, "{}", over.body);
    let approval = asked(&doors, None, "ann", "2").await;
    let refused = answer(&doors, Some(&deputy.token), &approval, yes()).await;
    assert_eq!(refused.line(), "403 not_an_assignee");
}

#[tokio::test]
async fn of_many_answers_at_once_exactly_as_many_count_as_are_needed() {
    let doors = Doors::keys().await;
    let mut keys = Vec::new();
    for _ in 0..12 {
        keys.push(key(&doors, json!({"role": "operator"})).await);
    }
    rule(
        &doors,
        json!({"assignees": [{"role": "operator"}], "needed": 3}),
    )
    .await;
    for round in 0..10 {
        let approval = asked(&doors, None, "ann", &round.to_string()).await;
        // Everybody twice: the second voice of one counts for nothing.
        let voices = keys.iter().chain(&keys).map(|key| {
            let (approval, router) = (approval.clone(), &doors);
            async move {
                answer(router, Some(&key.token), &approval, yes())
                    .await
                    .line()
            }
        });
        let lines = futures_util::future::join_all(voices).await;
        let count = |wanted: &str| lines.iter().filter(|line| *line == wanted).count();
        assert_eq!(count("200"), 3, "{lines:?}");
        let late = count("409 approval_closed") + count("409 answered_already");
        assert_eq!(late, lines.len() - 3, "{lines:?}");
        let found = doors.get(&format!("{APPROVALS}/{approval}")).await.body;
        let voices = found["answers"].as_array().unwrap();
        let persons: std::collections::BTreeSet<String> = voices
            .iter()
            .map(|voice| voice["person"].to_string())
            .collect();
        assert_eq!((voices.len(), persons.len()), (3, 3), "{found}");
        assert_eq!(found["state"], "approved");
    }
}

#[tokio::test]
async fn of_an_approval_and_a_rejection_at_once_one_decides() {
    let doors = Doors::keys().await;
    let one = key(&doors, json!({"role": "operator"})).await;
    let other = key(&doors, json!({"role": "operator"})).await;
    rule(&doors, json!({"assignees": [{"role": "operator"}]})).await;
    for round in 0..20 {
        let approval = asked(&doors, None, "ann", &round.to_string()).await;
        let (yes, no) = tokio::join!(
            answer(&doors, Some(&one.token), &approval, yes()),
            answer(
                &doors,
                Some(&other.token),
                &approval,
                json!({"option": "reject"})
            ),
        );
        let mut lines = [yes.line(), no.line()];
        lines.sort();
        assert_eq!(lines, ["200", "409 approval_closed"]);
        let found = doors.get(&format!("{APPROVALS}/{approval}")).await.body;
        let expected = if yes.status == 200 {
            "approved"
        } else {
            "rejected"
        };
        assert_eq!(found["state"], expected, "{found}");
    }
}
