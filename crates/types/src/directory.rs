//! Tenants, their fleets and their keys: the state of the reserved directory fleet.
use crate::actor::Role;
use crate::id::{AgentId, FleetId, KeyId, TenantId};
use crate::path::ScopePath;
use crate::text::Text;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a key opens. The secret is shown once and never kept; its hash is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The key's public name.
    pub id: KeyId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Only this fleet; absent: every fleet of the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetId>,
    /// Only this scope and below; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopePath>,
    /// Bound to this agent's identity: it may act as this agent only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What it may do.
    pub role: Role,
    /// BLAKE3 of the secret, as hex.
    pub hash: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// No longer valid after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// What can be asked of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Adds a tenant; a repeat changes nothing.
    CreateTenant {
        /// Which.
        tenant: TenantId,
    },
    /// Adds a fleet to a tenant; a repeat changes nothing.
    CreateFleet {
        /// Whose.
        tenant: TenantId,
        /// Which.
        fleet: FleetId,
    },
    /// Adds a key.
    IssueKey(Box<Key>),
    /// Takes a key out of use at once.
    RevokeKey {
        /// Whose.
        tenant: TenantId,
        /// Which.
        key: KeyId,
    },
}
