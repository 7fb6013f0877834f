//! What a random case is made of: small numbers, so that it shrinks well, and a swarm choice of weights, so that
//! some cases have no halts at all and others little else.
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;

#[derive(Clone, Debug)]
pub struct Case {
    pub ops: Vec<Op>,
}

/// A path of a small tree, and a mode.
pub type Claim = (u8, u8);

#[derive(Clone, Debug)]
pub enum Op {
    Ask {
        agent: u8,
        action: u8,
        claims: Vec<Claim>,
        prio: u8,
        wait: u8,
        ttl: u8,
        money: u8,
        label: u8,
        instance: u8,
        by: u8,
    },
    Again(u8),
    Reuse(u8, u8),
    Finish {
        nth: u8,
        ending: u8,
        cost: u8,
    },
    Renew(u8, u8),
    Extend {
        nth: u8,
        claims: Vec<Claim>,
        wait: u8,
    },
    Connect(u8, u8, bool),
    Instance(u8, u8, u8, bool),
    Ack(u8, u8, u8),
    Halt {
        target: u8,
        mode: u8,
        two: bool,
        by: u8,
    },
    Release(u8, u8),
    Register {
        agent: u8,
        version: u8,
        scope: u8,
        max: u8,
        weight: u8,
        label: u8,
        status: u8,
        allow: u8,
    },
    Status(u8, u8),
    Unregister(u8),
    Group(u8, u8),
    Ungroup(u8),
    Action(u8, bool),
    Limit {
        id: u8,
        kind: u8,
        max: u8,
        each: u8,
        selector: u8,
        reserve: u8,
        dynamic: bool,
    },
    Unlimit(u8),
    Budget {
        id: u8,
        hard: u8,
        each: u8,
        period: u8,
        soft: u8,
        selector: u8,
    },
    Rule {
        id: u8,
        form: u8,
        per: u8,
        cases: u8,
        span: u8,
        stage: u8,
    },
    RuleLife(u8, u8),
    ApprovalRule {
        id: u8,
        who: u8,
        needed: u8,
        deadline: u8,
        case: u8,
        stage: u8,
    },
    Approval {
        nth: u8,
        what: u8,
        by: u8,
        speaks_as: u8,
    },
    /// What, and three numbers for it.
    Txn(u8, u8, u8, u8),
    Policy {
        id: u8,
        says: u8,
        cases: u8,
        stage: u8,
    },
    PolicyLife(u8, u8),
    Tool {
        id: u8,
        kind: u8,
        guard: u8,
        cases: u8,
    },
    Untool(u8),
    /// What policies say now of one that waits for that; or what they said before.
    Rejudge(u8, bool),
    Watch(u8),
    Order {
        id: u8,
        form: u8,
        cases: u8,
        span: u8,
        stage: u8,
    },
    Answer(u8, u8, u8),
    Vote(u8, u8),
    Resolve(u8, u8, u8),
    Plan(u8, Vec<Claim>, u8),
    Unplan(u8),
    Unbudget(u8),
    TopUp(u8, u8),
    Settings(u8),
    Scope(u8, bool),
    Graph(u8, u8, bool),
    Sleep(u8),
    Jump(i8),
    Tick,
}

fn claims() -> impl Strategy<Value = Vec<Claim>> {
    // Few hot paths and some cold ones.
    let path = prop_oneof![3 => 0u8..3, 2 => 0u8..PATHS.len() as u8];
    // Some go by a version.
    let mode = prop_oneof![5 => 0u8..3, 1 => 3u8..=255];
    vec((path, mode), 0..4)
}

/// A small tree, with relatives at every distance.
pub const PATHS: [&str; 10] = [
    "a", "a/b", "a/b/c", "a/b/d", "a/e", "f", "f/g", "f/g/h", "i", "j/k",
];

const KINDS: usize = 42;

fn op(kind: usize) -> BoxedStrategy<Op> {
    let any = any::<u8>;
    match kind {
        0 | 1 => (
            (any(), any(), claims(), any(), any()),
            (any(), any(), any(), any(), any()),
        )
            .prop_map(
                |((agent, action, claims, prio, wait), (ttl, money, label, instance, by))| {
                    Op::Ask {
                        agent,
                        action,
                        claims,
                        prio,
                        wait,
                        ttl,
                        money,
                        label,
                        instance,
                        by,
                    }
                },
            )
            .boxed(),
        2 => any().prop_map(Op::Again).boxed(),
        3 => (any(), any()).prop_map(|(a, b)| Op::Reuse(a, b)).boxed(),
        4 | 5 => (any(), any(), any())
            .prop_map(|(nth, ending, cost)| Op::Finish { nth, ending, cost })
            .boxed(),
        6 => (any(), any()).prop_map(|(a, b)| Op::Renew(a, b)).boxed(),
        7 => (any(), claims(), any())
            .prop_map(|(nth, claims, wait)| Op::Extend { nth, claims, wait })
            .boxed(),
        8 => (any(), any(), proptest::bool::ANY)
            .prop_map(|(a, b, c)| Op::Connect(a, b, c))
            .boxed(),
        9 => (any(), any(), any(), proptest::bool::ANY)
            .prop_map(|(a, b, c, d)| Op::Instance(a, b, c, d))
            .boxed(),
        10 => (any(), any(), any())
            .prop_map(|(a, b, c)| Op::Ack(a, b, c))
            .boxed(),
        11 => (any(), any(), proptest::bool::ANY, any())
            .prop_map(|(target, mode, two, by)| Op::Halt {
                target,
                mode,
                two,
                by,
            })
            .boxed(),
        12 => (any(), any()).prop_map(|(a, b)| Op::Release(a, b)).boxed(),
        13 => ((any(), any(), any(), any()), (any(), any(), any(), any()))
            .prop_map(
                |((agent, version, scope, max), (weight, label, status, allow))| Op::Register {
                    agent,
                    version,
                    scope,
                    max,
                    weight,
                    label,
                    status,
                    allow,
                },
            )
            .boxed(),
        14 => (any(), any()).prop_map(|(a, b)| Op::Status(a, b)).boxed(),
        15 => any().prop_map(Op::Unregister).boxed(),
        16 => (any(), any()).prop_map(|(a, b)| Op::Group(a, b)).boxed(),
        17 => any().prop_map(Op::Ungroup).boxed(),
        18 => (any(), proptest::bool::ANY)
            .prop_map(|(a, b)| Op::Action(a, b))
            .boxed(),
        19 => (
            (any(), any(), any(), any()),
            (any(), any(), proptest::bool::weighted(0.2)),
        )
            .prop_map(
                |((id, kind, max, each), (selector, reserve, dynamic))| Op::Limit {
                    id,
                    kind,
                    max,
                    each,
                    selector,
                    reserve,
                    dynamic,
                },
            )
            .boxed(),
        20 => any().prop_map(Op::Unlimit).boxed(),
        21 => ((any(), any(), any()), (any(), any(), any()))
            .prop_map(|((id, hard, each), (period, soft, selector))| Op::Budget {
                id,
                hard,
                each,
                period,
                soft,
                selector,
            })
            .boxed(),
        22 => any().prop_map(Op::Unbudget).boxed(),
        23 => (any(), any()).prop_map(|(a, b)| Op::TopUp(a, b)).boxed(),
        24 => prop_oneof![
            any().prop_map(Op::Settings),
            (any(), proptest::bool::ANY).prop_map(|(a, b)| Op::Scope(a, b)),
            (any(), any(), proptest::bool::weighted(0.7)).prop_map(|(a, b, c)| Op::Graph(a, b, c))
        ]
        .boxed(),
        25 => any().prop_map(Op::Sleep).boxed(),
        26 => ((any(), any(), any()), (any(), any(), any()))
            .prop_map(|((id, form, per), (cases, span, stage))| Op::Rule {
                id,
                form,
                per,
                cases,
                span,
                stage,
            })
            .boxed(),
        27 => (any(), any()).prop_map(|(a, b)| Op::RuleLife(a, b)).boxed(),
        28 => ((any(), any(), any()), (any(), any(), any()))
            .prop_map(
                |((id, who, needed), (deadline, case, stage))| Op::ApprovalRule {
                    id,
                    who,
                    needed,
                    deadline,
                    case,
                    stage,
                },
            )
            .boxed(),
        29 | 30 => (any(), any(), any(), any())
            .prop_map(|(nth, what, by, speaks_as)| Op::Approval {
                nth,
                what,
                by,
                speaks_as,
            })
            .boxed(),
        31 => (any(), any(), any(), any())
            .prop_map(|(what, a, b, c)| Op::Txn(what, a, b, c))
            .boxed(),
        32 => ((any(), any()), (any(), any()))
            .prop_map(|((id, says), (cases, stage))| Op::Policy {
                id,
                says,
                cases,
                stage,
            })
            .boxed(),
        33 => (any(), any())
            .prop_map(|(a, b)| Op::PolicyLife(a, b))
            .boxed(),
        34 => (any(), proptest::bool::weighted(0.2))
            .prop_map(|(a, b)| Op::Rejudge(a, b))
            .boxed(),
        35 => any().prop_map(Op::Watch).boxed(),
        36 => ((any(), any(), any()), (any(), any()))
            .prop_map(|((id, form, cases), (span, stage))| Op::Order {
                id,
                form,
                cases,
                span,
                stage,
            })
            .boxed(),
        37 => (any(), any(), any())
            .prop_map(|(a, b, c)| Op::Answer(a, b, c))
            .boxed(),
        38 => prop_oneof![
            3 => (any(), claims(), any()).prop_map(|(a, b, c)| Op::Plan(a, b, c)),
            1 => any().prop_map(Op::Unplan)
        ]
        .boxed(),
        39 => prop_oneof![
            (any(), any()).prop_map(|(a, b)| Op::Vote(a, b)),
            (any(), any(), any()).prop_map(|(a, b, c)| Op::Resolve(a, b, c))
        ]
        .boxed(),
        40 => prop_oneof![
            4 => (any(), any(), any(), any()).prop_map(|(id, kind, guard, cases)| Op::Tool {
                id,
                kind,
                guard,
                cases,
            }),
            1 => any().prop_map(Op::Untool)
        ]
        .boxed(),
        _ => prop_oneof![Just(Op::Tick), proptest::num::i8::ANY.prop_map(Op::Jump)].boxed(),
    }
}

/// A case of at most `length` commands, with weights of its own.
pub fn case(length: usize) -> impl Strategy<Value = Case> {
    let weight = prop_oneof![3 => Just(0u32), 3 => Just(1), 2 => Just(4), 1 => Just(12)];
    vec(weight, KINDS).prop_flat_map(move |weights| {
        let kinds = weights.iter().enumerate().map(|(kind, weight)| {
            // Without requests nothing happens.
            let weight = if kind < 2 { weight.max(&4) } else { weight };
            (*weight, op(kind))
        });
        let kinds: Vec<_> = kinds.filter(|(weight, _)| *weight > 0).collect();
        vec(Union::new_weighted(kinds), 1..length).prop_map(|ops| Case { ops })
    })
}
