//! Cases that once failed, shrunk. Each says what was wrong.
use super::ops::{Case, Op};

fn ask(agent: u8) -> Op {
    Op::Ask {
        agent,
        action: 0,
        claims: vec![],
        prio: 0,
        wait: 0,
        ttl: 0,
        money: 0,
        label: 0,
        instance: 0,
        by: 1,
    }
}

/// After a restart the timer of a waiter that had been passed over for good came first and let another one go, before a
/// lease that ended earlier.
#[test]
fn a_timer_armed_again_lets_nobody_else_go() {
    let wants = |prio: u8, wait: u8, ttl: u8| Op::Ask {
        agent: 0,
        action: 0,
        claims: vec![(0, 0)],
        prio,
        wait,
        ttl,
        money: 0,
        label: 0,
        instance: 0,
        by: 1,
    };
    let limit = Op::Limit {
        id: 0,
        kind: 108,
        max: 87,
        each: 60,
        selector: 126,
        reserve: 29,
        dynamic: false,
    };
    let ops = vec![
        limit,
        wants(0, 0, 1),
        wants(3, 65, 214),
        wants(162, 185, 0),
        wants(30, 47, 0),
        Op::Sleep(14),
        Op::Sleep(52),
        Op::Sleep(155),
    ];
    super::run(&Case { ops });
}

/// The node of a resource that was let go was swept before those were tried who wait for one above it, and they went on
/// waiting.
#[test]
fn who_waits_above_a_swept_resource_is_woken() {
    let claims = |agent: u8, claims: &[(u8, u8)], wait: u8| Op::Ask {
        agent,
        action: 0,
        claims: claims.to_vec(),
        prio: 0,
        wait,
        ttl: 0,
        money: 0,
        label: 0,
        instance: 0,
        by: 1,
    };
    let one_at_once = Op::Register {
        agent: 3,
        version: 0,
        scope: 0,
        max: 111,
        weight: 0,
        label: 0,
        status: 0,
        allow: 0,
    };
    let ops = vec![
        one_at_once,
        claims(3, &[(6, 0)], 0),
        claims(3, &[(1, 0), (2, 0)], 14),
        claims(0, &[(5, 1)], 8),
        Op::Finish {
            nth: 0,
            ending: 0,
            cost: 0,
        },
    ];
    super::run(&Case { ops });
}

/// Memory let an answer go in the very step that asked for it again, when the asker was registered on the way: the
/// request was decided anew.
#[test]
fn an_answer_let_go_in_the_same_step_is_the_answer() {
    let (ann, bob, cid) = (0, 1, 2);
    let ops = vec![
        Op::Settings(7), // What is not allowed is denied: who holds nothing can be removed.
        Op::Settings(6), // Whoever asks is registered.
        ask(bob),
        ask(ann),
        ask(ann),
        ask(cid),
        ask(cid),
        Op::Unregister(bob),
        ask(cid), // One more than memory holds: the next record lets bob's go.
        Op::Reuse(5, 0),
    ];
    super::run(&Case { ops });
}

/// A rule was removed while a permit was in flight for it: what it remembered of that stayed in flight for ever.
#[test]
fn what_is_in_flight_for_a_removed_rule_ends() {
    let rule = Op::Rule {
        id: 0,
        form: 0,
        per: 3,
        cases: 3,
        span: 0,
        stage: 0,
    };
    super::run(&Case {
        ops: vec![rule, ask(0), Op::RuleLife(0, 0)],
    });
}

/// What was noticed about a rule looked at what agents might do that had gone since.
#[test]
fn what_is_noticed_follows_from_who_is_there() {
    let ops = vec![
        Op::Unregister(14),
        Op::Unregister(52),
        Op::Settings(19),
        Op::Unregister(193),
        Op::Order {
            id: 0,
            form: 0,
            cases: 1,
            span: 205,
            stage: 140,
        },
    ];
    super::run(&Case { ops });
}
