//! A coordinator that crashes between any two commands: it keeps a durable prefix of its records, and is built again from it. What it
//! told others before was durable, unless it is told to tell early.
use super::world::World;
use crate::{Due, State, apply_record, due};
use fleet_types::txn::{Command as Txn, Order, Outcome, Report};
use fleet_types::{Actor, Code, Command, Record, Reply, Text, TxnId};
use serde_json::Value;

pub struct Coordinator {
    pub world: World,
    /// So many records are durable.
    durable: usize,
    /// Splitmix64: the same numbers for the same seed.
    chance: u64,
    tells_early: bool,
}

impl Coordinator {
    pub fn new(world: World, seed: u64, tells_early: bool) -> Coordinator {
        Coordinator {
            durable: world.records.len(),
            world,
            chance: seed,
            tells_early,
        }
    }

    pub fn number(&mut self) -> u32 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as u32
    }

    pub fn one_in(&mut self, many: u32) -> bool {
        self.number().is_multiple_of(many)
    }

    /// What it says is of no matter: commands come late and twice.
    pub fn local(&mut self, body: Value) {
        let command: Txn = serde_json::from_value(body).unwrap();
        let _ = self.world.run(Actor::Local, Command::Txn(command));
    }

    /// `None` if too many are under way.
    pub fn begin(&mut self, body: Value) -> Option<TxnId> {
        let command = Command::Txn(serde_json::from_value(body).unwrap());
        match self.world.local(command).answer {
            Ok(Reply::Transaction(standing)) => Some(standing.txn),
            Ok(reply) => panic!("{reply:?}"),
            Err(rejection) => {
                assert_eq!(rejection.code, Code::QueueFull, "{rejection:?}");
                None
            }
        }
    }

    /// All that was written until now is on the disk.
    pub fn sync(&mut self) {
        self.durable = self.world.records.len();
    }

    /// Something of what is due, unless it is lost on its way.
    pub fn tells(&mut self) -> Option<Order> {
        let told = match self.tells_early {
            true => due(&self.world.state),
            false => due(&replay(&self.world.records[..self.durable])),
        };
        let count = u32::try_from(told.len()).unwrap();
        if count == 0 {
            return None;
        }
        let at = self.number() % count;
        let Due { order, .. } = told[at as usize].clone();
        (!self.one_in(6)).then_some(order)
    }

    /// What came of an order, which may be lost on its way back.
    pub fn hears(&mut self, order: Order, outcome: Outcome) {
        let outcome = match self.one_in(6) {
            true => Outcome::Failed,
            false => outcome,
        };
        if !self.one_in(6) {
            let attempt = Some(order.attempt);
            self.report(order, outcome, attempt);
        }
    }

    fn report(&mut self, order: Order, outcome: Outcome, attempt: Option<u32>) {
        let report = Report {
            txn: order.txn,
            branch: order.branch,
            phase: order.phase,
            outcome,
            attempt,
            evidence: Text::default(),
            reason: Text::default(),
        };
        let report = Command::Txn(Txn::Report(Box::new(report)));
        let _ = self.world.run(Actor::System, report);
    }

    /// It is gone; some of what was on its way to the disk is there. What one command brought about is written as one.
    pub fn crash(&mut self) {
        let on_the_way = &self.world.records[self.durable..];
        let mut kept = vec![self.durable];
        for command in on_the_way.chunk_by(|one, next| one.at == next.at) {
            kept.push(kept[kept.len() - 1] + command.len());
        }
        let kept = kept[self.number() as usize % kept.len()];
        self.world.records.truncate(kept);
        self.sync();
        self.world.state = replay(&self.world.records);
    }

    /// Nothing crashes any more, and nothing is lost, until all is over.
    pub fn calm(&mut self, mut tell: impl FnMut(&Order) -> Outcome) {
        for _ in 0..2_000 {
            self.sync();
            self.world.sleep(fleet_types::Millis(1_000));
            if let Some(Due { order, .. }) = due(&self.world.state).into_iter().next() {
                let outcome = tell(&order);
                self.report(order, outcome, None);
            } else if self.world.state.txns.live.is_empty() {
                break;
            }
        }
    }
}

fn replay(records: &[Record]) -> State {
    let mut state = State::default();
    for record in records {
        apply_record(&mut state, record);
    }
    state
}
