//! Rules, and what they do.
use super::{page, sorted};
use crate::rule::Entry;
use crate::state::State;
use fleet_types::finding::Finding;
use fleet_types::view::{Page, Rule, RuleVersion};
use fleet_types::{RuleId, Text};

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
    let rows = sorted(state.rules.by_id.iter(), after, |_| true);
    let rows = rows.into_iter().filter_map(|(id, key)| {
        let entry = state.rules.get(*key)?;
        if only.is_some_and(|only| *only != entry.rule.id) {
            return None;
        }
        let mut view = view(state, entry);
        if only.is_some() {
            view.versions = versions(entry);
        }
        Some((id, view))
    });
    page(state, rows, after, count)
}

fn view(state: &State, entry: &Entry) -> Rule {
    let change = entry.change.as_deref();
    let warnings = change.map_or(&[][..], |change| &change.warnings);
    let stands = |finding: &&Finding| {
        let other = finding.other.as_ref();
        other.is_none_or(|other| state.rules.by_id.contains_key(other))
    };
    Rule {
        set_at: change.map(|change| change.at),
        set_by: change.map(|change| change.by.clone()),
        reason: change.map_or_else(Text::default, |change| change.reason.clone()),
        warnings: warnings.iter().filter(stands).cloned().collect(),
        rule: (*entry.rule).clone(),
        version: entry.version,
        stopped: entry.stopped,
        waiting: entry.waiting.values().map(|line| line.len() as u64).sum(),
        in_flight: entry.in_flight(&state.rules.watches),
        tripped: entry.tripped.iter().take(TRIPPED_MAX).cloned().collect(),
        versions: Vec::new(),
    }
}

fn versions(entry: &Entry) -> Vec<RuleVersion> {
    let versions = entry.versions.iter().map(|former| RuleVersion {
        version: former.version,
        rule: (*former.rule).clone(),
        set_at: former.change.as_ref().map(|change| change.at),
        set_by: former.change.as_ref().map(|change| change.by.clone()),
        reason: match &former.change {
            Some(change) => change.reason.clone(),
            None => Text::default(),
        },
    });
    versions.collect()
}
