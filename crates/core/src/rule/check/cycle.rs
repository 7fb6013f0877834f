//! Sequences that wait for each other.
use super::{between, is_asked_of_all, is_enforced};
use crate::rule::per;
use fleet_types::RuleId;
use fleet_types::finding::{Finding, Level};
use fleet_types::rule::{Case, Form, Per, Rule};
use std::collections::BTreeSet;

/// Sequences that wait for each other: the first part of each is judged by the next, and of the last by the first.
pub fn cycle<'r, I: Iterator<Item = &'r Rule>>(
    rule: &'r Rule,
    others: impl Fn() -> I,
) -> Option<Finding> {
    let Form::Sequence(own) = &rule.form else {
        return None;
    };
    if !is_enforced(rule) {
        return None;
    }
    let judges = |rule: &Rule, after: &Case, remembered: &Per| {
        is_asked_of_all(&rule.when, per(&rule.form), after, Some(remembered))
    };
    let mut seen: BTreeSet<&RuleId> = BTreeSet::new();
    // Rules that are still to be followed, and those on the way to them.
    let mut open: Vec<Vec<&Rule>> = Vec::new();
    let mut at = (own, Vec::new());
    loop {
        for other in others().filter(|other| is_enforced(other)) {
            let Form::Sequence(form) = &other.form else {
                continue;
            };
            if !judges(other, &at.0.after, &at.0.per) || !seen.insert(&other.id) {
                continue;
            }
            let mut way = at.1.clone();
            way.push(other);
            if judges(rule, &form.after, &form.per) {
                let names: Vec<String> = way.iter().map(|rule| rule.id.to_string()).collect();
                let words = format!(
                    "what must come first waits, by way of {}, for what this rule judges itself: nothing of them could ever be first",
                    names.join(", ")
                );
                return Some(between(
                    Level::Error,
                    rule,
                    way[0],
                    "form.sequence.after",
                    words,
                ));
            }
            open.push(way);
        }
        let way = open.pop()?;
        let Form::Sequence(form) = &way.last()?.form else {
            return None;
        };
        at = (form, way);
    }
}
