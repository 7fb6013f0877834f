//! Which requests something applies to. Every part that is given must match; none given: all.
use crate::id::GroupId;
use crate::path::{Pattern, ScopePath};
use crate::text::Labels;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Selects requests by who asks, where they stand, and what they ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// Agents in this scope or below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopePath>,
    /// Agents whose id matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Pattern>,
    /// Members of this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// Actions that match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Pattern>,
    /// Requests that claim a resource that matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Pattern>,
    /// Requests that carry these labels.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}
