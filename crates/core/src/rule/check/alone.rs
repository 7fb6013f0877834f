//! What is wrong with a rule by itself.
use super::{finding, is_asked_of_all, is_closed, other_field};
use crate::rule::cases::{disjoint, is_impossible, is_never, patterns_overlap};
use crate::rule::forms::{ONE, micros};
use crate::rule::past::DONE_MAX;
use crate::rule::per;
use fleet_types::finding::{Finding, Level};
use fleet_types::rule::{Case, Form, Part, Per, Rule};

pub fn alone(rule: &Rule) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say =
        |level, field: &str, words: String| found.push(finding(level, rule, field, words));
    let (form, when) = (&rule.form, &rule.when);
    let cases = [("when", Some(when)), (other_field(form), form.other_case())];
    for (field, case) in cases {
        let Some(case) = case else {
            continue;
        };
        for (pointer, condition) in &case.parameters {
            if is_impossible(condition) {
                let field = format!("{field}.parameters.{pointer}");
                say(
                    Level::Error,
                    &field,
                    "holds of no value, so the rule judges nothing".into(),
                );
            }
        }
        if case.during.as_ref().is_some_and(is_never) {
            let field = format!("{field}.during");
            say(
                Level::Error,
                &field,
                "is at no time of the week, so the rule judges nothing".into(),
            );
        }
    }
    if let (Some(other), Some(per)) = (form.other_case(), per(form))
        && let Some(part) = never_one_thing(per, when, other)
    {
        let field = other_field(form);
        let words =
            format!("never has the same {part} as what the rule judges, so they never meet");
        say(Level::Error, field, words);
    }
    match form {
        Form::Bounds(bounds) => {
            let only_around = bounds.at_least.is_none() && bounds.at_most.is_none();
            let itself = bounds.around.as_ref();
            if only_around && itself.is_some_and(|it| it.parameter == bounds.parameter) {
                let words = "an argument is never far from itself, so nothing is stopped".into();
                say(Level::Error, "form.bounds.around.parameter", words);
            }
            if is_closed(bounds, when) {
                let words = "the case has only values that the form forbids: nothing of it passes";
                say(Level::Warning, "form.bounds", words.into());
            }
        }
        Form::Sequence(sequence)
            if is_asked_of_all(when, per(form), &sequence.after, per(form)) =>
        {
            let words =
                "is itself judged by the rule, so the first one could never be: nothing passes";
            say(Level::Error, "form.sequence.after", words.into());
        }
        Form::Contradiction(contradiction) if contradiction.with == *when => {
            let words = "is the case itself; say cooling_off, which means the same and says so";
            say(Level::Warning, "form.contradiction.with", words.into());
        }
        Form::Separation(separation) if !patterns_overlap(&when.agent, &separation.from.agent) => {
            let words =
                "is done by other agents than the case, and a separation is about one and the same";
            say(Level::Error, "form.separation.from.agent", words.into());
        }
        Form::Quota(quota) => {
            let max = micros(&quota.max).unwrap_or_default();
            if quota.sum.is_none() && max < ONE {
                let words = format!("{} is less than one action: nothing passes", quota.max);
                say(Level::Error, "form.quota.max", words);
            } else if quota.sum.is_none() && max / ONE > DONE_MAX as u64 {
                say(Level::Warning, "form.quota.max", put_together());
            }
        }
        Form::Throttle(throttle) if throttle.max as usize > DONE_MAX => {
            say(Level::Warning, "form.throttle.max", put_together());
        }
        Form::Contradiction(_)
        | Form::Exclusion(_)
        | Form::Sequence(_)
        | Form::Separation(_)
        | Form::CoolingOff(_)
        | Form::Throttle(_)
        | Form::Approval(_)
        | Form::Allocation(_)
        | Form::Resolution(_) => {}
    }
    found
}

fn put_together() -> String {
    format!(
        "more than the {DONE_MAX} entries of one thing that are told apart: past them neighbours are put together under \
         the later time, and the count falls later than it could"
    )
}

/// A part in which requests of two cases can never agree.
fn never_one_thing(per: &Per, one: &Case, other: &Case) -> Option<String> {
    let differs = |part: &&Part| match part {
        Part::Resource => match (&one.resource, &other.resource) {
            (Some(one), Some(other)) => !one.touches(other),
            (None, _) | (_, None) => false,
        },
        Part::Agent => !patterns_overlap(&one.agent, &other.agent),
        Part::Action => !patterns_overlap(&one.action, &other.action),
        Part::Label(key) => match (one.labels.get(key), other.labels.get(key)) {
            (Some(one), Some(other)) => one != other,
            (None, _) | (_, None) => false,
        },
        Part::Parameter(pointer) => {
            let both = one
                .parameters
                .get(pointer)
                .zip(other.parameters.get(pointer));
            both.is_some_and(|(one, other)| disjoint(one, other))
        }
    };
    per.parts().iter().find(differs).map(ToString::to_string)
}
