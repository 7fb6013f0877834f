//! Everything that can be asked of a fleet, by noun.
use crate::actor::Actor;
use crate::{
    action, agent, approval, budget, conflict, connector, directory, graph, group, halt, instance,
    limit, permit, plan, policy, rule, scope, settings, tool, txn, version,
};
use serde::{Deserialize, Serialize};

/// A command and who it comes from. Time is stamped later, once, by the runtime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Who asks.
    pub by: Actor,
    /// What.
    pub command: Command,
}

/// Everything that can be asked of a fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Permits.
    Permit(permit::Command),
    /// Live connections.
    Instance(instance::Command),
    /// Halts.
    Halt(halt::Command),
    /// The registry.
    Agent(agent::Command),
    /// The tree.
    Scope(scope::Command),
    /// Groups.
    Group(group::Command),
    /// The catalogue of actions.
    Action(action::Command),
    /// Limits.
    Limit(limit::Command),
    /// Rules.
    Rule(rule::Command),
    /// Policies.
    Policy(policy::Command),
    /// Tools.
    Tool(tool::Command),
    /// Plans.
    Plan(plan::Command),
    /// Conflicts.
    Conflict(conflict::Command),
    /// Versions of resources.
    Version(version::Command),
    /// Budgets.
    Budget(budget::Command),
    /// Declared edges of the dependency graph.
    Graph(graph::Command),
    /// Approvals.
    Approval(Box<approval::Command>),
    /// Transactions.
    Txn(txn::Command),
    /// Ways to outside systems.
    Connector(connector::Command),
    /// The fleet's own settings.
    Configure(Box<settings::Settings>),
    /// Tenants, fleets, keys: in the directory fleet only.
    Directory(directory::Command),
    /// Time has come for something: `core` named the deadline, the runtime kept it.
    Tick,
}

impl Command {
    /// What it is called in logs, metrics and the journal.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::Permit(permit::Command::Request(_)) => "permit.request",
            Command::Permit(permit::Command::Finish(_)) => "permit.finish",
            Command::Permit(permit::Command::Renew { .. }) => "permit.renew",
            Command::Permit(permit::Command::Extend(_)) => "permit.extend",
            Command::Permit(permit::Command::Judged(_)) => "permit.request",
            Command::Permit(permit::Command::JudgedExtend(_)) => "permit.extend",
            Command::Permit(permit::Command::Rejudge(_)) => "permit.rejudge",
            Command::Instance(instance::Command::Connect { .. }) => "instance.connect",
            Command::Instance(instance::Command::Ready { .. }) => "instance.ready",
            Command::Instance(instance::Command::Disconnect { .. }) => "instance.disconnect",
            Command::Instance(instance::Command::Miss { .. }) => "instance.miss",
            Command::Instance(instance::Command::AcknowledgeHalt { .. }) => {
                "instance.acknowledge_halt"
            }
            Command::Halt(halt::Command::Order(_)) => "halt.order",
            Command::Halt(halt::Command::Release { .. }) => "halt.release",
            Command::Agent(agent::Command::Register(_)) => "agent.register",
            Command::Agent(agent::Command::SetStatus { .. }) => "agent.set_status",
            Command::Agent(agent::Command::Remove { .. }) => "agent.remove",
            Command::Scope(scope::Command::Set(_)) => "scope.set",
            Command::Scope(scope::Command::Remove { .. }) => "scope.remove",
            Command::Group(group::Command::Set(_)) => "group.set",
            Command::Group(group::Command::Remove { .. }) => "group.remove",
            Command::Action(action::Command::Set(_)) => "action.set",
            Command::Action(action::Command::Remove { .. }) => "action.remove",
            Command::Limit(limit::Command::Set(_)) => "limit.set",
            Command::Limit(limit::Command::Remove { .. }) => "limit.remove",
            Command::Rule(rule::Command::Set { .. }) => "rule.set",
            Command::Rule(rule::Command::Remove { .. }) => "rule.remove",
            Command::Rule(rule::Command::RollBack { .. }) => "rule.roll_back",
            Command::Rule(rule::Command::Reset { .. }) => "rule.reset",
            Command::Policy(policy::Command::Set { .. }) => "policy.set",
            Command::Policy(policy::Command::Remove { .. }) => "policy.remove",
            Command::Policy(policy::Command::RollBack { .. }) => "policy.roll_back",
            Command::Policy(policy::Command::SetData { .. }) => "policy.set_data",
            Command::Tool(tool::Command::Set { .. }) => "tool.set",
            Command::Tool(tool::Command::Remove { .. }) => "tool.remove",
            Command::Plan(plan::Command::Declare { .. }) => "plan.declare",
            Command::Plan(plan::Command::Withdraw { .. }) => "plan.withdraw",
            Command::Conflict(conflict::Command::Answer { .. }) => "conflict.answer",
            Command::Conflict(conflict::Command::Vote { .. }) => "conflict.vote",
            Command::Conflict(conflict::Command::Resolve { .. }) => "conflict.resolve",
            Command::Version(version::Command::Watch { .. }) => "versions.watch",
            Command::Budget(budget::Command::Set(_)) => "budget.set",
            Command::Budget(budget::Command::Remove { .. }) => "budget.remove",
            Command::Budget(budget::Command::TopUp { .. }) => "budget.top_up",
            Command::Graph(graph::Command::Declare(_)) => "graph.declare",
            Command::Graph(graph::Command::Undeclare(_)) => "graph.undeclare",
            Command::Approval(command) => match &command.verb {
                approval::Verb::Answer(_) => "approval.answer",
                approval::Verb::Escalate { .. } => "approval.escalate",
                approval::Verb::Reassign(_) => "approval.reassign",
                approval::Verb::Comment { .. } => "approval.comment",
                approval::Verb::Delegate(_) => "approval.delegate",
                approval::Verb::EndDelegation { .. } => "approval.end_delegation",
            },
            Command::Txn(txn::Command::Begin(_)) => "txn.begin",
            Command::Txn(txn::Command::Enlist { .. }) => "txn.enlist",
            Command::Txn(txn::Command::Hold { .. }) => "txn.hold",
            Command::Txn(txn::Command::Commit { .. }) => "txn.commit",
            Command::Txn(txn::Command::Abort { .. }) => "txn.abort",
            Command::Txn(txn::Command::Report(_)) => "txn.report",
            Command::Txn(txn::Command::Resolve { .. }) => "txn.resolve",
            Command::Connector(connector::Command::Set(_)) => "connector.set",
            Command::Connector(connector::Command::Remove { .. }) => "connector.remove",
            Command::Configure(_) => "fleet.configure",
            Command::Directory(directory::Command::CreateTenant { .. }) => "tenant.create",
            Command::Directory(directory::Command::CreateFleet { .. }) => "fleet.create",
            Command::Directory(directory::Command::IssueKey(_)) => "key.issue",
            Command::Directory(directory::Command::RevokeKey { .. }) => "key.revoke",
            Command::Tick => "tick",
        }
    }
}
