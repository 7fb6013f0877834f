//! What setting, reserving, posting and giving back do to budgets.
use super::{BudgetKey, Entry, Purse};
use crate::map::Map;
use crate::selector::Compiled;
use crate::state::State;
use fleet_types::budget::Budget;
use fleet_types::event::{BudgetRemoved, BudgetSoftReached, BudgetToppedUp};
use fleet_types::permit::BudgetCharge;
use fleet_types::{BudgetId, Time};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::sync::Arc;

/// What a permit has reserved, kept with it until it ends.
pub type Reservations = SmallVec<[(BudgetKey, SmolStr, u64); 2]>;

pub fn set(state: &mut State, budget: &Arc<Budget>, at: Time) {
    let key = match state.budgets.key(&budget.id) {
        Some(key) => key,
        None => {
            let key = state.budgets.entries.len() as BudgetKey;
            state.budgets.by_id.insert(budget.id.clone(), key);
            state.budgets.entries.push(Some(Entry {
                budget: budget.clone(),
                accounts: Map::default(),
                compiled: None,
            }));
            key
        }
    };
    let Some(entry) = &mut state.budgets.entries[key as usize] else {
        return;
    };
    if let Some(former) = &entry.compiled {
        state.budgets.index.remove(key, former);
    }
    if entry.budget.period != budget.period {
        for purse in entry.accounts.values_mut() {
            purse.roll(&entry.budget, at);
            purse.period_start = super::period::start(budget.period, at); // What was spent stands.
        }
    }
    entry.budget = budget.clone();
    compile(state, key);
}

/// Files a budget under its selector; also when a snapshot was read.
pub fn compile(state: &mut State, key: BudgetKey) {
    let Some(Some(entry)) = state.budgets.entries.get_mut(key as usize) else {
        return;
    };
    let scopes = &mut state.scopes;
    let compiled = Compiled::new(&entry.budget.selector, |path| scopes.ensure(path.as_str()));
    state.budgets.index.insert(key, &compiled);
    entry.compiled = Some(compiled);
}

pub fn removed(state: &mut State, event: &BudgetRemoved) {
    if let Some(key) = state.budgets.by_id.swap_remove(&event.budget)
        && let Some(entry) = state.budgets.entries[key as usize].take()
        && let Some(compiled) = entry.compiled
    {
        state.budgets.index.remove(key, &compiled);
    }
}

/// The account, in its current period.
fn purse<'s>(
    state: &'s mut State,
    id: &BudgetId,
    account: &SmolStr,
    at: Time,
) -> Option<(BudgetKey, &'s mut Purse, Arc<Budget>)> {
    let key = state.budgets.key(id)?;
    let entry = state.budgets.get_mut(key)?;
    let purse = entry.accounts.entry(account.clone()).or_default();
    purse.roll(&entry.budget, at);
    Some((key, purse, entry.budget.clone()))
}

pub fn topped_up(state: &mut State, event: &BudgetToppedUp, at: Time) {
    let account = event.account.clone().unwrap_or_default();
    if let Some((_, purse, _)) = purse(state, &event.budget, &account, at) {
        purse.topped_up += event.amount;
    }
}

pub fn soft_reached(state: &mut State, event: &BudgetSoftReached) {
    let at = state.now;
    let account = event.account.clone().unwrap_or_default();
    if let Some((_, purse, _)) = purse(state, &event.budget, &account, at) {
        purse.soft_told = true;
    }
}

pub fn reserve(state: &mut State, charges: &[BudgetCharge], at: Time) -> Reservations {
    let mut kept = Reservations::new();
    for charge in charges {
        let account = charge.account.clone().unwrap_or_default();
        if let Some((key, purse, budget)) = purse(state, &charge.budget, &account, at) {
            purse.reserved += charge.amount;
            assert!(
                purse.used() <= purse.hard(&budget),
                "I9: budget {} holds {} of {}",
                charge.budget,
                purse.used(),
                purse.hard(&budget)
            );
            kept.push((key, account, charge.amount));
        }
    }
    kept
}

/// Gives back everything that was reserved.
pub fn release(state: &mut State, reservations: &Reservations) {
    for (key, account, amount) in reservations {
        if let Some(entry) = state.budgets.get_mut(*key)
            && let Some(purse) = entry.accounts.get_mut(account)
        {
            purse.reserved = purse.reserved.saturating_sub(*amount);
        }
    }
}

/// Posts what completion cost, after the reservation was given back.
pub fn post(state: &mut State, posted: &[BudgetCharge], at: Time) {
    for charge in posted {
        let account = charge.account.clone().unwrap_or_default();
        if let Some((_, purse, _)) = purse(state, &charge.budget, &account, at) {
            purse.spent = purse.spent.saturating_add(charge.amount);
        }
    }
}

/// Notes a cost beyond what the budgets could bear.
pub fn overrun(state: &mut State, reservations: &Reservations, overrun: fleet_types::budget::Cost) {
    for (key, account, _) in reservations {
        if let Some(entry) = state.budgets.get_mut(*key) {
            let amount = overrun.of(entry.budget.unit);
            if let Some(purse) = entry.accounts.get_mut(account) {
                purse.overrun = purse.overrun.saturating_add(amount);
            }
        }
    }
}
