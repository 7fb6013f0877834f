//! One live connection of an agent. Heartbeats are counted outside the core and never journaled;
//! that one stopped beating comes in as a command, `Miss`, so replay needs no clock.
use crate::id::{AgentId, Epoch, HaltId, InstanceId};
use crate::text::{Labels, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Names an instance: the agent, and which of its connections.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceKey {
    /// The agent.
    pub agent: AgentId,
    /// Its instance.
    pub instance: InstanceId,
}

/// What an instance is doing, as shown to people.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Connected, holds no permit.
    Idle,
    /// Holds permits, could take more.
    Active,
    /// Holds as many permits as its agent may.
    Busy,
    /// Finishes what it holds under a graceful halt; gets nothing new.
    Draining,
    /// Missed its heartbeats; everything it held was released.
    Failed,
    /// Back under a new epoch after a failure, has not yet reported ready.
    Recovering,
    /// Under a halt.
    Halted,
}

/// What can be asked about instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// A session begins, or begins again. With the epoch it had, it resumes; without, a new epoch starts
    /// and everything the former life held is released.
    Connect {
        /// Who.
        key: InstanceKey,
        /// The epoch it believes it has.
        resume: Option<Epoch>,
        /// For selectors.
        #[serde(default, skip_serializing_if = "Labels::is_empty")]
        labels: Labels,
    },
    /// A recovering instance has cleaned up after itself and is ready.
    Ready {
        /// Who.
        key: InstanceKey,
        /// Its epoch.
        epoch: Epoch,
    },
    /// It says good-bye; everything it held is released.
    Disconnect {
        /// Who.
        key: InstanceKey,
        /// Its epoch.
        epoch: Epoch,
        /// Why.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        reason: Text,
    },
    /// It missed its heartbeats. Sent by the runtime only; harmless when the epoch is old.
    Miss {
        /// Who.
        key: InstanceKey,
        /// The epoch that went silent.
        epoch: Epoch,
        /// How many beats were missed.
        missed: u32,
    },
    /// It has seen a halt. `in_flight`: permits it is still finishing.
    AcknowledgeHalt {
        /// Who.
        key: InstanceKey,
        /// Its epoch.
        epoch: Epoch,
        /// The halt.
        halt: HaltId,
        /// Permits it still works on.
        #[serde(default)]
        in_flight: u32,
    },
}
