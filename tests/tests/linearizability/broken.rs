//! The check can fail: histories that no fleet may cause are refused, and so is a door that lies.
use fleet_tests::history::{
    Client, Door, History, Hold, Line, Op, Ret, Shape, Table, Verdict, record,
};
use fleet_types::lock::Mode;
use stateright::semantics::SequentialSpec;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

fn take(path: &str) -> Op {
    Op::Take {
        claims: vec![(path.to_owned(), Mode::Exclusive)],
        waits: false,
    }
}

fn hold(path: &str, token: u64) -> Hold {
    Hold {
        permit: token,
        path: path.to_owned(),
        mode: Mode::Exclusive,
        token,
    }
}

/// A grant whose permit has the token's number.
fn granted(path: &str, token: u64) -> Ret {
    Ret::Granted {
        permit: token,
        holds: vec![hold(path, token)],
    }
}

fn give(permit: u64) -> Op {
    Op::Give { permit }
}

fn look(path: &str) -> Op {
    Op::Look {
        under: path.to_owned(),
    }
}

fn holders(holds: &[Hold]) -> Ret {
    Ret::Holders(holds.iter().cloned().collect())
}

#[test]
fn what_is_in_order_passes() {
    let history = History::default()
        .then(0, take("a"), granted("a", 1))
        .then(1, take("a/x"), Ret::Denied { at: 2 })
        .then(1, look("a"), holders(&[hold("a", 1)]))
        .then(0, give(1), Ret::Given)
        .then(1, take("a/x"), granted("a/x", 3))
        .then(0, look("a"), holders(&[hold("a/x", 3)]));
    assert_eq!(history.verdict(), Verdict::Linearizable);
}

#[test]
fn a_grant_that_overlaps_another_is_refused() {
    let first = History::default().then(0, take("a"), granted("a", 1));
    for path in ["a", "a/x"] {
        let overlap = first.clone().then(1, take(path), granted(path, 2));
        assert_eq!(overlap.verdict(), Verdict::Broken, "{overlap}");
    }
    let beside = first.clone().then(1, take("b"), granted("b", 2));
    assert_eq!(beside.verdict(), Verdict::Linearizable, "{beside}");
    // While the first is being given back, the second may come; its answer may even be the first that is heard.
    let mut at_once = first;
    at_once.lines.extend([
        Line::Invoked(0, give(1)),
        Line::Invoked(1, take("a")),
        Line::Returned(1, granted("a", 2)),
        Line::Returned(0, Ret::Given),
    ]);
    assert_eq!(at_once.verdict(), Verdict::Linearizable, "{at_once}");
}

#[test]
fn a_stale_token_is_refused() {
    let first = History::default()
        .then(0, take("a"), granted("a", 5))
        .then(0, give(5), Ret::Given);
    for token in [4, 5] {
        let mut stale = first.clone();
        stale = stale.then(1, take("a"), granted("a", token));
        assert_eq!(stale.verdict(), Verdict::Broken, "{stale}");
    }
    let newer = first.clone().then(1, take("a"), granted("a", 6));
    assert_eq!(newer.verdict(), Verdict::Linearizable, "{newer}");
    let validate = Op::Validate {
        path: "a".to_owned(),
        token: 5,
    };
    let valid = first.then(1, validate, Ret::Valid(true));
    assert_eq!(valid.verdict(), Verdict::Broken, "{valid}");
}

#[test]
fn a_look_into_the_past_is_refused() {
    let given = History::default()
        .then(0, take("a"), granted("a", 1))
        .then(0, give(1), Ret::Given);
    let past = given.then(1, look("a"), holders(&[hold("a", 1)]));
    assert_eq!(past.verdict(), Verdict::Broken, "{past}");
}

#[test]
fn half_a_grant_and_a_denial_of_what_is_free_are_refused() {
    let both = Op::Take {
        claims: vec![("a".into(), Mode::Shared), ("b".into(), Mode::Shared)],
        waits: false,
    };
    let half = History::default().then(0, both, granted("a", 1));
    assert_eq!(half.verdict(), Verdict::Broken, "{half}");
    let free = History::default().then(0, take("a"), Ret::Denied { at: 1 });
    assert_eq!(free.verdict(), Verdict::Broken, "{free}");
}

/// A lock table in memory that may serve looks from a cache: right most of the time.
#[derive(Default)]
struct Cached(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    table: Table,
    held: BTreeSet<Hold>,
    cache: BTreeSet<Hold>,
    calls: u64,
    /// After so many calls the cache is filled again.
    refresh: u64,
}

impl Door for Cached {
    async fn call(&self, _: Client, _: &str, op: &Op) -> Ret {
        tokio::task::yield_now().await;
        let ret = self.0.lock().unwrap().call(op);
        tokio::task::yield_now().await;
        ret
    }
}

impl Inner {
    fn call(&mut self, op: &Op) -> Ret {
        self.calls += 1;
        if self.calls.is_multiple_of(self.refresh) {
            self.cache.clone_from(&self.held);
        }
        match op {
            Op::Take { claims, .. } => {
                let permit = self.calls;
                let holds = claims.iter().map(|(path, mode)| Hold {
                    permit,
                    path: path.clone(),
                    mode: *mode,
                    token: permit,
                });
                let holds: Vec<Hold> = holds.collect();
                let granted = Ret::Granted {
                    permit,
                    holds: holds.clone(),
                };
                if !self.table.clone().is_valid_step(op, &granted) {
                    return Ret::Denied { at: self.calls };
                }
                self.table.is_valid_step(op, &granted);
                self.held.extend(holds);
                granted
            }
            Op::Give { permit } => {
                self.table.is_valid_step(op, &Ret::Given);
                self.held.retain(|hold| hold.permit != *permit);
                Ret::Given
            }
            Op::Look { under } => {
                let below = |hold: &&Hold| {
                    hold.path == *under || hold.path.starts_with(&format!("{under}/"))
                };
                Ret::Holders(self.cache.iter().filter(below).cloned().collect())
            }
            Op::Validate { path, token } => {
                let stands = |hold: &Hold| hold.path == *path && hold.token == *token;
                Ret::Valid(self.held.iter().any(stands))
            }
        }
    }
}

/// How many of ten histories with such a cache are broken.
async fn broken(refresh: u64) -> usize {
    let inner = Inner {
        refresh,
        ..Inner::default()
    };
    let door = Arc::new(Cached(Mutex::new(inner)));
    let shape = Shape {
        clients: 3,
        operations: 8,
        waits: false,
    };
    let mut broken = 0;
    for seed in 0..10 {
        let verdict = record(&door, shape, seed).await.verdict();
        assert_ne!(verdict, Verdict::Undecided);
        broken += usize::from(verdict == Verdict::Broken);
    }
    broken
}

#[tokio::test]
async fn a_door_that_answers_from_a_cache_is_found_out() {
    assert_eq!(broken(1).await, 0);
    assert!(broken(5).await > 0, "nobody noticed the cache");
}
