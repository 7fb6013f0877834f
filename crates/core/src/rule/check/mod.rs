//! What is wrong with a rule by itself, and with two or more together: that nothing could pass, that nothing could be
//! stopped, that one says what another says already.
//!
//! An error is certain: no request whatever could make the rule mean something, or pass it. It is refused. All else is a
//! warning. Rules of which one is not enforced are not in each other's way.
mod alone;
mod cycle;
mod pair;
#[cfg(test)]
mod tests;

use super::cases::{Span, covers, disjoint};
use alone::alone;
use cycle::cycle;
use fleet_types::finding::{Finding, Level};
use fleet_types::rule::{Bounds, Case, Condition, Form, Per, Rule, Stage};
use fleet_types::{RuleId, Text};
use pair::pair;
use smol_str::SmolStr;

/// Findings told of one rule; more help nobody.
const FINDINGS_MAX: usize = 16;

/// What is wrong with rules that stand together, each with the number of the rule it is about and of the other one.
#[must_use]
pub fn all(rules: &[Rule]) -> Vec<(usize, Option<usize>, Finding)> {
    let mut found = Vec::new();
    for (number, rule) in rules.iter().enumerate() {
        let place = |id: &RuleId| rules.iter().position(|rule| rule.id == *id);
        let mut of = alone(rule);
        for before in &rules[..number] {
            of.extend(pair(rule, before));
        }
        let before = || rules[..number].iter();
        of.extend(cycle(rule, before));
        for finding in of {
            let other = finding.other.as_ref().and_then(place);
            found.push((number, other, finding));
        }
    }
    found
}

/// What is wrong with a rule among others.
pub fn among<'r, I: Iterator<Item = &'r Rule>>(
    rule: &'r Rule,
    others: impl Fn() -> I,
) -> Vec<Finding> {
    let mut found = alone(rule);
    for other in others().filter(|other| other.id != rule.id) {
        found.extend(pair(rule, other));
        if found.len() >= FINDINGS_MAX {
            break;
        }
    }
    found.extend(cycle(rule, || others().filter(|other| other.id != rule.id)));
    // What refuses it first.
    found.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    found.truncate(FINDINGS_MAX);
    found
}

fn finding(level: Level, rule: &Rule, field: impl AsRef<str>, words: impl AsRef<str>) -> Finding {
    Finding {
        level,
        rule: rule.id.clone(),
        field: SmolStr::new(field),
        other: None,
        words: Text::clip(words.as_ref()),
    }
}

fn between(level: Level, rule: &Rule, other: &Rule, field: &str, words: String) -> Finding {
    Finding {
        other: Some(other.id.clone()),
        ..finding(level, rule, field, words)
    }
}

/// What the form calls its other case.
pub fn other_field(form: &Form) -> &'static str {
    match form {
        Form::Contradiction(_) => "form.contradiction.with",
        Form::Exclusion(_) => "form.exclusion.with",
        Form::Sequence(_) => "form.sequence.after",
        Form::Separation(_) => "form.separation.from",
        Form::Bounds(_)
        | Form::CoolingOff(_)
        | Form::Quota(_)
        | Form::Throttle(_)
        | Form::Approval(_)
        | Form::Allocation(_)
        | Form::Resolution(_) => "form",
    }
}

/// Whether every request of `narrow` that is remembered is judged by a rule of `wide`. One that is about resources passes
/// over requests that claim none.
fn is_asked_of_all(
    wide: &Case,
    judged: Option<&Per>,
    narrow: &Case,
    remembered: Option<&Per>,
) -> bool {
    let has_resource = |per: Option<&Per>| per.is_some_and(Per::has_resource);
    covers(wide, narrow)
        && (!has_resource(judged) || has_resource(remembered) || narrow.resource.is_some())
}

/// The values that bounds let pass.
fn span(bounds: &Bounds) -> Span<'_> {
    Span {
        low: bounds.at_least.as_ref().map(|bound| (bound, true)),
        high: bounds.at_most.as_ref().map(|bound| (bound, true)),
    }
}

/// Whether bounds let nothing of a case pass: it has no value that they allow.
fn is_closed(bounds: &Bounds, case: &Case) -> bool {
    let Some(condition) = case.parameters.get(&bounds.parameter) else {
        return false;
    };
    let allowed = Condition {
        at_least: bounds.at_least.clone(),
        at_most: bounds.at_most.clone(),
        ..Default::default()
    };
    disjoint(&allowed, condition) || condition.matches.is_some()
}

fn is_enforced(rule: &Rule) -> bool {
    rule.stage == Stage::Enforce
}
