//! Approvals: questions to people, or to agents, that permits wait for.
//!
//! ```text
//! gate: needs → which are met? → the others are asked (`ask`) → voices (`decide`, `seat`), deadlines (`due`)
//! decided → whatever waits is decided again from the top → it ends → its approvals are settled: history, or moot
//! ```
//!
//! Invariants
//! - An approval counts for the subject that it was asked about, and on the terms on which it was asked.
//! - Whoever asked never decides, in whoever's place. A person counts once, however many ways lead to it.
//! - Once decided, or pointless, an approval never changes again.
pub mod apply;
pub mod ask;
pub mod check;
pub mod decide;
pub mod due;
pub mod seat;

use crate::permit::Place;
use crate::state::State;
use fleet_types::approval::{
    Answered, Asker, Assignee, Comment, Delegation, Means, Need, Person, Phase, Source, Subject,
    Terms,
};
use fleet_types::{ApprovalId, PermitId, Time};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Settled approvals that are remembered; all stand in the journal.
pub const HISTORY_MAX: usize = if cfg!(test) { 3 } else { 1_000 };
/// Most that are open at once: people could not answer more, and each keeps its request in memory.
pub const OPEN_MAX: usize = if cfg!(test) { 6 } else { 10_000 };

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Approvals {
    /// Those that something waits for, and the last that are settled.
    pub by_id: BTreeMap<ApprovalId, Approval>,
    /// The settled ones, in the order in which they were.
    pub settled: VecDeque<ApprovalId>,
    /// Who answers in whose place, one for each who is represented. Those that are over are dropped when another is added.
    pub delegations: Vec<Delegation>,
    /// Those of each permit that waits: open, or given. Derived.
    #[serde(skip)]
    pub by_permit: BTreeMap<PermitId, SmallVec<[ApprovalId; 1]>>,
    /// How many are open. Derived.
    #[serde(skip)]
    pub open: usize,
    /// Permits that wait for one. Derived.
    #[serde(skip)]
    pub waiting: BTreeSet<Place>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Approval {
    pub subject: Subject,
    pub source: Source,
    pub terms: Arc<Terms>,
    pub asker: Asker,
    pub asked_at: Time,
    pub phase: Phase,
    /// Counted from 1; voices of earlier ones do not count.
    pub round: u32,
    /// How often it was escalated.
    pub level: u32,
    /// Who may answer in this round, and how many of them must approve.
    pub assignees: Vec<Assignee>,
    pub needed: u32,
    pub deadline: Option<Time>,
    pub sla_at: Option<Time>,
    pub sla_breached: bool,
    pub answers: Vec<Answered>,
    pub comments: Vec<Comment>,
    pub ended_at: Option<Time>,
    pub means: Option<Means>,
}

impl Approvals {
    pub fn get(&self, id: ApprovalId) -> Option<&Approval> {
        self.by_id.get(&id)
    }

    /// Those of a permit that waits: open, or decided and not yet used.
    pub fn of(&self, permit: PermitId) -> &[ApprovalId] {
        self.by_permit.get(&permit).map_or(&[], SmallVec::as_slice)
    }

    /// The one of a permit that answers to a need, on the terms of the need: others say nothing about it.
    pub fn answering(&self, permit: PermitId, need: &Need) -> Option<(ApprovalId, &Approval)> {
        let of = self.of(permit).iter().rev();
        let mut known = of.filter_map(|id| Some((*id, self.by_id.get(id)?)));
        known.find(|(_, approval)| approval.answers_to(need))
    }
}

impl Approval {
    pub fn permit(&self) -> PermitId {
        match &self.subject {
            Subject::Permit { permit, .. } => *permit,
        }
    }

    pub fn answers_to(&self, need: &Need) -> bool {
        self.source == need.source
            && (Arc::ptr_eq(&self.terms, &need.terms) || self.terms == need.terms)
    }

    /// The voices that count now.
    pub fn voices(&self) -> impl Iterator<Item = &Answered> {
        let round = self.round;
        self.answers
            .iter()
            .filter(move |voice| voice.round == round)
    }

    /// Whether somebody has given a voice in this round, or another in its place.
    pub fn has_spoken(&self, person: &Person) -> bool {
        let mut voices = self.voices();
        voices.any(|voice| voice.person == *person || voice.in_place_of.as_ref() == Some(person))
    }

    /// How many have approved.
    pub fn approvals(&self) -> u32 {
        self.voices().filter(|voice| voice.approves).count() as u32
    }
}

/// Builds again what is derived, after a snapshot was read.
pub fn rebuild(state: &mut State) {
    let approvals = &mut state.approvals;
    let settled: BTreeSet<ApprovalId> = approvals.settled.iter().copied().collect();
    for (id, approval) in &approvals.by_id {
        if settled.contains(id) {
            continue;
        }
        let permit = approval.permit();
        approvals.by_permit.entry(permit).or_default().push(*id);
        if approval.phase == Phase::Open {
            approvals.open += 1;
            due::arm(&mut state.timers, *id, approval);
        }
    }
}
