//! Setting, removing and topping up budgets; checking whether they can bear a cost.
use super::{Entry, period};
use crate::decide::{Decided, invalid, rejected};
use crate::permit::gates::Ask;
use crate::permit::grant::Found;
use crate::state::State;
use fleet_types::budget::{Account, Budget, COUNT_MAX, Command, Unit};
use fleet_types::event::{BudgetRemoved, BudgetSoftReached, BudgetToppedUp};
use fleet_types::permit::{BudgetCharge, COST_MAX, COST_MAX_TOLD};
use fleet_types::{BudgetId, Code, Event, Time};
use smol_str::SmolStr;
use std::sync::Arc;

pub fn decide(state: &State, command: &Command, now: Time) -> Decided {
    match command {
        Command::Set(budget) => set(state, budget),
        Command::Remove { budget } if state.budgets.key(budget).is_some() => {
            Decided::event(Event::BudgetRemoved(BudgetRemoved {
                budget: budget.clone(),
            }))
        }
        Command::Remove { budget } => missing(budget),
        Command::TopUp {
            budget,
            account,
            amount,
            reason,
        } => {
            let Some(entry) = state
                .budgets
                .key(budget)
                .and_then(|key| state.budgets.get(key))
            else {
                return missing(budget);
            };
            if (entry.budget.each == Account::All) != account.is_none() {
                return invalid(
                    "account",
                    match account {
                        Some(_) => format!("budget {budget} has one account: leave account out"),
                        None => format!("budget {budget} has many accounts: say which in account"),
                    },
                );
            }
            let purse = entry.purse(account.as_deref().unwrap_or_default(), now);
            if *amount == 0 || *amount > COST_MAX || purse.topped_up > COST_MAX - *amount {
                return invalid(
                    "amount",
                    format!(
                        "amount must be more than 0 and at most {COST_MAX_TOLD}, all top-ups of a period together"
                    ),
                );
            }
            Decided::event(Event::BudgetToppedUp(BudgetToppedUp {
                budget: budget.clone(),
                account: account.clone(),
                amount: *amount,
                reason: reason.clone(),
            }))
        }
    }
}

fn missing(budget: &BudgetId) -> Decided {
    rejected(Code::NotFound, format!("there is no budget {budget}"))
}

fn set(state: &State, budget: &Budget) -> Decided {
    let known = state
        .budgets
        .key(&budget.id)
        .and_then(|key| state.budgets.get(key));
    if known.is_some_and(|entry| *entry.budget == *budget) {
        return Decided::unchanged();
    }
    if known.is_none() && state.budgets.by_id.len() >= COUNT_MAX {
        return rejected(
            Code::Conflict,
            format!("a fleet has at most {COUNT_MAX} budgets"),
        );
    }
    if budget.hard > COST_MAX {
        return invalid("hard", format!("hard must be at most {COST_MAX_TOLD}"));
    }
    if budget.soft.is_some_and(|soft| soft > budget.hard) {
        return invalid("soft", "soft must not be above hard");
    }
    if let Some(entry) = known {
        let in_use =
            entry.sole.reserved > 0 || entry.accounts.values().any(|purse| purse.reserved > 0);
        let other = entry.budget.unit != budget.unit || entry.budget.each != budget.each;
        if in_use && other {
            return rejected(
                Code::Conflict,
                "unit and each cannot change while permits hold reservations; use a new budget id",
            );
        }
    }
    Decided::event(Event::BudgetSet(Arc::new(budget.clone())))
}

/// Why a budget stops a request.
pub struct Exhausted {
    pub budget: BudgetId,
    pub unit: Unit,
    pub available: u64,
    pub asked: u64,
    /// When the next period starts.
    pub fresh_at: Option<Time>,
}

/// Everything a grant would reserve, or the first budget that cannot bear it.
/// `seen` hears of every account looked at: budget, available, asked.
pub fn check(
    ask: &Ask<'_>,
    mut seen: impl FnMut(&Budget, u64, u64),
) -> Result<Found<BudgetCharge>, Exhausted> {
    let mut found = Found::default();
    if ask.request.cost.is_zero() {
        return Ok(found);
    }
    let budgets = &ask.state.budgets;
    for key in budgets.index.candidates(ask.agent, ask.request) {
        let Some(entry) = budgets.get(key) else {
            continue;
        };
        let compiled = entry.compiled.as_ref().expect("compiled when set");
        let asked = ask.request.cost.of(entry.budget.unit);
        if asked == 0 || !compiled.matches(ask.agent, ask.request) {
            continue;
        }
        let Some(account) = entry.account_of(ask.request) else {
            continue;
        };
        let available = entry.purse(&account, ask.now).available(&entry.budget);
        seen(&entry.budget, available, asked);
        if available < asked {
            return Err(Exhausted {
                budget: entry.budget.id.clone(),
                unit: entry.budget.unit,
                available,
                asked,
                fresh_at: period::end(entry.budget.period, ask.now),
            });
        }
        let charge = BudgetCharge {
            budget: entry.budget.id.clone(),
            account: (!account.is_empty()).then_some(account),
            amount: asked,
        };
        found.push(key, charge);
    }
    Ok(found)
}

/// The event for a soft threshold that this charge reaches for the first time this period.
pub fn soft_reached(entry: &Entry, charge: &BudgetCharge, now: Time) -> Option<Event> {
    let soft = entry.budget.soft?;
    let purse = entry.purse(charge.account.as_deref().unwrap_or_default(), now);
    let used = purse.used() + charge.amount;
    (!purse.soft_told && used >= soft).then(|| {
        Event::BudgetSoftReached(BudgetSoftReached {
            budget: charge.budget.clone(),
            account: charge.account.clone(),
            used,
            soft,
        })
    })
}

/// What completion posts: up to what was reserved, and beyond it what still fits. The second number is the rest.
pub fn post(
    state: &State,
    key: u32,
    account: &SmolStr,
    reserved: u64,
    actual: u64,
    now: Time,
) -> (u64, u64) {
    let Some(entry) = state.budgets.get(key) else {
        return (0, 0);
    };
    if actual <= reserved {
        return (actual, 0);
    }
    let more = (actual - reserved).min(entry.purse(account, now).available(&entry.budget));
    (reserved + more, actual - reserved - more)
}
