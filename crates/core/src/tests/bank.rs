//! Money moves between two banks while everything crashes: the coordinator behind any command, the banks at any order.
//!
//! A bank keeps what it has prepared. In the end, when nothing crashes any more, every transfer is in both banks or in
//! neither, no money is lost or made, and nothing stays prepared. The control shows that a coordinator which tells before it
//! is durable is caught.
use super::crashing::Coordinator;
use super::world::World;
use fleet_types::TxnId;
use fleet_types::txn::{Order, Outcome, Phase};
use serde_json::json;
use std::collections::BTreeMap;

/// One bank: its money, and what is prepared under which transaction.
#[derive(Default)]
struct Bank {
    cents: i64,
    prepared: BTreeMap<TxnId, i64>,
    committed: BTreeMap<TxnId, i64>,
}

impl Bank {
    /// Does what it is told; a repeat is answered alike.
    fn told(&mut self, order: &Order) -> Outcome {
        let txn = order.txn;
        match order.phase {
            Phase::Prepare if self.prepared.contains_key(&txn) => Outcome::Done,
            Phase::Prepare => Outcome::Refused,
            Phase::Commit => match self.prepared.remove(&txn) {
                Some(cents) => {
                    self.cents += cents;
                    self.committed.insert(txn, cents);
                    Outcome::Done
                }
                None if self.committed.contains_key(&txn) => Outcome::Done,
                None => Outcome::RolledBack,
            },
            Phase::Abort if self.committed.contains_key(&txn) => Outcome::Committed,
            _ => {
                self.prepared.remove(&txn);
                Outcome::Done
            }
        }
    }
}

struct Bench {
    coordinator: Coordinator,
    banks: BTreeMap<&'static str, Bank>,
    begun: u32,
}

const BOTH: [&str; 2] = ["eu", "us"];

impl Bench {
    fn new(seed: u64, tells_early: bool) -> Bench {
        let mut world = World::open(&["ann"]);
        for bank in BOTH {
            let to = json!({"postgres": {"url": {"env": "CONNECTOR_X"}}});
            let body = json!({"set": {"id": bank, "to": to}});
            world.local(serde_json::from_value(json!({ "connector": body })).unwrap());
        }
        let bank = || Bank {
            cents: 1_000,
            ..Bank::default()
        };
        Bench {
            coordinator: Coordinator::new(world, seed, tells_early),
            banks: BOTH.into_iter().map(|name| (name, bank())).collect(),
            begun: 0,
        }
    }

    /// A transfer is begun, and its parts are prepared; now and then one is forgotten.
    fn begin(&mut self) {
        self.begun += 1;
        let request = format!("r{}", self.begun);
        let body = json!({"begin": {"request_id": request, "agent": "ann", "timeout_ms": 5_000}});
        let Some(txn) = self.coordinator.begin(body) else {
            return;
        };
        for bank in BOTH {
            let participant = json!({"postgres": {"connector": bank}});
            let branch = json!({"id": bank, "participant": participant});
            let body = json!({"enlist": {"txn": txn, "agent": "ann", "branch": branch}});
            self.coordinator.local(body);
        }
        // The names are told when they are durable; only then does the agent prepare.
        self.coordinator.sync();
        for (bank, cents) in [("eu", -10), ("us", 10)] {
            if !self.coordinator.one_in(8) {
                let bank = self.banks.get_mut(bank).unwrap();
                bank.prepared.insert(txn, cents);
            }
        }
        if !self.coordinator.one_in(8) {
            let body = json!({"commit": {"txn": txn, "agent": "ann"}});
            self.coordinator.local(body);
        }
    }

    fn step(&mut self) {
        match self.coordinator.number() % 12 {
            0 if self.begun < 12 => self.begin(),
            1 => self.coordinator.crash(),
            2 => drop(self.coordinator.world.sleep(fleet_types::Millis(700))),
            3..=5 => self.coordinator.sync(),
            _ => {
                if let Some(order) = self.coordinator.tells() {
                    let outcome = told(&mut self.banks, &order);
                    self.coordinator.hears(order, outcome);
                }
            }
        }
    }

    fn calm(&mut self) {
        let banks = &mut self.banks;
        self.coordinator.calm(|order| told(banks, order));
        // What was prepared for what is over, or never was, belongs to nobody.
        let state = &self.coordinator.world.state;
        for (name, bank) in &mut self.banks {
            let branch = name.parse().unwrap();
            bank.prepared
                .retain(|txn, _| crate::read::owns(state, *txn, &branch));
        }
    }

    /// Whether every transfer is in both banks or in neither.
    fn is_sound(&self) -> bool {
        let (eu, us) = (&self.banks["eu"], &self.banks["us"]);
        let same = eu.committed.keys().eq(us.committed.keys());
        same && eu.cents + us.cents == 2_000 && eu.prepared.is_empty() && us.prepared.is_empty()
    }
}

fn told(banks: &mut BTreeMap<&str, Bank>, order: &Order) -> Outcome {
    banks.get_mut(order.branch.as_str()).unwrap().told(order)
}

fn play(seed: u64, tells_early: bool) -> (bool, usize) {
    let mut bench = Bench::new(seed, tells_early);
    for _ in 0..160 {
        bench.step();
    }
    bench.calm();
    (bench.is_sound(), bench.banks["eu"].committed.len())
}

#[test]
fn money_is_kept_through_crashes_at_any_place() {
    let (mut moved, seeds) = (0, 120);
    for seed in 0..seeds {
        let (sound, committed) = play(seed, false);
        assert!(sound, "seed {seed}");
        moved += committed;
    }
    assert!(
        moved > 120,
        "{moved} transfers in {seeds} seeds: it tests nothing"
    );
}

/// The control: who tells before it is durable loses money, and is found out.
#[test]
fn who_tells_early_is_found_out() {
    let caught = (0..120).filter(|seed| !play(*seed, true).0).count();
    assert!(caught > 0, "telling early was never noticed");
}
