//! Fraud control: hold an account that looks wrong, let it go after a while. Payments from a held account must not
//! happen.
use super::{Draft, Floor, Job, Plan, Worker, exclusive};
use crate::ledger::{AccountId, Error, Ledger, Pass, now_micros};

/// Accounts held at once, as a rule.
const HELD_MAX: usize = 8;
/// How long an account is held, in microseconds.
const HELD_FOR: i64 = 100_000;

pub(super) struct Holds;

impl Worker for Holds {
    fn plan(&mut self, floor: &mut Floor) -> Result<Option<Plan>, Error> {
        let held = floor.ledger.held()?;
        // What another agent held before it died is let go like any other.
        let due = held.first().filter(|(_, since)| {
            held.len() >= HELD_MAX || now_micros().saturating_sub(*since) > HELD_FOR
        });
        if let Some((id, _)) = due {
            let Ok(account) = floor.account(*id) else {
                return Ok(None);
            };
            return Ok(Some(Plan {
                action: "account.release",
                claims: vec![exclusive(&account.path)],
                parameters: None,
                job: Box::new(Hold(*id, false)),
            }));
        }
        Ok(floor.customer().map(|account| Plan {
            action: "account.hold",
            claims: vec![exclusive(&account.path)],
            parameters: None,
            job: Box::new(Hold(account.id, true)),
        }))
    }
}

struct Hold(AccountId, bool);

impl Job for Hold {
    fn read(&self, ledger: &mut Ledger, pass: &Pass) -> Result<Draft, Error> {
        let Hold(account, held) = *self;
        let read = ledger.read(&[account], pass)?;
        if read.iter().all(|balance| balance.held == held) {
            return Ok(Draft::Nothing);
        }
        Ok(Draft::Hold(account, held))
    }
}
