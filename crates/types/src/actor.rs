//! Who asks, as far as the core needs to know: enough to hold invariants such as
//! "an agent cannot lift a halt over itself" (I8).
use crate::id::{AgentId, KeyId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who a command comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A credential bound to one agent: it may act as that agent only.
    Agent(AgentId),
    /// A person or service, known by the key it used.
    Key(KeyId),
    /// The server itself: timers, recovery, missed heartbeats.
    System,
    /// Whoever sits at this machine: `fleet dev` on loopback, without keys.
    Local,
}

impl Actor {
    /// Whether this actor may speak for `agent`.
    #[must_use]
    pub fn may_act_as(&self, agent: &AgentId) -> bool {
        match self {
            Actor::Agent(own) => own == agent,
            Actor::Key(_) | Actor::System | Actor::Local => true,
        }
    }
}

/// What a credential may do. Each role may do all that the roles before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Connects instances and asks for permits, for the agents in its scope or the one it is bound to.
    Agent,
    /// Halts, releases, controls agents, changes limits and budgets within its scope.
    Operator,
    /// Everything in its tenant, keys included.
    Admin,
}

impl Role {
    /// As text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Agent => "agent",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}
