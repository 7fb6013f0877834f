//! Treasury: bring customers' accounts of a branch back into their range, and settle with other banks.
use super::{Draft, Floor, Job, Plan, Worker, exclusive};
use crate::ledger::{AccountId, Entry, Error, Kind, Ledger, Pass};

/// An account above this gives its surplus.
const CEILING: i64 = 3_000_000;
/// What an account with a surplus is left with.
const TARGET: i64 = 1_000_000;
/// An account below this gets some.
const FLOOR: i64 = 1_000;
/// What it is brought to.
const REFILLED: i64 = 20_000;
/// Accounts of one sweep.
const ACCOUNTS_MAX: usize = 3;

pub(super) struct Treasury;

impl Worker for Treasury {
    fn plan(&mut self, floor: &mut Floor) -> Result<Option<Plan>, Error> {
        if floor.random.percent(10) {
            return Ok(settle(floor));
        }
        let Some(branch) = floor.customer().map(|account| account.branch) else {
            return Ok(None);
        };
        let mut accounts: Vec<AccountId> = Vec::with_capacity(ACCOUNTS_MAX);
        let mut claims = vec![exclusive(&floor.directory.branches[branch].treasury.path)];
        for _ in 0..32 {
            let Some(account) = floor.customer() else {
                break;
            };
            if account.branch == branch && !accounts.contains(&account.id) {
                accounts.push(account.id);
                claims.push(exclusive(&account.path));
            }
            if accounts.len() == ACCOUNTS_MAX {
                break;
            }
        }
        accounts.insert(0, floor.directory.branches[branch].treasury.id);
        Ok(Some(Plan {
            action: "treasury.sweep",
            claims,
            parameters: None,
            job: Box::new(Sweep { accounts }),
        }))
    }
}

fn settle(floor: &mut Floor) -> Option<Plan> {
    let branch = floor.branch()?;
    let amount = floor.random.between(1_000, 500_000) as i64;
    let amount = if floor.random.percent(50) {
        amount
    } else {
        -amount
    };
    let treasury = &floor.directory.branches[branch].treasury;
    Some(Plan {
        action: "treasury.settle",
        claims: vec![exclusive(&treasury.path)],
        parameters: None,
        job: Box::new(External {
            treasury: treasury.id,
            amount,
        }),
    })
}

struct Sweep {
    /// The treasury first.
    accounts: Vec<AccountId>,
}

impl Job for Sweep {
    fn read(&self, ledger: &mut Ledger, pass: &Pass) -> Result<Draft, Error> {
        let read = ledger.read(&self.accounts, pass)?;
        let Some((treasury, customers)) = read.split_first() else {
            return Ok(Draft::Nothing);
        };
        let mut to_treasury = 0;
        let mut postings = Vec::with_capacity(read.len());
        for customer in customers {
            let amount = match customer.balance {
                balance if balance > CEILING => TARGET - balance,
                balance if balance < FLOOR => REFILLED - balance,
                _ => continue,
            };
            to_treasury -= amount;
            postings.push(customer.plus(amount));
        }
        if postings.is_empty() || treasury.balance + to_treasury < 0 {
            return Ok(Draft::Nothing);
        }
        postings.push(treasury.plus(to_treasury));
        Ok(Draft::Post(Entry {
            kind: Kind::Sweep,
            postings,
            external: 0,
            settlement: None,
        }))
    }
}

struct External {
    treasury: AccountId,
    amount: i64,
}

impl Job for External {
    fn read(&self, ledger: &mut Ledger, pass: &Pass) -> Result<Draft, Error> {
        let read = ledger.read(&[self.treasury], pass)?;
        Ok(match read.first() {
            Some(treasury) if treasury.balance + self.amount >= 0 => Draft::Post(Entry {
                kind: Kind::External,
                postings: vec![treasury.plus(self.amount)],
                external: self.amount,
                settlement: None,
            }),
            Some(_) | None => Draft::Nothing,
        })
    }
}
