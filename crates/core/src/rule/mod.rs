//! Coordination rules: what must not happen together, what must come first, how often, by whom.
//!
//! ```text
//! request → index: the cases that may match → case: does it? → form: what the tallies say → stop, or marks
//! grant: marks in flight → end of the permit: done, for as long as the rule's window
//! ```
//!
//! Invariants
//! - What is in flight counts as well as what is done: two requests that are asked at once cannot both pass.
//! - What a permit is to a rule is said in its grant (`rules`), so that replay judges nothing again (I2).
//! - A permit that ended without a word (expired, revoked) may have acted: it counts as done where that forbids, and not
//!   where it allows, as in a sequence.
pub mod agents;
pub mod apply;
pub mod case;
pub mod cases;
pub mod check;
pub mod decide;
pub mod forms;
pub mod judge;
pub mod notices;
pub mod orders;
pub mod past;
pub mod summary;
pub mod tally;
pub mod things;
pub mod watch;

use crate::map::Map;
use crate::permit::Place;
use agents::Agents;
use fleet_types::finding::Finding;
use fleet_types::permit::Request;
use fleet_types::rule::{Form, Part, Per, Rule, Side};
use fleet_types::{Actor, Pattern, RuleId, Seq, Text, Time};
use orders::Orders;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::{SmolStr, format_smolstr};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use things::Things;
use watch::{CaseKey, WatchKey, Watches};

/// The small number of a rule; never used again for another.
pub type RuleKey = u32;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Rules {
    pub by_id: Map<RuleId, RuleKey>,
    pub entries: Vec<Option<Entry>>,
    /// What all of them remember.
    pub things: Things,
    /// Of which agents.
    pub agents: Agents,
    /// What they look at.
    pub watches: Watches,
    /// How many permits wait for any of them. Derived.
    #[serde(skip)]
    pub waiting: u64,
    /// Those that say in which order requests go. Derived.
    #[serde(skip)]
    pub orders: Orders,
}

/// One case of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(u32);

impl Slot {
    pub fn new(rule: RuleKey, side: Side) -> Slot {
        Slot(rule * 2 + side as u32)
    }

    pub fn rule(self) -> RuleKey {
        self.0 / 2
    }

    pub fn side(self) -> Side {
        match self.0 % 2 {
            0 => Side::Own,
            _ => Side::Other,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    pub rule: Arc<Rule>,
    /// Counted from 1.
    pub version: u32,
    /// When it was set, by whom, why, and what was noticed; not known where an earlier build set it.
    #[serde(default)]
    pub change: Option<Arc<Change>>,
    /// The versions before, the newest last; at most [`decide::VERSIONS_MAX`].
    pub versions: Vec<Version>,
    /// What was granted after this counts: when it was first enforced or observed, or its form last changed.
    pub since: Seq,
    /// The things that a throttle has stopped.
    pub tripped: BTreeSet<SmolStr>,
    /// The things that it had stopped, and when they were let go: what was done before does not count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resets: BTreeMap<SmolStr, Time>,
    /// Until when each party of a rule of shares has had its turn.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<SmolStr, Time>,
    /// How often it has stopped a request, or would have.
    pub stopped: u64,
    /// What is in flight for its watches and does not count for it, by side. Derived.
    #[serde(skip)]
    pub foreign: [u64; 2],
    /// Who waits for each thing.
    #[serde(skip)]
    pub waiting: BTreeMap<SmolStr, BTreeSet<Place>>,
    /// The cases it names, by side. Derived.
    #[serde(skip)]
    pub cases: [Option<CaseKey>; 2],
    /// What it remembers of them, by side. Derived.
    #[serde(skip)]
    pub watches: [Option<WatchKey>; 2],
}

/// An earlier version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    pub version: u32,
    pub rule: Arc<Rule>,
    #[serde(default)]
    pub change: Option<Arc<Change>>,
}

/// How a version came to be.
#[derive(Debug, Serialize, Deserialize)]
pub struct Change {
    pub at: Time,
    pub by: Actor,
    pub reason: Text,
    pub warnings: Vec<Finding>,
}

impl Rules {
    pub fn get(&self, key: RuleKey) -> Option<&Entry> {
        self.entries.get(key as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, key: RuleKey) -> Option<&mut Entry> {
        self.entries.get_mut(key as usize)?.as_mut()
    }

    pub fn key(&self, id: &RuleId) -> Option<RuleKey> {
        self.by_id.get(id).copied()
    }
}

impl Entry {
    /// What is in flight for it: each thing of each permit that holds.
    pub fn in_flight(&self, watches: &Watches) -> u64 {
        let sides = self.watches.iter().zip(self.foreign);
        let counts =
            sides.filter_map(|(watch, foreign)| Some(watches.get((*watch)?)?.in_flight - foreign));
        counts.sum()
    }

    /// Whether things that lie above or below each other are one.
    pub fn overlaps(&self) -> bool {
        per(&self.rule.form).is_some_and(Per::has_resource)
            && matches!(
                self.rule.form,
                Form::Contradiction(_)
                    | Form::Exclusion(_)
                    | Form::Separation(_)
                    | Form::Sequence(_)
            )
    }

    /// Those who wait for a thing, or for one that overlaps it, in the order of their turns.
    pub fn waiters(&self, key: &str) -> Vec<Place> {
        let mut places: Vec<Place> = around(&self.waiting, key, self.overlaps())
            .flat_map(|(_, places)| places.iter().copied())
            .collect();
        places.sort_unstable();
        places
    }
}

/// What a map has under a path, and if `overlaps` above and below it: parents, itself, children.
pub fn around<'a, T>(
    map: &'a BTreeMap<SmolStr, T>,
    key: &'a str,
    overlaps: bool,
) -> impl Iterator<Item = (&'a SmolStr, &'a T)> {
    let parents = key.match_indices('/').map(|(at, _)| &key[..at]);
    let parents = parents.filter(move |_| overlaps);
    let here_and_above = parents
        .chain(std::iter::once(key))
        .filter_map(move |key| map.get_key_value(key));
    let below = overlaps.then(|| {
        let (from, to) = (format_smolstr!("{key}/"), format_smolstr!("{key}0"));
        map.range((Bound::Included(from), Bound::Excluded(to))) // '0' comes right behind '/'.
    });
    here_and_above.chain(below.into_iter().flatten())
}

/// What is one thing to a form; `None` for one that remembers nothing.
pub fn per(form: &Form) -> Option<&Per> {
    match form {
        Form::Bounds(_) | Form::Approval(_) | Form::Allocation(_) | Form::Resolution(_) => None,
        Form::Contradiction(form) => Some(&form.per),
        Form::Exclusion(form) => Some(&form.per),
        Form::Sequence(form) => Some(&form.per),
        Form::Separation(form) => Some(&form.per),
        Form::CoolingOff(form) => Some(&form.per),
        Form::Quota(form) => Some(&form.per),
        Form::Throttle(form) => Some(&form.per),
    }
}

/// Whether it says in which order requests go, and stops none.
pub fn is_order(form: &Form) -> bool {
    match form {
        Form::Allocation(_) | Form::Resolution(_) => true,
        Form::Bounds(_)
        | Form::Contradiction(_)
        | Form::Exclusion(_)
        | Form::Sequence(_)
        | Form::Separation(_)
        | Form::CoolingOff(_)
        | Form::Quota(_)
        | Form::Throttle(_)
        | Form::Approval(_) => false,
    }
}

/// How long it remembers what was done, in microseconds.
pub fn window(form: &Form) -> u64 {
    match form {
        Form::Bounds(_)
        | Form::Exclusion(_)
        | Form::Approval(_)
        | Form::Allocation(_)
        | Form::Resolution(_) => 0,
        Form::Contradiction(form) => form.within_ms.micros(),
        Form::Sequence(form) => form.within_ms.micros(),
        Form::Separation(form) => form.within_ms.micros(),
        Form::CoolingOff(form) => form.for_ms.micros(),
        Form::Quota(form) => form.window_ms.micros(),
        Form::Throttle(form) => form.window_ms.micros(),
    }
}

/// Stands between the parts of a key. The resource is the last of them, so that its children follow it.
const BETWEEN: &str = "\u{1f}";

/// The things that a request is about; of its resources those that match.
pub fn keys(
    per: &Per,
    pattern: Option<&Pattern>,
    request: &Request,
    mut each: impl FnMut(SmolStr),
) {
    let is_asked = |path: &str| pattern.is_none_or(|pattern| pattern.matches(path));
    match per.parts() {
        // Most are about one part: its text is shared, not made anew.
        [Part::Resource] => {
            let claims = request.resources.iter().map(|claim| claim.path.text());
            return claims.filter(|path| is_asked(path)).cloned().for_each(each);
        }
        [Part::Agent] => return each(request.agent.text().clone()),
        _ => {}
    }
    let parts = per.parts().iter().filter(|part| **part != Part::Resource);
    let front: Vec<Cow<'_, str>> = parts.map(|part| value(part, request)).collect();
    let mut front = front.join(BETWEEN);
    if !per.has_resource() {
        return each(front.into());
    }
    if per.parts().len() > 1 {
        front.push_str(BETWEEN);
    }
    for claim in &request.resources {
        let path = claim.path.as_str();
        if is_asked(path) {
            each(format_smolstr!("{front}{path}"));
        }
    }
}

/// A part of a request, as text; empty where it has none.
fn value<'r>(part: &Part, request: &'r Request) -> Cow<'r, str> {
    match part {
        Part::Agent => request.agent.as_str().into(),
        Part::Action => request.action.as_str().into(),
        Part::Label(key) => request.labels.get(key).map_or("", |value| value).into(),
        Part::Parameter(pointer) => {
            let arguments = request.parameters.as_deref();
            match arguments.and_then(|arguments| pointer.find(arguments)) {
                // Nothing that an asker writes can look like several parts.
                Some(Value::String(text)) if !text.contains(BETWEEN) => text.as_str().into(),
                Some(other) => other.to_string().into(),
                None => "".into(),
            }
        }
        Part::Resource => "".into(),
    }
}
