//! Conflicts: requests that run into each other over one thing, as one record while it lasts.
//!
//! ```text
//! permit events → a record for each thing (no events of its own) → lasts, and a rule concerns it → dispute → resolution
//! ```
//!
//! Invariants
//! - One record for a thing while it lasts, however many wait: a hot lock makes no more of the journal than its waits do.
//! - Records follow from the events of permits; what is decided about a conflict has events (`conflict.*`).
//! - A decision moves turns. It gives nothing that the gates would not: whoever is first passes them all again.
//! - Everything has a bound: records, what one record names, ended ones.
pub mod apply;
pub mod decide;
pub mod due;
pub mod turn;

use crate::map::Map;
use crate::permit::{Permit, PermitKey, Phase, Place};
use crate::state::State;
use fleet_types::conflict::{Collision, Dispute, Kind, Resolution, State as Phases};
use fleet_types::permit::{Blocker, Request};
use fleet_types::rule::Form;
use fleet_types::{AgentId, ConflictId, Millis, PermitId, RuleId, Time};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};

/// Most conflicts at a time; of more none is recorded.
const COUNT_MAX: usize = if cfg!(test) { 6 } else { 10_000 };
/// Ended ones that can still be looked at.
const ENDED_MAX: usize = if cfg!(test) { 3 } else { 1_000 };
/// Agents and permits named in one.
pub const NAMED_MAX: usize = 16;
/// Without anybody who waits, it is over when nobody has collided for so long.
const LINGER: Millis = Millis(10_000);

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Conflicts {
    pub records: BTreeMap<ConflictId, Record>,
    /// Those that are over, the oldest first.
    pub ended: VecDeque<Record>,
    /// Collisions that were not recorded, as there were too many.
    pub unrecorded: u64,
    /// How many stand when those that are over are looked for next.
    sweep_at: usize,
    /// Derived.
    #[serde(skip)]
    by_thing: Map<Thing, ConflictId>,
}

/// What a conflict is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Thing {
    /// Who holds it, or comes first.
    Resource(SmolStr),
    /// Whether it is still as it was seen.
    Data(SmolStr),
    /// What a rule says of something.
    Rule(RuleId, SmolStr),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    pub id: ConflictId,
    pub kind: Kind,
    pub thing: Thing,
    pub since: Time,
    pub requests: u64,
    /// The first [`NAMED_MAX`].
    pub agents: Vec<AgentId>,
    pub first: Collision,
    pub last: Collision,
    /// What waits that are over have cost.
    pub waited_us: u64,
    /// The rule that says how it is settled, once it has lasted.
    pub pending: Option<RuleId>,
    pub dispute: Option<Dispute>,
    pub resolution: Option<Resolution>,
    /// When the next step is due.
    pub next: Option<Time>,
    /// How many wait. Derived.
    #[serde(skip)]
    pub waiting: u64,
    /// When they began, summed. Derived.
    #[serde(skip)]
    since_us: u128,
}

impl Record {
    /// What waiting has cost up to now, in microseconds of all that wait or waited.
    pub fn waited_us(&self, now: Time) -> u64 {
        let waiting = u128::from(now.0) * u128::from(self.waiting) - self.since_us;
        self.waited_us
            .saturating_add(u64::try_from(waiting).unwrap_or(u64::MAX))
    }

    fn is_over(&self, now: Time) -> bool {
        self.waiting == 0 && self.last.at.after(LINGER) <= now
    }

    pub fn phase(&self, now: Time) -> Phases {
        let decided = |resolution: &Resolution| resolution.at >= self.last.at;
        match &self.dispute {
            Some(dispute) if dispute.before.is_some() => Phases::Escalated,
            Some(_) => Phases::Resolving,
            None if self.is_over(now) => Phases::Resolved,
            None if self.resolution.as_ref().is_some_and(decided) => Phases::Resolved,
            None => Phases::Open,
        }
    }
}

impl Conflicts {
    pub fn find(&self, id: ConflictId) -> Option<&Record> {
        let ended = || self.ended.iter().rev().find(|record| record.id == id);
        self.records.get(&id).or_else(ended)
    }

    fn retire(&mut self, id: ConflictId) {
        if let Some(record) = self.records.remove(&id) {
            self.by_thing.swap_remove(&record.thing);
            self.ended.push_back(record);
            if self.ended.len() > ENDED_MAX {
                self.ended.pop_front();
            }
        }
    }

    /// Sets those aside that are over, when many stand. Whether there is room for one more.
    fn has_room(&mut self, now: Time) -> bool {
        if self.records.len() >= self.sweep_at.max(COUNT_MAX / 4) {
            let over = self.records.values().filter(|record| record.is_over(now));
            let over: Vec<ConflictId> = over.map(|record| record.id).collect();
            over.into_iter().for_each(|id| self.retire(id));
            self.sweep_at = (self.records.len() * 2).min(COUNT_MAX);
        }
        self.records.len() < COUNT_MAX
    }

    /// Builds what is derived again after a snapshot was read; who waits is counted when it enters its queue.
    pub fn rebuild(&mut self) {
        let records = self.records.values();
        self.by_thing = records
            .map(|record| (record.thing.clone(), record.id))
            .collect();
    }
}

/// What a blocker makes a conflict about, and of which kind; most are none.
fn thing(state: &State, blocker: &Blocker) -> Option<(Thing, Kind)> {
    match blocker {
        Blocker::Lock { path, .. } | Blocker::Turn { path, .. } => {
            Some((Thing::Resource(path.text().clone()), Kind::Resource))
        }
        Blocker::Version { path, .. } => Some((Thing::Data(path.text().clone()), Kind::Data)),
        Blocker::Rule { rule, key, .. } => {
            let entry = state.rules.get(state.rules.key(rule)?)?;
            let kind = match &entry.rule.form {
                Form::Contradiction(_) | Form::Exclusion(_) | Form::Separation(_) => Kind::Business,
                Form::Sequence(_) | Form::CoolingOff(_) | Form::Quota(_) | Form::Throttle(_) => {
                    Kind::Temporal
                }
                // Nobody else is concerned.
                Form::Bounds(_) | Form::Approval(_) | Form::Allocation(_) | Form::Resolution(_) => {
                    return None;
                }
            };
            Some((Thing::Rule(rule.clone(), key.clone()), kind))
        }
        Blocker::Halt { .. }
        | Blocker::AgentConcurrency { .. }
        | Blocker::Limit { .. }
        | Blocker::Budget { .. }
        | Blocker::Approval { .. }
        | Blocker::Policy { .. }
        | Blocker::Tool { .. }
        | Blocker::Delegation { .. }
        | Blocker::Cycle { .. } => None,
    }
}

/// A request ran into something: a conflict begins, or goes on.
pub fn collided(
    state: &mut State,
    blocker: &Blocker,
    permit: PermitId,
    request: &Request,
) -> Option<ConflictId> {
    let (thing, kind) = thing(state, blocker)?;
    let (at, conflicts) = (state.now, &mut state.conflicts);
    let collision = Collision {
        permit,
        agent: request.agent.clone(),
        action: request.action.clone(),
        blocker: blocker.clone(),
        at,
    };
    if let Some(id) = conflicts.by_thing.get(&thing).copied() {
        match conflicts.records.get_mut(&id) {
            Some(record) if record.is_over(at) => conflicts.retire(id),
            Some(record) => {
                record.requests += 1;
                let agents = &mut record.agents;
                if agents.len() < NAMED_MAX && !agents.contains(&collision.agent) {
                    agents.push(collision.agent.clone());
                }
                record.last = collision;
                return Some(id);
            }
            None => {}
        }
    }
    if !conflicts.has_room(at) {
        conflicts.unrecorded += 1;
        return None;
    }
    let id = ConflictId(state.seq);
    conflicts.by_thing.insert(thing.clone(), id);
    let record = Record {
        id,
        kind,
        thing,
        since: at,
        requests: 1,
        agents: vec![collision.agent.clone()],
        first: collision.clone(),
        last: collision,
        waited_us: 0,
        pending: None,
        dispute: None,
        resolution: None,
        next: None,
        waiting: 0,
        since_us: 0,
    };
    conflicts.records.insert(id, record);
    Some(id)
}

/// One more waits in a conflict.
pub fn waits(state: &mut State, id: Option<ConflictId>, since: Time) {
    if let Some(record) = id.and_then(|id| state.conflicts.records.get_mut(&id)) {
        record.waiting += 1;
        record.since_us += u128::from(since.0);
    }
}

/// One that waited in a conflict waits no more. When it was the last, there is nothing left to settle.
pub fn waits_no_more(state: &mut State, id: Option<ConflictId>, since: Time) {
    let now = state.now;
    if let Some(record) = id.and_then(|id| state.conflicts.records.get_mut(&id)) {
        record.waiting -= 1;
        record.since_us -= u128::from(since.0);
        let waited = now.0.saturating_sub(since.0);
        record.waited_us = record.waited_us.saturating_add(waited);
        if record.waiting == 0 {
            record.pending = None;
            record.dispute = None;
            if record.next.take().is_some() {
                state.timers.forget_one();
            }
        }
    }
}

/// Those that wait in a conflict with a first request, in the order of their turns.
pub fn line(state: &State, record: &Record) -> Vec<Place> {
    let mut places = around(state, record);
    places.retain(|place| {
        let permit = &state.permits[place.permit];
        matches!(&permit.phase, Phase::Waiting(waiting) if waiting.conflict == Some(record.id))
    });
    places
}

/// All that wait for the thing with a first request, in the order of their turns.
fn around(state: &State, record: &Record) -> Vec<Place> {
    let mut places = match &record.thing {
        Thing::Resource(path) => state.locks.waiters_around_path(path),
        Thing::Rule(rule, thing) => {
            let rule = state.rules.key(rule).and_then(|key| state.rules.get(key));
            rule.map_or_else(Vec::new, |entry| entry.waiters(thing))
        }
        Thing::Data(_) => Vec::new(),
    };
    places.retain(|place| place.first_ask);
    places
}

/// Those that hold what a conflict is about, or what is above or below it, by token.
pub fn holders(state: &State, record: &Record) -> Vec<PermitKey> {
    let Thing::Resource(path) = &record.thing else {
        return Vec::new();
    };
    let Some(node) = state.locks.node(path) else {
        return Vec::new();
    };
    let holders = state.locks.get(node).holders.iter();
    holders.map(|holder| holder.permit).collect()
}

/// Whom a conflict concerns now: those that hold, and the first that wait.
pub fn parties(state: &State, id: ConflictId) -> Vec<PermitId> {
    let Some(record) = state.conflicts.find(id) else {
        return Vec::new();
    };
    let holders = holders(state, record).into_iter();
    let line = line(state, record).into_iter().map(|place| place.permit);
    let keys = holders.chain(line).take(NAMED_MAX);
    keys.map(|key| state.permits[key].id).collect()
}

/// The rule that says how a waiter's conflicts are settled.
fn rule_of(permit: &Permit) -> Option<&RuleId> {
    match &permit.phase {
        Phase::Waiting(waiting) => waiting.resolution.as_ref(),
        Phase::Granted(_) => None,
    }
}
