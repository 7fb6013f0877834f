//! What must be done outside, as the state has it (I10): carried out at least once, after durability, and reported back.
use super::{Branch, Txn};
use crate::state::State;
use fleet_types::connector::Connector;
use fleet_types::txn::{Order, Participant, Phase};
use fleet_types::{Text, Time, TxnId};
use smol_str::SmolStr;
use std::sync::Arc;

/// One thing to do for one branch.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// What the participant is told.
    pub order: Order,
    /// Not before this time; mostly past.
    pub at: Time,
    /// Whom to tell.
    pub participant: Participant,
    /// How it is reached.
    pub connector: Option<Arc<Connector>>,
    /// The name of its prepared transaction in a database.
    pub gid: Option<SmolStr>,
    /// By what its outcome can be found out.
    pub evidence: Text,
}

/// All that is due for one transaction.
#[must_use]
pub fn due_of(state: &State, txn: TxnId) -> Vec<Due> {
    let Some(txn) = state.txns.find(txn) else {
        return Vec::new();
    };
    let branches = txn.branches.iter();
    branches
        .filter_map(|(id, branch)| {
            let phase = branch.phase()?;
            Some(Due {
                order: Order {
                    txn: txn.id,
                    branch: id.clone(),
                    phase,
                    attempt: branch.attempt,
                    payload: payload(branch, phase),
                },
                at: branch.again_at,
                participant: branch.participant.clone(),
                connector: connector(state, branch),
                gid: super::gid(state, txn, id),
                evidence: branch.evidence.clone(),
            })
        })
        .collect()
}

/// All that is due, in the order of transactions and branches.
#[must_use]
pub fn due(state: &State) -> Vec<Due> {
    let live = state.txns.live.iter();
    live.flat_map(|txn| due_of(state, *txn)).collect()
}

/// Whether a branch of a transaction may still need its prepared transaction: one that may not must not linger.
#[must_use]
pub fn owns(state: &State, txn: TxnId, branch: &fleet_types::BranchId) -> bool {
    let txn: Option<&Txn> = state.txns.find(txn).filter(|txn| !txn.state.is_over());
    txn.is_some_and(|txn| txn.branches.contains_key(branch))
}

fn connector(state: &State, branch: &Branch) -> Option<Arc<Connector>> {
    let id = branch.participant.connector()?;
    state.txns.connectors.get(id).cloned()
}

fn payload(branch: &Branch, phase: Phase) -> fleet_types::txn::Payload {
    match (&branch.step, phase) {
        (Some(step), Phase::Undo) => step.undo.clone(),
        (Some(step), _) => step.forward.clone(),
        (None, _) => branch.payload.clone(),
    }
}
