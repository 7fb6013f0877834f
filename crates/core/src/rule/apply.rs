//! What setting rules, and the lives of permits, do to them.
use super::agents::AgentNumber;
use super::case::CompiledCase;
use super::decide::{VERSIONS_MAX, is_asked};
use super::forms::{ONE, keep};
use super::judge::RuleKeys;
use super::tally::{Keep, Tally};
use super::things::ThingKey;
use super::{Entry, RuleKey, Slot, Version, per, window};
use crate::state::{State, Wake};
use fleet_types::event::{RuleRemoved, RuleReset, RuleSet, RuleTripped};
use fleet_types::rule::{Form, Mark, Rule, Side};
use fleet_types::{AgentId, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a permit is to rules, kept with it until it ends: those of one thing together.
pub type Kept = Box<[KeptMark]>;

/// What a permit is to one rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptMark {
    pub slot: Slot,
    pub era: u32,
    pub thing: ThingKey,
    pub agent: AgentNumber,
    pub micros: u64,
}

/// How a permit ended, to rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its holder said that it happened.
    Completed,
    /// Its holder said that it was tried in vain.
    Failed,
    /// Its holder said that it was not begun.
    Cancelled,
    /// Nobody said.
    Unknown,
}

pub fn set(state: &mut State, event: &RuleSet) {
    let rule = &event.rule;
    let key = match state.rules.key(&rule.id) {
        Some(key) => key,
        None => {
            let key = state.rules.entries.len() as RuleKey;
            state.rules.by_id.insert(rule.id.clone(), key);
            state.rules.entries.push(Some(Entry {
                rule: rule.clone(),
                version: 0,
                versions: Vec::new(),
                era: 0,
                tripped: BTreeSet::new(),
                stopped: 0,
                in_flight: 0,
                waiting: BTreeMap::new(),
                cases: [None, None],
            }));
            key
        }
    };
    unfile(state, key);
    let Some(entry) = state.rules.get_mut(key) else {
        return;
    };
    let former = std::mem::replace(&mut entry.rule, rule.clone());
    if entry.version > 0 {
        if !counts_alike(&former, rule) {
            entry.tripped.clear();
            entry.in_flight = 0;
            entry.era += 1;
        }
        entry.versions.push(Version {
            version: entry.version,
            rule: former,
        });
        if entry.versions.len() > VERSIONS_MAX {
            entry.versions.remove(0);
        }
    }
    entry.version = event.version;
    compile(state, key);
    wake_all(state, key);
}

/// Whether what was remembered for one means the same to the other.
fn counts_alike(one: &Rule, other: &Rule) -> bool {
    let summed = |rule: &Rule| match &rule.form {
        Form::Quota(quota) => quota.sum.clone(),
        _ => None,
    };
    std::mem::discriminant(&one.form) == std::mem::discriminant(&other.form)
        && one.when == other.when
        && one.form.other_case() == other.form.other_case()
        && per(&one.form) == per(&other.form)
        && summed(one) == summed(other)
}

/// Files a rule under its cases; also when a snapshot was read.
pub fn compile(state: &mut State, key: RuleKey) {
    let Some(Some(entry)) = state.rules.entries.get_mut(key as usize) else {
        return;
    };
    if !is_asked(&entry.rule) {
        return;
    }
    let rule: Arc<Rule> = entry.rule.clone();
    let cases = [
        (Side::Own, Some(&rule.when)),
        (Side::Other, rule.form.other_case()),
    ];
    for (side, case) in cases {
        let Some(case) = case else {
            continue;
        };
        let scopes = &mut state.scopes;
        let compiled = CompiledCase::new(case, |path| scopes.ensure(path.as_str()));
        let rules = &mut state.rules;
        rules
            .index
            .insert(Slot::new(key, side).number(), &compiled.selector);
        if let Some(entry) = rules.get_mut(key) {
            entry.cases[side as usize] = Some(compiled);
        }
    }
}

fn unfile(state: &mut State, key: RuleKey) {
    let Some(Some(entry)) = state.rules.entries.get_mut(key as usize) else {
        return;
    };
    for side in [Side::Own, Side::Other] {
        if let Some(case) = entry.cases[side as usize].take() {
            let slot = Slot::new(key, side);
            state.rules.index.remove(slot.number(), &case.selector);
        }
    }
}

/// Those who wait for it are let through to the next gate.
pub fn removed(state: &mut State, event: &RuleRemoved) {
    let Some(key) = state.rules.by_id.swap_remove(&event.rule) else {
        return;
    };
    unfile(state, key);
    wake_all(state, key);
    let entry = &mut state.rules.entries[key as usize];
    if entry.as_ref().is_some_and(|entry| entry.waiting.is_empty()) {
        *entry = None;
    } // Else kept, unfiled, until the last waiter has left.
}

pub fn tripped(state: &mut State, event: &RuleTripped) {
    if let Some(key) = state.rules.key(&event.rule)
        && let Some(entry) = state.rules.get_mut(key)
    {
        entry.tripped.insert(event.key.clone());
    }
}

/// What was done before a reset counts no more, or the next request would trip it again.
pub fn reset(state: &mut State, event: &RuleReset) {
    if let Some(key) = state.rules.key(&event.rule)
        && let Some(entry) = state.rules.get_mut(key)
    {
        let (slot, era) = (Slot::new(key, Side::Own), entry.era);
        for thing in std::mem::take(&mut entry.tripped) {
            let things = &mut state.rules.things;
            if let Some(thing) = things.find(&thing)
                && let Some(tally) = things.tally_mut(thing, slot, era)
            {
                tally.clear();
            }
        }
    }
}

/// Marks what a grant is to rules. A rule that is gone by now is passed over. `keys` are the rules', if known.
pub fn begin(
    state: &mut State,
    marks: &[Mark],
    keys: Option<&RuleKeys>,
    agent: &AgentId,
) -> Option<Kept> {
    if marks.is_empty() {
        return None;
    }
    // What was found while deciding may have been swept away.
    let is_swept = sweep(state);
    let keys_of_things = keys.filter(|_| !is_swept);
    let rules = &mut state.rules;
    let agent = rules.agents.ensure(agent);
    let count = marks.iter().map(|mark| mark.rules.len()).sum();
    let mut kept = Vec::with_capacity(count);
    let mut number = 0;
    for (nth, mark) in marks.iter().enumerate() {
        let known = keys_of_things.and_then(|keys| keys.things[nth]);
        let thing = known.unwrap_or_else(|| rules.things.ensure(&mark.key));
        let before = kept.len();
        for marked in &mark.rules {
            let rule = match keys {
                Some(keys) => Some(keys.rules[number]),
                None => rules.key(&marked.rule),
            };
            number += 1;
            let Some((rule, entry)) = rule.and_then(|key| Some((key, rules.get_mut(key)?))) else {
                continue;
            };
            entry.in_flight += 1;
            let era = entry.era;
            let kept_mark = KeptMark {
                slot: Slot::new(rule, marked.side),
                era,
                thing,
                agent,
                micros: marked.micros.unwrap_or(ONE),
            };
            let tally = rules.things.ensure_tally(thing, kept_mark.slot, era);
            tally.begin(agent, kept_mark.micros);
            kept.push(kept_mark);
        }
        if kept.len() == before {
            rules.things.drop_if_empty(thing);
        }
    }
    (!kept.is_empty()).then(|| kept.into_boxed_slice())
}

/// Marks again what a permit that holds is to rules, when a snapshot was read.
pub fn begin_again(state: &mut State, marks: &Kept) {
    for mark in marks {
        let rules = &mut state.rules;
        if let Some(tally) = rules.things.tally_mut(mark.thing, mark.slot, mark.era) {
            tally.begin(mark.agent, mark.micros);
            if let Some(entry) = rules.get_mut(mark.slot.rule())
                && entry.era == mark.era
            {
                entry.in_flight += 1;
            }
        }
    }
}

/// What a permit was to rules is over: done, or not.
pub fn end(state: &mut State, marks: &Kept, how: End, at: Time) {
    for mark in marks {
        let rules = &mut state.rules;
        let rule = mark.slot.rule();
        let Some(tally) = rules.things.tally_mut(mark.thing, mark.slot, mark.era) else {
            continue;
        };
        let entry = rules.entries.get_mut(rule as usize);
        let entry = entry.and_then(Option::as_mut);
        let Some(entry) = entry.filter(|entry| entry.era == mark.era) else {
            // The rule is gone, or has begun anew.
            tally.end(mark.agent, mark.micros, None, Keep::Last, 0);
            continue;
        };
        entry.in_flight -= 1;
        let form = &entry.rule.form;
        let happened = match (how, form) {
            (End::Completed, _) | (End::Failed, Form::Throttle(_)) => true,
            (End::Unknown, form) => !matches!(form, Form::Sequence(_)),
            (End::Failed | End::Cancelled, _) => false,
        };
        let done = happened.then_some(at);
        tally.end(mark.agent, mark.micros, done, keep(form), window(form));
        if !entry.waiting.is_empty() {
            let thing = rules.things.key(mark.thing).clone();
            state.wakes.insert(Wake::Rule(rule, thing));
        }
    }
    for of_one in marks.chunk_by(|mark, next| mark.thing == next.thing) {
        state.rules.things.drop_if_empty(of_one[0].thing);
    }
}

/// Forgets what no rule remembers any more, when many things stand; whether it did.
fn sweep(state: &mut State) -> bool {
    let now = state.now;
    let rules = &mut state.rules;
    if !rules.things.are_many() {
        return false;
    }
    let entries = &rules.entries;
    rules.things.sweep(|tally| {
        let entry = entries.get(tally.slot.rule() as usize);
        match entry.and_then(Option::as_ref) {
            Some(entry) if entry.era == tally.era => tally.forget(now, window(&entry.rule.form)),
            _ => tally.clear(),
        }
    });
    let named = rules.things.tallies().flat_map(Tally::agents);
    rules.agents.drop_unnamed(named);
    true
}

fn wake_all(state: &mut State, key: RuleKey) {
    let waiting = state.rules.get(key).map(|entry| &entry.waiting);
    let things = waiting.into_iter().flat_map(BTreeMap::keys).cloned();
    let wakes: Vec<Wake> = things.map(|thing| Wake::Rule(key, thing)).collect();
    state.wakes.extend(wakes);
}
