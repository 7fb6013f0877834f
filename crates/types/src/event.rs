//! Everything that can have happened in a fleet. Events are facts: they say what was decided, with the
//! numbers it was decided on, and are stored as JSON for years.
//!
//! A variant or field is never renamed or removed; new fields are optional (see `docs/formats.md`).
use crate::actor::Actor;
pub use crate::approval::event::*;
use crate::code::Code;
use crate::id::{
    ActionName, AgentId, ApprovalId, BudgetId, Epoch, FleetId, GroupId, HaltId, KeyId, LimitId,
    PermitId, PolicyId, RuleId, Seq, TenantId, Version,
};
use crate::instance::InstanceKey;
use crate::lock::{Claim, ResourceVersion};
use crate::path::{Pattern, ResourcePath, ScopePath};
use crate::permit::{Blocker, BudgetCharge, Denial, Extend, Finish, LimitCharge, Request};
use crate::text::{Labels, Text};
use crate::time::Time;
use crate::{
    action, agent, approval, budget, conflict, connector, directory, explain, finding, graph,
    group, halt, limit, plan, policy, rule, scope, settings, tool,
};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::sync::Arc;
use utoipa::ToSchema;

mod txn;
pub use txn::{
    ConnectorRemoved, TxnBegun, TxnDecided, TxnEnded, TxnEnlisted, TxnHeld, TxnMoved, TxnPreparing,
    TxnReported, TxnResolved,
};

/// An event with its place, its time and its cause: one entry of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Record {
    /// Its place in the fleet's journal.
    pub seq: Seq,
    /// When, by the fleet's clock, which never goes back.
    pub at: Time,
    /// Who asked.
    pub by: Actor,
    /// What happened.
    pub event: Event,
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($body:ty) = $text:literal,)*) => {
        /// What happened.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
        pub enum Event {$(
            $(#[$doc])*
            #[serde(rename = $text)]
            $name($body),
        )*}
        impl Event {
            /// What it is called in the journal and in streams.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Event::$name(_) => $text),* }
            }
            /// Every name.
            pub const NAMES: &'static [&'static str] = &[$($text),*];
        }
    };
}

events! {
    /// A permit was granted.
    PermitGranted(Granted) = "permit.granted",
    /// A permit waits.
    PermitQueued(Queued) = "permit.queued",
    /// A waiting permit waits for something else now.
    PermitRequeued(Requeued) = "permit.requeued",
    /// A request was denied.
    PermitDenied(Denied) = "permit.denied",
    /// A permit ended as its holder said.
    PermitFinished(Finished) = "permit.finished",
    /// A permit was renewed.
    PermitRenewed(Renewed) = "permit.renewed",
    /// A permit holds more.
    PermitExtended(Extended) = "permit.extended",
    /// A permit waits for more.
    PermitExtensionQueued(ExtensionQueued) = "permit.extension_queued",
    /// A permit does not get more; it goes on holding what it held.
    PermitExtensionDenied(ExtensionDenied) = "permit.extension_denied",
    /// A permit's lease ran out.
    PermitExpired(Expired) = "permit.expired",
    /// An instance connected under a new epoch.
    InstanceConnected(InstanceConnected) = "instance.connected",
    /// An instance that had failed is ready again.
    InstanceReady(InstanceReady) = "instance.ready",
    /// An instance said good-bye.
    InstanceDisconnected(InstanceGone) = "instance.disconnected",
    /// An instance failed.
    InstanceFailed(InstanceGone) = "instance.failed",
    /// A halt was ordered.
    HaltOrdered(HaltOrdered) = "halt.ordered",
    /// An instance has seen a halt.
    HaltAcknowledged(HaltAcknowledged) = "halt.acknowledged",
    /// One of two persons asked to release a halt.
    HaltReleaseRequested(HaltReleaseRequested) = "halt.release_requested",
    /// A halt was released.
    HaltReleased(HaltReleased) = "halt.released",
    /// A version of an agent was registered.
    AgentRegistered(AgentRegistered) = "agent.registered",
    /// A version of an agent moved in its life.
    AgentStatusSet(AgentStatusSet) = "agent.status_set",
    /// An agent was removed.
    AgentRemoved(AgentRemoved) = "agent.removed",
    /// A scope was set.
    ScopeSet(scope::Scope) = "scope.set",
    /// A scope was removed.
    ScopeRemoved(ScopeRemoved) = "scope.removed",
    /// A group was set.
    GroupSet(group::Group) = "group.set",
    /// A group was removed.
    GroupRemoved(GroupRemoved) = "group.removed",
    /// An entry of the action catalogue was set.
    ActionSet(action::Action) = "action.set",
    /// An entry of the action catalogue was removed.
    ActionRemoved(ActionRemoved) = "action.removed",
    /// A limit was set.
    LimitSet(Arc<limit::Limit>) = "limit.set",
    /// A limit was removed.
    LimitRemoved(LimitRemoved) = "limit.removed",
    /// A rule was set.
    RuleSet(RuleSet) = "rule.set",
    /// A rule was removed.
    RuleRemoved(RuleRemoved) = "rule.removed",
    /// A throttle has stopped something.
    RuleTripped(RuleTripped) = "rule.tripped",
    /// What a throttle had stopped goes on.
    RuleReset(RuleReset) = "rule.reset",
    /// A policy was set.
    PolicySet(PolicySet) = "policy.set",
    /// A policy was removed.
    PolicyRemoved(PolicyRemoved) = "policy.removed",
    /// A tool was registered, or its next version.
    ToolSet(ToolSet) = "tool.set",
    /// A tool was removed.
    ToolRemoved(ToolRemoved) = "tool.removed",
    /// The data that policies see was replaced.
    PolicyDataSet(PolicyDataSet) = "policy.data_set",
    /// Policies said anew what they say of a request that waits.
    PermitRejudged(PermitRejudged) = "permit.rejudged",
    /// A conflict that a rule concerns has lasted: its strategy begins.
    ConflictOpened(conflict::Opened) = "conflict.opened",
    /// Those that wait in a conflict go earlier, as its deadline is near.
    ConflictRaised(conflict::Raised) = "conflict.raised",
    /// A party of a conflict offered something.
    ConflictAnswered(conflict::Answered) = "conflict.answered",
    /// An agent voted over a conflict.
    ConflictVoted(conflict::Voted) = "conflict.voted",
    /// A conflict goes to a person.
    ConflictEscalated(conflict::Escalated) = "conflict.escalated",
    /// A conflict was settled.
    ConflictResolved(conflict::Resolved) = "conflict.resolved",
    /// An agent said what it intends.
    PlanDeclared(plan::Declared) = "plan.declared",
    /// A plan was withdrawn.
    PlanWithdrawn(plan::Withdrawn) = "plan.withdrawn",
    /// From here on the versions of resources are kept.
    VersionsWatched(VersionsWatched) = "versions.watched",
    /// A budget was set.
    BudgetSet(Arc<budget::Budget>) = "budget.set",
    /// A budget was removed.
    BudgetRemoved(BudgetRemoved) = "budget.removed",
    /// A budget was topped up.
    BudgetToppedUp(BudgetToppedUp) = "budget.topped_up",
    /// A budget's soft threshold was reached.
    BudgetSoftReached(BudgetSoftReached) = "budget.soft_reached",
    /// An edge of the dependency graph was declared.
    GraphDeclared(graph::Edge) = "graph.declared",
    /// A declared edge was removed.
    GraphUndeclared(graph::Ends) = "graph.undeclared",
    /// Somebody was asked to approve.
    ApprovalAsked(ApprovalAsked) = "approval.asked",
    /// A voice was given.
    ApprovalAnswered(ApprovalAnswered) = "approval.answered",
    /// An approval was given, or refused.
    ApprovalDecided(ApprovalDecided) = "approval.decided",
    /// The next ones are asked.
    ApprovalEscalated(ApprovalEscalated) = "approval.escalated",
    /// Others are asked instead.
    ApprovalReassigned(ApprovalReassigned) = "approval.reassigned",
    /// Something was said without deciding.
    ApprovalCommented(ApprovalCommented) = "approval.commented",
    /// An approval was not decided within the time it should be.
    ApprovalSlaBreached(ApprovalSlaBreached) = "approval.sla_breached",
    /// What waited for an approval ended, or needs it no more.
    ApprovalMoot(ApprovalMoot) = "approval.moot",
    /// Somebody lets another answer in its place.
    ApprovalDelegated(approval::Delegation) = "approval.delegated",
    /// A delegation was ended before its time.
    ApprovalDelegationEnded(ApprovalDelegationEnded) = "approval.delegation_ended",
    /// A transaction has begun.
    TxnBegun(TxnBegun) = "txn.begun",
    /// A participant takes part in a transaction.
    TxnEnlisted(TxnEnlisted) = "txn.enlisted",
    /// A permit is held by a transaction.
    TxnHeld(TxnHeld) = "txn.held",
    /// The participants of a transaction are asked whether they can commit.
    TxnPreparing(TxnPreparing) = "txn.preparing",
    /// What a participant has said.
    TxnReported(TxnReported) = "txn.reported",
    /// It is decided how a transaction ends.
    TxnDecided(TxnDecided) = "txn.decided",
    /// A step of a saga has moved on.
    TxnMoved(TxnMoved) = "txn.moved",
    /// A person has settled a branch.
    TxnResolved(TxnResolved) = "txn.resolved",
    /// A transaction is over.
    TxnEnded(TxnEnded) = "txn.ended",
    /// A connector was set.
    ConnectorSet(Arc<connector::Connector>) = "connector.set",
    /// A connector was removed.
    ConnectorRemoved(ConnectorRemoved) = "connector.removed",
    /// The fleet's settings were changed.
    FleetConfigured(Box<settings::Settings>) = "fleet.configured",
    /// A tenant was added.
    TenantCreated(TenantCreated) = "tenant.created",
    /// A fleet was added.
    FleetCreated(FleetCreated) = "fleet.created",
    /// A key was issued.
    KeyIssued(Arc<directory::Key>) = "key.issued",
    /// A key was revoked.
    KeyRevoked(KeyRevoked) = "key.revoked",
    /// A well-formed command was refused and changed nothing.
    CommandRejected(CommandRejected) = "command.rejected",
}

/// A permit was granted, at once or after waiting. Its fencing token is this event's sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PermitGranted)]
pub struct Granted {
    /// The permit.
    pub permit: PermitId,
    /// What was asked.
    #[schema(value_type = Request)]
    pub request: Arc<Request>,
    /// It is taken back at this time unless renewed or finished.
    pub expires_at: Time,
    /// What was charged to limits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitCharge>,
    /// What was reserved in budgets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<BudgetCharge>,
    /// On whose behalf it was asked: the agents from the first on, without its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<AgentId>,
    /// What policies and its tool said of it, if any was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Box<policy::Verdict>>,
    /// What rules had to do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Box<rule::Notes>>,
    /// The approvals that it needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalId>,
    /// What rules of order make of its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Box<conflict::Turn>>,
    /// The versions of what it holds, of those whose versions are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<ResourceVersion>,
    /// What every gate saw, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explain: Vec<explain::GateReport>,
}

/// A permit waits. It holds and consumes nothing (I7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PermitQueued)]
pub struct Queued {
    /// The permit it will become.
    pub permit: PermitId,
    /// What was asked.
    #[schema(value_type = Request)]
    pub request: Arc<Request>,
    /// What it waits for.
    pub waits_for: Blocker,
    /// How many came before it.
    pub position: u64,
    /// It is denied at this time if its turn has not come.
    pub until: Time,
    /// On whose behalf it was asked: the agents from the first on, without its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<AgentId>,
    /// What policies and its tool said of it, if any was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Box<policy::Verdict>>,
    /// What rules had to do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Box<rule::Notes>>,
    /// What rules of order make of its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Box<conflict::Turn>>,
    /// What every gate saw, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explain: Vec<explain::GateReport>,
}

/// A waiting permit waits for something else now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Requeued {
    /// Which.
    pub permit: PermitId,
    /// What it waits for.
    pub waits_for: Blocker,
}

/// A request was denied, at once or after waiting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PermitDenied)]
pub struct Denied {
    /// What was asked.
    #[schema(value_type = Request)]
    pub request: Arc<Request>,
    /// The answer.
    pub denial: Box<Denial>,
    /// What policies and its tool said of it, if any was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Box<policy::Verdict>>,
    /// What rules had to do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Box<rule::Notes>>,
}

/// A permit ended as its holder said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PermitFinished)]
pub struct Finished {
    /// How.
    pub finish: Finish,
    /// What was posted to each budget.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub posted: Vec<BudgetCharge>,
    /// What it cost beyond what the budgets could bear: recorded, never posted (I9).
    #[serde(default, skip_serializing_if = "budget::Cost::is_zero")]
    pub overrun: budget::Cost,
}

/// A permit was renewed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Renewed {
    /// Which.
    pub permit: PermitId,
    /// It is taken back at this time.
    pub expires_at: Time,
}

/// A permit holds more. The new claims' fencing token is this event's sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Extended {
    /// Which.
    pub permit: PermitId,
    /// What more.
    pub resources: Vec<Claim>,
    /// What policies and its tool said of it, if any was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Box<policy::Verdict>>,
    /// What rules had to do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Box<rule::Notes>>,
}

/// A permit waits for more; it goes on holding what it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExtensionQueued {
    /// What was asked.
    #[schema(value_type = Extend)]
    pub extend: Arc<Extend>,
    /// What it waits for.
    pub waits_for: Blocker,
    /// It is denied at this time.
    pub until: Time,
    /// What policies and its tool said of it, if any was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Box<policy::Verdict>>,
}

/// A permit does not get more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExtensionDenied {
    /// The answer.
    pub denial: Box<Denial>,
    /// What policies and its tool said of it, if any was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Box<policy::Verdict>>,
}

/// A permit's lease ran out; its reservations were given back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Expired {
    /// Which.
    pub permit: PermitId,
    /// What was asked.
    #[schema(value_type = Request)]
    pub request: Arc<Request>,
}

/// An instance connected. What its former life held was released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InstanceConnected {
    /// Who.
    pub key: InstanceKey,
    /// Its epoch from now on.
    pub epoch: Epoch,
    /// Whether its former life had failed: it must report ready.
    pub recovering: bool,
    /// For selectors.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Permits of its former life that were released.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<PermitId>,
}

/// An instance that had failed is ready again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InstanceReady {
    /// Who.
    pub key: InstanceKey,
}

/// An instance is gone, and everything it held is released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InstanceGone {
    /// Who.
    pub key: InstanceKey,
    /// The epoch that ended.
    pub epoch: Epoch,
    /// Why.
    pub reason: Text,
    /// What it held or waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<PermitId>,
}

/// A halt was ordered. Its id is `h` and this event's sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HaltOrdered {
    /// The order.
    pub order: halt::Order,
    /// Whether its release needs two persons.
    pub release_by_two: bool,
    /// How many live instances are in its reach.
    pub reach: u64,
    /// Permits taken back, waiting ones denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<PermitId>,
}

/// An instance has seen a halt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HaltAcknowledged {
    /// Which.
    pub halt: HaltId,
    /// Who.
    pub key: InstanceKey,
    /// Permits it still works on.
    pub in_flight: u32,
}

/// One of two persons asked to release a halt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HaltReleaseRequested {
    /// Which.
    pub halt: HaltId,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// A halt was released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HaltReleased {
    /// Which.
    pub halt: HaltId,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// A version of an agent was registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentRegistered {
    /// As registered.
    #[schema(value_type = agent::Definition)]
    pub definition: Arc<agent::Definition>,
}

/// A version of an agent moved in its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentStatusSet {
    /// Which.
    pub agent: AgentId,
    /// Which version; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// To what.
    pub status: agent::Status,
    /// Its successor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<AgentId>,
}

/// An agent was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentRemoved {
    /// Which.
    pub agent: AgentId,
}

/// A scope was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScopeRemoved {
    /// Which.
    pub path: ScopePath,
}

/// A group was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroupRemoved {
    /// Which.
    pub group: GroupId,
}

/// An entry of the action catalogue was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActionRemoved {
    /// Which.
    pub pattern: Pattern,
}

/// A limit was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitRemoved {
    /// Which.
    pub limit: LimitId,
}

/// A rule was set, or its next version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleSet {
    /// The rule.
    #[schema(value_type = rule::Rule)]
    pub rule: Arc<rule::Rule>,
    /// Counted from 1.
    pub version: u32,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
    /// What was noticed about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<finding::Finding>,
}

/// A rule was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleRemoved {
    /// Which.
    pub rule: RuleId,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// A throttle has stopped something until a person resets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleTripped {
    /// Which.
    pub rule: RuleId,
    /// What it stops; empty: everything of its case.
    #[schema(value_type = String)]
    pub key: SmolStr,
}

/// What a throttle had stopped goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleReset {
    /// Which.
    pub rule: RuleId,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// A policy was set, or its next version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicySet {
    /// As it stands now.
    #[schema(value_type = policy::Policy)]
    pub policy: Arc<policy::Policy>,
    /// Which version of it, counted from 1.
    pub version: u32,
    /// The hash of its module.
    pub hash: policy::Hash,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// A policy was removed, with all its versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicyRemoved {
    /// Which.
    pub policy: PolicyId,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// A tool was registered, or its next version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolSet {
    /// As it stands now.
    #[schema(value_type = tool::Tool)]
    pub tool: Arc<tool::Tool>,
    /// Which version of it, counted from 1.
    pub version: u32,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// A tool was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolRemoved {
    /// Which.
    pub tool: ActionName,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// The data that policies see was replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicyDataSet {
    /// All of it.
    pub data: policy::Data,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// Policies said anew what they say of a request that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PermitRejudged {
    /// Which.
    pub permit: PermitId,
    /// Its request, changed where they say so.
    #[schema(value_type = Request)]
    pub request: Arc<Request>,
    /// What they said.
    pub policies: Box<policy::Verdict>,
}

/// From here on the versions of these resources are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VersionsWatched {
    /// Which.
    pub resources: Vec<ResourcePath>,
}

/// A budget was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BudgetRemoved {
    /// Which.
    pub budget: BudgetId,
}

/// A budget was topped up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BudgetToppedUp {
    /// Which.
    pub budget: BudgetId,
    /// Which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<SmolStr>,
    /// By how much.
    pub amount: u64,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// A budget's soft threshold was reached in this period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BudgetSoftReached {
    /// Which.
    pub budget: BudgetId,
    /// Which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<SmolStr>,
    /// Reserved and spent together.
    pub used: u64,
    /// The threshold.
    pub soft: u64,
}

/// A tenant was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TenantCreated {
    /// Which.
    pub tenant: TenantId,
}

/// A fleet was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FleetCreated {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub fleet: FleetId,
}

/// A key was revoked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeyRevoked {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub key: KeyId,
}

/// A well-formed command was refused and changed nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommandRejected {
    /// Which command.
    #[schema(value_type = String)]
    pub command: SmolStr,
    /// Why.
    pub code: Code,
    /// In words.
    pub message: Text,
}
