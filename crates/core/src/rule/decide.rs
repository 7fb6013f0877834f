//! Setting, rolling back, resetting and removing rules.
use super::check::other_field;
use super::forms::micros;
use super::{Entry, Version, notices};
use crate::decide::{Decided, earlier, rejected};
use crate::state::State;
use fleet_types::event::{RuleRemoved, RuleReset, RuleSet};
use fleet_types::finding::{Finding, Level};
use fleet_types::rule::{
    Allocation, COUNT_MAX, Case, Command, Condition, Form, Order, Rule, Stage, Strategy,
};
use fleet_types::{Actor, Code, Event, Millis, Rejection, RuleId, Text};
use std::sync::Arc;

/// Earlier versions that can be rolled back to; all stand in the journal.
pub const VERSIONS_MAX: usize = 32;
/// Most warnings kept with a version.
const WARNINGS_MAX: usize = 8;
/// Longest window: 31 days.
const WINDOW_MS_MAX: u64 = 31 * 86_400_000;
/// Most conditions of a case, and values of one.
const CONDITIONS_MAX: usize = 32;
/// Most places of an order.
const PLACES_MAX: usize = 100;
/// Most that a place, or a turn, is worth: a day.
const PLACE_MS_MAX: u64 = 86_400_000;

pub fn decide(state: &State, by: &Actor, command: &Command) -> Decided {
    match command {
        Command::Set { rule, reason } => set(state, rule, reason),
        Command::Remove { rule, reason } => match find(state, rule) {
            Ok(_) => Decided::event(Event::RuleRemoved(RuleRemoved {
                rule: rule.clone(),
                reason: reason.clone(),
            })),
            Err(rejection) => Decided::Rejected(rejection),
        },
        Command::RollBack {
            rule,
            version,
            reason,
        } => match find(state, rule) {
            Ok(entry) => roll_back(state, entry, *version, reason),
            Err(rejection) => Decided::Rejected(rejection),
        },
        Command::Reset { rule, reason } => match find(state, rule) {
            Ok(_) if matches!(by, Actor::Agent(_)) => rejected(
                Code::Forbidden,
                format!("an agent cannot reset rule {rule}; a person must"),
            ),
            Ok(entry) if entry.tripped.is_empty() => Decided::unchanged(),
            Ok(_) => Decided::event(Event::RuleReset(RuleReset {
                rule: rule.clone(),
                reason: reason.clone(),
            })),
            Err(rejection) => Decided::Rejected(rejection),
        },
    }
}

fn find<'s>(state: &'s State, id: &RuleId) -> Result<&'s Entry, Rejection> {
    let key = state.rules.key(id);
    key.and_then(|key| state.rules.get(key))
        .ok_or_else(|| Rejection::new(Code::NotFound, format!("there is no rule {id}")))
}

fn set(state: &State, rule: &Rule, reason: &Text) -> Decided {
    let known = find(state, &rule.id).ok();
    if known.is_some_and(|entry| *entry.rule == *rule) {
        return Decided::unchanged();
    }
    if known.is_none() && state.rules.by_id.len() >= COUNT_MAX {
        let words = format!("a fleet has at most {COUNT_MAX} rules");
        return rejected(Code::Conflict, words);
    }
    if let Err(rejection) = check(rule) {
        return Decided::Rejected(rejection);
    }
    let mut found = notices::of(state, rule);
    if let Some(refused) = found.iter().find(|finding| finding.level == Level::Error) {
        let words = match refused.field.as_str() {
            "" => refused.words.to_string(),
            field => format!("{field} {}", refused.words),
        };
        let rejection = Rejection::new(Code::Invalid, words);
        return Decided::Rejected(rejection.field(&refused.field));
    }
    found.truncate(WARNINGS_MAX);
    let rule = Arc::new(rule.clone());
    Decided::event(next_version(known, rule, reason, found))
}

fn next_version(
    known: Option<&Entry>,
    rule: Arc<Rule>,
    reason: &Text,
    warnings: Vec<Finding>,
) -> Event {
    Event::RuleSet(RuleSet {
        version: known.map_or(1, |entry| entry.version + 1),
        rule,
        reason: reason.clone(),
        warnings,
    })
}

fn roll_back(state: &State, entry: &Entry, version: Option<u32>, reason: &Text) -> Decided {
    let about = (format!("rule {}", entry.rule.id), entry.version);
    let number = |former: &Version| former.version;
    let former = match earlier(about, &entry.versions, number, version) {
        Ok(former) => former,
        Err(rejection) => return Decided::Rejected(rejection),
    };
    // It was in force before, and whoever goes back is in a hurry: nothing of what is noticed refuses it.
    let mut found = notices::of(state, &former.rule);
    found.truncate(WARNINGS_MAX);
    let rule = former.rule.clone();
    Decided::event(next_version(Some(entry), rule, reason, found))
}

fn check(rule: &Rule) -> Result<(), Rejection> {
    check_case("when", &rule.when)?;
    if let Some(other) = rule.form.other_case() {
        check_case(other_field(&rule.form), other)?;
    }
    let invalid = |field: &str, words: String| {
        Err(Rejection::new(Code::Invalid, format!("{field} {words}")).field(field))
    };
    let span = |field: &str, span: Millis| match (1..=WINDOW_MS_MAX).contains(&span.0) {
        true => Ok(()),
        false => invalid(field, format!("must be 1–{WINDOW_MS_MAX}")),
    };
    match &rule.form {
        Form::Bounds(bounds) => {
            let nothing = bounds.at_least.is_none() && bounds.at_most.is_none();
            if nothing && bounds.around.is_none() {
                return invalid("form.bounds", "needs at_least, at_most or around".into());
            }
            if let (Some(least), Some(most)) = (&bounds.at_least, &bounds.at_most)
                && super::case::compare(least, most).is_gt()
            {
                let words = format!("{least} is more than at_most {most}: nothing could pass");
                return invalid("form.bounds.at_least", words);
            }
            match &bounds.around {
                Some(collar) if !(1..=1_000_000).contains(&collar.permille) => {
                    invalid("form.bounds.around.permille", "must be 1–1000000".into())
                }
                _ => Ok(()),
            }
        }
        Form::Contradiction(form) => span("form.contradiction.within_ms", form.within_ms),
        Form::Exclusion(_) => Ok(()),
        Form::Sequence(form) => span("form.sequence.within_ms", form.within_ms),
        Form::Separation(form) => span("form.separation.within_ms", form.within_ms),
        Form::CoolingOff(form) => span("form.cooling_off.for_ms", form.for_ms),
        Form::Quota(form) => {
            span("form.quota.window_ms", form.window_ms)?;
            match micros(&form.max) {
                Some(1..) => Ok(()),
                _ => invalid(
                    "form.quota.max",
                    "must be more than 0 and at most 1000000000000".into(),
                ),
            }
        }
        Form::Allocation(form) => check_allocation(form),
        Form::Resolution(form) => {
            span("form.resolution.deadline_ms", form.deadline_ms)?;
            if let Strategy::FairShare { turn_ms } = form.strategy {
                span("form.resolution.strategy.fair_share.turn_ms", turn_ms)?;
            }
            match form.after_ms.0 {
                0 => Ok(()),
                _ => span("form.resolution.after_ms", form.after_ms),
            }
        }
        Form::Throttle(form) => {
            span("form.throttle.window_ms", form.window_ms)?;
            match form.max {
                1.. => Ok(()),
                0 => invalid("form.throttle.max", "must be at least 1".into()),
            }
        }
        Form::Approval(terms) => crate::approval::check::terms("form.approval", terms),
    }
}

pub fn check_case(name: &str, case: &Case) -> Result<(), Rejection> {
    let invalid = |field: String, words: String| {
        Err(Rejection::new(Code::Invalid, format!("{field} {words}")).field(&field))
    };
    if case.parameters.len() > CONDITIONS_MAX {
        let words = format!("has more than {CONDITIONS_MAX} conditions");
        return invalid(format!("{name}.parameters"), words);
    }
    for (pointer, condition) in &case.parameters {
        let field = || format!("{name}.parameters.{pointer}");
        if *condition == Condition::default() {
            return invalid(
                field(),
                "says nothing; name equals, one_of, at_least, …".into(),
            );
        }
        if condition.one_of.len() > CONDITIONS_MAX {
            return invalid(field(), format!("has more than {CONDITIONS_MAX} values"));
        }
    }
    if let Some(times) = &case.during
        && !(-840..=840).contains(&times.utc_offset_minutes)
    {
        return invalid(
            format!("{name}.during.utc_offset_minutes"),
            "must be -840–840".into(),
        );
    }
    Ok(())
}

/// Whether a rule is asked at all.
pub fn is_asked(rule: &Rule) -> bool {
    rule.stage != Stage::Draft
}

/// Places of an order are few, and each is worth a day at most.
fn check_allocation(form: &Allocation) -> Result<(), Rejection> {
    let invalid = |field: &str, words: String| {
        let field = format!("form.allocation.{field}");
        Err(Rejection::new(Code::Invalid, format!("{field} {words}")).field(&field))
    };
    if !(1..=PLACE_MS_MAX).contains(&form.place_ms.0) {
        return invalid("place_ms", format!("must be 1–{PLACE_MS_MAX}"));
    }
    let (field, count) = match &form.order {
        Order::Label { values, .. } => ("order.label.values", values.len()),
        Order::Agents(patterns) => ("order.agents", patterns.len()),
        Order::Groups(groups) => ("order.groups", groups.len()),
        Order::Shares { groups, turn_ms } => {
            if !(1..=PLACE_MS_MAX).contains(&turn_ms.0) {
                return invalid("order.shares.turn_ms", format!("must be 1–{PLACE_MS_MAX}"));
            }
            if let Some((group, _)) = groups.iter().find(|(_, n)| !(1..=1_000).contains(*n)) {
                let field = format!("order.shares.groups.{group}");
                return invalid(&field, "must be 1–1000".into());
            }
            ("order.shares.groups", groups.len())
        }
    };
    if !(1..=PLACES_MAX).contains(&count) {
        return invalid(field, format!("must have 1–{PLACES_MAX} entries"));
    }
    Ok(())
}
