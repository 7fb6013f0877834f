//! What setting rules, and the lives of permits, do to them.
use super::agents::AgentNumber;
use super::decide::{VERSIONS_MAX, is_asked};
use super::forms::ONE;
use super::judge::{MarkKey, Watched};
use super::tally::{Done, Flight, How, Tally};
use super::things::ThingKey;
use super::watch::{CaseKey, WatchKey};
use super::{Change, Entry, RuleKey, Rules, Slot, Version, is_order, per, window};
use crate::agent::AgentKey;
use crate::state::{State, Wake};
use fleet_types::event::{RuleRemoved, RuleReset, RuleSet, RuleTripped};
use fleet_types::rule::{Form, Mark, Rule, Side};
use fleet_types::{Actor, AgentId, ScopePath, Seq, Time};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a permit is to rules, kept with it until it ends: those of one thing together.
pub type Kept = Box<[KeptMark]>;

/// What a permit is to one watch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptMark {
    pub watch: WatchKey,
    pub thing: ThingKey,
    pub agent: AgentNumber,
    pub micros: u64,
    /// Where the grant stands in the journal.
    pub seq: Seq,
}

pub fn set(state: &mut State, event: &RuleSet, by: &Actor, seq: Seq) {
    let rule = &event.rule;
    let change = Change {
        at: state.now,
        by: by.clone(),
        reason: event.reason.clone(),
        warnings: event.warnings.clone(),
    };
    let key = match state.rules.key(&rule.id) {
        Some(key) => key,
        None => {
            let key = state.rules.entries.len() as RuleKey;
            state.rules.by_id.insert(rule.id.clone(), key);
            state.rules.entries.push(Some(Entry {
                rule: rule.clone(),
                version: 0,
                change: None,
                versions: Vec::new(),
                since: seq,
                tripped: BTreeSet::new(),
                resets: BTreeMap::new(),
                shares: BTreeMap::new(),
                stopped: 0,
                foreign: [0; 2],
                waiting: BTreeMap::new(),
                cases: [None; 2],
                watches: [None; 2],
            }));
            key
        }
    };
    let Some(entry) = state.rules.get_mut(key) else {
        return;
    };
    let former = std::mem::replace(&mut entry.rule, rule.clone());
    let changed = entry.change.replace(Arc::new(change));
    let goes_on = entry.version > 0 && counts_alike(&former, rule);
    if !goes_on {
        entry.tripped.clear();
        entry.resets.clear();
        entry.shares.clear();
        entry.since = seq;
    }
    if entry.version > 0 {
        entry.versions.push(Version {
            version: entry.version,
            rule: former.clone(),
            change: changed,
        });
        if entry.versions.len() > VERSIONS_MAX {
            entry.versions.remove(0);
        }
    }
    entry.version = event.version;
    let looked_at = looks_at(entry);
    let asks = is_approval(&former) || is_approval(rule);
    state.rules.orders.unfile(key);
    compile(state, key);
    leave(state, key, looked_at);
    if !goes_on {
        let rules = &mut state.rules;
        if let Some(Some(entry)) = rules.entries.get_mut(key as usize) {
            let watches = &rules.watches;
            let in_flight = |watch: Option<WatchKey>| Some(watches.get(watch?)?.in_flight);
            entry.foreign = entry.watches.map(|watch| in_flight(watch).unwrap_or(0));
        }
    }
    wake_all(state, key);
    state.wake_approvals(asks);
}

fn is_approval(rule: &Rule) -> bool {
    matches!(rule.form, Form::Approval(_))
}

/// Whether what was remembered for one means the same to the other.
fn counts_alike(one: &Rule, other: &Rule) -> bool {
    let summed = |rule: &Rule| match &rule.form {
        Form::Quota(quota) => quota.sum.clone(),
        _ => None,
    };
    // A draft looks at nothing, so it begins anew.
    is_asked(one)
        && is_asked(other)
        && std::mem::discriminant(&one.form) == std::mem::discriminant(&other.form)
        && one.when == other.when
        && one.form.other_case() == other.form.other_case()
        && per(&one.form) == per(&other.form)
        && summed(one) == summed(other)
}

/// What a rule looks at, by side.
type LooksAt = [Option<(CaseKey, Option<WatchKey>)>; 2];

fn looks_at(entry: &Entry) -> LooksAt {
    [Side::Own, Side::Other].map(|side| {
        let case = entry.cases[side as usize]?;
        Some((case, entry.watches[side as usize]))
    })
}

/// Lets a rule look at its cases; also when a snapshot was read.
pub fn compile(state: &mut State, key: RuleKey) {
    let Some(Some(entry)) = state.rules.entries.get_mut(key as usize) else {
        return;
    };
    (entry.cases, entry.watches) = ([None; 2], [None; 2]);
    if !is_asked(&entry.rule) {
        return;
    }
    let rule: Arc<Rule> = entry.rule.clone();
    if is_order(&rule.form) {
        let (scopes, orders) = (&mut state.scopes, &mut state.rules.orders);
        return orders.file(key, &rule.when, |path| scopes.ensure(path.as_str()));
    }
    let cases = [
        (Side::Own, Some(&rule.when)),
        (Side::Other, rule.form.other_case()),
    ];
    for (side, case) in cases {
        let Some(case) = case else {
            continue;
        };
        let (scopes, rules) = (&mut state.scopes, &mut state.rules);
        let slot = Slot::new(key, side);
        let scope_key = |path: &ScopePath| scopes.ensure(path.as_str());
        let (case, watch) = rules.watches.join(slot, (&rule, case), scope_key);
        if let Some(entry) = rules.get_mut(key) {
            entry.cases[side as usize] = Some(case);
            entry.watches[side as usize] = watch;
        }
        if let Some(watch) = watch {
            rules.watches.refit(watch, &rules.entries);
        }
    }
    sum_up(&mut state.rules, key);
}

/// What the rules of its cases ask together has changed.
fn sum_up(rules: &mut Rules, key: RuleKey) {
    let cases = rules.get(key).map(|entry| entry.cases);
    for case in cases.into_iter().flatten().flatten() {
        rules.watches.sum_up(case, &rules.entries);
    }
}

fn leave(state: &mut State, key: RuleKey, looked_at: LooksAt) {
    let rules = &mut state.rules;
    for (side, looked_at) in [Side::Own, Side::Other].into_iter().zip(looked_at) {
        if let Some((case, watch)) = looked_at {
            rules.watches.leave(Slot::new(key, side), case, watch);
            if let Some(watch) = watch {
                rules.watches.refit(watch, &rules.entries);
            }
            rules.watches.sum_up(case, &rules.entries);
        }
    }
}

/// Those who wait for it are let through to the next gate.
pub fn removed(state: &mut State, event: &RuleRemoved) {
    let Some(key) = state.rules.by_id.swap_remove(&event.rule) else {
        return;
    };
    let looked_at = state.rules.get_mut(key).map(|entry| {
        let looked_at = looks_at(entry);
        (entry.cases, entry.watches) = ([None; 2], [None; 2]);
        looked_at
    });
    leave(state, key, looked_at.unwrap_or_default());
    state.rules.orders.unfile(key);
    wake_all(state, key);
    let asks = state.rules.get(key).is_some_and(|it| is_approval(&it.rule));
    state.wake_approvals(asks);
    let entry = &mut state.rules.entries[key as usize];
    if entry.as_ref().is_some_and(|entry| entry.waiting.is_empty()) {
        *entry = None;
    } // Else kept, looking at nothing, until the last waiter has left.
}

pub fn tripped(state: &mut State, event: &RuleTripped) {
    if let Some(key) = state.rules.key(&event.rule)
        && let Some(entry) = state.rules.get_mut(key)
    {
        entry.tripped.insert(event.key.clone());
        sum_up(&mut state.rules, key);
    }
}

/// What was done before a reset counts no more, or the next request would trip it again.
pub fn reset(state: &mut State, event: &RuleReset, at: Time) {
    if let Some(key) = state.rules.key(&event.rule)
        && let Some(entry) = state.rules.get_mut(key)
    {
        let tripped = std::mem::take(&mut entry.tripped);
        entry
            .resets
            .extend(tripped.into_iter().map(|thing| (thing, at)));
        sum_up(&mut state.rules, key);
    }
}

/// Marks what a grant is to rules. A rule that is gone by now is passed over. `keys` are those of the marks, if known.
pub fn begin(
    state: &mut State,
    marks: &[Mark],
    keys: Option<&[MarkKey]>,
    (agent_key, agent): (AgentKey, &AgentId),
    seq: Seq,
) -> Option<Kept> {
    if marks.is_empty() {
        return None;
    }
    // A thing that was found while deciding may have been swept away.
    let is_swept = sweep(state);
    let rules = &mut state.rules;
    let number = rules.agents.ensure(agent_key, agent);
    let mut kept = Vec::with_capacity(marks.len());
    let mut before: Option<(&SmolStr, ThingKey)> = None;
    for (nth, mark) in marks.iter().enumerate() {
        let known = keys.map(|keys| keys[nth]);
        let watched = match known {
            Some(known) => SmallVec::from_elem(known.watched, 1),
            None => watched(rules, mark),
        };
        if watched.is_empty() {
            continue;
        }
        let here = before.filter(|(key, _)| **key == mark.key);
        let here = here.map(|(_, thing)| thing);
        let here = here.or_else(|| known.filter(|_| !is_swept)?.thing);
        let thing = here.unwrap_or_else(|| rules.things.ensure(&mark.key));
        before = Some((&mark.key, thing));
        if mark.key == *agent.text() {
            rules.agents.set_hint(agent_key, thing);
        }
        for (watch, micros) in watched {
            let is_it = |kept: &KeptMark| (kept.thing, kept.watch) == (thing, watch);
            if known.is_none() && kept.iter().any(is_it) {
                continue; // Named by two marks.
            }
            let tally = rules.things.ensure_tally(thing, watch);
            tally.begin(Flight {
                seq,
                micros,
                agent: number,
            });
            if let Some(watch) = rules.watches.get_mut(watch) {
                watch.in_flight += 1;
            }
            kept.push(KeptMark {
                watch,
                thing,
                agent: number,
                micros,
                seq,
            });
        }
    }
    (!kept.is_empty()).then(|| kept.into_boxed_slice())
}

/// What the rules of a mark remember it by, each once.
fn watched(rules: &Rules, mark: &Mark) -> SmallVec<[Watched; 4]> {
    let mut all = SmallVec::<[Watched; 4]>::new();
    for (rule, side) in mark.rules.sides.iter() {
        let entry = rules.key(rule).and_then(|key| rules.get(key));
        let watch = entry.and_then(|entry| entry.watches[*side as usize]);
        if let Some(watch) = watch
            && all.iter().all(|(other, _)| *other != watch)
        {
            all.push((watch, mark.rules.micros.unwrap_or(ONE)));
        }
    }
    all
}

/// Marks again what a permit that holds is to rules, when a snapshot was read.
pub fn begin_again(state: &mut State, marks: &Kept) {
    let rules = &mut state.rules;
    for mark in marks {
        if let Some(tally) = rules.things.tally_mut(mark.thing, mark.watch) {
            tally.begin(Flight {
                seq: mark.seq,
                micros: mark.micros,
                agent: mark.agent,
            });
        }
        let Some(watch) = rules.watches.get_mut(mark.watch) else {
            continue;
        };
        watch.in_flight += 1;
        for slot in watch.users.iter().filter(|_| mark.seq <= watch.fit.since) {
            if let Some(Some(entry)) = rules.entries.get_mut(slot.rule() as usize)
                && mark.seq <= entry.since
            {
                entry.foreign[slot.side() as usize] += 1;
            }
        }
    }
}

/// What a permit was to rules is over: done, or not.
pub fn end(state: &mut State, marks: &Kept, how: Option<How>, at: Time) {
    let rules = &mut state.rules;
    for mark in marks {
        let Some(tally) = rules.things.tally_mut(mark.thing, mark.watch) else {
            continue;
        };
        tally.end(mark.seq);
        let Some(watch) = rules.watches.get_mut(mark.watch) else {
            continue; // Nobody looks there any more.
        };
        watch.in_flight -= 1;
        let how = how.filter(|how| *how != How::Failed || watch.fit.failed);
        if let Some(how) = how.filter(|_| watch.fit.window > 0) {
            let done = Done {
                at,
                seq: mark.seq,
                micros: mark.micros,
                agent: Some(mark.agent),
                how,
            };
            tally.push(done, &watch.fit);
        }
        let is_foreign = mark.seq <= watch.fit.since;
        if !is_foreign && rules.waiting == 0 {
            continue;
        }
        for slot in &watch.users {
            let Some(Some(entry)) = rules.entries.get_mut(slot.rule() as usize) else {
                continue;
            };
            if mark.seq <= entry.since {
                entry.foreign[slot.side() as usize] -= 1;
            }
            if !entry.waiting.is_empty() {
                let thing = rules.things.key(mark.thing).clone();
                state.wakes.insert(Wake::Rule(slot.rule(), thing));
            }
        }
    }
    for of_one in marks.chunk_by(|mark, next| mark.thing == next.thing) {
        rules.things.drop_if_empty(of_one[0].thing);
    }
}

/// Forgets what no rule remembers any more, when many things stand; whether it did.
fn sweep(state: &mut State) -> bool {
    let now = state.now;
    let rules = &mut state.rules;
    if !rules.things.are_many() {
        return false;
    }
    let watches = &rules.watches;
    rules.things.sweep(|tally| match watches.get(tally.watch) {
        Some(watch) => tally.forget(now, watch.fit.window),
        None => tally.clear(),
    });
    let named = rules.things.tallies().flat_map(Tally::agents);
    rules.agents.drop_unnamed(named);
    for entry in rules.entries.iter_mut().flatten() {
        let window = window(&entry.rule.form);
        entry
            .resets
            .retain(|_, at| now.0 < at.0.saturating_add(window));
    }
    true
}

fn wake_all(state: &mut State, key: RuleKey) {
    let waiting = state.rules.get(key).map(|entry| &entry.waiting);
    let things = waiting.into_iter().flat_map(BTreeMap::keys).cloned();
    let wakes: Vec<Wake> = things.map(|thing| Wake::Rule(key, thing)).collect();
    state.wakes.extend(wakes);
}
