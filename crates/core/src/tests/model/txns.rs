//! What transactions promise, checked against all that has happened: the records alone, and what is due after each command.
//!
//! - A decision is made once. No branch is told to commit while another was told to abort.
//! - Nobody is told of a decision before it is a record; who voted no never hears commit.
//! - Commit is decided only when every branch has said yes.
//! - A permit that a transaction holds is there until the transaction is over.
//! - A saga undoes a step only when all that came after it are settled, and nothing once its pivot is done.
use super::super::world::World;
use super::command::{AGENTS, Driver, WAITS, command, pick};
use super::ops::PATHS;
use fleet_types::txn::{
    BranchState, Command as Txn, Decision, Kind, Outcome, Participant, Phase, Report, State, Step,
};
use fleet_types::{Actor, BranchId, Command, Event, PermitId, Text, TxnId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Default)]
pub struct Txns {
    known: BTreeMap<TxnId, Known>,
}

struct Known {
    kind: Kind,
    steps: Vec<Arc<Step>>,
    /// Branches that were enlisted, and what they voted.
    votes: BTreeMap<BranchId, Option<Outcome>>,
    /// Where each step is, as the records say.
    states: BTreeMap<BranchId, BranchState>,
    decision: Option<Decision>,
    told: BTreeSet<(BranchId, Phase)>,
    permits: BTreeSet<PermitId>,
    over: Option<State>,
}

impl Known {
    fn pivot_done(&self) -> bool {
        let mut pivots = self.steps.iter().filter(|step| step.pivot);
        pivots.any(|step| {
            matches!(
                self.states.get(&step.id),
                Some(BranchState::Done | BranchState::Skipped)
            )
        })
    }
}

impl Txns {
    pub fn follow(&mut self, world: &World, from: usize) {
        for record in &world.records[from..] {
            self.one(&record.event, TxnId(record.seq));
        }
        for due in crate::due(&world.state) {
            let order = &due.order;
            let known = self.known.get_mut(&order.txn).expect("it has begun");
            known.told.insert((order.branch.clone(), order.phase));
            match order.phase {
                Phase::Prepare => assert_eq!(known.decision, None, "asked after the decision"),
                Phase::Commit => {
                    assert_eq!(
                        known.decision,
                        Some(Decision::Commit),
                        "told before it was decided"
                    );
                    let vote = known.votes[&order.branch];
                    assert_eq!(
                        vote,
                        Some(Outcome::Done),
                        "{} did not vote yes",
                        order.branch
                    );
                }
                Phase::Abort => {
                    assert_eq!(
                        known.decision,
                        Some(Decision::Abort),
                        "told before it was decided"
                    );
                }
                Phase::Do => {}
                Phase::Undo => {
                    assert_eq!(
                        known.decision,
                        Some(Decision::Abort),
                        "undone before it turned back"
                    );
                    assert!(!known.pivot_done(), "undone past the pivot");
                    for step in known
                        .steps
                        .iter()
                        .filter(|it| it.after.contains(&order.branch))
                    {
                        let settled = matches!(
                            known.states.get(&step.id),
                            None | Some(
                                BranchState::Undone
                                    | BranchState::Dropped
                                    | BranchState::Failed
                                    | BranchState::Skipped
                            )
                        );
                        assert!(settled, "{} is undone before {}", order.branch, step.id);
                    }
                }
            }
            let told = |phase: Phase| known.told.iter().any(|(_, it)| *it == phase);
            assert!(
                !(told(Phase::Commit) && told(Phase::Abort)),
                "one is told this, another that"
            );
        }
        for (id, known) in &self.known {
            let held = known.over.is_none();
            let gone = |permit: &&PermitId| world.state.permits.find(**permit).is_none();
            if held && let Some(permit) = known.permits.iter().find(gone) {
                panic!("{permit} is gone before {id} is over");
            }
        }
    }

    fn one(&mut self, event: &Event, own: TxnId) {
        match event {
            Event::TxnBegun(event) => {
                let known = Known {
                    kind: event.begin.kind,
                    steps: event.begin.steps.clone(),
                    votes: BTreeMap::new(),
                    states: BTreeMap::new(),
                    decision: None,
                    told: BTreeSet::new(),
                    permits: BTreeSet::new(),
                    over: None,
                };
                self.known.insert(own, known);
            }
            Event::TxnEnlisted(event) => {
                let known = self.known.get_mut(&event.txn).unwrap();
                assert_eq!(known.decision, None);
                known.votes.insert(event.branch.id.clone(), None);
            }
            Event::TxnHeld(event) if event.branch.is_none() => {
                self.known
                    .get_mut(&event.txn)
                    .unwrap()
                    .permits
                    .insert(event.permit);
            }
            Event::TxnReported(event) => {
                let known = self.known.get_mut(&event.txn).unwrap();
                if event.phase == Phase::Prepare && event.again_at.is_none() {
                    known
                        .votes
                        .insert(event.branch.clone(), Some(event.outcome));
                }
                known.states.insert(event.branch.clone(), event.became);
            }
            Event::TxnMoved(event) => {
                let known = self.known.get_mut(&event.txn).unwrap();
                known.states.insert(event.branch.clone(), event.became);
            }
            Event::TxnResolved(event) => {
                let known = self.known.get_mut(&event.txn).unwrap();
                known.states.insert(event.branch.clone(), event.became);
                if event.became == BranchState::Refused {
                    known
                        .votes
                        .insert(event.branch.clone(), Some(Outcome::Refused));
                }
            }
            Event::TxnDecided(event) => {
                let known = self.known.get_mut(&event.txn).unwrap();
                assert_eq!(known.decision, None, "{} is decided twice", event.txn);
                known.decision = Some(event.decision);
                if event.decision == Decision::Commit {
                    let yes = |vote: &Option<Outcome>| {
                        matches!(vote, Some(Outcome::Done | Outcome::ReadOnly))
                    };
                    assert!(
                        known.votes.values().all(yes),
                        "committed without a yes from all"
                    );
                } else if known.kind == Kind::Saga {
                    assert!(!known.pivot_done(), "turned back past the pivot");
                }
            }
            Event::TxnEnded(event) => {
                let known = self.known.get_mut(&event.txn).unwrap();
                assert_eq!(known.over, None, "{} is over twice", event.txn);
                known.over = Some(event.state);
                let fits = match event.state {
                    State::Committed => known.decision == Some(Decision::Commit),
                    State::Aborted | State::Compensated => known.decision == Some(Decision::Abort),
                    State::Completed => known.decision.is_none(),
                    _ => event.state == State::Mixed,
                };
                assert!(fits, "{:?} ended {:?}", known.decision, event.state);
            }
            _ => {} // Nothing of a transaction.
        }
    }
}

/// Every participant does what it is told, and a person settles what is stuck: then every transaction ends.
pub fn settle(world: &mut World) {
    for _ in 0..10_000 {
        let stuck = world.state.txns.by_id.values().find_map(|txn| {
            let mut branches = txn.branches.iter();
            let (branch, _) = branches.find(|(_, it)| it.state == BranchState::Stuck)?;
            Some(Txn::Resolve {
                txn: txn.id,
                branch: branch.clone(),
                verdict: fleet_types::txn::Verdict::Skip,
                reason: Text::clip("seen"),
            })
        });
        if let Some(resolve) = stuck {
            world
                .run(Actor::Local, Command::Txn(resolve))
                .answer
                .unwrap();
            continue;
        }
        let Some(due) = crate::due(&world.state).into_iter().next() else {
            return;
        };
        assert!(!matches!(due.participant, Participant::Session { .. }));
        let report = Report {
            txn: due.order.txn,
            branch: due.order.branch,
            phase: due.order.phase,
            outcome: Outcome::Done,
            attempt: None,
            evidence: Text::default(),
            reason: Text::default(),
        };
        let command = Command::Txn(Txn::Report(Box::new(report)));
        world.run(Actor::System, command).answer.unwrap();
    }
    panic!("transactions do not end");
}

impl Driver {
    /// What happens to transactions; mostly that somebody says how something went that is due.
    pub fn txn(&self, what: u8, a: u8, b: u8, c: u8) -> Vec<(Actor, Command)> {
        let state = &self.world.state;
        let txns: Vec<_> = state.txns.by_id.values().collect();
        let agent = pick(&AGENTS, a);
        let txn = match txns.len() {
            0 => None,
            len => Some(txns[usize::from(a) % len]),
        };
        let of = |txn: Option<&crate::txn::Txn>| match txn {
            Some(txn) if c % 16 < 15 => (txn.id.to_string(), txn.begin.agent.to_string()),
            Some(_) | None => ("t999".to_owned(), agent.to_owned()),
        };
        let (id, owner) = of(txn);
        let connector = |name: &str| match name {
            "db" => json!({"postgres": {"connector": "db"}}),
            _ => json!({"webhook": {"connector": "hook"}}),
        };
        let body = match what % 16 {
            0 => {
                let to = match a % 2 {
                    0 => json!({"postgres": {"url": {"env": "CONNECTOR_X"}}}),
                    _ => json!({"webhook": {"url": "http://h/", "secret": {"file": "x"}}}),
                };
                let name = if a.is_multiple_of(2) { "db" } else { "hook" };
                let body = match c % 8 {
                    7 => json!({"remove": {"connector": name}}),
                    _ => json!({"set": {"id": name, "to": to}}),
                };
                return Self::local(command("connector", body));
            }
            1 | 2 => json!({"begin": {
                "request_id": format!("b{}", b % 16), "agent": agent, "timeout_ms": 1 << (c % 18),
                "members": ["ann", "bob"],
            }}),
            3 => {
                let step = |n: u8| {
                    let mut step = json!({
                        "id": format!("s{n}"), "participant": connector("hook"),
                        "retry": {"attempts_max": b % 3 + 1, "backoff_ms": 1},
                    });
                    if b & (1 << n) != 0 {
                        step["undo"] = json!({});
                    }
                    if b & (16 << n) != 0 {
                        let path = pick(&PATHS, c.wrapping_add(n));
                        step["permit"] = json!({
                            "action": "pay", "wait_ms": pick(&WAITS, c),
                            "resources": [{"path": path, "mode": "exclusive"}],
                        });
                    }
                    if n > 0 && c & (1 << n) != 0 {
                        step["after"] = json!([format!("s{}", n - 1)]);
                    }
                    step["pivot"] = json!(c & 6 == 6 && n == 1);
                    step
                };
                let steps: Vec<Value> = (0..=c % 3).map(step).collect();
                json!({"begin": {
                    "request_id": format!("s{}", a % 16), "agent": agent, "kind": "saga",
                    "timeout_ms": 1 << (a % 18), "steps": steps,
                }})
            }
            4 | 5 => json!({"enlist": {"txn": id, "agent": owner, "branch": {
                "id": format!("x{}", b % 3), "participant": connector(if b.is_multiple_of(2) { "db" } else { "hook" }),
            }}}),
            6 | 7 => {
                let (permit, holder) = self.permit(b);
                json!({"hold": {"txn": id, "agent": holder, "permit": permit}})
            }
            8 => json!({"commit": {"txn": id, "agent": owner}}),
            9 if c.is_multiple_of(4) => json!({"abort": {"txn": id, "agent": owner}}),
            10 if c.is_multiple_of(4) => {
                let branch = txn.and_then(|txn| {
                    let (id, _) = txn
                        .branches
                        .get_index(usize::from(b) % txn.branches.len().max(1))?;
                    Some(id.to_string())
                });
                let verdict = pick(&["committed", "aborted", "retry", "skip"], b);
                let branch = branch.unwrap_or_else(|| "none".into());
                json!({"resolve": {"txn": id, "branch": branch, "verdict": verdict, "reason": "seen"}})
            }
            _ => {
                let dues = crate::due(state);
                let Some(due) = dues.get(usize::from(a) % dues.len().max(1)) else {
                    return Vec::new();
                };
                let outcome = pick(
                    &[
                        "done",
                        "done",
                        "done",
                        "done",
                        "failed",
                        "refused",
                        "read_only",
                        "failed",
                        "done",
                        "done",
                        "committed",
                        "rolled_back",
                        "lost",
                        "done",
                        "done",
                        "done",
                    ],
                    b,
                );
                let order = &due.order;
                let attempt = order.attempt.saturating_sub(u32::from(c % 8 == 7));
                let body = json!({"report": {
                    "txn": order.txn, "branch": order.branch, "phase": order.phase,
                    "outcome": outcome, "attempt": attempt,
                }});
                return vec![(Actor::System, command("txn", body))];
            }
        };
        Self::local(command("txn", body))
    }
}
