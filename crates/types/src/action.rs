//! The fleet's catalogue of actions. Whether an action reduces risk is said here, never by the caller.
use crate::path::Pattern;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the fleet knows about the actions that match a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Which actions: `payment.cancel` or `position.reduce.**`.
    pub pattern: Pattern,
    /// What it does, for people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// Passes a halt of mode `risk_reducing_only`.
    #[serde(default)]
    pub risk_reducing: bool,
}

/// What can be asked about the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Adds or replaces an entry.
    Set(Action),
    /// Removes an entry.
    Remove {
        /// Which.
        pattern: Pattern,
    },
}
