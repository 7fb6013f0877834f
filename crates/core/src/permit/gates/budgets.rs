//! Can all budgets that apply bear the cost? Waiting does not help; a top-up or a new period does.
use super::{Ask, Report, Stop};
use crate::budget::decide::check;
use crate::permit::grant::Found;
use fleet_types::budget::Unit;
use fleet_types::explain::Gate;
use fleet_types::permit::{Blocker, BudgetCharge};
use fleet_types::{Code, Millis};

pub fn pass(ask: &Ask<'_>, report: &mut Report) -> Result<Found<BudgetCharge>, Box<Stop>> {
    let checked = check(ask, |budget, available, asked| {
        report.saw(|| format!("{}.available", budget.id), available);
        report.saw(|| format!("{}.asked", budget.id), asked);
    });
    let exhausted = match checked {
        Ok(charges) => return Ok(charges),
        Err(exhausted) => exhausted,
    };
    let unit = match exhausted.unit {
        Unit::Money => "millionths",
        Unit::Tokens => "tokens",
    };
    let mut stop = Stop::deny(
        Gate::Budget,
        Code::BudgetExhausted,
        format!(
            "budget {} has {} {unit} left and {} were asked; top it up or ask for less",
            exhausted.budget, exhausted.available, exhausted.asked
        ),
    );
    stop.retry_after = exhausted
        .fresh_at
        .map(|at| Millis(ask.now.millis_until(at)));
    stop.blocker = Some(Blocker::Budget {
        budget: exhausted.budget,
        available: exhausted.available,
        asked: exhausted.asked,
    });
    Err(stop)
}
