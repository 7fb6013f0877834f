//! Budgets: how much money or how many tokens.
use crate::agent::Word;
use crate::id::BudgetId;
use crate::selector::Selector;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::ToSchema;

/// Most budgets of a fleet.
pub const COUNT_MAX: usize = 10_000;

/// What an action costs. Whole numbers only: there is no rounding anywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    /// Millionths of the fleet's currency.
    #[serde(skip_serializing_if = "is_zero")]
    pub money_micros: u64,
    /// Model tokens.
    #[serde(skip_serializing_if = "is_zero")]
    pub tokens: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Cost {
    /// Nothing of either.
    pub const ZERO: Cost = Cost {
        money_micros: 0,
        tokens: 0,
    };

    /// The part a budget of this unit counts.
    #[must_use]
    pub const fn of(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Money => self.money_micros,
            Unit::Tokens => self.tokens,
        }
    }

    /// Whether it costs nothing.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Cost::ZERO
    }
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Millionths of the fleet's currency.
    Money,
    /// Model tokens.
    Tokens,
}

/// When a budget starts afresh, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// At every full hour.
    Hour,
    /// At midnight.
    Day,
    /// On the first of the month.
    Month,
    /// Never.
    Total,
}

/// What shares an account of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// All that match share one.
    #[default]
    All,
    /// Each agent has its own.
    Agent,
    /// Each value of this request label has its own, such as `execution`. Requests without it do not count.
    Label(Word),
}

/// A budget over the requests that its selector matches.
///
/// Invariant I9: reserved + spent ≤ hard + top-ups, always, for every account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The budget.
    pub id: BudgetId,
    /// Why it exists, for people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// Which requests count.
    #[serde(default)]
    pub selector: Selector,
    /// Whether all share one account, or each agent or label value has its own.
    #[serde(default)]
    pub each: Account,
    /// What is counted.
    pub unit: Unit,
    /// When it starts afresh.
    pub period: Period,
    /// No permit is granted past this.
    pub hard: u64,
    /// An event tells when this is reached, once a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<u64>,
}

/// What can be asked about budgets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Adds or replaces a budget; what is reserved and spent stands.
    Set(Box<Budget>),
    /// Removes a budget.
    Remove {
        /// Which.
        budget: BudgetId,
    },
    /// Raises the hard threshold of the current period.
    TopUp {
        /// Which.
        budget: BudgetId,
        /// Which account; absent for a budget that all share.
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        account: Option<SmolStr>,
        /// By how much, in the budget's unit.
        amount: u64,
        /// Why.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        reason: Text,
    },
}
