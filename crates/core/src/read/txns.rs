//! Transactions, connectors, and what their participants are told.
use super::page;
use crate::state::State;
use crate::txn::{Branch, Txn, due, gid};
use fleet_types::connector::Connector;
use fleet_types::txn::{BranchView, View};
use fleet_types::view::Page;
use fleet_types::{BranchId, ConnectorId, TxnId};

/// Transactions, the oldest first, without their logs; those that are over only when `all`.
#[must_use]
pub fn txns(state: &State, all: bool, after: Option<TxnId>, count: usize) -> Page<View> {
    let txns = state.txns.by_id.values();
    let txns = txns.filter(|txn| after.is_none_or(|after| txn.id > after));
    let txns = txns.filter(|txn| all || !txn.state.is_over());
    // Their numbers differ in length, so the cursor is compared here and not as text.
    page(
        state,
        txns.map(|txn| (txn.id.to_string(), view(state, txn, false))),
        None,
        count,
    )
}

/// One transaction with its log.
#[must_use]
pub fn txn(state: &State, id: TxnId) -> Option<View> {
    state.txns.find(id).map(|txn| view(state, txn, true))
}

/// Connectors by id.
#[must_use]
pub fn connectors(state: &State, after: Option<&str>, count: usize) -> Page<Connector> {
    let rows = state.txns.connectors.iter();
    let rows = rows.map(|(id, connector)| (id.to_string(), connector.as_ref().clone()));
    page(state, rows, after, count)
}

/// One connector.
#[must_use]
pub fn connector(state: &State, id: &ConnectorId) -> Option<Connector> {
    let found = state.txns.connectors.get(id);
    found.map(|connector| connector.as_ref().clone())
}

/// Whether a branch of a transaction may still need its prepared transaction.
#[must_use]
pub fn owns(state: &State, txn: TxnId, branch: &BranchId) -> bool {
    due::owns(state, txn, branch)
}

fn view(state: &State, txn: &Txn, with_log: bool) -> View {
    let begin = &txn.begin;
    let verdict = txn.verdict.as_ref();
    View {
        txn: txn.id,
        kind: begin.kind,
        state: txn.state,
        agent: begin.agent.clone(),
        members: begin.members.clone(),
        description: begin.description.clone(),
        labels: begin.labels.clone(),
        begun_at: txn.begun_at,
        deadline: txn.deadline,
        decision: txn.decision(),
        decided_at: verdict.map(|verdict| verdict.at),
        ended_at: txn.ended_at,
        code: verdict.and_then(|verdict| verdict.code),
        reason: verdict
            .map(|verdict| verdict.reason.clone())
            .unwrap_or_default(),
        stuck: txn.is_stuck(),
        branches: txn
            .branches
            .iter()
            .map(|(id, it)| branch(state, txn, id, it))
            .collect(),
        permits: txn.permits.clone(),
        log: match with_log {
            true => txn.log.iter().cloned().collect(),
            false => Vec::new(),
        },
    }
}

fn branch(state: &State, txn: &Txn, id: &BranchId, branch: &Branch) -> BranchView {
    let told = branch.phase().is_some();
    BranchView {
        branch: id.clone(),
        participant: branch.participant.clone(),
        state: branch.state,
        attempts: if told { branch.attempt } else { 0 },
        again_at: (told && branch.attempt > 1).then_some(branch.again_at),
        permit: branch.permit,
        gid: gid(state, txn, id),
        reason: branch.reason.clone(),
    }
}
