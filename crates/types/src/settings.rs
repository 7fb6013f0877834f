//! A fleet's own settings, changed by command and kept in the journal.
use crate::path::Pattern;
use crate::rule::Stage;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether what no allow-list names may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefaultDecision {
    /// It may: for trying things out (`fleet dev`).
    Allow,
    /// It may not.
    Deny,
}

/// How a fleet behaves where nothing more special is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// For actions and resources that no allow-list names.
    pub default_decision: DefaultDecision,
    /// Whether an unknown agent is registered when it first asks.
    pub auto_register: bool,
    /// How often instances beat.
    pub heartbeat_ms: Millis,
    /// How many beats may be missed before an instance has failed.
    pub heartbeats_missed_max: u32,
    /// How much waiting is worth one step of priority; keeps low priorities from starving.
    pub age_step_ms: Millis,
    /// Lease of a permit that asks for none.
    pub ttl_ms_default: Millis,
    /// Longest lease.
    pub ttl_ms_max: Millis,
    /// Longest wait.
    pub wait_ms_max: Millis,
    /// Most permits that may wait at once.
    pub waiting_max: u32,
    /// How long a request id is remembered once it is answered.
    pub request_memory_ms: Millis,
    /// Whether a halt needs two persons to release unless it says otherwise.
    pub release_by_two: bool,
    /// How far policies go at most: each is at its own stage or this one, whichever is earlier.
    pub policy_stage: Stage,
    /// Actions that match one of these must be registered tools.
    pub tools_required: Vec<Pattern>,
    /// How often a request may have been handed on, at most, from the first that was asked on nobody's behalf.
    pub delegation_depth_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            default_decision: DefaultDecision::Deny,
            auto_register: false,
            heartbeat_ms: Millis(5_000),
            heartbeats_missed_max: 3,
            age_step_ms: Millis(5_000),
            ttl_ms_default: Millis(30_000),
            ttl_ms_max: Millis(86_400_000),
            wait_ms_max: Millis(3_600_000),
            waiting_max: 100_000,
            request_memory_ms: Millis(86_400_000),
            release_by_two: false,
            policy_stage: Stage::Enforce,
            tools_required: Vec::new(),
            delegation_depth_max: 8,
        }
    }
}
