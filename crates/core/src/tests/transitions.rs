//! Every phase of a permit, an instance and a halt against every command, as tables to be read and reviewed:
//! `transitions/*.txt`. A change of behaviour shows up as a difference of these.
use super::script::Player;
use std::fmt::Write as _;

/// What leads to a phase, and what it is called.
type Phase = (&'static str, &'static [&'static str]);

/// Plays every command in every phase of a fresh fleet: a line each, with the phase after it.
fn table(set_up: &[&str], phases: &[Phase], commands: &[&str], after: &str) -> String {
    let mut table = String::new();
    for (phase, way) in phases {
        for command in commands {
            let mut player = Player::new();
            for line in set_up.iter().chain(*way) {
                player.play(line);
            }
            let outcome = player.play(command).join("; ");
            let next = player.play(after).join("; ");
            let _ = writeln!(table, "{phase} + {command} -> {outcome} => {next}");
            player.end();
        }
        table.push('\n');
    }
    table
}

fn check(name: &str, table: &str) {
    let path = format!("{}/transitions/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, table).unwrap();
        return;
    }
    let wanted = std::fs::read_to_string(&path).unwrap();
    for (at, (wanted, found)) in wanted.lines().zip(table.lines()).enumerate() {
        let line = at + 1;
        assert_eq!(
            wanted, found,
            "{name}.txt:{line}; run again with UPDATE_EXPECT=1 if this is right"
        );
    }
    assert_eq!(
        wanted, table,
        "{name}.txt; run again with UPDATE_EXPECT=1 if this is right"
    );
}

#[test]
fn permit() {
    let set_up = [
        "agent ann",
        "agent bob",
        "connect ann/i",
        "ask bob other x:held",
        r#"rule {"id":"r","when":{"action":"pay"},"form":{"approval":{"assignees":[{"agent":"bob"}]}}}"#,
    ];
    let phases: [Phase; 9] = [
        ("never asked", &[]),
        ("waiting", &["ask ann p x:held on=i wait=5000"]),
        (
            "awaiting approval",
            &["ask ann p s:free do=pay on=i wait=5000"],
        ),
        (
            "paused",
            &["halt H pause agent=ann", "ask ann p x:free on=i wait=5000"],
        ),
        ("granted", &["ask ann p s:free on=i"]),
        (
            "extending",
            &["ask ann p s:free on=i", "extend ann p x:held wait=5000"],
        ),
        ("denied", &["ask ann p x:held on=i"]),
        ("finished", &["ask ann p s:free on=i", "finish ann p"]),
        ("expired", &["ask ann p s:free on=i ttl=1", "sleep 2"]),
    ];
    let commands = [
        "ask ann p x:held on=i wait=5000",
        "ask ann p s:free on=i",
        "ask ann p s:free",
        "finish ann p",
        "fail ann p",
        "cancel ann p",
        "finish bob p",
        "finish ann p by=agent:bob",
        "renew ann p ttl=60000",
        "extend ann p x:free",
        "extend ann p x:held wait=1000",
        "extend ann p s:free",
        "answer ann p approve by=agent:bob",
        "answer ann p reject by=agent:bob",
        "leave ann/i",
        "connect ann/i",
        "connect ann/i resume",
        "halt N immediate all",
        "halt N graceful all",
        "halt N pause all",
        "halt N risk_reducing_only all",
        "release H",
        "status ann offline",
        "unregister ann",
        "finish bob other",
        "sleep 4000",
        "sleep 6000",
        "sleep 31000",
    ];
    check("permit", &table(&set_up, &phases, &commands, "see permits"));
}

#[test]
fn approval() {
    const ASKED: &str = "ask ann p x:acc do=pay on=i wait=60000";
    let set_up = [
        "agent ann",
        "agent bob",
        "agent cid",
        "connect ann/i",
        r#"rule {"id":"r","when":{"action":"pay"},"form":{"approval":{"assignees":[{"agent":"bob"},{"agent":"cid"}],"needed":2,"deadline_ms":5000,"on_deadline":"escalate","escalate_to":[{"assignees":[{"user":"ceo"}],"deadline_ms":5000}],"sla_ms":2000}}}"#,
    ];
    let phases: [Phase; 9] = [
        ("never asked", &[]),
        ("open", &[ASKED]),
        (
            "half approved",
            &[ASKED, "answer ann p approve by=agent:bob"],
        ),
        ("escalated", &[ASKED, "escalate ann p by=key:k1"]),
        (
            "reassigned",
            &[ASKED, "reassign ann p agent:cid needed=1 role=admin"],
        ),
        (
            "approved, waits on",
            &[
                "ask bob holds x:acc",
                ASKED,
                "answer ann p approve by=agent:bob",
                "answer ann p approve by=agent:cid",
            ],
        ),
        (
            "approved",
            &[
                ASKED,
                "answer ann p approve by=agent:bob",
                "answer ann p approve by=agent:cid",
            ],
        ),
        ("rejected", &[ASKED, "answer ann p reject by=agent:bob"]),
        ("moot", &[ASKED, "cancel ann p"]),
    ];
    let commands = [
        ASKED,
        "answer ann p approve by=agent:bob",
        "answer ann p approve by=agent:cid",
        "answer ann p reject by=agent:cid",
        "answer ann p approve by=agent:ann",
        "answer ann p approve by=key:ceo",
        "escalate ann p by=key:k1",
        "reassign ann p agent:bob needed=1 role=admin",
        "comment ann p hm by=agent:bob",
        "cancel ann p",
        "leave ann/i",
        "halt N immediate all",
        "halt N pause all",
        "unrule r",
        "sleep 2000",
        "sleep 5000",
        "sleep 10000",
        "sleep 60000",
    ];
    let mut text = table(&set_up, &phases, &commands, "see approvals");
    text += &table(&set_up, &phases, &commands, "see permits");
    check("approval", &text);
}

#[test]
fn txn() {
    let set_up = [
        "agent ann",
        "connector eu postgres",
        "connector hook webhook",
        "ask ann p x:held",
        "begin ann T timeout=5000",
        "hold ann T p",
        "enlist ann T a postgres:eu",
        "enlist ann T b webhook:hook",
    ];
    let phases: [Phase; 7] = [
        ("open", &[]),
        ("preparing", &["commit ann T"]),
        (
            "one is prepared",
            &["commit ann T", "report T a prepare done"],
        ),
        (
            "committing",
            &[
                "commit ann T",
                "report T a prepare done",
                "report T b prepare done",
            ],
        ),
        ("aborting", &["abort ann T"]),
        (
            "committed",
            &[
                "commit ann T",
                "report T a prepare read_only",
                "report T b prepare read_only",
            ],
        ),
        (
            "aborted",
            &[
                "abort ann T",
                "report T a abort done",
                "report T b abort done",
            ],
        ),
    ];
    let commands = [
        "begin ann T timeout=5000",
        "enlist ann T c postgres:eu",
        "hold ann T p",
        "commit ann T",
        "abort ann T",
        "report T a prepare done",
        "report T a prepare refused",
        "report T a prepare failed",
        "report T a prepare committed",
        "report T a commit done",
        "report T a commit rolled_back",
        "report T a commit failed",
        "report T a abort done",
        "report T a abort committed",
        "report T a abort lost",
        "resolve T a committed",
        "resolve T a aborted",
        "resolve T a retry",
        "resolve T a skip",
        "halt N immediate agent=ann",
        "halt N graceful all",
        "finish ann p",
        "unconnector eu",
        "sleep 4000",
        "sleep 40000",
    ];
    check("txn", &table(&set_up, &phases, &commands, "see txn T"));
}

#[test]
fn instance() {
    let set_up = ["agent ann", "ask ann held x:a"];
    let phases: [Phase; 7] = [
        ("never seen", &[]),
        ("connected", &["connect ann/i"]),
        ("connected again", &["connect ann/i", "connect ann/i"]),
        (
            "said good-bye",
            &["connect ann/i", "connect ann/i", "leave ann/i"],
        ),
        ("failed", &["connect ann/i", "connect ann/i", "miss ann/i"]),
        (
            "recovering",
            &["connect ann/i", "miss ann/i", "connect ann/i"],
        ),
        (
            "halted",
            &["connect ann/i", "connect ann/i", "halt H graceful all"],
        ),
    ];
    let commands = [
        "connect ann/i",
        "connect ann/i resume",
        "ready ann/i",
        "leave ann/i",
        "miss ann/i",
        "ack ann/i H",
        "ask ann p on=i",
        "unregister ann",
        "status ann offline",
    ];
    let mut text = table(&set_up, &phases, &commands, "see agent ann");
    // What comes late, from a former life.
    let commands = [
        "ready ann/i old",
        "leave ann/i old",
        "miss ann/i old",
        "ack ann/i H old",
        "ask ann p on=i@old",
    ];
    let phases: Vec<Phase> = phases
        .into_iter()
        .filter(|(name, _)| !matches!(*name, "never seen" | "connected"))
        .collect();
    text += &table(&set_up, &phases, &commands, "see agent ann");
    check("instance", &text);
}

#[test]
fn halt() {
    let set_up = [
        "agent ann",
        "connect ann/i",
        "action cut risk_reducing",
        "ask ann held x:a",
    ];
    let phases: [Phase; 8] = [
        ("never ordered", &[]),
        (
            "risk reducing only",
            &["halt H risk_reducing_only agent=ann"],
        ),
        ("paused", &["halt H pause agent=ann"]),
        ("graceful", &["halt H graceful agent=ann"]),
        ("immediate", &["halt H immediate agent=ann"]),
        (
            "acknowledged",
            &["halt H graceful agent=ann", "ack ann/i H in_flight=1"],
        ),
        (
            "release requested",
            &["halt H graceful agent=ann two", "release H by=key:k1"],
        ),
        ("released", &["halt H graceful agent=ann", "release H"]),
    ];
    let commands = [
        "halt H pause agent=ann",
        "halt H immediate all",
        "release H",
        "release H by=key:k1",
        "release H by=key:k2",
        "release H by=agent:ann",
        "ack ann/i H",
        "leave ann/i",
        "connect ann/i",
        "ask ann p",
        "ask ann p wait=1000",
        "ask ann p do=cut",
        "renew ann held",
        "extend ann held x:b",
        "extend ann held x:b wait=1000",
        "finish ann held",
        "agent ann scope=elsewhere",
        "unregister ann",
    ];
    check("halt", &table(&set_up, &phases, &commands, "see status"));
}
