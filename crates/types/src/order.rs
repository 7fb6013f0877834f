//! Forms of rules that stop nobody: in which order requests go, and what is done about conflicts.
use crate::id::GroupId;
use crate::path::Pattern;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Who gets a resource first. It changes the order of those that wait, and stops nobody: a place is worth some time of
/// waiting, so that whoever has waited longer goes first in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// In which order.
    pub order: Order,
    /// How much waiting a place in the list is worth.
    #[serde(default = "a_minute")]
    pub place_ms: Millis,
}

/// The order in which a resource is given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = AllocationOrder)]
pub enum Order {
    /// By the value of a label, the first value first; other values last.
    Label {
        /// Which label.
        #[schema(value_type = String)]
        key: SmolStr,
        /// Its values.
        #[schema(value_type = Vec<String>)]
        values: Vec<SmolStr>,
    },
    /// By who asks, the first pattern that matches.
    Agents(Vec<Pattern>),
    /// By the groups of who asks, the first that it belongs to.
    Groups(Vec<GroupId>),
    /// Groups take turns by their shares; who is in none has one share, together with all such.
    Shares {
        /// How many shares each group has.
        groups: BTreeMap<GroupId, u32>,
        /// How much waiting one turn of one share costs.
        #[serde(default = "a_second")]
        turn_ms: Millis,
    },
}

/// What is done about a conflict that requests of its case run into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResolutionForm)]
pub struct Resolution {
    /// How.
    pub strategy: Strategy,
    /// How long it must have lasted.
    #[serde(default = "a_second")]
    pub after_ms: Millis,
    /// How long each step may take. At half of it those that wait go earlier.
    #[serde(default = "a_minute")]
    pub deadline_ms: Millis,
    /// What decides when a step leads to nothing.
    #[serde(default)]
    pub fallback: Fallback,
}

/// How conflicts are settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = ResolutionStrategy)]
pub enum Strategy {
    /// By the order of priorities, as without a rule.
    Priority {},
    /// Who asked first goes first, whatever its priority.
    FirstCome {},
    /// Agents take turns.
    FairShare {
        /// How much waiting one turn costs.
        #[serde(default = "a_second")]
        turn_ms: Millis,
    },
    /// The parties are told, and may give way.
    Negotiation {},
    /// Agents vote for who goes first.
    Vote {
        /// Members of this group; absent: the parties.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        voters: Option<GroupId>,
    },
    /// Up the scopes of who waits, until a person decides.
    Escalation {},
}

/// What decides when a step leads to nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = ResolutionFallback)]
pub enum Fallback {
    /// The order of priorities.
    #[default]
    Priority,
    /// Who asked first.
    FirstCome,
    /// A person, up the scopes; after the last one the order of priorities.
    Escalation,
}

fn a_second() -> Millis {
    Millis(1_000)
}

fn a_minute() -> Millis {
    Millis(60_000)
}
