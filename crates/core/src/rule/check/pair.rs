//! What is wrong with two rules together.
use super::{between, is_closed, is_enforced, span};
use crate::rule::cases::{covers, overlap};
use crate::rule::forms::micros;
use fleet_types::finding::{Finding, Level};
use fleet_types::rule::{Case, Form, Rule};

/// What is wrong with two rules, told of the first.
pub fn pair(rule: &Rule, other: &Rule) -> Option<Finding> {
    if !is_enforced(rule) || !is_enforced(other) {
        return None;
    }
    shut(rule, other)
        .or_else(|| never(rule, other, false))
        .or_else(|| never(other, rule, true))
        .or_else(|| needless(rule, other))
}

/// Two bounds of one argument that leave nothing between them.
fn shut(rule: &Rule, other: &Rule) -> Option<Finding> {
    let (Form::Bounds(one), Form::Bounds(two)) = (&rule.form, &other.form) else {
        return None;
    };
    if one.parameter != two.parameter || !span(one).and(span(two)).is_empty() {
        return None;
    }
    let (wide, narrow) = (&rule.when, &other.when);
    let level = match (
        covers(wide, narrow) || covers(narrow, wide),
        overlap(wide, narrow),
    ) {
        (true, _) => Level::Error,
        (false, true) => Level::Warning,
        (false, false) => return None,
    };
    let words = format!(
        "no value of {} is within these bounds and those of rule {}, and they judge the same requests",
        one.parameter, other.id
    );
    Some(between(level, rule, other, "form.bounds", words))
}

/// A sequence whose first part another rule never lets pass, or after which another one never lets the second pass.
/// `told_of_other`: the finding is about the rule that is in the sequence's way.
fn never(sequence: &Rule, other: &Rule, told_of_other: bool) -> Option<Finding> {
    let Form::Sequence(form) = &sequence.form else {
        return None;
    };
    let words = match &other.form {
        Form::Bounds(bounds)
            if covers(&other.when, &form.after) && is_closed(bounds, &form.after) =>
        {
            format!(
                "rule {} asks for what rule {} never lets pass",
                sequence.id, other.id
            )
        }
        Form::Contradiction(contradiction)
            if contradiction.per == form.per
                && contradiction.within_ms >= form.within_ms
                && [
                    (&other.when, &contradiction.with),
                    (&contradiction.with, &other.when),
                ]
                .iter()
                .any(|(one, two)| covers(one, &sequence.when) && covers(two, &form.after)) =>
        {
            format!(
                "rule {} lets it pass only within {} ms after what rule {} forbids within {} ms of it",
                sequence.id, form.within_ms.0, other.id, contradiction.within_ms.0
            )
        }
        Form::Bounds(_)
        | Form::Contradiction(_)
        | Form::Exclusion(_)
        | Form::Sequence(_)
        | Form::Separation(_)
        | Form::CoolingOff(_)
        | Form::Quota(_)
        | Form::Throttle(_)
        | Form::Approval(_)
        | Form::Allocation(_)
        | Form::Resolution(_) => return None, // They pass sooner or later.
    };
    Some(match told_of_other {
        true => between(Level::Error, other, sequence, "", words),
        false => between(Level::Error, sequence, other, "form.sequence", words),
    })
}

/// One of two rules that stops nothing that the other does not stop.
fn needless(rule: &Rule, other: &Rule) -> Option<Finding> {
    let (by_other, by_rule) = (is_stricter(other, rule), is_stricter(rule, other));
    let words = match (by_other, by_rule) {
        (true, true) => format!("says the same as rule {}; keep one of them", other.id),
        (true, false) => format!(
            "stops nothing that rule {} does not stop, which is stricter",
            other.id
        ),
        (false, true) => format!(
            "is stricter than rule {}, which stops nothing any more that this one does not",
            other.id
        ),
        (false, false) => return None,
    };
    Some(between(Level::Warning, rule, other, "", words))
}

/// Whether whatever `other` stops is certainly stopped by `rule`.
fn is_stricter(rule: &Rule, other: &Rule) -> bool {
    let own = || covers(&rule.when, &other.when);
    // In either order where the form has none.
    let both = |one: &Case, two: &Case| {
        own() && covers(one, two) || covers(&rule.when, two) && covers(one, &other.when)
    };
    match (&rule.form, &other.form) {
        (Form::Bounds(one), Form::Bounds(two)) => {
            one.parameter == two.parameter
                && (two.around.is_none() || one.around == two.around)
                && span(two).covers(&span(one))
                && own()
        }
        (Form::Contradiction(one), Form::Contradiction(two)) => {
            one.per == two.per && one.within_ms >= two.within_ms && both(&one.with, &two.with)
        }
        (Form::Contradiction(one), Form::Exclusion(two)) => {
            one.per == two.per && both(&one.with, &two.with)
        }
        (Form::Exclusion(one), Form::Exclusion(two)) => {
            one.per == two.per && both(&one.with, &two.with)
        }
        (Form::Contradiction(one), Form::Separation(two)) => {
            one.per == two.per && one.within_ms >= two.within_ms && both(&one.with, &two.from)
        }
        (Form::Separation(one), Form::Separation(two)) => {
            one.per == two.per && one.within_ms >= two.within_ms && both(&one.from, &two.from)
        }
        (Form::Sequence(one), Form::Sequence(two)) => {
            one.per == two.per
                && one.within_ms <= two.within_ms
                && own()
                && covers(&two.after, &one.after)
        }
        (Form::CoolingOff(one), Form::CoolingOff(two)) => {
            one.per == two.per && one.for_ms >= two.for_ms && own()
        }
        (Form::Quota(one), Form::Quota(two)) => {
            one.per == two.per
                && one.sum == two.sum
                && micros(&one.max) <= micros(&two.max)
                && one.window_ms >= two.window_ms
                && own()
        }
        (Form::Throttle(one), Form::Throttle(two)) => {
            one.per == two.per && one.max <= two.max && one.window_ms >= two.window_ms && own()
        }
        // Different forms pass different things.
        (
            Form::Bounds(_)
            | Form::Contradiction(_)
            | Form::Exclusion(_)
            | Form::Sequence(_)
            | Form::Separation(_)
            | Form::CoolingOff(_)
            | Form::Quota(_)
            | Form::Throttle(_)
            | Form::Approval(_)
            | Form::Allocation(_)
            | Form::Resolution(_),
            _,
        ) => false,
    }
}
