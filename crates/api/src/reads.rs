//! Every look of the doors into a fleet's state, in one place: what handlers ask of `fleet_core::read`.
//!
//! These run on the fleet's writer, between commands: each is short, and lists give a page.
use fleet_core::State;
use fleet_core::read;
use fleet_types::approval;
use fleet_types::connector::Connector;
use fleet_types::directory::Key;
use fleet_types::explain::Explanation;
use fleet_types::graph::Edge;
use fleet_types::group::Group;
use fleet_types::instance::InstanceKey;
use fleet_types::permit::{self, Request};
use fleet_types::policy::Verdict;
use fleet_types::session::Halt;
use fleet_types::settings::Settings;
use fleet_types::view::{self, Page};
use fleet_types::{
    ActionName, Actor, AgentId, ApprovalId, BudgetId, ConnectorId, FleetId, GroupId, HaltId,
    LimitId, Pattern, PermitId, PolicyId, Rejection, ResourcePath, Role, RuleId, ScopePath, Seq,
    TenantId, Time, Token, TxnId, action, txn,
};
use fleet_types::{ConflictId, PlanId, conflict, plan};
use std::sync::Arc;

pub use fleet_core::read::{AgentFilter, ApprovalFilter, ConflictFilter, Mine, PermitFilter};

/// Rows looked at in one step when one of a short list is sought.
const STEP: usize = 1_000;

/// As of which place in the journal the state is.
#[must_use]
pub fn seq(state: &State) -> Seq {
    state.seq()
}

/// The fleet at a glance.
#[must_use]
pub fn status(state: &State, now: Time) -> view::Status {
    read::status(state, now)
}

/// A decision worked out without effect.
///
/// # Errors
/// When the request is not one that could be decided.
pub fn explain(
    state: &State,
    by: &Actor,
    request: &Request,
    verdict: &Verdict,
    now: Time,
) -> Result<Explanation, Rejection> {
    read::explain_judged(state, by, request, Some(verdict), now)
}

/// A part of the transactions, the oldest first.
#[must_use]
pub fn txns(state: &State, all: bool, after: Option<TxnId>, count: usize) -> Page<txn::View> {
    read::txns(state, all, after, count)
}

/// A transaction with its log.
#[must_use]
pub fn txn(state: &State, id: TxnId) -> Option<txn::View> {
    read::txn(state, id)
}

/// A part of the connectors.
#[must_use]
pub fn connectors(state: &State, after: Option<&str>, count: usize) -> Page<Connector> {
    read::connectors(state, after, count)
}

/// A connector.
#[must_use]
pub fn connector(state: &State, id: &ConnectorId) -> Option<Connector> {
    read::connector(state, id)
}

/// The directory: each tenant with its fleets and keys.
#[must_use]
pub fn directory(state: &State) -> Vec<(TenantId, Vec<FleetId>, Vec<Key>)> {
    read::directory(state)
}

/// A part of the live connections; of gone ones too when `all`.
#[must_use]
pub fn instances(
    state: &State,
    all: bool,
    after: Option<&str>,
    count: usize,
) -> Page<(InstanceKey, view::Instance)> {
    read::instances(state, all, after, count)
}

/// A part of the agents.
#[must_use]
pub fn agents(
    state: &State,
    filter: &AgentFilter,
    after: Option<&str>,
    count: usize,
) -> Page<view::Agent> {
    read::agents(state, filter, after, count)
}

/// An agent.
#[must_use]
pub fn agent(state: &State, agent: &AgentId) -> Option<view::Agent> {
    read::agent(state, agent)
}

/// Where an agent stands; `None` at the root, or when it is not known.
#[must_use]
pub fn agent_scope(state: &State, agent: &AgentId) -> Option<ScopePath> {
    read::agent(state, agent).and_then(|agent| agent.definition.scope)
}

/// What an agent is asked to approve and has not answered, the newest first; at most a hundred, as it can ask for more.
#[must_use]
pub fn asked_of(state: &State, agent: &AgentId) -> Vec<approval::View> {
    let proof = approval::Proof {
        role: Role::Agent,
        scope: None,
    };
    let filter = ApprovalFilter {
        mine: Some(Mine {
            by: Actor::Agent(agent.clone()),
            person: approval::Person::Agent(agent.clone()),
            proof,
        }),
        ..ApprovalFilter::default()
    };
    read::approvals(state, &filter, state.now(), None, 100).items
}

/// The halts in force over an agent.
#[must_use]
pub fn halts_over(state: &State, agent: &AgentId) -> Vec<Halt> {
    let Some(agent) = read::agent(state, agent) else {
        return Vec::new();
    };
    agent
        .halts
        .iter()
        .filter_map(|id| {
            let halt = read::halt(state, *id)?;
            Some(Halt {
                halt: halt.id,
                order: Arc::new(halt.order),
            })
        })
        .collect()
}

/// A part of the permits.
#[must_use]
pub fn permits(
    state: &State,
    filter: &PermitFilter,
    after: Option<&str>,
    count: usize,
) -> Page<permit::View> {
    read::permits(state, filter, after, count)
}

/// A permit that waits or holds.
#[must_use]
pub fn permit(state: &State, permit: PermitId) -> Option<permit::View> {
    read::permit(state, permit)
}

/// A part of the locks.
#[must_use]
pub fn locks(
    state: &State,
    under: Option<&ResourcePath>,
    after: Option<&str>,
    count: usize,
) -> Page<view::Lock> {
    read::locks(state, under, after, count)
}

/// Whether this is the newest token of a resource.
#[must_use]
pub fn validate(state: &State, resource: &ResourcePath, token: Token) -> bool {
    read::validate(state, resource, token)
}

/// A part of the conflicts.
#[must_use]
pub fn conflicts(
    state: &State,
    filter: &ConflictFilter,
    now: Time,
    after: Option<&str>,
    count: usize,
) -> Page<conflict::View> {
    read::conflicts(state, filter, now, after, count)
}

/// A conflict.
#[must_use]
pub fn conflict(state: &State, id: ConflictId, now: Time) -> Option<conflict::View> {
    read::conflict(state, id, now)
}

/// A part of the plans.
#[must_use]
pub fn plans(
    state: &State,
    agent: Option<&AgentId>,
    now: Time,
    after: Option<&str>,
    count: usize,
) -> Page<plan::View> {
    read::plans(state, agent, now, after, count)
}

/// A plan, and what it runs into.
#[must_use]
pub fn plan(state: &State, id: PlanId, now: Time) -> Option<plan::View> {
    read::plan(state, id, now)
}

/// The version of a resource, if it is kept.
#[must_use]
pub fn version(state: &State, resource: &ResourcePath) -> Option<fleet_types::version::View> {
    read::version(state, resource)
}

/// A part of the limits.
#[must_use]
pub fn limits(state: &State, after: Option<&str>, count: usize) -> Page<view::Limit> {
    read::limits(state, None, after, count)
}

/// A limit.
#[must_use]
pub fn limit(state: &State, id: &LimitId) -> Option<view::Limit> {
    read::limits(state, Some(id), None, 1).items.pop()
}

/// A part of the rules.
#[must_use]
pub fn rules(state: &State, after: Option<&str>, count: usize) -> Page<view::Rule> {
    read::rules(state, None, after, count)
}

/// A rule, with its earlier versions.
#[must_use]
pub fn rule(state: &State, id: &RuleId) -> Option<view::Rule> {
    read::rules(state, Some(id), None, 1).items.pop()
}

/// A part of the policies.
#[must_use]
pub fn policies(state: &State, after: Option<&str>, count: usize) -> Page<view::Policy> {
    read::policies(state, None, after, count)
}

/// A policy, with its earlier versions.
#[must_use]
pub fn policy(state: &State, id: &PolicyId) -> Option<view::Policy> {
    read::policies(state, Some(id), None, 1).items.pop()
}

/// A part of the tools.
#[must_use]
pub fn tools(state: &State, after: Option<&str>, count: usize) -> Page<view::Tool> {
    read::tools(state, after, count)
}

/// A tool.
#[must_use]
pub fn tool(state: &State, id: &ActionName) -> Option<view::Tool> {
    read::tool(state, id)
}

/// The data that policies see.
#[must_use]
pub fn policy_data(state: &State) -> view::PolicyData {
    read::policy_data(state)
}

/// A part of the budgets.
#[must_use]
pub fn budgets(state: &State, now: Time, after: Option<&str>, count: usize) -> Page<view::Budget> {
    read::budgets(state, None, now, after, count)
}

/// A budget.
#[must_use]
pub fn budget(state: &State, now: Time, id: &BudgetId) -> Option<view::Budget> {
    read::budgets(state, Some(id), now, None, 1).items.pop()
}

/// A part of the approvals, as they stand at `now`.
#[must_use]
pub fn approvals(
    state: &State,
    filter: &ApprovalFilter,
    now: Time,
    after: Option<&str>,
    count: usize,
) -> Page<approval::View> {
    read::approvals(state, filter, now, after, count)
}

/// An approval that the filter lets be seen.
#[must_use]
pub fn approval(
    state: &State,
    filter: &ApprovalFilter,
    now: Time,
    id: ApprovalId,
) -> Option<approval::View> {
    read::approval(state, filter, now, id)
}

/// A part of the delegations that hold at `now`.
#[must_use]
pub fn delegations(
    state: &State,
    now: Time,
    after: Option<&str>,
    count: usize,
) -> Page<approval::Delegation> {
    read::delegations(state, now, after, count)
}

/// A part of the halts.
#[must_use]
pub fn halts(state: &State, active: bool, after: Option<&str>, count: usize) -> Page<view::Halt> {
    read::halts(state, active, after, count)
}

/// A halt.
#[must_use]
pub fn halt(state: &State, id: HaltId) -> Option<view::Halt> {
    read::halt(state, id)
}

/// A part of the tree.
#[must_use]
pub fn scopes(state: &State, after: Option<&str>, count: usize) -> Page<view::Scope> {
    read::scopes(state, after, count)
}

/// A node of the tree.
#[must_use]
pub fn scope(state: &State, path: &ScopePath) -> Option<view::Scope> {
    find(
        |after| read::scopes(state, after, STEP),
        |row| row.path == *path,
    )
}

/// A part of the groups.
#[must_use]
pub fn groups(state: &State, after: Option<&str>, count: usize) -> Page<Group> {
    read::groups(state, after, count)
}

/// A group.
#[must_use]
pub fn group(state: &State, id: &GroupId) -> Option<Group> {
    find(
        |after| read::groups(state, after, STEP),
        |row| row.id == *id,
    )
}

/// A part of the catalogue.
#[must_use]
pub fn actions(state: &State, after: Option<&str>, count: usize) -> Page<action::Action> {
    read::actions(state, after, count)
}

/// An entry of the catalogue.
#[must_use]
pub fn action(state: &State, pattern: &Pattern) -> Option<action::Action> {
    find(
        |after| read::actions(state, after, STEP),
        |row| row.pattern == *pattern,
    )
}

/// All declared edges of the dependency graph.
#[must_use]
pub fn declared(state: &State) -> Vec<Edge> {
    read::declared(state)
}

/// The fleet's settings.
#[must_use]
pub fn settings(state: &State) -> Settings {
    read::settings(state)
}

/// The row that is sought, page by page.
fn find<T>(page: impl Fn(Option<&str>) -> Page<T>, is_it: impl Fn(&T) -> bool) -> Option<T> {
    let mut after = None;
    loop {
        let Page { items, next, .. } = page(after.as_deref());
        if let Some(row) = items.into_iter().find(&is_it) {
            return Some(row);
        }
        after = Some(next?);
    }
}
