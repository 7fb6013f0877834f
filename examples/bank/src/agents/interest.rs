//! Interest: accrue it on a counter that many may add to at once, and pay some of it out.
use super::{Draft, Floor, Job, Plan, Worker, accrual, exclusive};
use crate::ledger::{AccountId, Entry, Error, Kind, Ledger, Pass};
use fleet_types::lock::Mode;

pub(super) struct Interest;

impl Worker for Interest {
    fn plan(&mut self, floor: &mut Floor) -> Result<Option<Plan>, Error> {
        if floor.random.percent(70) {
            let Some(index) = floor.branch() else {
                return Ok(None);
            };
            let amount = floor.random.between(1, 5_000) as i64;
            let branch = &floor.directory.branches[index];
            return Ok(Some(Plan {
                action: "interest.accrue",
                claims: vec![accrual(&branch.name, Mode::Commuting)?],
                parameters: None,
                job: Box::new(Accrue {
                    branch: branch.id,
                    amount,
                }),
            }));
        }
        let amount = floor.random.between(1, 50) as i64;
        let Some(account) = floor.customer().cloned() else {
            return Ok(None);
        };
        let source = &floor.directory.branches[account.branch].interest;
        Ok(Some(Plan {
            action: "interest.pay",
            claims: vec![exclusive(&source.path), exclusive(&account.path)],
            parameters: None,
            job: Box::new(Pay {
                accounts: [source.id, account.id],
                amount,
            }),
        }))
    }
}

struct Accrue {
    branch: i64,
    amount: i64,
}

impl Job for Accrue {
    fn read(&self, _: &mut Ledger, _: &Pass) -> Result<Draft, Error> {
        Ok(Draft::Accrue(self.branch, self.amount))
    }
}

struct Pay {
    accounts: [AccountId; 2],
    amount: i64,
}

impl Job for Pay {
    fn read(&self, ledger: &mut Ledger, pass: &Pass) -> Result<Draft, Error> {
        let read = ledger.read(&self.accounts, pass)?;
        let [source, customer] = read[..] else {
            return Ok(Draft::Nothing);
        };
        if source.balance < self.amount {
            return Ok(Draft::Nothing);
        }
        Ok(Draft::Post(Entry {
            kind: Kind::Interest,
            postings: vec![source.plus(-self.amount), customer.plus(self.amount)],
            external: 0,
            settlement: None,
        }))
    }
}
