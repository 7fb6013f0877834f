//! Tools: which actions are registered, and what follows from their arguments.
//!
//! ```text
//! in front of the queue: schema, resources, cost → request with them → gate: are they of the tool as it stands? → guard
//! ```
//!
//! Invariants
//! - No schema is run here (I11). What came of one is enforced only if it is about the version of the tool that stands now;
//!   if not it is made anew, outside, with what policies say (`policy/judge.rs`).
//! - Whatever is granted for a tool's action carries the claims and the cost that follow from its arguments, whoever worked
//!   them out: the gate derives them again.
pub mod apply;
pub mod decide;
pub mod derive;
pub mod judge;

use crate::agent::Agent;
use crate::map::Map;
use crate::rule::case::CompiledCase;
use crate::state::State;
use fleet_types::approval::Terms;
use fleet_types::permit::Request;
use fleet_types::tool::{Guard, Tool};
use fleet_types::{ActionName, Seq, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tools {
    pub by_id: Map<ActionName, Entry>,
    /// Counts the changes of tools, and of which actions must be some. Derived.
    #[serde(skip)]
    pub changes: u64,
}

impl Tools {
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    pub tool: Arc<Tool>,
    /// Counted from 1.
    pub version: u32,
    /// Where this version was set.
    pub set_at: Seq,
    /// The cases of its guard. Derived.
    #[serde(skip)]
    pub cases: Vec<CompiledCase>,
}

/// What a guard says, which of its cases did, and on which terms it is approved.
pub struct Guarded<'s> {
    pub guard: Guard,
    pub case: Option<usize>,
    pub terms: Option<&'s Arc<Terms>>,
}

impl Entry {
    /// What the guard says of a request that carries all that follows from its arguments.
    pub fn guarded(&self, agent: &Agent, request: &Request, now: Time) -> Guarded<'_> {
        let mut cases = self.cases.iter();
        let case = cases.position(|case| case.matches(agent, request, now));
        let own = case.map(|at| &self.tool.cases[at]);
        Guarded {
            guard: own.map_or(self.tool.guard, |own| own.guard),
            case,
            terms: own
                .and_then(|own| own.approval.as_ref())
                .or(self.tool.approval.as_ref()),
        }
    }
}

impl State {
    /// Counts the changes of tools, and of which actions must be some, since this state was read.
    #[must_use]
    pub fn tool_changes(&self) -> u64 {
        self.tools.changes
    }

    /// Whether requests are looked at in front of the queue: by policies, or as tools.
    #[must_use]
    pub fn asks_in_front(&self) -> bool {
        self.asks_policies() || !self.tools.is_empty() || !self.settings.tools_required.is_empty()
    }
}
