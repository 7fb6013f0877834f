//! Corrections: take a disputed payment back, once.
use super::{Draft, Floor, Job, Plan, Worker, exclusive, instruction};
use crate::ledger::{Entry, Error, Instruction, Kind, Ledger, Pass, Settlement, State};

/// How many of the oldest disputes an agent chooses from.
const CHOICE: u32 = 3;

pub(super) struct Corrections;

impl Worker for Corrections {
    fn plan(&mut self, floor: &mut Floor) -> Result<Option<Plan>, Error> {
        let disputed = floor.ledger.disputed(CHOICE)?;
        if disputed.is_empty() {
            return Ok(None);
        }
        let order = disputed[floor.random.below(disputed.len() as u64) as usize];
        Ok(Some(Plan {
            action: "payment.reverse",
            claims: vec![
                instruction(order.id)?,
                exclusive(&floor.account(order.source)?.path),
                exclusive(&floor.account(order.target)?.path),
            ],
            parameters: None,
            job: Box::new(Reverse(order)),
        }))
    }
}

struct Reverse(Instruction);

impl Job for Reverse {
    fn read(&self, ledger: &mut Ledger, pass: &Pass) -> Result<Draft, Error> {
        let Reverse(order) = *self;
        let accounts = [order.source, order.target];
        let (state, read) = ledger.read_for(order.id, &accounts, pass)?;
        let [source, target] = read[..] else {
            return Ok(Draft::Nothing);
        };
        // Another agent was quicker, or the account that would pay back is held just now.
        if state != State::Posted || target.held {
            return Ok(Draft::Nothing);
        }
        let settlement = |state| Settlement {
            instruction: order.id,
            state: Some(state),
            delivery: None,
        };
        if target.balance < order.amount {
            return Ok(Draft::Settle(settlement(State::Kept)));
        }
        Ok(Draft::Post(Entry {
            kind: Kind::Reversal,
            postings: vec![source.plus(order.amount), target.plus(-order.amount)],
            external: 0,
            settlement: Some(settlement(State::Reversed)),
        }))
    }
}
