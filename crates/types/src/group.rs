//! Groups: agents across scopes, so that one agent can belong to a line and to a cross-functional team.
use crate::id::{AgentId, GroupId};
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// A group and its members. Members need not be registered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The group.
    pub id: GroupId,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// At most 10,000 agents.
    #[serde(deserialize_with = "members")]
    #[schema(value_type = Vec<AgentId>, max_items = 10_000)]
    pub members: BTreeSet<AgentId>,
}

fn members<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeSet<AgentId>, D::Error> {
    let members = BTreeSet::deserialize(deserializer)?;
    if members.len() > 10_000 {
        return Err(serde::de::Error::custom("more than 10,000 members"));
    }
    Ok(members)
}

/// What can be asked about groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Adds or replaces a group.
    Set(Group),
    /// Removes a group.
    Remove {
        /// Which.
        group: GroupId,
    },
}
