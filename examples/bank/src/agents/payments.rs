//! Payments: take an instruction, read both balances, think, write both.
use super::{Draft, Floor, Job, Plan, Worker, about, exclusive, instruction};
use crate::ledger::{DeliveryId, Entry, Error, Kind, Ledger, Pass, Settlement, State, Taken};
use std::time::Duration;

/// How long a taken instruction is hidden from other agents; longer than a step takes, waiting included, as a rule.
const HIDDEN_FOR: Duration = Duration::from_secs(5);
/// When an instruction of a held account is tried again.
const HELD_AGAIN: Duration = Duration::from_millis(50);

pub(super) struct Payments;

impl Worker for Payments {
    fn plan(&mut self, floor: &mut Floor) -> Result<Option<Plan>, Error> {
        let Some(taken) = floor.ledger.take(HIDDEN_FOR)? else {
            return Ok(None);
        };
        let order = taken.instruction;
        let mut parameters = about(&floor.account(order.source)?.path);
        parameters.insert("amount".to_owned(), order.amount.into());
        parameters.insert("instruction".to_owned(), order.id.into());
        Ok(Some(Plan {
            action: "payment.send",
            claims: vec![
                instruction(order.id)?,
                exclusive(&floor.account(order.source)?.path),
                exclusive(&floor.account(order.target)?.path),
            ],
            parameters: Some(parameters),
            job: Box::new(Pay(taken)),
        }))
    }
}

struct Pay(Taken);

impl Job for Pay {
    fn read(&self, ledger: &mut Ledger, pass: &Pass) -> Result<Draft, Error> {
        let Taken {
            delivery,
            instruction,
        } = self.0;
        let accounts = [instruction.source, instruction.target];
        let (state, read) = ledger.read_for(instruction.id, &accounts, pass)?;
        let [source, target] = read[..] else {
            return Ok(Draft::Nothing);
        };
        let mut settlement = Settlement {
            instruction: instruction.id,
            state: None,
            delivery: Some(delivery),
        };
        if state != State::Open {
            // Done already: this is its second delivery.
            return Ok(Draft::Settle(settlement));
        }
        if source.held {
            return Ok(Draft::Defer(delivery, HELD_AGAIN));
        }
        if source.balance < instruction.amount {
            settlement.state = Some(State::Declined);
            return Ok(Draft::Settle(settlement));
        }
        settlement.state = Some(State::Posted);
        Ok(Draft::Post(Entry {
            kind: Kind::Payment,
            postings: vec![
                source.plus(-instruction.amount),
                target.plus(instruction.amount),
            ],
            external: 0,
            settlement: Some(settlement),
        }))
    }

    fn rejected(&self, ledger: &mut Ledger) -> Result<(), Error> {
        ledger.refuse(self.0.instruction.id, self.0.delivery)
    }

    fn delivery(&self) -> Option<DeliveryId> {
        Some(self.0.delivery)
    }
}
