//! Limits: how often, or how many at once.
use crate::id::LimitId;
use crate::selector::Selector;
use crate::text::Text;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most limits of a fleet.
pub const COUNT_MAX: usize = 10_000;

/// A limit over the requests that its selector matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The limit.
    pub id: LimitId,
    /// Why it exists, for people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// Which requests count.
    #[serde(default)]
    pub selector: Selector,
    /// Whether all share one count, or each agent (resource, action) has its own.
    #[serde(default)]
    pub each: Each,
    /// What is counted.
    pub measure: Measure,
    /// What each priority class can always have, out of the whole.
    #[serde(default, skip_serializing_if = "Reserved::is_empty")]
    pub reserved: Reserved,
    /// Lets the limit move by measured latency and errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic: Option<Dynamic>,
}

/// What shares a count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    /// All that match share one.
    #[default]
    All,
    /// Each agent has its own.
    Agent,
    /// Each resource has its own.
    Resource,
    /// Each action has its own.
    Action,
}

/// What a limit counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Measure {
    /// Permits granted per span of time; GCRA, so a burst is spent and refills evenly.
    Rate(Rate),
    /// Permits in flight at once.
    Concurrency(Concurrency),
}

/// So many per span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many, 1–1,000,000,000.
    #[schema(minimum = 1)]
    pub permits: u64,
    /// Per how long, 1 ms – 31 days.
    pub per_ms: Millis,
    /// How many may come at once after a pause; default: `permits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
}

/// So many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// How many, 1–1,000,000,000.
    #[schema(minimum = 1)]
    pub max: u64,
}

/// Priority classes, from the least urgent.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Priorities 1–3.
    Low,
    /// Priorities 4–6.
    Normal,
    /// Priorities 7–8.
    High,
    /// Priorities 9–10.
    Critical,
}

impl Class {
    /// Every class, from the least urgent.
    pub const ALL: [Class; 4] = [Class::Low, Class::Normal, Class::High, Class::Critical];

    /// The class of a priority.
    #[must_use]
    pub const fn of(priority: crate::agent::Priority) -> Class {
        match priority.get() {
            0..=3 => Class::Low,
            4..=6 => Class::Normal,
            7..=8 => Class::High,
            _ => Class::Critical,
        }
    }
}

/// Permits (of the same unit as the limit) kept for a class; what a class does not use of its own is not lent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reserved {
    /// For priorities 1–3.
    pub low: u64,
    /// For priorities 4–6.
    pub normal: u64,
    /// For priorities 7–8.
    pub high: u64,
    /// For priorities 9–10.
    pub critical: u64,
}

impl Reserved {
    /// Whether nothing is reserved.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.low == 0 && self.normal == 0 && self.high == 0 && self.critical == 0
    }

    /// What a class has.
    #[must_use]
    pub const fn of(&self, class: Class) -> u64 {
        match class {
            Class::Low => self.low,
            Class::Normal => self.normal,
            Class::High => self.high,
            Class::Critical => self.critical,
        }
    }

    /// All classes together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.low
            .saturating_add(self.normal)
            .saturating_add(self.high)
            .saturating_add(self.critical)
    }
}

/// Additive increase, multiplicative decrease (Chiu and Jain, "Analysis of the increase and decrease
/// algorithms for congestion avoidance in computer networks", 1989) on what permits report at completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dynamic {
    /// Never below.
    pub floor: u64,
    /// Never above.
    pub ceiling: u64,
    /// Completions slower than this, and failures, count as congestion.
    pub latency_ms_target: Millis,
}

/// What can be asked about limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Adds or replaces a limit; what is in flight goes on counting.
    Set(Box<Limit>),
    /// Removes a limit.
    Remove {
        /// Which.
        limit: LimitId,
    },
}
