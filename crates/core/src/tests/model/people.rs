//! People in random commands: rules that ask them, and what they answer.
use super::command::{AGENTS, command, pick};
use super::ops::Op;
use crate::state::State;
use fleet_types::{Actor, ApprovalId, Command, Seq};
use serde_json::{Value, json};

/// A rule that wants approvals.
pub fn rule(op: &Op) -> Command {
    let Op::ApprovalRule {
        id,
        who,
        needed,
        deadline,
        case,
        stage,
    } = op
    else {
        return Command::Tick;
    };
    let lists = [
        r#"[{"agent":"bob"}]"#,
        r#"[{"agent":"ann"},{"agent":"bob"},{"role":"operator"}]"#,
        r#"[{"group":"g0"},{"user":"k1"}]"#,
        r#"[{"role":"operator"}]"#,
        r#"[{"user":"k1"},{"user":"k2"},{"agent":"cid"}]"#,
        r#"[{"role":"admin"},{"agent":"dee"},{"group":"g1"}]"#,
    ];
    let assignees = |at: u8| -> Value { pick(&lists, at).parse().unwrap() };
    let mut terms = json!({"assignees": assignees(*who), "needed": needed % 2 + 1});
    if deadline % 4 > 0 {
        terms["deadline_ms"] = json!(1u64 << (deadline % 14));
        let effects = ["approve", "reject", "escalate", "escalate"];
        terms["on_deadline"] = json!(pick(&effects, deadline / 16));
        terms["escalate_to"] = json!([
            {"assignees": assignees(who / 8), "deadline_ms": 1u64 << (needed % 14)},
            {"assignees": [{"user": "k2"}]},
        ]);
    }
    if needed % 4 == 3 {
        terms["sla_ms"] = json!(1u64 << (needed % 13));
    }
    let cases = [
        r#"{"action":"pay"}"#,
        r#"{"action":"cut.*"}"#,
        r#"{}"#,
        r#"{"agent":"ann"}"#,
        r#"{"resource":"a/**"}"#,
        r#"{"labels":{"l":"1"}}"#,
    ];
    let when: Value = pick(&cases, *case).parse().unwrap();
    let stage = pick(
        &[
            "enforce", "enforce", "enforce", "enforce", "observe", "draft",
        ],
        *stage,
    );
    let rule = json!({
        "id": format!("u{}", id % 3), "stage": stage, "when": when,
        "form": {"approval": terms},
    });
    command("rule", json!({"set": {"rule": rule}}))
}

/// An approval, the newest first; now and then one that never was.
fn approval(state: &State, nth: u8) -> ApprovalId {
    let known = &state.approvals.by_id;
    let known: Vec<ApprovalId> = known.keys().rev().copied().collect();
    match known.len() {
        0 => ApprovalId(Seq(u64::from(nth))),
        len => known[usize::from(nth) % len],
    }
}

/// Something that somebody says about one, or asks.
pub fn voice(state: &State, op: &Op) -> Vec<(Actor, Command)> {
    let Op::Approval {
        nth,
        what,
        by,
        speaks_as,
    } = op
    else {
        return Vec::new();
    };
    let approval = self::approval(state, *nth);
    let person = |at: u8| match at % 3 {
        0 => json!({"user": pick(&["k1", "k2", "k3"], at / 3)}),
        _ => json!({"agent": pick(&AGENTS, at / 3)}),
    };
    let actor = match by % 8 {
        0..3 => Actor::Agent(pick(&AGENTS, by / 8).parse().unwrap()),
        3..7 => Actor::Key(pick(&["k1", "k2", "k3"], by / 8).parse().unwrap()),
        _ => Actor::Local,
    };
    let role = match actor {
        Actor::Agent(_) => "agent",
        Actor::Key(_) => pick(&["operator", "admin", "agent"], by / 32),
        Actor::Local | Actor::System => "admin",
    };
    let scope = (by % 16 == 3).then_some("north");
    let verb = match what % 16 {
        0..7 => json!({"answer": {"approval": approval, "option": "approve"}}),
        7 => json!({"answer": {"approval": approval, "option": "reject"}}),
        8 => json!({"answer": {"approval": approval, "option": "perhaps"}}),
        9 => json!({"escalate": {"approval": approval}}),
        10 => json!({"reassign": {
            "approval": approval, "assignees": [person(what / 16)], "needed": what / 64,
        }}),
        11 => json!({"comment": {"approval": approval, "comment": "hm"}}),
        12 | 13 => json!({"delegate": {
            "from": (by % 3 == 0).then(|| person(*nth)), "to": person(what / 16),
            "for_ms": 1u64 << (nth % 18),
        }}),
        14 => json!({"end_delegation": {"from": (by % 3 == 0).then(|| person(*nth))}}),
        _ => json!({"answer": {"approval": approval, "option": "approve", "fields": {"a": 1}}}),
    };
    let body = json!({
        "proof": {"role": role, "scope": scope},
        "speaks_as": (speaks_as % 4 == 0).then(|| person(speaks_as / 4)), "verb": verb,
    });
    vec![(actor, command("approval", body))]
}
