//! Bodies of requests and answers that only the HTTP door has.
use fleet_types::agent::Status;
use fleet_types::permit::{Decision, Request};
use fleet_types::policy;
use fleet_types::session::{PermitRequest, Problem};
use fleet_types::{
    AgentId, FleetId, HaltId, KeyId, PolicyId, ResourcePath, Role, ScopePath, Seq, TenantId, Text,
    Time, Token, Version, view,
};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A change was made, or was not needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// False when things were as asked already.
    pub changed: bool,
    /// As of this place in the journal, where something changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

/// What policies are asked, without effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyTest {
    /// About which request.
    pub request: PermitRequest,
    /// Only this policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// Only this module, which need not be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<policy::Module>,
}

/// What one of them said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySaid {
    /// Which; absent for a module that is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// What it said.
    pub opinion: policy::Opinion,
    /// Whether it is only observed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Text>,
    /// How it would change the request; told of one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTested {
    /// What each that was asked said.
    pub judged: Vec<PolicySaid>,
    /// The request as those in force would change it, if they would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Request>,
}

/// A rule was set, and what was noticed about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleChanged {
    /// False when things were as asked already.
    pub changed: bool,
    /// As of this place in the journal, where something changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// What was noticed about it as it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<fleet_types::finding::Finding>,
}

/// The fleets of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetList {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub fleets: Vec<FleetId>,
}

/// A halt is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halted {
    /// Which.
    pub halt: HaltId,
    /// Live instances in its reach.
    pub reach: u64,
    /// Permits taken back or denied.
    pub revoked: u64,
    /// When.
    pub at: Time,
}

/// What came of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Whether the halt is lifted; false: a second person must release it too.
    pub released: bool,
}

/// What a new key is to open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewKey {
    /// What it may do.
    pub role: Role,
    /// Whose; absent: the caller's tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Only this fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetId>,
    /// Only this scope and below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopePath>,
    /// Bound to this agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What it is for.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// No longer valid after this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

impl NewKey {
    /// A key of this role, bound to nothing.
    #[must_use]
    pub fn new(role: Role) -> Self {
        NewKey {
            role,
            tenant: None,
            fleet: None,
            scope: None,
            agent: None,
            description: Text::default(),
            expires_at: None,
        }
    }
}

/// A key as seen: all but its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its public name.
    pub id: KeyId,
    /// Whose.
    pub tenant: TenantId,
    /// What it may do.
    pub role: Role,
    /// Only this fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetId>,
    /// Only this scope and below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopePath>,
    /// Only as this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// No longer valid after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// A key that was issued.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedKey {
    /// The key.
    pub key: Key,
    /// The whole credential: told now and never again.
    pub token: String,
}

impl std::fmt::Debug for IssuedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The keys of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyList {
    /// By id.
    pub keys: Vec<Key>,
}

/// Where in its life a version of an agent is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewStatus {
    /// Which version; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The new status.
    pub status: Status,
    /// The agent to use instead, of a deprecated one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<AgentId>,
}

/// By how much a budget is raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TopUp {
    /// Which account; absent for a budget that all share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<SmolStr>,
    /// By how much, in the budget's unit.
    pub amount: u64,
    /// Why.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// To which version a rule goes back, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RollBack {
    /// To which version; absent: the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Why.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// Why a throttle lets through again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct ResetReason {
    pub reason: Text,
}

/// Why a halt is released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct ReleaseReason {
    pub reason: Text,
}

/// A resource and a fencing token that came with a write to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TokenOf {
    pub resource: ResourcePath,
    pub token: Token,
}

/// Whether a fencing token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    /// Whether the write may go on.
    pub valid: bool,
    /// As of this place in the journal.
    pub seq: Seq,
}

/// A live connection and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRow {
    /// The agent.
    pub agent: AgentId,
    /// Its instance.
    #[serde(flatten)]
    pub instance: view::Instance,
}

/// Several requests at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Batch<'a> {
    pub requests: &'a [PermitRequest],
}

/// One answer of a batch: either a decision or a problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchAnswer {
    /// The status that this request alone would have had.
    pub status: u16,
    /// The decision; a denial too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Why there is no decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// The answers of a batch, in the order of the requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct BatchAnswers {
    pub answers: Vec<BatchAnswer>,
}

/// A fleet, a tenant: to be added.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Named {
    Fleet(FleetId),
    Tenant(TenantId),
}
