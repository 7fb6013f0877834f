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
                sole: Purse::default(),
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
        let former = entry.budget.clone();
        for purse in entry.purses_mut() {
            purse.roll(&former, at);
            // What was spent stands, in the new period.
            purse.period_start = super::period::start(budget.period, at);
            purse.period_end = super::period::end(budget.period, at).unwrap_or(Time::MAX);
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

fn entry<'s>(state: &'s mut State, id: &BudgetId) -> Option<(BudgetKey, &'s mut Entry)> {
    let key = state.budgets.key(id)?;
    Some((key, state.budgets.get_mut(key)?))
}

pub fn topped_up(state: &mut State, event: &BudgetToppedUp, at: Time) {
    let account = event.account.clone().unwrap_or_default();
    if let Some((_, entry)) = entry(state, &event.budget) {
        entry.purse_mut(&account, at).topped_up += event.amount;
    }
}

pub fn soft_reached(state: &mut State, event: &BudgetSoftReached) {
    let at = state.now;
    let account = event.account.clone().unwrap_or_default();
    if let Some((_, entry)) = entry(state, &event.budget) {
        entry.purse_mut(&account, at).soft_told = true;
    }
}

/// Reserves what a grant names. `keys` are the budgets', if known.
pub fn reserve(
    state: &mut State,
    charges: &[BudgetCharge],
    keys: Option<&[BudgetKey]>,
    at: Time,
) -> Reservations {
    let mut kept = Reservations::new();
    for (number, charge) in charges.iter().enumerate() {
        let account = charge.account.clone().unwrap_or_default();
        let key = match keys {
            Some(keys) => Some(keys[number]),
            None => state.budgets.key(&charge.budget),
        };
        if let Some(key) = key
            && let Some(entry) = state.budgets.get_mut(key)
        {
            let purse = entry.purse_mut(&account, at);
            purse.reserved += charge.amount;
            let (used, topped_up) = (purse.used(), purse.topped_up);
            let hard = entry.budget.hard.saturating_add(topped_up);
            assert!(
                used <= hard,
                "I9: budget {} holds {used} of {hard}",
                charge.budget
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
            && let Some(purse) = existing(entry, account)
        {
            purse.reserved = purse.reserved.saturating_sub(*amount);
        }
    }
}

/// Posts what completion cost, after the reservations were given back.
pub fn post(state: &mut State, reservations: &Reservations, posted: &[BudgetCharge], at: Time) {
    let mut reserved = reservations.iter(); // In the same order, those of budgets that are gone too.
    for charge in posted {
        let account = charge.account.clone().unwrap_or_default();
        let known = reserved.find(|(key, _, _)| {
            let entry = state.budgets.get(*key);
            entry.is_some_and(|entry| entry.budget.id == charge.budget)
        });
        let key = match known {
            Some((key, _, _)) => Some(*key),
            None => state.budgets.key(&charge.budget),
        };
        if let Some(key) = key
            && let Some(entry) = state.budgets.get_mut(key)
        {
            let purse = entry.purse_mut(&account, at);
            purse.spent = purse.spent.saturating_add(charge.amount);
        }
    }
}

/// Notes a cost beyond what the budgets could bear.
pub fn overrun(state: &mut State, reservations: &Reservations, overrun: fleet_types::budget::Cost) {
    for (key, account, _) in reservations {
        if let Some(entry) = state.budgets.get_mut(*key) {
            let amount = overrun.of(entry.budget.unit);
            if let Some(purse) = existing(entry, account) {
                purse.overrun = purse.overrun.saturating_add(amount);
            }
        }
    }
}

fn existing<'e>(entry: &'e mut Entry, account: &SmolStr) -> Option<&'e mut Purse> {
    match account.as_str() {
        "" => Some(&mut entry.sole),
        account => entry.accounts.get_mut(account),
    }
}
