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
