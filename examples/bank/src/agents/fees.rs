//! Fees: one from a customer's account, to the account of its branch that collects them.
use super::{Draft, Floor, Job, Plan, Worker, exclusive};
use crate::ledger::{AccountId, Entry, Error, Kind, Ledger, Pass};

/// A fee, in cents.
const FEE: i64 = 25;

pub(super) struct Fees;

impl Worker for Fees {
    fn plan(&mut self, floor: &mut Floor) -> Result<Option<Plan>, Error> {
        let Some(account) = floor.customer().cloned() else {
            return Ok(None);
        };
        let fees = &floor.directory.branches[account.branch].fees;
        Ok(Some(Plan {
            action: "fee.charge",
            claims: vec![exclusive(&account.path), exclusive(&fees.path)],
            job: Box::new(Charge([account.id, fees.id])),
        }))
    }
}

struct Charge([AccountId; 2]);

impl Job for Charge {
    fn read(&self, ledger: &mut Ledger, pass: &Pass) -> Result<Draft, Error> {
        let read = ledger.read(&self.0, pass)?;
        let [customer, fees] = read[..] else {
            return Ok(Draft::Nothing);
        };
        if customer.balance < FEE {
            return Ok(Draft::Nothing);
        }
        Ok(Draft::Post(Entry {
            kind: Kind::Fee,
            postings: vec![customer.plus(-FEE), fees.plus(FEE)],
            external: 0,
            settlement: None,
        }))
    }
}
