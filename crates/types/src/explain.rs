//! The gates a permit passes, in order, and what each one saw.
use crate::code::Code;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The gates in the order of passage.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Is the agent known, and does the caller speak for it?
    Identity,
    /// Is a halt in force over it?
    Halt,
    /// Is the agent in use, its instance alive, its own concurrency free?
    AgentState,
    /// May it take this action on these resources?
    Capability,
    /// May it be asked on behalf of the permit that it names?
    Delegation,
    /// Is the action a tool where it must be, and do its arguments and its guard let it pass?
    Tool,
    /// What do the policies say?
    Policy,
    /// Does every coordination rule let it pass?
    Rules,
    /// Do all limits that apply have room?
    Limits,
    /// Can all budgets that apply bear the cost?
    Budget,
    /// Has everybody approved who must?
    Approval,
    /// Are the resources free?
    Locks,
}

impl Gate {
    /// Every gate, in order.
    pub const ALL: [Gate; 12] = [
        Gate::Identity,
        Gate::Halt,
        Gate::AgentState,
        Gate::Capability,
        Gate::Delegation,
        Gate::Tool,
        Gate::Policy,
        Gate::Rules,
        Gate::Limits,
        Gate::Budget,
        Gate::Approval,
        Gate::Locks,
    ];
}

/// What one gate said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing in the way.
    Pass,
    /// Not now, but waiting helps.
    Wait,
    /// No.
    Deny,
    /// Not asked: an earlier gate had already stopped the request.
    NotReached,
}

/// One gate's verdict and the numbers it saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GateReport {
    /// Which gate.
    pub gate: Gate,
    /// What it said.
    pub verdict: Verdict,
    /// Why, where it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// In words.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub note: Text,
    /// What it saw, by name: `emea-daily.available` = 1200.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub saw: BTreeMap<SmolStr, u64>,
}

/// A decision that was worked out without taking effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// `granted`, `queued` or `denied`.
    #[schema(value_type = String)]
    pub decision: SmolStr,
    /// Every gate.
    pub gates: Vec<GateReport>,
}
