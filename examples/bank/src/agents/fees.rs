//! Fees: one from a customer's account, to the account of its branch that collects them.
use super::{Draft, Floor, Job, Plan, Worker, about, exclusive};
use crate::ledger::{AccountId, Entry, Error, Kind, Ledger, Pass};

/// A fee, in cents.
const FEE: i64 = 25;

pub(super) struct Fees;

impl Worker for Fees {
    fn plan(&mut self, floor: &mut Floor) -> Result<Option<Plan>, Error> {
        let Some(account) = floor.customer().cloned() else {
            return Ok(None);
        };
        let fees = floor.directory.branches[account.branch].fees.path.clone();
        let fees_id = floor.directory.branches[account.branch].fees.id;
        // Looked at before anybody is asked; the permit is wanted only if nobody has written since.
        let mut claim = exclusive(&account.path);
        claim.if_version = floor.seen(&account.path)?;
        let read = floor.ledger.read(&[account.id], &Pass::Unfenced)?;
        if read.iter().any(|balance| balance.balance < FEE) {
            return Ok(None);
        }
        Ok(Some(Plan {
            action: "fee.charge",
            claims: vec![claim, exclusive(&fees)],
            parameters: Some(about(&account.path)),
            job: Box::new(Charge([account.id, fees_id])),
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
