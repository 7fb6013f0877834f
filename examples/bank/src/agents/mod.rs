//! What the agents do, one file for each kind.
//!
//! A step has the same shape for all of them: *plan* (what, and on which resources), get the permit, *read* under
//! it, think, and carry out the *draft*. The races are between reading and carrying out.
//!
//! To add a kind: a row in [`crate::roles`], a file here with its [`Worker`] and its [`Job`], an arm in [`worker`].
mod compliance;
mod corrections;
mod fees;
mod holds;
mod interest;
mod payments;
mod reconciliation;
mod reporting;
mod treasury;

use crate::ledger::observe::Subject;
use crate::ledger::{
    Account, AccountId, DeliveryId, Directory, Entry, Error, Ledger, Pass, Settlement,
};
use crate::random::{Random, Ranks, Skew};
use crate::roles::AgentKind;
use fleet_types::lock::{Claim, Mode};
use fleet_types::{ResourcePath, Seq};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::time::Duration;

/// One kind of agent at work.
pub(crate) trait Worker: Send {
    /// Decides what to do next; None: nothing just now.
    fn plan(&mut self, floor: &mut Floor) -> Result<Option<Plan>, Error>;
}

/// What an agent works with.
pub(crate) struct Floor {
    pub ledger: Ledger,
    pub directory: Directory,
    pub ranks: Ranks,
    pub random: Random,
    by_id: HashMap<AccountId, usize>,
}

/// What an agent is about to do.
pub(crate) struct Plan {
    pub action: &'static str,
    pub claims: Vec<Claim>,
    /// The action's arguments, which rules look at.
    pub parameters: Option<Map<String, Value>>,
    pub job: Box<dyn Job>,
}

/// The part of a plan that happens under its permit.
pub(crate) trait Job: Send {
    /// Reads, and decides what to write.
    fn read(&self, ledger: &mut Ledger, pass: &Pass) -> Result<Draft, Error>;

    /// The delivery to give back if it comes to nothing.
    fn delivery(&self) -> Option<DeliveryId> {
        None
    }

    /// What is done when somebody rejects it; as it stands, it is tried again like any other.
    fn rejected(&self, _: &mut Ledger) -> Result<(), Error> {
        Ok(())
    }
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Draft {
    /// New balances.
    Post(Entry),
    /// An instruction comes to its end, or its second delivery does, without money moving.
    Settle(Settlement),
    /// Not now: the delivery comes again.
    Defer(DeliveryId, Duration),
    /// Fraud control holds an account, or lets it go.
    Hold(AccountId, bool),
    /// Compliance freezes an account for a while.
    Freeze(AccountId, Duration),
    /// Interest accrues.
    Accrue(i64, i64),
    /// Look again and compare.
    LookAgain(Subject, i64),
    /// Nothing to do after all.
    Nothing,
}

impl Draft {
    /// Writes it.
    pub fn carry_out(&self, ledger: &mut Ledger, pass: &Pass) -> Result<(), Error> {
        match self {
            Draft::Post(entry) => ledger.post(entry, pass),
            Draft::Settle(settlement) => ledger.settle(settlement, pass),
            Draft::Defer(delivery, after) => ledger.give_back(*delivery, *after),
            Draft::Hold(account, held) => ledger.hold(*account, *held, pass),
            Draft::Freeze(account, span) => ledger.freeze(*account, *span, pass),
            Draft::Accrue(branch, amount) => ledger.accrue(*branch, *amount, pass),
            Draft::LookAgain(subject, first) => {
                ledger.look_again(subject, *first, pass).map(|_same| ())
            }
            Draft::Nothing => Ok(()),
        }
    }
}

impl Floor {
    pub fn new(ledger: Ledger, skew: Skew, random: Random) -> Result<Self, Error> {
        let directory = ledger.directory()?;
        let ranks = Ranks::new(skew, directory.customers.len());
        let ids = directory.customers.iter().enumerate();
        let by_id = ids.map(|(index, account)| (account.id, index)).collect();
        Ok(Floor {
            ledger,
            directory,
            ranks,
            random,
            by_id,
        })
    }

    /// A customer's account, hot ones more often.
    pub fn customer(&mut self) -> Option<&Account> {
        let rank = self.ranks.draw(&mut self.random);
        self.directory.customers.get(rank)
    }

    /// The customer's account of this number.
    pub fn account(&self, id: AccountId) -> Result<&Account, Error> {
        let index = self.by_id.get(&id).ok_or(Error::NoAccount(id))?;
        Ok(&self.directory.customers[*index])
    }

    /// The version of a resource as the ledger knows it: the highest token that was shown for it. None: nobody came yet.
    ///
    /// A hint, as who has only read so far has shown its token too: under the permit it is read again.
    pub fn seen(&self, path: &ResourcePath) -> Result<Option<Seq>, Error> {
        let mark = self.ledger.fence_mark(path.as_str(), Mode::Exclusive)?;
        Ok(mark.map(Seq))
    }

    /// A random branch's index.
    pub fn branch(&mut self) -> Option<usize> {
        let count = self.directory.branches.len() as u64;
        (count > 0).then(|| self.random.below(count) as usize)
    }
}

/// The worker of a kind.
pub(crate) fn worker(kind: AgentKind) -> Box<dyn Worker> {
    match kind {
        AgentKind::Payments => Box::new(payments::Payments),
        AgentKind::Holds => Box::new(holds::Holds),
        AgentKind::Treasury => Box::new(treasury::Treasury),
        AgentKind::Interest => Box::new(interest::Interest),
        AgentKind::Reconciliation => Box::new(reconciliation::Reconciliation),
        AgentKind::Corrections => Box::new(corrections::Corrections),
        AgentKind::Fees => Box::new(fees::Fees),
        AgentKind::Reporting => Box::new(reporting::Reporting),
        AgentKind::Compliance => Box::new(compliance::Compliance),
    }
}

/// `{"account": "ledger/eu/a-00042"}`: whose money it is, for rules.
fn about(path: &ResourcePath) -> Map<String, Value> {
    Map::from_iter([("account".to_owned(), path.as_str().into())])
}

fn exclusive(path: &ResourcePath) -> Claim {
    Claim::new(path.clone(), Mode::Exclusive)
}

/// `accrual/eu`.
fn accrual(branch: &str, mode: Mode) -> Result<Claim, Error> {
    claim(format!("accrual/{branch}"), mode)
}

/// `instruction/i-42`.
fn instruction(id: i64) -> Result<Claim, Error> {
    claim(format!("instruction/i-{id}"), Mode::Exclusive)
}

fn claim(path: String, mode: Mode) -> Result<Claim, Error> {
    match ResourcePath::parse(&path) {
        Ok(path) => Ok(Claim::new(path, mode)),
        Err(_) => Err(Error::Uncovered(path)),
    }
}
