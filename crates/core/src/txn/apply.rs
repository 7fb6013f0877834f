//! What events do to transactions.
use super::{Branch, HISTORY_MAX, Ruling, Txn};
use crate::map::Map;
use crate::state::{State, Wake};
use crate::timers::Timer;
use fleet_types::event::{
    TxnBegun, TxnDecided, TxnEnded, TxnEnlisted, TxnHeld, TxnMoved, TxnPreparing, TxnReported,
    TxnResolved,
};
use fleet_types::txn::{BranchState, Decision, Kind, State as Stage};
use fleet_types::{Actor, Seq, Time, TxnId};
use serde::Serialize;
use std::collections::VecDeque;

pub fn begun(state: &mut State, event: &TxnBegun, by: &Actor, seq: Seq, at: Time) {
    let id = TxnId(seq);
    let begin = &event.begin;
    let steps = begin.steps.iter().map(|step| {
        let branch = Branch::new(step.participant.clone(), None, Some(step.clone()));
        (step.id.clone(), branch)
    });
    let mut txn = Txn {
        id,
        begin: begin.clone(),
        by: Some(by.clone()),
        state: match begin.kind {
            Kind::TwoPhase => Stage::Open,
            Kind::Saga => Stage::Running,
        },
        begun_at: at,
        deadline: event.deadline,
        verdict: None,
        ended_at: None,
        branches: steps.collect::<Map<_, _>>(),
        permits: Vec::new(),
        log: VecDeque::new(),
    };
    txn.note((seq, at), &format!("begun by {}", begin.agent));
    let request = (begin.agent.clone(), begin.request_id.clone());
    state.txns.requests.insert(request, id);
    state.txns.live.insert(id);
    state.txns.by_id.insert(id, txn);
    state.timers.arm(event.deadline, Timer::Txn(id));
    state.wakes.insert(Wake::Txn(id));
}

/// Changes a transaction, writes a line into its log, and sees what follows.
fn change(state: &mut State, id: TxnId, what: String, change: impl FnOnce(&mut Txn, Time)) {
    let place = (state.seq, state.now);
    if let Some(txn) = state.txns.by_id.get_mut(&id) {
        change(txn, place.1);
        txn.note(place, &what);
        state.wakes.insert(Wake::Txn(id));
    }
}

pub fn enlisted(state: &mut State, event: &TxnEnlisted) {
    let branch = &event.branch;
    let what = format!("{} enlisted", branch.id);
    change(state, event.txn, what, |txn, _| {
        let new = Branch::new(branch.participant.clone(), branch.payload.clone(), None);
        txn.branches.insert(branch.id.clone(), new);
    });
}

pub fn held(state: &mut State, event: &TxnHeld) {
    let permit = event.permit;
    let what = match &event.branch {
        None => format!("permit {permit} held"),
        Some(branch) => format!("{branch} asked for permit {permit}"),
    };
    state.txns.permits.insert(permit, event.txn);
    change(state, event.txn, what, |txn, _| {
        txn.permits.push(permit);
        if let Some(branch) = event
            .branch
            .as_ref()
            .and_then(|id| txn.branches.get_mut(id))
        {
            branch.permit = Some(permit);
            branch.state = BranchState::Asking;
        }
    });
}

pub fn preparing(state: &mut State, event: &TxnPreparing) {
    change(state, event.txn, "preparing".into(), |txn, at| {
        txn.state = Stage::Preparing;
        for branch in txn.branches.values_mut() {
            branch.become_(BranchState::Preparing, at);
        }
    });
}

pub fn reported(state: &mut State, event: &TxnReported) {
    let mut what = format!(
        "{} {}: {}, {}",
        event.branch,
        event.phase.as_str(),
        word(event.outcome),
        word(event.became)
    );
    if event.attempt > 1 {
        what += &format!(", attempt {}", event.attempt);
    }
    if !event.reason.is_empty() {
        what += &format!(": {}", event.reason);
    }
    change(state, event.txn, what, |txn, at| {
        let Some(branch) = txn.branches.get_mut(&event.branch) else {
            return;
        };
        branch.reason = event.reason.clone();
        if !event.evidence.is_empty() {
            branch.evidence = event.evidence.clone();
        }
        match event.again_at {
            Some(again_at) => {
                branch.attempt = event.attempt.saturating_add(1);
                branch.again_at = again_at;
            }
            None => branch.become_(event.became, at),
        }
    });
}

pub fn decided(state: &mut State, event: &TxnDecided) {
    let mut what = format!("decided: {}", word(event.decision));
    if !event.reason.is_empty() {
        what += &format!(": {}", event.reason);
    }
    change(state, event.txn, what, |txn, at| {
        txn.verdict = Some(Ruling {
            decision: event.decision,
            at,
            code: event.code,
            reason: event.reason.clone(),
        });
        txn.state = match (txn.begin.kind, event.decision) {
            (Kind::TwoPhase, Decision::Commit) => Stage::Committing,
            (Kind::TwoPhase, Decision::Abort) => Stage::Aborting,
            (Kind::Saga, Decision::Commit | Decision::Abort) => Stage::Compensating,
        };
        for branch in txn.branches.values_mut() {
            match (branch.state, event.decision) {
                (BranchState::Prepared, Decision::Commit) => {
                    branch.become_(BranchState::Committing, at);
                }
                (
                    BranchState::Enlisted | BranchState::Preparing | BranchState::Prepared,
                    Decision::Abort,
                ) => branch.become_(BranchState::Aborting, at),
                (BranchState::Pending, Decision::Abort) => branch.state = BranchState::Dropped,
                // It waits for its next attempt, which is not made any more.
                (BranchState::Doing, Decision::Abort) if branch.again_at > at => {
                    branch.state = BranchState::Unsure;
                }
                _ => {} // It has ended already, or a saga goes on with it by itself.
            }
        }
    });
}

pub fn moved(state: &mut State, event: &TxnMoved) {
    let mut what = format!("{} {}", event.branch, word(event.became));
    if !event.reason.is_empty() {
        what += &format!(": {}", event.reason);
    }
    change(state, event.txn, what, |txn, at| {
        if let Some(branch) = txn.branches.get_mut(&event.branch) {
            branch.become_(event.became, at);
            if !event.reason.is_empty() {
                branch.reason = event.reason.clone();
            }
        }
    });
}

pub fn resolved(state: &mut State, event: &TxnResolved, by: &Actor) {
    let who = match by {
        Actor::Agent(agent) => agent.to_string(),
        Actor::Key(key) => format!("key {key}"),
        Actor::System => "the server".into(),
        Actor::Local => "this machine".into(),
    };
    let what = format!(
        "{} settled as {} by {who}: {}",
        event.branch,
        word(event.verdict),
        event.reason
    );
    change(state, event.txn, what, |txn, at| {
        if let Some(branch) = txn.branches.get_mut(&event.branch) {
            branch.become_(event.became, at);
            branch.reason = event.reason.clone();
        }
    });
}

pub fn ended(state: &mut State, event: &TxnEnded) {
    let id = event.txn;
    change(state, id, word(event.state), |txn, at| {
        txn.state = event.state;
        txn.ended_at = Some(at);
    });
    if !state.txns.live.remove(&id) {
        return;
    }
    state.timers.forget_one();
    state.txns.over.push_back(id);
    while state.txns.over.len() > HISTORY_MAX {
        let oldest = state.txns.over.pop_front();
        if let Some(txn) = oldest.and_then(|oldest| state.txns.by_id.remove(&oldest)) {
            let request = (txn.begin.agent.clone(), txn.begin.request_id.clone());
            state.txns.requests.remove(&request);
        }
    }
}

/// A word as it stands in JSON.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        Ok(_) | Err(_) => String::new(),
    }
}
