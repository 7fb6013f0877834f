//! Budgets: reserve at the grant, post at completion, give back the rest.
//!
//! Invariant I9: a grant reserves only what fits, and a posting takes only what was reserved or still fits, so
//! reserved + spent ≤ hard + top-ups always (unless the hard threshold itself is lowered).
//! What an agent reports beyond that is recorded as overrun, never posted.
pub mod apply;
pub mod decide;
pub mod period;

use crate::map::Map;
use crate::selector::{Compiled, Index};
use fleet_types::budget::{Account, Budget};
use fleet_types::permit::Request;
use fleet_types::{BudgetId, Time};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::sync::Arc;

/// The small number of a budget; never used again for another.
pub type BudgetKey = u32;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Budgets {
    pub by_id: Map<BudgetId, BudgetKey>,
    pub entries: Vec<Option<Entry>>,
    #[serde(skip)]
    pub index: Index,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    pub budget: Arc<Budget>,
    /// The account that all share; its key is empty.
    pub sole: Purse,
    /// One account per agent or label value, where each has its own.
    pub accounts: Map<SmolStr, Purse>,
    #[serde(skip)]
    pub compiled: Option<Compiled>,
}

/// One account of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purse {
    /// The period the numbers belong to. What is reserved goes on into the next.
    pub period_start: Time,
    /// When the next one starts; zero before the first use.
    pub period_end: Time,
    pub spent: u64,
    pub reserved: u64,
    pub topped_up: u64,
    pub overrun: u64,
    pub soft_told: bool,
}

impl Budgets {
    pub fn get(&self, key: BudgetKey) -> Option<&Entry> {
        self.entries.get(key as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, key: BudgetKey) -> Option<&mut Entry> {
        self.entries.get_mut(key as usize)?.as_mut()
    }

    pub fn key(&self, id: &BudgetId) -> Option<BudgetKey> {
        self.by_id.get(id).copied()
    }
}

impl Entry {
    /// The account as it stands at `now`: a new period starts afresh.
    pub fn purse(&self, account: &str, now: Time) -> Purse {
        let known = match account {
            "" => Some(&self.sole),
            account => self.accounts.get(account),
        };
        let mut purse = known.cloned().unwrap_or_default();
        purse.roll(&self.budget, now);
        purse
    }

    /// The account as it stands at `now`, to be changed; a fresh one if need be.
    pub fn purse_mut(&mut self, account: &SmolStr, now: Time) -> &mut Purse {
        let purse = match account.as_str() {
            "" => &mut self.sole,
            _ => self.accounts.entry(account.clone()).or_default(),
        };
        purse.roll(&self.budget, now);
        purse
    }

    /// Every account's name; the sole one's is empty.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let sole = (self.budget.each == Account::All).then_some("");
        sole.into_iter()
            .chain(self.accounts.keys().map(SmolStr::as_str))
    }

    /// Every account.
    pub fn purses_mut(&mut self) -> impl Iterator<Item = &mut Purse> {
        std::iter::once(&mut self.sole).chain(self.accounts.values_mut())
    }

    /// Which account a request is charged to; `None`: it does not count.
    pub fn account_of(&self, request: &Request) -> Option<SmolStr> {
        match &self.budget.each {
            Account::All => Some(SmolStr::default()),
            Account::Agent => Some(request.agent.text().clone()),
            Account::Label(key) => request.labels.get(key.as_str()).cloned(),
        }
    }
}

impl Purse {
    /// Starts the current period if it has changed.
    pub fn roll(&mut self, budget: &Budget, now: Time) {
        if now < self.period_end {
            return;
        }
        self.period_end = period::end(budget.period, now).unwrap_or(Time::MAX);
        let start = period::start(budget.period, now);
        if start != self.period_start {
            self.period_start = start;
            self.spent = 0;
            self.topped_up = 0;
            self.overrun = 0;
            self.soft_told = false;
        }
    }

    pub fn hard(&self, budget: &Budget) -> u64 {
        budget.hard.saturating_add(self.topped_up)
    }

    pub fn used(&self) -> u64 {
        self.spent.saturating_add(self.reserved)
    }

    pub fn available(&self, budget: &Budget) -> u64 {
        self.hard(budget).saturating_sub(self.used())
    }
}
