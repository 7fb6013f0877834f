//! Nodes of a fleet's tree. A scope exists once something stands in it; setting one adds words for people.
use crate::path::ScopePath;
use crate::text::{Labels, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A declared node of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Where it is.
    pub path: ScopePath,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// For people and tools.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// What can be asked about scopes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Adds or replaces a node.
    Set(Scope),
    /// Removes a declared node in which no agent stands.
    Remove {
        /// Which.
        path: ScopePath,
    },
}
