//! What rules look at together: equal cases are one, and what happened of one case to one kind of thing is remembered once,
//! however many rules ask for it.
//!
//! Invariant: a rule counts only what was granted since it counts (`Entry::since`), though others may remember more.
use super::case::CompiledCase;
use super::forms::is_remembered;
use super::summary::Summary;
use super::{Entry, Slot, per, window};
use crate::map::Map;
use crate::scope::ScopeKey;
use crate::selector::Index;
use fleet_types::rule::{Case, Form, Per, Rule, Side};
use fleet_types::{Pointer, RuleId, ScopePath, Seq};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The small number of a case; never used again for another.
pub type CaseKey = u32;
/// The small number of a watch; never used again for another.
pub type WatchKey = u32;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Watches {
    cases: Vec<Option<Watched>>,
    watches: Vec<Option<Watch>>,
    /// Cases by what they say. Derived.
    #[serde(skip)]
    by_case: Map<String, CaseKey>,
    /// Cases by what they select. Derived.
    #[serde(skip)]
    pub index: Index,
}

/// A case that some rules name.
#[derive(Debug, Serialize, Deserialize)]
pub struct Watched {
    pub case: Case,
    /// Derived, as all that follows.
    #[serde(skip)]
    pub compiled: Option<CompiledCase>,
    /// The rules that name it, in the order of their keys.
    #[serde(skip)]
    pub users: Vec<Slot>,
    /// What they ask together.
    #[serde(skip)]
    pub summary: Summary,
}

/// What is remembered of one case: about which things, and how much.
#[derive(Debug, Serialize, Deserialize)]
pub struct Watch {
    case: CaseKey,
    per: Per,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<Pointer>,
    /// The rules that ask for it, in the order of their keys. Derived, as all that follows.
    #[serde(skip)]
    pub users: Vec<Slot>,
    /// Their names, as each mark has them.
    #[serde(skip, default = "nobody")]
    pub sides: Arc<[(RuleId, Side)]>,
    /// What they need.
    #[serde(skip)]
    pub fit: Fit,
    /// How much is in flight for it: each thing of each permit that holds.
    #[serde(skip)]
    pub in_flight: u64,
}

/// What the rules that share a watch need of it.
#[derive(Clone, Debug)]
pub struct Fit {
    /// How long what was done counts for some of them, in microseconds.
    pub window: u64,
    pub keep: Keep,
    /// Whether what was tried in vain counts for some of them.
    pub failed: bool,
    /// Whether some of them ask what was completed for certain.
    pub completes: bool,
    /// All of them count what was granted after this.
    pub since: Seq,
}

/// How much of what was done must be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// The last.
    Last,
    /// The last of each agent.
    LastOfEach,
    /// All within the window.
    All,
}

impl Default for Fit {
    fn default() -> Self {
        Fit {
            window: 0,
            keep: Keep::Last,
            failed: false,
            completes: false,
            since: Seq(0),
        }
    }
}

impl Fit {
    /// What all of these need.
    fn of<'e>(users: impl Iterator<Item = &'e Entry>) -> Fit {
        users.fold(Fit::default(), |fit, entry| {
            let form = &entry.rule.form;
            Fit {
                window: fit.window.max(window(form)),
                keep: fit.keep.max(keep(form)),
                failed: fit.failed || matches!(form, Form::Throttle(_)),
                completes: fit.completes || matches!(form, Form::Sequence(_)),
                since: fit.since.max(entry.since),
            }
        })
    }
}

/// How much of what was done a form needs.
fn keep(form: &Form) -> Keep {
    match form {
        Form::Quota(_) | Form::Throttle(_) => Keep::All,
        Form::Separation(_) => Keep::LastOfEach,
        Form::Bounds(_)
        | Form::Contradiction(_)
        | Form::Exclusion(_)
        | Form::Sequence(_)
        | Form::CoolingOff(_)
        | Form::Approval(_)
        | Form::Allocation(_)
        | Form::Resolution(_) => Keep::Last,
    }
}

/// What a side of a rule remembers: about which things, and which argument is summed.
fn remembered(rule: &Rule, side: Side) -> Option<(&Per, Option<&Pointer>)> {
    let sum = match &rule.form {
        Form::Quota(quota) => quota.sum.as_ref(),
        _ => None,
    };
    let per = per(&rule.form).filter(|_| is_remembered(&rule.form, side))?;
    Some((per, sum))
}

impl Watches {
    pub fn case(&self, case: CaseKey) -> Option<&Watched> {
        self.cases.get(case as usize)?.as_ref()
    }

    pub fn get(&self, watch: WatchKey) -> Option<&Watch> {
        self.watches.get(watch as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, watch: WatchKey) -> Option<&mut Watch> {
        self.watches.get_mut(watch as usize)?.as_mut()
    }

    /// A side of a rule looks at a case, and remembers what it must.
    pub fn join(
        &mut self,
        slot: Slot,
        (rule, case): (&Rule, &Case),
        scope_key: impl FnOnce(&ScopePath) -> ScopeKey,
    ) -> (CaseKey, Option<WatchKey>) {
        let key = self.ensure_case(case);
        let Some(Some(watched)) = self.cases.get_mut(key as usize) else {
            unreachable!("it was just ensured")
        };
        if watched.compiled.is_none() {
            let compiled = CompiledCase::new(case, scope_key);
            self.index.insert(key, &compiled.selector);
            watched.compiled = Some(compiled);
        }
        put(&mut watched.users, slot);
        let watch = remembered(rule, slot.side()).map(|(per, sum)| {
            let watch = self.ensure_watch(key, per, sum);
            if let Some(entry) = self.get_mut(watch) {
                put(&mut entry.users, slot);
            }
            watch
        });
        (key, watch)
    }

    /// It looks there no more. What nobody looks at is dropped.
    pub fn leave(&mut self, slot: Slot, case: CaseKey, watch: Option<WatchKey>) {
        if let Some(watch) = watch
            && let Some(place) = self.watches.get_mut(watch as usize)
            && let Some(entry) = place
        {
            take(&mut entry.users, slot);
            if entry.users.is_empty() {
                *place = None;
            }
        }
        if let Some(place) = self.cases.get_mut(case as usize)
            && let Some(watched) = place
        {
            take(&mut watched.users, slot);
            if watched.users.is_empty() {
                if let Some(compiled) = &watched.compiled {
                    self.index.remove(case, &compiled.selector);
                }
                self.by_case.swap_remove(&said(&watched.case));
                *place = None;
            }
        }
    }

    /// Works out anew what the rules that share a watch need of it.
    pub fn refit(&mut self, watch: WatchKey, entries: &[Option<Entry>]) {
        if let Some(watch) = self.get_mut(watch) {
            let users = watch.users.iter();
            let users = users.filter_map(|slot| {
                let entry = entries.get(slot.rule() as usize)?.as_ref()?;
                Some((*slot, entry))
            });
            let side = |(slot, entry): (Slot, &Entry)| (entry.rule.id.clone(), slot.side());
            watch.sides = users.clone().map(side).collect();
            watch.fit = Fit::of(users.map(|(_, entry)| entry));
        }
    }

    /// Works out anew what the rules of a case ask together.
    pub fn sum_up(&mut self, case: CaseKey, entries: &[Option<Entry>]) {
        let Some(watched) = self.case(case) else {
            return;
        };
        let summary = Summary::of(&watched.users, entries, self);
        if let Some(Some(watched)) = self.cases.get_mut(case as usize) {
            watched.summary = summary;
        }
    }

    fn ensure_case(&mut self, case: &Case) -> CaseKey {
        let said = said(case);
        if let Some(key) = self.by_case.get(&said) {
            return *key;
        }
        let key = self.cases.len() as CaseKey;
        self.cases.push(Some(Watched {
            case: case.clone(),
            compiled: None,
            users: Vec::new(),
            summary: Summary::default(),
        }));
        self.by_case.insert(said, key);
        key
    }

    fn ensure_watch(&mut self, case: CaseKey, per: &Per, sum: Option<&Pointer>) -> WatchKey {
        let is_it = |watch: &Option<Watch>| {
            let watch = watch.as_ref();
            watch.is_some_and(|w| w.case == case && w.per == *per && w.sum.as_ref() == sum)
        };
        let known = self.watches.iter().position(is_it);
        known.unwrap_or_else(|| {
            self.watches.push(Some(Watch {
                case,
                per: per.clone(),
                sum: sum.cloned(),
                users: Vec::new(),
                sides: nobody(),
                fit: Fit::default(),
                in_flight: 0,
            }));
            self.watches.len() - 1
        }) as WatchKey
    }

    /// Builds what is derived of cases again after a snapshot was read; the rules join again.
    pub fn rebuild(&mut self) {
        let cases = self.cases.iter().enumerate();
        let cases = cases.filter_map(|(key, case)| Some((said(&case.as_ref()?.case), key as u32)));
        self.by_case = cases.collect();
    }
}

fn nobody() -> Arc<[(RuleId, Side)]> {
    Arc::new([])
}

/// A case as text: equal cases say the same.
fn said(case: &Case) -> String {
    serde_json::to_string(case).expect("a case has a JSON form")
}

fn put(users: &mut Vec<Slot>, slot: Slot) {
    let at = users.partition_point(|other| *other < slot);
    users.insert(at, slot);
}

/// One of it: a rule that changes joins before it leaves, so that what is shared by both is not dropped between.
fn take(users: &mut Vec<Slot>, slot: Slot) {
    if let Ok(at) = users.binary_search(&slot) {
        users.remove(at);
    }
}
