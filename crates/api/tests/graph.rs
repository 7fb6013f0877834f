//! The dependency graph, through the real router.
mod common;
use common::{Doors, claim};
use serde_json::{Value, json};

const GRAPH: &str = "/v1/fleets/main/graph";

async fn declare(doors: &Doors, from: &str, to: &str) -> common::Reply {
    let edge = json!({"from": from, "to": to});
    doors.post("/v1/fleets/main/graph:declare", edge).await
}

async fn ask(doors: &Doors, agent: &str, account: &str) -> common::Reply {
    doors
        .post("/v1/fleets/main/permits", claim(agent, account))
        .await
}

fn ends(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    let end = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.map(|row| format!("{} {}", end(row, "from"), end(row, "to")))
        .collect()
}

#[tokio::test]
async fn what_was_answered_is_in_the_graph_at_once() {
    let doors = Doors::open().await;
    let empty = doors.get(GRAPH).await;
    assert_eq!(empty.body["items"], json!([]), "{}", empty.body);
    assert_eq!(empty.body["size"]["nodes"], 0);
    for round in 0..20 {
        assert_eq!(ask(&doors, "ann", &format!("{round}")).await.status, 200);
        let page = doors.get(&format!("{GRAPH}?kind=action")).await;
        let traffic = &page.body["items"][0]["traffic"];
        assert_eq!(traffic["asked"], json!(round + 1), "{}", page.body);
    }
    assert_eq!(ask(&doors, "bob", "3").await.line(), "409 lock_held");
    let page = doors.get(&format!("{GRAPH}?count=1000")).await;
    assert_eq!(page.body["items"].as_array().unwrap().len(), 23);
    let denied = page.body["items"].as_array().unwrap().iter();
    let denied = denied.filter(|row| row["traffic"]["denied"] == json!(1));
    let denied: Vec<_> = denied.cloned().collect();
    assert_eq!(
        ends(&Value::Array(denied)),
        [
            "agent:bob action:payment.send",
            "agent:bob resource:ledger/3"
        ]
    );
}

#[tokio::test]
async fn edges_are_declared_found_and_taken_back() {
    let doors = Doors::open().await;
    let set = declare(&doors, "agent:ann", "agent:bob").await;
    assert_eq!(set.body["changed"], true, "{}", set.body);
    let again = declare(&doors, "agent:ann", "agent:bob").await;
    assert_eq!(again.body, json!({"changed": false}));
    declare(&doors, "agent:bob", "resource:feed/eu").await;
    declare(&doors, "resource:feed/eu", "agent:ann").await;
    ask(&doors, "ann", "1").await;

    // One at a time, by the cursor.
    let (mut found, mut at) = (Vec::new(), format!("{GRAPH}?count=1"));
    loop {
        let page = doors.get(&at).await;
        assert_eq!(page.status, 200, "{}", page.body);
        found.extend(ends(&page.body["items"]));
        match page.body["next"].as_str() {
            Some(next) => at = format!("{GRAPH}?count=1&after={next}"),
            None => break,
        }
    }
    let wanted = [
        "agent:ann agent:bob",
        "agent:ann action:payment.send",
        "agent:ann resource:ledger/1",
        "agent:bob resource:feed/eu",
        "resource:feed/eu agent:ann",
    ];
    assert_eq!(found, wanted);

    let found = doors.get(&format!("{GRAPH}/analysis")).await;
    let cycle = &found.body["cycles"][0];
    let round = json!(["agent:ann", "agent:bob", "resource:feed/eu"]);
    assert_eq!(
        (&cycle["shortest"], &cycle["declared"]),
        (&round, &json!(true))
    );
    assert_eq!(found.body["points"][0]["node"], "agent:ann");

    let blast = doors
        .get(&format!("{GRAPH}/blast?of=resource:feed/eu"))
        .await;
    let reached = blast.body["reached"].as_array().unwrap().iter();
    let reached: Vec<_> = reached
        .map(|row| format!("{} {} {}", row["hops"], row["node"], row["because"]))
        .collect();
    assert_eq!(
        reached,
        [
            "1 \"agent:bob\" \"declared\"",
            "2 \"agent:ann\" \"declared\"",
            "3 \"resource:ledger/1\" \"written_by\"",
        ]
    );
    let near = doors
        .get(&format!("{GRAPH}/blast?of=resource:feed/eu&hops=1"))
        .await;
    assert_eq!(near.body["agents"], 1, "{}", near.body);

    let ends = json!({"from": "agent:bob", "to": "resource:feed/eu"});
    let path = "/v1/fleets/main/graph:undeclare";
    assert_eq!(doors.post(path, ends.clone()).await.body["changed"], true);
    assert_eq!(doors.post(path, ends).await.line(), "404 not_found");
    let found = doors.get(&format!("{GRAPH}/analysis")).await;
    assert_eq!(found.body["cycles"], json!([]), "{}", found.body);
}

#[tokio::test]
async fn every_form_says_what_it_is() {
    let doors = Doors::open().await;
    declare(&doors, "agent:ann", "resource:a\"</data>'").await;
    for (format, kind, words) in [
        ("dot", "text/vnd.graphviz; charset=utf-8", "digraph fleet {"),
        ("graphml", "application/graphml+xml", "&lt;/data&gt;"),
        (
            "cypher",
            "text/plain; charset=utf-8",
            "MERGE (:Agent {name: 'ann'});",
        ),
    ] {
        let reply = doors.get(&format!("{GRAPH}/export?format={format}")).await;
        assert_eq!(reply.headers["content-type"], kind);
        assert!(
            reply.body.as_str().unwrap().contains(words),
            "{}",
            reply.body
        );
    }
    let reply = doors.get(&format!("{GRAPH}/export")).await;
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.body["nodes"][0]["id"], "agent:ann");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let doors = Doors::open().await;
    declare(&doors, "agent:ann", "agent:bob").await;
    for (path, line) in [
        ("graph?count=0", "400 invalid count"),
        ("graph?after=x", "400 invalid after"),
        ("graph?after=c1.61", "400 invalid after"),
        ("graph?scope=a//b", "400 invalid scope"),
        ("graph?kind=tool", "400 invalid kind"),
        ("graph?source=guessed", "400 invalid source"),
        ("graph?since=yesterday", "400 invalid since"),
        ("graph?asked_min=-1", "400 invalid asked_min"),
        ("graph/analysis?count=1001", "400 invalid count"),
        ("graph/analysis?after=c1.61", "400 invalid"),
        ("graph/blast", "400 invalid of"),
        ("graph/blast?of=ann", "400 invalid of"),
        ("graph/blast?of=agent:cid", "404 not_found of"),
        ("graph/blast?of=agent:ann&hops=0", "400 invalid hops"),
        ("graph/export?format=svg", "400 invalid format"),
    ] {
        let reply = doors.get(&format!("/v1/fleets/main/{path}")).await;
        assert!(reply.line().starts_with(line), "{path}: {}", reply.body);
    }
    for (edge, line) in [
        (json!({"from": "agent:ann"}), "400 invalid to"),
        (
            json!({"from": "agent:ann", "to": "agent:ann"}),
            "400 invalid to",
        ),
        (
            json!({"from": "ann", "to": "agent:bob"}),
            "400 invalid from",
        ),
        (
            json!({"from": "agent:a", "to": "agent:b", "why": "x"}),
            "400 invalid why",
        ),
        (
            json!({"from": "agent:a", "to": "agent:b", "description": "\u{7}"}),
            "400 invalid description",
        ),
    ] {
        let reply = doors.post("/v1/fleets/main/graph:declare", edge).await;
        assert_eq!(reply.line(), line, "{}", reply.body);
    }
    let page = doors.get(GRAPH).await;
    assert_eq!(ends(&page.body["items"]), ["agent:ann agent:bob"]);
}

#[tokio::test]
async fn keys_see_and_change_as_much_as_they_may() {
    let doors = Doors::keys().await;
    let scoped = json!({"role": "admin", "scope": "emea"});
    let (scoped, viewer) = (
        doors.key(scoped).await,
        doors.key(json!({"role": "viewer"})).await,
    );
    let edge = json!({"from": "agent:a", "to": "agent:b"});
    let path = "/v1/fleets/main/graph:declare";
    for key in [&scoped, &viewer] {
        let refused = doors.send_as(Some(key), "POST", path, edge.clone()).await;
        assert_eq!(refused.line(), "403 forbidden");
    }
    for path in [
        GRAPH,
        "/v1/fleets/main/graph/analysis",
        "/v1/fleets/main/graph/export",
    ] {
        let seen = doors.send_as(Some(&viewer), "GET", path, Value::Null).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
        let refused = doors.send_as(Some(&scoped), "GET", path, Value::Null).await;
        assert_eq!(refused.line(), "403 forbidden");
    }
}
