//! What a record means for live instances: whom to tell what, once it is durable (I3, I10).
//!
//! Follows from the record and the state right after it. An instance that was not connected then learns the
//! same from the answer to its hello.
use crate::conflict;
use crate::read::approval_view as view;
use crate::reply::{grant_now, grant_of};
use crate::state::State;
use fleet_types::approval::{Assignee, View};
use fleet_types::conflict::{Dispute, Way};
use fleet_types::halt::{self, Target};
use fleet_types::instance::InstanceKey;
use fleet_types::permit::{Denial, Grant, Request};
use fleet_types::txn::Order;
use fleet_types::{
    AgentId, ApprovalId, Code, ConflictId, Epoch, Event, HaltId, PermitId, Record, Token,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an instance is told without asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// A permit it waited for was granted.
    Granted(Grant),
    /// A permit it waited for was denied.
    Denied(Denial),
    /// A permit it holds got the more it waited for.
    Extended(Grant),
    /// A permit it holds does not get more.
    ExtensionDenied(Denial),
    /// A permit it held has ended without it. What a halt takes back is told by the halt alone.
    Revoked {
        /// Which.
        permit: PermitId,
        /// Why: `timeout`, as its lease ran out.
        code: Code,
    },
    /// Its agent is asked to approve something.
    Approval(Arc<View>),
    /// A halt reaches it: acknowledge.
    Halted {
        /// Which.
        halt: HaltId,
        /// As ordered.
        order: Arc<halt::Order>,
    },
    /// A halt was released.
    Released {
        /// Which.
        halt: HaltId,
    },
    /// It takes part in a transaction: do this, and report.
    Transaction(Order),
    /// A conflict that it is a party of is taken up.
    Disputed {
        /// Which.
        conflict: ConflictId,
        /// As taken up.
        dispute: Arc<Dispute>,
    },
    /// A conflict that it is a party of is settled.
    Settled {
        /// Which.
        conflict: ConflictId,
        /// How.
        how: Way,
        /// Who goes first, where that was decided.
        winner: Option<PermitId>,
    },
    /// Its epoch has ended: another session took over, or it missed its heartbeats.
    Ended {
        /// The epoch that ended.
        epoch: Epoch,
    },
}

/// Whom a signal is for.
#[derive(Clone, Debug, PartialEq)]
pub enum To {
    /// One instance.
    One(InstanceKey),
    /// Every connected instance.
    Everybody,
}

/// Tells `each` whom to tell what about a record. `answered`: the record is the answer to a command whose
/// caller is waiting for it, so it need not be told again.
pub fn signals(state: &State, record: &Record, answered: bool, mut each: impl FnMut(To, Signal)) {
    match &record.event {
        Event::PermitGranted(event) if !answered => {
            if let Some(key) = holder(&event.request) {
                let grant = grant_of(event, Token(record.seq.0));
                each(To::One(key), Signal::Granted(grant));
            }
        }
        Event::PermitDenied(event) if !answered => {
            if let Some(key) = holder(&event.request) {
                each(To::One(key), Signal::Denied((*event.denial).clone()));
            }
        }
        Event::PermitExtended(event) if !answered => {
            if let Some(permit) = state.permits.find(event.permit)
                && let Some(key) = holder(&permit.request)
                && let Some(grant) = grant_now(state, event.permit)
            {
                each(To::One(key), Signal::Extended(grant));
            }
        }
        Event::PermitExtensionDenied(event) if !answered => {
            if let Some(permit) = state.permits.find(event.denial.permit)
                && let Some(key) = holder(&permit.request)
            {
                each(
                    To::One(key),
                    Signal::ExtensionDenied((*event.denial).clone()),
                );
            }
        }
        Event::PermitExpired(event) => {
            if let Some(key) = holder(&event.request) {
                let (permit, code) = (event.permit, Code::Timeout);
                each(To::One(key), Signal::Revoked { permit, code });
            }
        }
        Event::ApprovalAsked(_) => ask(state, ApprovalId(record.seq), each),
        Event::ApprovalEscalated(event) => ask(state, event.approval, each),
        Event::ApprovalReassigned(event) => ask(state, event.approval, each),
        Event::HaltOrdered(event) => {
            let order = Arc::new(event.order.clone());
            let halt = HaltId(record.seq);
            let signal = Signal::Halted { halt, order };
            if event.order.target == Target::All {
                return each(To::Everybody, signal);
            }
            for key in state.halts.awaited(state, halt) {
                each(To::One(key), signal.clone());
            }
        }
        Event::HaltReleased(event) => {
            each(To::Everybody, Signal::Released { halt: event.halt });
        }
        Event::ConflictOpened(event) => {
            let (conflict, dispute) = (event.conflict, Arc::new(event.dispute.clone()));
            for key in dispute
                .parties
                .iter()
                .filter_map(|it| party(state, it.permit))
            {
                let dispute = dispute.clone();
                each(To::One(key), Signal::Disputed { conflict, dispute });
            }
        }
        Event::ConflictResolved(event) => {
            let (conflict, how, winner) = (event.conflict, event.how, event.winner);
            for permit in conflict::parties(state, conflict) {
                if let Some(key) = party(state, permit) {
                    let signal = Signal::Settled {
                        conflict,
                        how,
                        winner,
                    };
                    each(To::One(key), signal);
                }
            }
        }
        Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
            let epoch = event.epoch;
            each(To::One(event.key.clone()), Signal::Ended { epoch });
        }
        _ => {} // Nothing an instance must hear of at once.
    }
}

/// Tells every live instance of each agent that is asked, but of the one that asks.
fn ask(state: &State, id: ApprovalId, mut each: impl FnMut(To, Signal)) {
    let Some(approval) = state.approvals.get(id) else {
        return;
    };
    let mut agents: BTreeSet<&AgentId> = BTreeSet::new();
    for assignee in &approval.assignees {
        match assignee {
            Assignee::Agent(agent) => drop(agents.insert(agent)),
            Assignee::Group(group) => {
                let group = state.groups.by_id.get(group);
                agents.extend(group.iter().flat_map(|group| &group.members));
            }
            Assignee::User(_) | Assignee::Role(_) => {} // They look, or follow the stream.
        }
    }
    agents.remove(&approval.asker.agent);
    if agents.is_empty() {
        return;
    }
    let view = Arc::new(view(id, approval));
    for agent in agents {
        let known = state.agents.get(agent);
        let instances = known.iter().flat_map(|known| &known.instances);
        for (instance, _) in instances.filter(|(_, instance)| instance.connected) {
            let key = InstanceKey {
                agent: agent.clone(),
                instance: instance.clone(),
            };
            each(To::One(key), Signal::Approval(view.clone()));
        }
    }
}

/// The instance that a live permit belongs to.
fn party(state: &State, permit: PermitId) -> Option<InstanceKey> {
    holder(&state.permits.find(permit)?.request)
}

fn holder(request: &Request) -> Option<InstanceKey> {
    let holder = request.instance.as_ref()?;
    Some(InstanceKey {
        agent: request.agent.clone(),
        instance: holder.id.clone(),
    })
}
