//! Money moves between two banks while everything crashes: the coordinator at any record, the banks at any order.
//!
//! The coordinator keeps a durable prefix of its records and is built again from it; what it had told before was durable. A
//! bank keeps what it has prepared. In the end, when nothing crashes any more, every transfer is in both banks or in neither,
//! no money is lost or made, and nothing stays prepared. The control shows that a coordinator which tells before it is
//! durable is caught.
use super::world::World;
use crate::{Due, State, apply_record, due};
use fleet_types::txn::{Command as Txn, Outcome, Phase, Report};
use fleet_types::{Actor, Command, Record, Reply, Text, TxnId};
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
    fn told(&mut self, txn: TxnId, phase: Phase) -> Outcome {
        match phase {
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
    world: World,
    /// So many records are durable.
    durable: usize,
    banks: BTreeMap<&'static str, Bank>,
    /// Splitmix64: the same numbers for the same seed.
    chance: u64,
    tells_early: bool,
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
        let durable = world.records.len();
        let bank = || Bank {
            cents: 1_000,
            ..Bank::default()
        };
        Bench {
            world,
            durable,
            banks: BOTH.into_iter().map(|name| (name, bank())).collect(),
            chance: seed,
            tells_early,
            begun: 0,
        }
    }

    fn number(&mut self) -> u32 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as u32
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.number().is_multiple_of(many)
    }

    fn txn(&mut self, by: Actor, body: Txn) {
        // What it says is of no matter: commands come late and twice.
        let _ = self.world.run(by, Command::Txn(body));
    }

    fn local(&mut self, body: serde_json::Value) {
        let command: Txn = serde_json::from_value(body).unwrap();
        self.txn(Actor::Local, command);
    }

    /// A transfer is begun, and its parts are prepared; now and then one is forgotten.
    fn begin(&mut self) {
        self.begun += 1;
        let request = format!("r{}", self.begun);
        let body = json!({"begin": {"request_id": request, "agent": "ann", "timeout_ms": 5_000}});
        let command = Command::Txn(serde_json::from_value(body).unwrap());
        let Ok(Reply::Transaction(standing)) = self.world.local(command).answer else {
            return; // Too many are under way.
        };
        let txn = standing.txn;
        for bank in BOTH {
            let participant = json!({"postgres": {"connector": bank}});
            let branch = json!({"id": bank, "participant": participant});
            self.local(json!({"enlist": {"txn": txn, "agent": "ann", "branch": branch}}));
        }
        // The names are told when they are durable; only then does the agent prepare.
        self.durable = self.world.records.len();
        for (bank, cents) in [("eu", -10), ("us", 10)] {
            if !self.one_in(8) {
                self.banks
                    .get_mut(bank)
                    .unwrap()
                    .prepared
                    .insert(txn, cents);
            }
        }
        if !self.one_in(8) {
            self.local(json!({"commit": {"txn": txn, "agent": "ann"}}));
        }
    }

    /// What is due is told to a bank, which may be lost on the way there or back.
    fn tell(&mut self) {
        let told = match self.tells_early {
            true => due(&self.world.state),
            false => due(&replay(&self.world.records[..self.durable])),
        };
        let count = told.len() as u32;
        if count == 0 {
            return;
        }
        let Due { order, .. } = told[(self.number() % count) as usize].clone();
        if self.one_in(6) {
            return;
        }
        let bank = self.banks.get_mut(order.branch.as_str()).unwrap();
        let outcome = bank.told(order.txn, order.phase);
        let report = Report {
            txn: order.txn,
            branch: order.branch,
            phase: order.phase,
            outcome: if self.one_in(6) {
                Outcome::Failed
            } else {
                outcome
            },
            attempt: Some(order.attempt),
            evidence: Text::default(),
            reason: Text::default(),
        };
        if !self.one_in(6) {
            self.txn(Actor::System, Txn::Report(Box::new(report)));
        }
    }

    /// The coordinator is gone; some of what was on its way to the disk is there.
    fn crash(&mut self) {
        let on_the_way = self.world.records.len() - self.durable;
        let kept = self.number() as usize % (on_the_way + 1);
        self.world.records.truncate(self.durable + kept);
        self.durable = self.world.records.len();
        self.world.state = replay(&self.world.records);
    }

    fn step(&mut self) {
        match self.number() % 12 {
            0 if self.begun < 12 => self.begin(),
            1 => self.crash(),
            2 => drop(self.world.sleep(fleet_types::Millis(700))),
            3..=5 => self.durable = self.world.records.len(),
            _ => self.tell(),
        }
    }

    /// Nothing crashes any more.
    fn calm(&mut self) {
        for _ in 0..2_000 {
            self.durable = self.world.records.len();
            self.world.sleep(fleet_types::Millis(1_000));
            let Some(Due { order, .. }) = due(&self.world.state).into_iter().next() else {
                if self.world.state.txns.live.is_empty() {
                    break;
                }
                continue;
            };
            let bank = self.banks.get_mut(order.branch.as_str()).unwrap();
            let report = Report {
                txn: order.txn,
                branch: order.branch,
                phase: order.phase,
                outcome: bank.told(order.txn, order.phase),
                attempt: None,
                evidence: Text::default(),
                reason: Text::default(),
            };
            self.txn(Actor::System, Txn::Report(Box::new(report)));
        }
        // What was prepared for what is over, or never was, belongs to nobody.
        let state = &self.world.state;
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

fn replay(records: &[Record]) -> State {
    let mut state = State::default();
    for record in records {
        apply_record(&mut state, record);
    }
    state
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
