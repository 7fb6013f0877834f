//! Reporting: read a branch's accrued interest twice. Nobody may add to it meanwhile.
use super::reconciliation::AddUp;
use super::{Floor, Plan, Worker, accrual};
use crate::ledger::Error;
use crate::ledger::observe::Subject;
use fleet_types::lock::Mode;

pub(super) struct Reporting;

impl Worker for Reporting {
    fn plan(&mut self, floor: &mut Floor) -> Result<Option<Plan>, Error> {
        let Some(index) = floor.branch() else {
            return Ok(None);
        };
        let branch = &floor.directory.branches[index];
        Ok(Some(Plan {
            action: "report.compile",
            claims: vec![accrual(&branch.name, Mode::Shared)?],
            parameters: None,
            job: Box::new(AddUp(Subject::Accrual(branch.id))),
        }))
    }
}
