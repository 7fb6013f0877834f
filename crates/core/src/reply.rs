//! What the caller hears: told from the event that answers it.
use crate::state::State;
use crate::txn::standing;
use fleet_types::approval::{Counted, Phase};
use fleet_types::lock::{Claim, Held};
use fleet_types::permit::{Decision, Grant, Queued};
use fleet_types::{ApprovalId, Event, HaltId, PermitId, Record, Reply, Token, TxnId};

pub fn of(state: &State, record: &Record) -> Reply {
    match &record.event {
        Event::PermitGranted(event) => {
            Reply::Decision(Decision::Granted(grant_of(event, Token(record.seq.0))))
        }
        Event::PermitQueued(event) => Reply::Decision(Decision::Queued(Queued {
            permit: event.permit,
            position: event.position,
            waits_for: event.waits_for.clone(),
            until: event.until,
            explain: event.explain.clone(),
        })),
        Event::PermitDenied(event) => Reply::Decision(Decision::Denied((*event.denial).clone())),
        Event::PermitFinished(event) => Reply::Finished(event.clone()),
        Event::PermitRenewed(event) => granted(state, event.permit),
        Event::PermitExtended(event) => granted(state, event.permit),
        Event::PermitExtensionQueued(event) => Reply::Extending(Queued {
            permit: event.extend.permit,
            position: 0,
            waits_for: event.waits_for.clone(),
            until: event.until,
            explain: Vec::new(),
        }),
        Event::PermitExtensionDenied(event) => {
            Reply::Decision(Decision::Denied((*event.denial).clone()))
        }
        Event::InstanceConnected(event) => Reply::Connected {
            epoch: event.epoch,
            recovering: event.recovering,
        },
        Event::HaltOrdered(event) => Reply::Halted {
            halt: HaltId(record.seq),
            reach: event.reach,
            revoked: event.revoked.len() as u64,
            at: record.at,
        },
        Event::HaltReleaseRequested(event) => Reply::ReleaseRequested { halt: event.halt },
        Event::ApprovalAnswered(event) => counted(state, event.approval, record),
        Event::TxnBegun(_) => standing(state, TxnId(record.seq), None),
        Event::TxnEnlisted(event) => standing(state, event.txn, Some(&event.branch.id)),
        Event::TxnHeld(event) => standing(state, event.txn, None),
        Event::TxnPreparing(event) => standing(state, event.txn, None),
        Event::TxnDecided(event) => standing(state, event.txn, None),
        Event::PermitRequeued(_)
        | Event::PermitExpired(_)
        | Event::InstanceReady(_)
        | Event::InstanceDisconnected(_)
        | Event::InstanceFailed(_)
        | Event::HaltAcknowledged(_)
        | Event::HaltReleased(_)
        | Event::AgentRegistered(_)
        | Event::AgentStatusSet(_)
        | Event::AgentRemoved(_)
        | Event::ScopeSet(_)
        | Event::ScopeRemoved(_)
        | Event::GroupSet(_)
        | Event::GroupRemoved(_)
        | Event::ActionSet(_)
        | Event::ActionRemoved(_)
        | Event::RuleSet(_)
        | Event::RuleRemoved(_)
        | Event::RuleTripped(_)
        | Event::RuleReset(_)
        | Event::LimitSet(_)
        | Event::LimitRemoved(_)
        | Event::PolicySet(_)
        | Event::PolicyRemoved(_)
        | Event::PolicyDataSet(_)
        | Event::ToolSet(_)
        | Event::ToolRemoved(_)
        | Event::PermitRejudged(_)
        | Event::ConflictOpened(_)
        | Event::ConflictRaised(_)
        | Event::ConflictAnswered(_)
        | Event::ConflictVoted(_)
        | Event::ConflictEscalated(_)
        | Event::ConflictResolved(_)
        | Event::PlanDeclared(_)
        | Event::PlanWithdrawn(_)
        | Event::VersionsWatched(_)
        | Event::BudgetSet(_)
        | Event::BudgetRemoved(_)
        | Event::BudgetToppedUp(_)
        | Event::BudgetSoftReached(_)
        | Event::GraphDeclared(_)
        | Event::GraphUndeclared(_)
        | Event::ApprovalAsked(_)
        | Event::ApprovalDecided(_)
        | Event::ApprovalEscalated(_)
        | Event::ApprovalReassigned(_)
        | Event::ApprovalCommented(_)
        | Event::ApprovalSlaBreached(_)
        | Event::ApprovalMoot(_)
        | Event::ApprovalDelegated(_)
        | Event::ApprovalDelegationEnded(_)
        | Event::TxnReported(_)
        | Event::TxnMoved(_)
        | Event::TxnResolved(_)
        | Event::TxnEnded(_)
        | Event::ConnectorSet(_)
        | Event::ConnectorRemoved(_)
        | Event::FleetConfigured(_)
        | Event::TenantCreated(_)
        | Event::FleetCreated(_)
        | Event::KeyIssued(_)
        | Event::KeyRevoked(_)
        | Event::CommandRejected(_) => Reply::Done { seq: record.seq },
    }
}

/// What a voice has brought about.
fn counted(state: &State, id: ApprovalId, record: &Record) -> Reply {
    match state.approvals.get(id) {
        Some(approval) => Reply::Counted(Counted {
            approval: id,
            state: approval.phase,
            missing: match approval.phase {
                Phase::Open => approval.needed.saturating_sub(approval.approvals()),
                Phase::Approved | Phase::Rejected | Phase::Moot => 0,
            },
        }),
        None => Reply::Done { seq: record.seq },
    }
}

/// The grant an event tells of.
pub fn grant_of(event: &fleet_types::event::Granted, token: Token) -> Grant {
    let claims = event.request.resources.iter();
    Grant {
        permit: event.permit,
        resources: claims
            .map(|claim| Held {
                path: claim.path.clone(),
                mode: claim.mode,
                token,
            })
            .collect(),
        versions: event.versions.clone(),
        expires_at: event.expires_at,
        explain: event.explain.clone(),
        changed: changed(event),
    }
}

/// The request, if policies changed it.
fn changed(
    event: &fleet_types::event::Granted,
) -> Option<std::sync::Arc<fleet_types::permit::Request>> {
    let original = event.policies.as_ref()?.original.as_ref();
    original.map(|_| event.request.clone())
}

/// A permit that holds, as it stands now.
fn granted(state: &State, id: PermitId) -> Reply {
    match grant_now(state, id) {
        Some(grant) => Reply::Granted(grant),
        None => Reply::Unchanged,
    }
}

/// What a live permit holds.
pub fn grant_now(state: &State, id: PermitId) -> Option<Grant> {
    let permit = state.permits.find(id)?;
    let granted = permit.granted()?;
    let held = granted.held.iter();
    let claims: Vec<Claim> = held
        .map(|lock| Claim::new(lock.path.clone(), lock.mode))
        .collect();
    Some(Grant {
        permit: id,
        resources: granted
            .held
            .iter()
            .map(|lock| Held {
                path: lock.path.clone(),
                mode: lock.mode,
                token: lock.token,
            })
            .collect(),
        versions: crate::version::versions(state, &claims),
        expires_at: granted.expires_at,
        explain: Vec::new(),
        changed: permit.changed(),
    })
}
