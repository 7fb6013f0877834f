//! Halts: a stop that is in force over a scope, a group, a selector, an agent or everything.
use crate::id::{AgentId, GroupId, HaltId};
use crate::path::ScopePath;
use crate::text::{Labels, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whom a halt reaches. Registering again does not escape it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Every agent of the fleet.
    All,
    /// Agents in this scope and below.
    Scope(ScopePath),
    /// Members of this group.
    Group(GroupId),
    /// Agents with these labels.
    Selector(Labels),
    /// One agent.
    Agent(AgentId),
}

/// How hard a halt stops.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[schema(as = HaltMode)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing new but actions the catalogue marks as risk reducing; what runs goes on.
    RiskReducingOnly,
    /// Requests that can wait, wait; what runs goes on.
    Pause,
    /// Nothing new; what runs may finish.
    Graceful,
    /// Nothing new; permits and locks are revoked at once.
    Immediate,
}

/// The order of a halt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Whom it reaches.
    pub target: Target,
    /// How hard.
    pub mode: Mode,
    /// Why; people will read it.
    pub reason: Text,
    /// Whether its release needs two persons; absent: as the fleet's settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_by_two: Option<bool>,
}

/// What can be asked about halts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Stops.
    Order(Order),
    /// Lets go again. Where two persons are needed, the first one asks and the second one releases.
    Release {
        /// Which.
        halt: HaltId,
        /// Why.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        reason: Text,
    },
}
