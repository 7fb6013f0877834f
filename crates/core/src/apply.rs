//! What each event does to the state. Never fails (I2): an event is a fact that was decided.
use crate::permit::grant::Keys;
use crate::state::State;
use crate::{
    action, agent, approval, budget, conflict, directory, graph, group, halt, limit, permit, plan,
    policy, rule, scope, settings, tool, txn, version,
};
use fleet_types::{Event, Record};

/// `keys` is what deciding has found in this very state, if it was just now.
pub fn apply(state: &mut State, record: &Record, keys: Option<&Keys>) {
    let (seq, at) = (record.seq, record.at);
    assert_eq!(seq, state.next_seq(), "I14: the journal has no gaps");
    assert!(at >= state.now, "I1: time never goes back");
    state.seq = seq;
    state.now = at;
    let span = state.settings.request_memory_ms;
    state.memory.forget(seq, at, span);
    state.changes += u64::from(defines(&record.event));
    match &record.event {
        Event::PermitGranted(event) => permit::grant::granted(state, event, keys, seq, at),
        Event::PermitQueued(event) => permit::queue::queued(state, event, &record.by, at),
        Event::PermitRequeued(event) => permit::queue::requeued(state, event),
        Event::PermitDenied(event) => permit::end::denied(state, event, at),
        Event::PermitFinished(event) => permit::end::finished(state, event, at),
        Event::PermitRenewed(event) => permit::renew::renewed(state, event),
        Event::PermitExtended(event) => permit::extend::extended(state, event, seq),
        Event::PermitExtensionQueued(event) => permit::extend::queued(state, event, at),
        Event::PermitExtensionDenied(event) => permit::extend::denied(state, event),
        Event::PermitExpired(event) => permit::end::expired(state, event.permit),
        Event::InstanceConnected(event) => agent::instance::connected(state, event, at),
        Event::InstanceReady(event) => agent::instance::ready(state, event),
        Event::InstanceDisconnected(event) => agent::instance::gone(state, event, false),
        Event::InstanceFailed(event) => agent::instance::gone(state, event, true),
        Event::HaltOrdered(event) => halt::apply::ordered(state, event, &record.by, seq, at),
        Event::HaltAcknowledged(event) => agent::instance::halt_acknowledged(state, event, at),
        Event::HaltReleaseRequested(event) => {
            halt::apply::release_requested(state, event, &record.by);
        }
        Event::HaltReleased(event) => halt::apply::released(state, event, at),
        Event::AgentRegistered(event) => agent::apply::registered(state, event, at),
        Event::AgentStatusSet(event) => agent::apply::status_set(state, event, at),
        Event::AgentRemoved(event) => agent::apply::removed(state, event),
        Event::ScopeSet(scope) => scope::set(state, scope),
        Event::ScopeRemoved(event) => scope::removed(state, event),
        Event::GroupSet(group) => group::set(state, group),
        Event::GroupRemoved(event) => group::removed(state, event),
        Event::ActionSet(action) => action::set(state, action),
        Event::ActionRemoved(event) => action::removed(state, event),
        Event::LimitSet(limit) => limit::apply::set(state, limit),
        Event::LimitRemoved(event) => limit::apply::removed(state, event),
        Event::RuleSet(event) => rule::apply::set(state, event, &record.by, seq),
        Event::RuleRemoved(event) => rule::apply::removed(state, event),
        Event::RuleTripped(event) => rule::apply::tripped(state, event),
        Event::RuleReset(event) => rule::apply::reset(state, event, at),
        Event::PolicySet(event) => policy::apply::set(state, event, seq),
        Event::PolicyRemoved(event) => policy::apply::removed(state, event),
        Event::PolicyDataSet(event) => policy::apply::data_set(state, event, seq),
        Event::ToolSet(event) => tool::apply::set(state, event, seq),
        Event::ToolRemoved(event) => tool::apply::removed(state, event),
        Event::PermitRejudged(event) => policy::apply::rejudged(state, event),
        Event::ConflictOpened(event) => conflict::apply::opened(state, event),
        Event::ConflictRaised(event) => conflict::apply::raised(state, event),
        Event::ConflictAnswered(event) => conflict::apply::answered(state, event),
        Event::ConflictVoted(event) => conflict::apply::voted(state, event),
        Event::ConflictEscalated(event) => conflict::apply::escalated(state, event),
        Event::ConflictResolved(event) => conflict::apply::resolved(state, event, &record.by),
        Event::PlanDeclared(event) => plan::declared(state, event),
        Event::PlanWithdrawn(event) => plan::withdrawn(state, event),
        Event::VersionsWatched(event) => version::watched(state, event),
        Event::BudgetSet(budget) => budget::apply::set(state, budget, at),
        Event::BudgetRemoved(event) => budget::apply::removed(state, event),
        Event::BudgetToppedUp(event) => budget::apply::topped_up(state, event, at),
        Event::BudgetSoftReached(event) => budget::apply::soft_reached(state, event),
        Event::GraphDeclared(edge) => graph::declared(state, edge),
        Event::GraphUndeclared(ends) => graph::undeclared(state, ends),
        Event::ApprovalAsked(event) => approval::apply::asked(state, event, seq, at),
        Event::ApprovalAnswered(event) => approval::apply::answered(state, event),
        Event::ApprovalDecided(event) => approval::apply::decided(state, event, at),
        Event::ApprovalEscalated(event) => approval::apply::escalated(state, event),
        Event::ApprovalReassigned(event) => approval::apply::reassigned(state, event),
        Event::ApprovalCommented(event) => approval::apply::commented(state, event),
        Event::ApprovalSlaBreached(event) => approval::apply::sla_breached(state, event),
        Event::ApprovalMoot(event) => approval::apply::moot(state, event.approval, at),
        Event::ApprovalDelegated(event) => approval::apply::delegated(state, event, at),
        Event::ApprovalDelegationEnded(event) => approval::apply::delegation_ended(state, event),
        Event::TxnBegun(event) => txn::apply::begun(state, event, &record.by, seq, at),
        Event::TxnEnlisted(event) => txn::apply::enlisted(state, event),
        Event::TxnHeld(event) => txn::apply::held(state, event),
        Event::TxnPreparing(event) => txn::apply::preparing(state, event),
        Event::TxnReported(event) => txn::apply::reported(state, event),
        Event::TxnDecided(event) => txn::apply::decided(state, event),
        Event::TxnMoved(event) => txn::apply::moved(state, event),
        Event::TxnResolved(event) => txn::apply::resolved(state, event, &record.by),
        Event::TxnEnded(event) => txn::apply::ended(state, event),
        Event::ConnectorSet(connector) => txn::connector::set(state, connector),
        Event::ConnectorRemoved(event) => txn::connector::removed(state, event),
        Event::FleetConfigured(settings) => settings::configured(state, settings),
        Event::TenantCreated(event) => directory::tenant_created(state, event),
        Event::FleetCreated(event) => directory::fleet_created(state, event),
        Event::KeyIssued(key) => directory::key_issued(state, key),
        Event::KeyRevoked(event) => directory::key_revoked(state, event),
        Event::CommandRejected(event) => {
            *state.totals.rejected.entry(event.code).or_default() += 1;
        }
    }
}

/// Whether an event changes what those in front of the queue are told of agents, groups, scopes and tools.
fn defines(event: &Event) -> bool {
    matches!(
        event,
        Event::AgentRegistered(_)
            | Event::AgentStatusSet(_)
            | Event::AgentRemoved(_)
            | Event::GroupSet(_)
            | Event::GroupRemoved(_)
            | Event::ScopeSet(_)
            | Event::ScopeRemoved(_)
            | Event::ToolSet(_)
            | Event::ToolRemoved(_)
    )
}
