//! Compliance: freeze an account for a moment. Nobody may pay from it then.
//!
//! Nothing in the account says that it is frozen, and who pays does not ask: only the rule `freeze-or-pay` keeps both
//! apart.
use super::{Draft, Floor, Job, Plan, Worker, about, exclusive};
use crate::ledger::{AccountId, Error, Ledger, Pass};
use std::time::Duration;

/// How long a freeze lasts. The rule's span is a little longer, as it counts from the end of the permit.
const FROZEN_FOR: Duration = Duration::from_millis(300);
/// The hottest accounts are left alone: all of the bank would wait for them.
const HOTTEST: u64 = 5;
/// How many of the next ones it looks at.
const WATCHED: u64 = 60;

pub(super) struct Compliance;

impl Worker for Compliance {
    fn plan(&mut self, floor: &mut Floor) -> Result<Option<Plan>, Error> {
        let count = floor.directory.customers.len() as u64;
        let index = (HOTTEST + floor.random.below(WATCHED)) % count.max(1);
        let Some(account) = floor.directory.customers.get(index as usize) else {
            return Ok(None);
        };
        Ok(Some(Plan {
            action: "account.freeze",
            claims: vec![exclusive(&account.path)],
            parameters: Some(about(&account.path)),
            job: Box::new(Freeze(account.id)),
        }))
    }
}

struct Freeze(AccountId);

impl Job for Freeze {
    fn read(&self, ledger: &mut Ledger, pass: &Pass) -> Result<Draft, Error> {
        let Freeze(account) = *self;
        // Shown now, so that a payment which has outslept its own lease is refused from here on.
        ledger.read(&[account], pass)?;
        Ok(Draft::Freeze(account, FROZEN_FOR))
    }
}
