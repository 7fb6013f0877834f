//! Permits: asked for, waiting, held, ended.
//!
//! One file per thing that can happen to a permit; the gates it must pass are in `gates/`, in order.
pub mod delegation;
pub mod end;
pub mod extend;
pub mod gates;
pub mod grant;
pub mod queue;
pub mod renew;
pub mod request;

use crate::agent::{Agent, AgentKey};
use crate::budget::apply::Reservations;
use crate::decide::Decided;
use crate::limit::apply::Charges;
use crate::lock::NodeKey;
use crate::lock::check::Asker;
use crate::map::{Map, Slab};
use crate::memory::Remembered;
use crate::policy;
use crate::rule::RuleKey;
use crate::rule::apply::Kept;
use crate::state::State;
use fleet_types::agent::Priority;
use fleet_types::conflict::Turn;
use fleet_types::limit::Class;
use fleet_types::lock::{Claim, Mode};
use fleet_types::permit::{Blocker, Command, Extend, Request};
use fleet_types::policy::Verdict;
use fleet_types::{
    ActionName, Actor, AgentId, ConflictId, Millis, PermitId, ResourcePath, RuleId, Time, Token,
};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// The small number of a live permit; used again when it has ended.
pub type PermitKey = u32;

/// No permit.
pub const NOTHING: PermitKey = PermitKey::MAX;

/// A turn: earlier goes first. A step of priority is worth `age_step_ms` of waiting, and as everybody ages alike
/// the order of two waiters never changes, so no low priority starves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rank(pub i64);

impl Rank {
    pub fn of(asked_at: Time, priority: Priority, age_step: Millis) -> Rank {
        let head_start = i64::from(priority.get()) * age_step.micros() as i64;
        Rank(asked_at.0 as i64 - head_start)
    }

    /// The same, with what rules of order add to it.
    pub fn with(self, turn: Option<&Turn>) -> Rank {
        let head_start = turn.map_or(0, |turn| turn.head_start_us);
        Rank(self.0.saturating_sub(head_start))
    }
}

/// A place in a queue. Permits that hold already and ask for more come before all that ask first: only they
/// can let others go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub first_ask: bool,
    pub rank: Rank,
    pub id: PermitId,
    pub permit: PermitKey,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Permits {
    pub by_id: Map<PermitId, PermitKey>,
    slab: Slab<Permit>,
    /// How many wait (for a first answer). Derived.
    #[serde(skip)]
    pub waiting: u64,
    /// Those that hold and wait for more. Derived.
    #[serde(skip)]
    pub extending: BTreeSet<PermitKey>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Permit {
    pub id: PermitId,
    pub agent: AgentKey,
    pub request: Arc<Request>,
    /// What policies said of it, if any was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Box<Verdict>>,
    /// On whose behalf: the agents from the first on.
    #[serde(default, skip_serializing_if = "<[AgentId]>::is_empty")]
    pub chain: Box<[AgentId]>,
    pub priority: Priority,
    pub asked_at: Time,
    pub rank: Rank,
    pub phase: Phase,
    /// The neighbours in the list of its agent's permits. Derived.
    #[serde(skip, default = "nothing")]
    pub next: PermitKey,
    #[serde(skip, default = "nothing")]
    pub prev: PermitKey,
}

fn nothing() -> PermitKey {
    NOTHING
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Phase {
    Waiting(Waiting),
    Granted(Granted),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Waiting {
    pub on: WaitsOn,
    pub blocker: Blocker,
    pub until: Time,
    /// Whose credential brought the request: whoever asks does not approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// Since when it waits for this.
    #[serde(default)]
    pub since: Time,
    /// The conflict that it waits in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<ConflictId>,
    /// The rule that says how its conflicts are settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<RuleId>,
}

/// Which queue a waiter stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitsOn {
    /// A pause.
    Halt,
    /// Its agent's own concurrency.
    Agent,
    /// A limit.
    Limit(u32),
    /// What policies, or its tool, must say anew.
    Policy,
    /// A rule.
    Rule(RuleKey),
    /// Somebody's approval.
    Approval,
    /// Its resources.
    Locks,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Granted {
    pub at: Time,
    pub ttl: Millis,
    pub expires_at: Time,
    pub held: SmallVec<[HeldLock; 1]>,
    pub charges: Charges,
    pub reservations: Reservations,
    /// What it is to rules, if to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marks: Option<Kept>,
    pub extension: Option<Box<Extension>>,
    /// It has given way in a conflict, and holds on no longer than it must.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gives_way: bool,
}

/// A lock a permit holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldLock {
    pub path: ResourcePath,
    pub mode: Mode,
    pub token: Token,
    #[serde(skip)]
    pub node: NodeKey,
}

/// A wait for more.
#[derive(Debug, Serialize, Deserialize)]
pub struct Extension {
    pub extend: Arc<Extend>,
    pub since: Time,
    pub until: Time,
    /// Its own rank, or that of a more urgent permit that waits for this one (priority inheritance).
    pub rank: Rank,
    pub blocker: Blocker,
    /// What policies said of it, if any was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Box<Verdict>>,
    /// The conflict that it waits in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<ConflictId>,
}

impl Permits {
    pub fn key(&self, id: PermitId) -> Option<PermitKey> {
        self.by_id.get(&id).copied()
    }

    pub fn get(&self, key: PermitKey) -> Option<&Permit> {
        self.slab.get(key)
    }

    pub fn find(&self, id: PermitId) -> Option<&Permit> {
        self.key(id).map(|key| &self.slab[key])
    }

    pub fn insert(&mut self, permit: Permit) -> PermitKey {
        let id = permit.id;
        let key = self.slab.insert(permit);
        self.by_id.insert(id, key);
        key
    }

    pub fn remove(&mut self, key: PermitKey) -> Option<Permit> {
        let permit = self.slab.remove(key)?;
        self.by_id.swap_remove(&permit.id);
        Some(permit)
    }

    pub fn len(&self) -> usize {
        self.slab.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (PermitKey, &Permit)> {
        self.slab.iter()
    }

    /// The permits an agent holds or waits for, the newest first.
    pub fn of(&self, agent: &Agent) -> impl Iterator<Item = PermitKey> + use<'_> {
        let some = |key: PermitKey| (key != NOTHING).then_some(key);
        std::iter::successors(some(agent.first_permit), move |key| {
            some(self.slab[*key].next)
        })
    }

    /// What a permit that holds and waits for more claims, and its turn.
    pub fn waits_for_locks(&self, key: PermitKey) -> Option<(Asker, &[Claim])> {
        let permit = self.get(key)?;
        let extension = permit.extension()?;
        let asker = Asker {
            permit: Some(key),
            place: permit.place(key),
        };
        Some((asker, &extension.extend.resources))
    }
}

impl Waiting {
    /// When the rate it waits for has room again, or the window of the rule is over.
    pub fn free_at(&self) -> Option<Time> {
        match (&self.on, &self.blocker) {
            (WaitsOn::Limit(_), Blocker::Limit { free_at, .. })
            | (WaitsOn::Rule(_), Blocker::Rule { free_at, .. }) => *free_at,
            _ => None,
        }
    }

    /// The thing that the rule it waits for stops.
    pub fn thing(&self) -> SmolStr {
        queue::thing(&self.blocker)
    }
}

impl Index<PermitKey> for Permits {
    type Output = Permit;
    fn index(&self, key: PermitKey) -> &Permit {
        &self.slab[key]
    }
}

impl IndexMut<PermitKey> for Permits {
    fn index_mut(&mut self, key: PermitKey) -> &mut Permit {
        &mut self.slab[key]
    }
}

impl Permit {
    pub fn class(&self) -> Class {
        Class::of(self.priority)
    }

    /// What was asked, before policies or its tool changed it.
    pub fn asked(&self) -> &Arc<Request> {
        let original = self
            .judged
            .as_ref()
            .and_then(|judged| judged.original.as_ref());
        original.unwrap_or(&self.request)
    }

    /// Its request, if policies or its tool changed it.
    pub fn changed(&self) -> Option<Arc<Request>> {
        let original = self.judged.as_ref()?.original.as_ref();
        original.map(|_| self.request.clone())
    }

    pub fn granted(&self) -> Option<&Granted> {
        match &self.phase {
            Phase::Granted(granted) => Some(granted),
            Phase::Waiting(_) => None,
        }
    }

    pub fn extension(&self) -> Option<&Extension> {
        self.granted()?.extension.as_deref()
    }

    /// When it is taken back; for a waiting one, when it is denied.
    pub fn expires_at(&self) -> Time {
        match &self.phase {
            Phase::Granted(granted) => granted.expires_at,
            Phase::Waiting(waiting) => waiting.until,
        }
    }

    /// Its place in whatever queue it stands in.
    pub fn place(&self, key: PermitKey) -> Place {
        let extension = self.extension();
        Place {
            first_ask: extension.is_none(),
            rank: extension.map_or(self.rank, |extension| extension.rank),
            id: self.id,
            permit: key,
        }
    }
}

impl State {
    /// Puts a permit at the head of its agent's list.
    pub fn link(&mut self, key: PermitKey) {
        let agent = self.permits[key].agent;
        let first = std::mem::replace(&mut self.agents.agents[agent].first_permit, key);
        self.permits[key].next = first;
        self.permits[key].prev = NOTHING;
        if first != NOTHING {
            self.permits[first].prev = key;
        }
    }

    /// Takes a permit out of its agent's list.
    pub fn unlink(&mut self, key: PermitKey) {
        let Permit {
            agent, next, prev, ..
        } = self.permits[key];
        match prev {
            NOTHING => self.agents.agents[agent].first_permit = next,
            prev => self.permits[prev].next = next,
        }
        if next != NOTHING {
            self.permits[next].prev = prev;
        }
    }
}

pub fn decide(
    state: &State,
    by: &Actor,
    command: &Command,
    recalled: Option<&Remembered>,
    now: Time,
) -> Decided {
    if let Some(refused) = crate::txn::guards(state, command) {
        return refused;
    }
    match command {
        Command::Request(asked) => request::decide(state, by, asked, None, recalled, now),
        Command::Judged(judged) => {
            let verdict = Some(&judged.verdict);
            request::decide(state, by, &judged.request, verdict, recalled, now)
        }
        Command::Rejudge(rejudged) => policy::judge::rejudge(state, by, rejudged, now),
        Command::Finish(finish) => end::decide(state, by, finish, now),
        Command::Renew {
            permit,
            agent,
            ttl_ms,
        } => renew::decide(state, by, *permit, agent, *ttl_ms, now),
        Command::Extend(extend) => extend::decide(state, by, extend, None, now),
        Command::JudgedExtend(judged) => {
            extend::decide(state, by, &judged.extend, Some(&judged.verdict), now)
        }
    }
}

/// Builds again everything that is derived from permits and definitions, after a snapshot was read.
pub fn rebuild(state: &mut State) {
    let tools: Vec<ActionName> = state.tools.by_id.keys().cloned().collect();
    for tool in tools {
        crate::tool::apply::compile(state, &tool);
    }
    // Those that are gone and kept for their last waiter have no name any more.
    let limits: Vec<u32> = state.limits.by_id.values().copied().collect();
    for key in limits {
        crate::limit::apply::compile(state, key);
    }
    let rules: Vec<RuleKey> = state.rules.by_id.values().copied().collect();
    for key in rules {
        crate::rule::apply::compile(state, key);
    }
    let policies: Vec<u32> = state.policies.by_id.values().copied().collect();
    for key in policies {
        policy::apply::compile(state, key);
    }
    for key in 0..state.budgets.entries.len() as u32 {
        crate::budget::apply::compile(state, key);
    }
    let agents: Vec<AgentKey> = state.agents.agents.iter().map(|(key, _)| key).collect();
    for key in agents {
        state.agents.file(key);
        state.agents.set_terms(key);
    }
    let keys: Vec<PermitKey> = state.permits.iter().map(|(key, _)| key).collect();
    for key in keys {
        state.link(key);
        let permit = &state.permits[key];
        let agent = permit.agent;
        match &permit.phase {
            Phase::Waiting(_) => queue::enter(state, key),
            Phase::Granted(granted) => {
                let (charges, class) = (granted.charges.clone(), permit.class());
                let marks = granted.marks.clone();
                state.agents.agents[agent].in_flight += 1;
                crate::limit::apply::recount(state, &charges, class);
                if let Some(marks) = marks {
                    crate::rule::apply::begin_again(state, &marks);
                }
                grant::hold_again(state, key);
                if state.permits[key].extension().is_some() {
                    extend::enter(state, key);
                }
            }
        }
    }
    crate::approval::rebuild(state);
    crate::txn::rebuild(state);
    crate::conflict::apply::arm(state);
    // Whoever waits gets another try: what they wait for may have been released by the last record.
    state.wakes.clear();
}
