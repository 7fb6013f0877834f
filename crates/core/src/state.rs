//! Everything a fleet knows. What is marked `skip` is derived and built again after a snapshot is read.
use crate::action::Catalogue;
use crate::agent::{AgentKey, Registry};
use crate::approval::Approvals;
use crate::budget::Budgets;
use crate::conflict::Conflicts;
use crate::directory::Directory;
use crate::graph::Graph;
use crate::group::Groups;
use crate::halt::Halts;
use crate::limit::Limits;
use crate::lock::Locks;
use crate::memory::{Answered, Evicted, Memory};
use crate::permit::Permits;
use crate::plan::Plans;
use crate::policy::Policies;
use crate::rule::{RuleKey, Rules};
use crate::scope::Tree;
use crate::timers::Timers;
use crate::tool::Tools;
use crate::txn::Txns;
use crate::version::Versions;
use fleet_types::permit::Request;
use fleet_types::settings::Settings;
use fleet_types::view::Totals;
use fleet_types::{ApprovalId, PermitId, Seq, Time, TxnId};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeSet;

/// Everything a fleet knows, as of one place in its journal.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub(crate) seq: Seq,
    pub(crate) now: Time,
    pub(crate) settings: Settings,
    pub(crate) scopes: Tree,
    pub(crate) groups: Groups,
    pub(crate) actions: Catalogue,
    pub(crate) agents: Registry,
    pub(crate) limits: Limits,
    #[serde(default)]
    pub(crate) rules: Rules,
    #[serde(default)]
    pub(crate) policies: Policies,
    #[serde(default)]
    pub(crate) versions: Versions,
    #[serde(default)]
    pub(crate) conflicts: Conflicts,
    #[serde(default)]
    pub(crate) plans: Plans,
    pub(crate) budgets: Budgets,
    #[serde(default, skip_serializing_if = "Tools::is_empty")]
    pub(crate) tools: Tools,
    #[serde(default)]
    pub(crate) approvals: Approvals,
    #[serde(default)]
    pub(crate) txns: Txns,
    pub(crate) halts: Halts,
    pub(crate) permits: Permits,
    pub(crate) memory: Memory,
    #[serde(default, skip_serializing_if = "Graph::is_empty")]
    pub(crate) graph: Graph,
    pub(crate) directory: Directory,
    pub(crate) totals: Totals,
    #[serde(skip)]
    pub(crate) locks: Locks,
    #[serde(skip)]
    pub(crate) timers: Timers,
    /// Counts the changes of what those in front of the queue are told of agents, groups, scopes and tools. Derived.
    #[serde(skip)]
    pub(crate) changes: u64,
    #[serde(skip)]
    pub(crate) wakes: BTreeSet<Wake>,
}

/// Something that waiters wait for has changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// A halt was ordered or released.
    Halts,
    /// An agent's own concurrency, status or place.
    Agent(AgentKey),
    /// What its rules say of an agent: its place, groups, labels, lists.
    Moved(AgentKey),
    /// A count of a limit has room.
    Limit(u32, SmolStr),
    /// What a rule remembers of a thing.
    Rule(RuleKey, SmolStr),
    /// What the policies say, or which there are; or tools.
    Policies,
    /// What they say of one waiting permit.
    Rejudged(PermitId),
    /// A lock was let go, or a waiter for it is gone. By path: the small keys of nodes differ after a restart.
    Lock(SmolStr),
    /// What an approval waits for, or what waits for it.
    Approval(ApprovalId),
    /// Which approvals rules want.
    Approvals,
    /// A transaction: something may follow from how it stands.
    Txn(TxnId),
}

impl State {
    /// The state after this place in the journal.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The time of the last event.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// The fleet's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What memory had to let go since this was last called, oldest first. Whoever drives the machine must call it, or
    /// it piles up.
    pub fn drain_evicted(&mut self) -> impl Iterator<Item = Evicted> {
        self.memory.evicted.drain(..)
    }

    /// Where the last answer stood that memory had to let go.
    #[must_use]
    pub fn evicted_last(&self) -> Option<Answered> {
        self.memory.evicted_last()
    }

    /// Whether a request's id from its agent is known without what memory had let go.
    #[must_use]
    pub fn remembers(&self, request: &Request) -> bool {
        self.memory.holds(&self.permits, request)
    }

    /// Request ids that were answered before this, as seen at `now`, may be asked anew.
    #[must_use]
    pub fn remembered_since(&self, now: Time) -> Time {
        let span = self.settings.request_memory_ms;
        Time(now.0.saturating_sub(span.micros()))
    }

    /// Keeps so many request ids in memory instead of [`crate::MEMORY_MAX`]. Not part of a snapshot: how many are
    /// kept decides where an answer is found, not what it is.
    pub fn set_memory_max(&mut self, count: usize) {
        self.memory.count_max = count;
    }

    /// Where the next event will stand.
    pub(crate) fn next_seq(&self) -> Seq {
        Seq(self.seq.0 + 1)
    }

    pub(crate) fn wake_agent(&mut self, key: AgentKey) {
        if self
            .agents
            .agents
            .get(key)
            .is_some_and(|a| !a.waiting.is_empty())
        {
            self.wakes.insert(Wake::Agent(key));
        }
    }

    /// What applies to an agent has changed: whatever its permits wait for may be none of their business any more.
    pub(crate) fn wake_moved(&mut self, key: AgentKey) {
        let waits = |key| {
            let permit = &self.permits[key];
            permit.granted().is_none() || permit.extension().is_some()
        };
        let agent = self.agents.agents.get(key);
        if agent.is_some_and(|agent| self.permits.of(agent).any(waits)) {
            self.wakes.insert(Wake::Moved(key));
        }
    }

    /// Which approvals rules want has changed: those who wait for one may need another, or none.
    pub(crate) fn wake_approvals(&mut self, changed: bool) {
        if changed && !self.approvals.waiting.is_empty() {
            self.wakes.insert(Wake::Approvals);
        }
    }

    /// The state as JSON, for a snapshot.
    ///
    /// # Panics
    /// Never: every part has a JSON form.
    #[must_use]
    pub fn to_snapshot(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("every part of the state has a JSON form")
    }

    /// The state a snapshot holds.
    ///
    /// # Errors
    /// When the bytes are not a snapshot of a format this build reads.
    pub fn from_snapshot(bytes: &[u8]) -> Result<State, serde_json::Error> {
        let mut state: State = serde_json::from_slice(bytes)?;
        state.memory.rebuild(&state.permits);
        state.rules.watches.rebuild();
        state.rules.things.rebuild();
        state.rules.agents.rebuild();
        state.versions.rebuild();
        state.conflicts.rebuild();
        state.plans.rebuild();
        crate::permit::rebuild(&mut state);
        Ok(state)
    }
}
