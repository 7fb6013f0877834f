//! Rules, and what they do.
use super::{page, sorted};
use crate::map::Map;
use crate::permit::Phase;
use crate::rule::{Entry, RuleKey};
use crate::state::State;
use fleet_types::RuleId;
use fleet_types::view::{Page, Rule, RuleVersion};
use std::collections::BTreeSet;

/// Things shown that one rule has tripped for.
const TRIPPED_MAX: usize = 100;

/// Rules by id, or the one with this id: that with its earlier versions.
#[must_use]
pub fn rules(
    state: &State,
    only: Option<&RuleId>,
    after: Option<&str>,
    count: usize,
) -> Page<Rule> {
    let in_flight = in_flight(state);
    let rows = sorted(state.rules.by_id.iter(), after, |_| true);
    let rows = rows.into_iter().filter_map(|(id, key)| {
        let entry = state.rules.get(*key)?;
        if only.is_some_and(|only| *only != entry.rule.id) {
            return None;
        }
        let in_flight = in_flight.get(key).copied().unwrap_or_default();
        let mut view = view(entry, in_flight);
        if only.is_some() {
            view.versions = versions(entry);
        }
        Some((id, view))
    });
    page(state, rows, after, count)
}

fn view(entry: &Entry, in_flight: u64) -> Rule {
    Rule {
        rule: (*entry.rule).clone(),
        version: entry.version,
        stopped: entry.stopped,
        waiting: entry.waiting.values().map(|line| line.len() as u64).sum(),
        in_flight,
        tripped: entry.tripped.iter().take(TRIPPED_MAX).cloned().collect(),
        versions: Vec::new(),
    }
}

fn versions(entry: &Entry) -> Vec<RuleVersion> {
    let versions = entry.versions.iter().map(|former| RuleVersion {
        version: former.version,
        rule: (*former.rule).clone(),
    });
    versions.collect()
}

/// How many permits that hold belong to cases of each rule.
fn in_flight(state: &State) -> Map<RuleKey, u64> {
    let mut counts = Map::default();
    for (_, permit) in state.permits.iter() {
        let Phase::Granted(granted) = &permit.phase else {
            continue;
        };
        let mut seen = BTreeSet::new();
        for mark in granted.marks.iter().flat_map(|marks| marks.iter()) {
            let rule = mark.slot.rule();
            let entry = state.rules.get(rule);
            if entry.is_some_and(|entry| entry.era == mark.era) && seen.insert(rule) {
                *counts.entry(rule).or_default() += 1;
            }
        }
    }
    counts
}
