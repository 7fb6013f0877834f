//! Reconciliation: add up a branch twice. With the branch claimed for reading, both sums must be the same.
use super::{Draft, Floor, Job, Plan, Worker};
use crate::ledger::observe::Subject;
use crate::ledger::{Error, Ledger, Pass};
use fleet_types::lock::{Claim, Mode};

pub(super) struct Reconciliation;

impl Worker for Reconciliation {
    fn plan(&mut self, floor: &mut Floor) -> Result<Option<Plan>, Error> {
        Ok(floor.branch().map(|index| {
            let branch = &floor.directory.branches[index];
            Plan {
                action: "branch.reconcile",
                claims: vec![Claim::new(branch.path.clone(), Mode::Shared)],
                parameters: None,
                job: Box::new(AddUp(Subject::Branch(branch.id))),
            }
        }))
    }
}

/// Adds up, and will again.
pub(super) struct AddUp(pub Subject);

impl Job for AddUp {
    fn read(&self, ledger: &mut Ledger, pass: &Pass) -> Result<Draft, Error> {
        let first = ledger.look(&self.0, pass)?;
        Ok(Draft::LookAgain(self.0.clone(), first))
    }
}
