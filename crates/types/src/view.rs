//! What can be read of a fleet: rows of lists and pages of detail, as of one place in the journal.
use crate::actor::Actor;
use crate::agent::{Definition, Status as AgentStatus};
use crate::budget::{Period, Unit};
use crate::halt::{Mode as HaltMode, Order};
use crate::id::{
    AgentId, BudgetId, Epoch, GroupId, HaltId, InstanceId, LimitId, PermitId, RuleId, Seq, Token,
};
use crate::instance::InstanceState;
use crate::lock::Mode;
use crate::path::{ResourcePath, ScopePath};
use crate::text::{Labels, Text};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The fleet at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FleetStatus)]
pub struct Status {
    /// As of this place in the journal.
    pub seq: Seq,
    /// By the fleet's clock.
    pub at: Time,
    /// Registered agents.
    pub agents: u64,
    /// Live instances by state.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub instances: BTreeMap<InstanceState, u64>,
    /// Permits that hold.
    pub permits_granted: u64,
    /// Permits that wait.
    pub permits_waiting: u64,
    /// Resources that are held.
    pub locks_held: u64,
    /// Halts in force.
    pub halts: u64,
    /// Approvals that somebody is to answer.
    #[serde(default)]
    pub approvals_open: u64,
    /// Conflicts that are not over.
    #[serde(default)]
    pub conflicts: u64,
    /// Those of them that are before a person.
    #[serde(default)]
    pub conflicts_escalated: u64,
    /// Transactions that are not over.
    #[serde(default)]
    pub transactions: u64,
    /// Those of them that go on only once a person has resolved a branch.
    #[serde(default)]
    pub transactions_stuck: u64,
    /// Policies in force that cannot be asked, so that every request that meets them is denied.
    #[serde(default)]
    pub policies_broken: u64,
    /// Request ids whose first answer is in memory; older ones lie on disk and are not counted.
    pub requests_remembered: u64,
    /// What has happened since the fleet began.
    pub totals: Totals,
}

/// Counts since the fleet began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// Permits granted, at once or after waiting.
    pub granted: u64,
    /// Requests that had to wait first: conflicts avoided.
    pub queued: u64,
    /// Requests denied, by code.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub denied: BTreeMap<crate::code::Code, u64>,
    /// Permits completed.
    pub completed: u64,
    /// Permits reported as failed.
    pub failed: u64,
    /// Permits or requests withdrawn.
    pub cancelled: u64,
    /// Permits whose lease ran out.
    pub expired: u64,
    /// Permits taken back by a halt, or because their holder was gone.
    pub revoked: u64,
    /// Commands rejected, by code.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub rejected: BTreeMap<crate::code::Code, u64>,
}

/// An agent as seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AgentView)]
pub struct Agent {
    /// The definition that speaks for it.
    pub definition: Definition,
    /// All versions with their status.
    #[schema(value_type = BTreeMap<String, AgentStatus>)]
    pub versions: BTreeMap<crate::id::Version, AgentStatus>,
    /// Its successor, if deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<AgentId>,
    /// Groups it belongs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupId>,
    /// Its connections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<Instance>,
    /// Permits it holds.
    pub permits_granted: u64,
    /// Permits it waits for.
    pub permits_waiting: u64,
    /// Halts over it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub halts: Vec<HaltId>,
    /// What it has done.
    pub usage: Usage,
    /// When it was first registered.
    pub registered_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

/// What an agent has done since it was registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Permits granted.
    pub granted: u64,
    /// Requests denied.
    pub denied: u64,
    /// Permits completed.
    pub completed: u64,
    /// Permits reported as failed.
    pub failed: u64,
    /// Permits whose lease ran out.
    pub expired: u64,
    /// Money posted, in millionths.
    pub money_micros: u64,
    /// Tokens posted.
    pub tokens: u64,
    /// Latency of completed permits, summed.
    pub latency_us_total: u64,
    /// When it last was granted a permit.
    pub last_active_at: Time,
}

/// An instance as seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = InstanceView)]
pub struct Instance {
    /// Which.
    pub id: InstanceId,
    /// In which life.
    pub epoch: Epoch,
    /// What it is doing.
    pub state: InstanceState,
    /// Since when this life.
    pub connected_at: Time,
    /// Permits it holds.
    pub permits: u64,
    /// For selectors.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// A resource that is held or waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lock {
    /// The resource.
    pub path: ResourcePath,
    /// Who holds it.
    pub holders: Vec<LockHolder>,
    /// Who waits for it, first come first.
    pub waiters: Vec<LockWaiter>,
}

/// A holder of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockHolder {
    /// By which permit.
    pub permit: PermitId,
    /// Of which agent.
    pub agent: AgentId,
    /// How.
    pub mode: Mode,
    /// Its fencing token.
    pub token: Token,
    /// Until when, unless renewed.
    pub until: Time,
}

/// A waiter for a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockWaiter {
    /// By which permit.
    pub permit: PermitId,
    /// Of which agent.
    pub agent: AgentId,
    /// How.
    pub mode: Mode,
    /// Since when.
    pub since: Time,
}

/// A limit and its use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LimitView)]
pub struct Limit {
    /// As set.
    pub limit: crate::limit::Limit,
    /// Where it stands now, if it is dynamic: permits (concurrency) or permits per span (rate).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
    /// Each count: one, or one per agent, resource or action. The first 100.
    pub counts: Vec<LimitCount>,
    /// Requests that wait for it.
    pub waiting: u64,
}

/// One count of a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitCount {
    /// Whose, where each has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub key: Option<SmolStr>,
    /// In flight now, or used of the burst.
    pub used: u64,
    /// Most.
    pub max: u64,
    /// Granted since the limit was set.
    pub granted: u64,
    /// Stopped since the limit was set.
    pub stopped: u64,
}

/// A rule and what it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RuleView)]
pub struct Rule {
    /// As set.
    pub rule: crate::rule::Rule,
    /// Which version of it, counted from 1.
    pub version: u32,
    /// Requests that it stopped, or would have stopped were it enforced, since it was first set: each once, when it was
    /// answered first.
    pub stopped: u64,
    /// Requests that wait for it.
    pub waiting: u64,
    /// What is in flight for it: each thing of each permit that holds.
    pub in_flight: u64,
    /// The things that it has tripped for; an empty one stands for all of its case. The first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub tripped: Vec<SmolStr>,
    /// When this version was set; not known where an earlier build set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_at: Option<Time>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_by: Option<Actor>,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
    /// What was noticed when it was set, without what is about rules that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<crate::finding::Finding>,
    /// Earlier versions that it can be rolled back to, the oldest first; not told in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<RuleVersion>,
}

/// An earlier version of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleVersion {
    /// Its number.
    pub version: u32,
    /// As it was set.
    pub rule: crate::rule::Rule,
    /// When it was set; not known where an earlier build set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_at: Option<Time>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_by: Option<Actor>,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// A policy and what it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyView)]
pub struct Policy {
    /// As set.
    pub policy: crate::policy::Policy,
    /// Which version of it, counted from 1.
    pub version: u32,
    /// The hash of its module.
    pub hash: crate::policy::Hash,
    /// Requests that it denied, or would have denied were it enforced, since it was first set: each once, when it was
    /// answered first.
    pub denied: u64,
    /// Of them, those it came to no answer for.
    pub failed: u64,
    /// Why it does not compile in this build of the server, if it does not: then it denies whatever it looks at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Text>,
    /// Earlier versions that it can be rolled back to, the oldest first; not told in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<PolicyVersion>,
}

/// An earlier version of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyVersion {
    /// Its number.
    pub version: u32,
    /// The hash of its module.
    pub hash: crate::policy::Hash,
    /// As it was set.
    pub policy: crate::policy::Policy,
}

/// A tool, as it is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ToolView)]
pub struct Tool {
    /// As set.
    pub tool: crate::tool::Tool,
    /// Which version of it, counted from 1.
    pub version: u32,
    /// Where in the journal that version was set.
    pub set_at: Seq,
}

/// The data that policies see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyData {
    /// All of it.
    pub data: crate::policy::Data,
    /// Where in the journal it was set; absent: it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_at: Option<Seq>,
}

/// A budget and its use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = BudgetView)]
pub struct Budget {
    /// As set.
    pub budget: crate::budget::Budget,
    /// Each account: one, or one per agent or label value. The first 100.
    pub accounts: Vec<BudgetAccount>,
}

/// One account of a budget. reserved + spent ≤ hard + top-ups, unless the budget was lowered (I9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetAccount {
    /// Whose, where each has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<SmolStr>,
    /// What is counted.
    pub unit: Unit,
    /// When it starts afresh.
    pub period: Period,
    /// Start of this period.
    pub period_start: Time,
    /// Posted in this period.
    pub spent: u64,
    /// Reserved by permits that hold.
    pub reserved: u64,
    /// Most, top-ups included.
    pub hard: u64,
    /// Cost reported beyond what the budget could bear, in this period.
    pub overrun: u64,
}

/// A halt as seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = HaltView)]
pub struct Halt {
    /// Which.
    pub id: HaltId,
    /// As ordered.
    pub order: Order,
    /// By whom.
    pub by: crate::actor::Actor,
    /// When.
    pub at: Time,
    /// How hard.
    pub mode: HaltMode,
    /// Whether its release needs two persons.
    pub release_by_two: bool,
    /// Who asked for its release first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_requested_by: Option<crate::actor::Actor>,
    /// When it was released; absent while in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Time>,
    /// Permits taken back or denied when it was ordered.
    pub revoked: u64,
    /// How far the word has spread.
    pub propagation: Propagation,
}

/// How far the word of a halt has spread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Propagation {
    /// Live instances in reach when it was ordered, and since.
    pub reach: u64,
    /// How many have acknowledged.
    pub acknowledged: u64,
    /// Permits that acknowledged instances still worked on when they did.
    pub in_flight: u64,
    /// Half had acknowledged after so many microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<u64>,
    /// 99 of 100 had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<u64>,
    /// The last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_us: Option<u64>,
    /// Who has not; the first 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unacknowledged: Vec<crate::instance::InstanceKey>,
}

/// A scope as seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ScopeView)]
pub struct Scope {
    /// Where.
    pub path: ScopePath,
    /// For people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// For people and tools.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Agents that stand in it or below.
    pub agents: u64,
    /// Limits attached to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitId>,
    /// Rules of which a case is attached to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleId>,
    /// Budgets attached to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<BudgetId>,
}

/// A part of a list, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Ask for what comes after this; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// As of this place in the journal.
    pub seq: Seq,
}
