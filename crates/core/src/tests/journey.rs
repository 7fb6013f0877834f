//! Journeys are booked, as sagas, while everything crashes: the coordinator behind any command, and orders come late and twice.
//!
//! In the end, when nothing crashes any more, every journey is booked as a whole or not at all: each step that was done is
//! undone, but never once its pivot, the payment, is done. The control shows that a coordinator which tells before it is
//! durable is caught.
use super::crashing::Coordinator;
use super::world::World;
use fleet_types::txn::{Order, Outcome, Phase, State};
use fleet_types::{BranchId, TxnId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Whoever carries steps out: what is done stays done through crashes of its own.
#[derive(Default)]
struct Shops {
    done: BTreeSet<(TxnId, BranchId)>,
    /// Also what was undone before it was done: an order that comes late after that is refused.
    undone: BTreeSet<(TxnId, BranchId)>,
    /// What they will not do, whoever asks.
    sold_out: BTreeMap<TxnId, &'static str>,
}

impl Shops {
    /// Does what it is told; a repeat is answered alike.
    fn told(&mut self, order: &Order) -> Outcome {
        let step = (order.txn, order.branch.clone());
        let sold_out = self.sold_out.get(&order.txn);
        match order.phase {
            Phase::Do if self.undone.contains(&step) => Outcome::Refused,
            Phase::Do if sold_out.is_some_and(|it| *it == step.1.as_str()) => Outcome::Refused,
            Phase::Do => {
                self.done.insert(step);
                Outcome::Done
            }
            Phase::Undo => {
                self.done.remove(&step);
                self.undone.insert(step);
                Outcome::Done
            }
            Phase::Prepare | Phase::Commit | Phase::Abort => panic!("a saga has no such phase"),
        }
    }

    /// Whether a journey is booked, as far as these steps tell; `None`: half.
    fn booked(&self, txn: TxnId) -> Option<bool> {
        let done = |name: &&str| self.done.contains(&(txn, name.parse().unwrap()));
        match STEPS.iter().filter(|name| done(name)).count() {
            0 => Some(false),
            4 => Some(true),
            _ => None,
        }
    }
}

const STEPS: [&str; 4] = ["car", "hotel", "pay", "mail"];

/// Car and hotel at once, then the payment, behind which there is no way back, then the confirmation.
fn steps() -> Value {
    let hook = json!({"webhook": {"connector": "hook"}});
    let retry = json!({"attempts_max": 1_000, "backoff_ms": 100, "backoff_ms_max": 400});
    let resources = json!([{"path": "car/1", "mode": "exclusive"}]);
    let permit = json!({"action": "car.book", "resources": resources});
    json!([
        {"id": "car", "participant": hook, "undo": {}, "permit": permit, "retry": retry},
        {"id": "hotel", "participant": hook, "undo": {}, "retry": retry},
        {"id": "pay", "participant": hook, "undo": {}, "after": ["car", "hotel"], "pivot": true, "retry": retry},
        {"id": "mail", "participant": hook, "after": ["pay"], "retry": retry},
    ])
}

struct Bench {
    coordinator: Coordinator,
    shops: Shops,
    /// Orders that come again, late.
    late: Vec<Order>,
    begun: u32,
}

impl Bench {
    fn new(seed: u64, tells_early: bool) -> Bench {
        let mut world = World::open(&["ann"]);
        let to =
            json!({"webhook": {"url": "https://shop.example", "secret": {"env": "CONNECTOR_X"}}});
        let body = json!({"set": {"id": "hook", "to": to}});
        world.local(serde_json::from_value(json!({ "connector": body })).unwrap());
        Bench {
            coordinator: Coordinator::new(world, seed, tells_early),
            shops: Shops::default(),
            late: Vec::new(),
            begun: 0,
        }
    }

    fn begin(&mut self) {
        self.begun += 1;
        let request = format!("r{}", self.begun);
        let body = json!({"begin": {
            "request_id": request, "agent": "ann", "kind": "saga", "timeout_ms": 8_000,
            "steps": steps(),
        }});
        let Some(txn) = self.coordinator.begin(body) else {
            return;
        };
        // What comes after the pivot cannot be refused: it must be done in the end.
        let refused = self.coordinator.number() as usize % 8;
        if let Some(name) = STEPS[..3].get(refused) {
            self.shops.sold_out.insert(txn, name);
        }
    }

    fn step(&mut self) {
        match self.coordinator.number() % 12 {
            0 if self.begun < 8 => self.begin(),
            1 => self.coordinator.crash(),
            2 => drop(self.coordinator.world.sleep(fleet_types::Millis(700))),
            3..=4 => self.coordinator.sync(),
            5 if !self.late.is_empty() => {
                let at = self.coordinator.number() as usize % self.late.len();
                let order = self.late.swap_remove(at);
                self.shops.told(&order);
            }
            _ => {
                if let Some(order) = self.coordinator.tells() {
                    if self.coordinator.one_in(4) {
                        self.late.push(order.clone());
                    }
                    let outcome = self.shops.told(&order);
                    self.coordinator.hears(order, outcome);
                }
            }
        }
    }

    /// Whether every journey is booked or not, as the fleet says; and how many are of each.
    fn ends(&mut self) -> Option<[usize; 2]> {
        let shops = &mut self.shops;
        self.coordinator.calm(|order| shops.told(order));
        for order in self.late.drain(..) {
            self.shops.told(&order);
        }
        let state = &self.coordinator.world.state;
        let mut ends = [0; 2];
        let touched = self.shops.done.iter().map(|(txn, _)| *txn);
        let known = state.txns.by_id.keys().copied();
        for txn in touched.chain(known).collect::<BTreeSet<_>>() {
            let booked = self.shops.booked(txn)?;
            let says = state.txns.find(txn).map(|txn| txn.state);
            match (booked, says) {
                // Those that ended long ago are not remembered.
                (true, Some(State::Completed) | None) => ends[0] += 1,
                (false, Some(State::Compensated)) => ends[1] += 1,
                _ => return None,
            }
        }
        Some(ends)
    }
}

fn play(seed: u64, tells_early: bool) -> Option<[usize; 2]> {
    let mut bench = Bench::new(seed, tells_early);
    for _ in 0..200 {
        bench.step();
    }
    bench.ends()
}

#[test]
fn journeys_are_whole_through_crashes_at_any_place() {
    let (mut ends, seeds) = ([0; 2], 120);
    for seed in 0..seeds {
        let of = play(seed, false).unwrap_or_else(|| panic!("seed {seed}: half a journey"));
        ends = [ends[0] + of[0], ends[1] + of[1]];
    }
    assert!(
        ends.iter().all(|many| *many > 100),
        "{ends:?} journeys in {seeds} seeds: it tests nothing"
    );
}

/// The control: who tells before it is durable books halves, and is found out.
#[test]
fn who_tells_early_books_halves() {
    let caught = (0..120).filter(|seed| play(*seed, true).is_none()).count();
    assert!(caught > 0, "telling early was never noticed");
}
