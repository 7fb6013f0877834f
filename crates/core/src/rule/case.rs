//! Does a request belong to a case?
use crate::agent::Agent;
use crate::scope::ScopeKey;
use crate::selector::Compiled;
use fleet_types::calendar::{Calendar, Weekday};
use fleet_types::permit::Request;
use fleet_types::rule::{Case, Condition};
use fleet_types::{ScopePath, Time};
use serde_json::{Number, Value};
use std::cmp::Ordering;

const MINUTES_PER_DAY: i64 = 24 * 60;
const DAYS: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

/// A case with its scope as a key.
#[derive(Debug)]
pub struct CompiledCase {
    pub selector: Compiled,
    pub case: Case,
}

impl CompiledCase {
    pub fn new(case: &Case, scope_key: impl FnOnce(&ScopePath) -> ScopeKey) -> Self {
        CompiledCase {
            selector: Compiled::new(&case.selector(), scope_key),
            case: case.clone(),
        }
    }

    pub fn matches(&self, agent: &Agent, request: &Request, now: Time) -> bool {
        self.selector.matches(agent, request) && meets_conditions(&self.case, request, now)
    }
}

/// Whether the arguments and the time are those of a case.
pub fn meets_conditions(case: &Case, request: &Request, now: Time) -> bool {
    let arguments = request.parameters.as_deref();
    case.parameters.iter().all(|(pointer, condition)| {
        let argument = arguments.and_then(|arguments| pointer.find(arguments));
        argument.is_some_and(|argument| meets(condition, argument))
    }) && case
        .during
        .as_ref()
        .is_none_or(|times| is_during(times, now))
}

pub fn meets(condition: &Condition, argument: &Value) -> bool {
    let Condition {
        equals,
        one_of,
        at_least,
        at_most,
        above,
        below,
        matches,
    } = condition;
    let is = |value: &Value| match (value, argument) {
        (Value::Number(one), Value::Number(other)) => compare(one, other).is_eq(),
        _ => value == argument,
    };
    let order = |bound: &Number| match argument {
        Value::Number(number) => Some(compare(number, bound)),
        _ => None,
    };
    let stands = |bound: &Option<Number>, wanted: fn(Ordering) -> bool| {
        let order = bound.as_ref().map(order);
        order.is_none_or(|order| order.is_some_and(wanted))
    };
    equals.as_ref().is_none_or(is)
        && (one_of.is_empty() || one_of.iter().any(is))
        && stands(at_least, Ordering::is_ge)
        && stands(at_most, Ordering::is_le)
        && stands(above, Ordering::is_gt)
        && stands(below, Ordering::is_lt)
        && matches
            .as_ref()
            .is_none_or(|pattern| argument.as_str().is_some_and(|text| pattern.matches(text)))
}

/// Whole numbers exactly, others as the nearest double: JSON has no NaN.
pub fn compare(one: &Number, other: &Number) -> Ordering {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => double(one).total_cmp(&double(other)),
    }
}

pub fn double(number: &Number) -> f64 {
    // A zero has one sign here.
    number.as_f64().unwrap_or_default() + 0.0
}

pub fn is_during(times: &Calendar, now: Time) -> bool {
    let minutes = (now.0 / 60_000_000) as i64 + i64::from(times.utc_offset_minutes);
    let (day, minute) = (
        minutes.div_euclid(MINUTES_PER_DAY),
        minutes.rem_euclid(MINUTES_PER_DAY),
    );
    let (from, to) = (
        i64::from(times.from.minutes()),
        i64::from(times.to.minutes()),
    );
    // 1970-01-01 was a Thursday.
    let is_on = |day: i64| {
        times.days.is_empty() || times.days.contains(&DAYS[(day + 3).rem_euclid(7) as usize])
    };
    if from < to {
        return is_on(day) && (from..to).contains(&minute);
    }
    // Over midnight: the part behind it belongs to the day on which it began.
    is_on(day) && minute >= from || is_on(day - 1) && minute < to
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn condition(text: Value, argument: Value) -> bool {
        meets(&serde_json::from_value(text).unwrap(), &argument)
    }

    #[test]
    fn conditions_hold_of_what_they_say() {
        assert!(condition(json!({"above": 10, "at_most": 20}), json!(20)));
        assert!(!condition(json!({"above": 10}), json!(10)));
        assert!(condition(json!({"at_least": 0.1}), json!(0.1)));
        assert!(!condition(
            json!({"below": 9_007_199_254_740_993_u64}),
            json!(9_007_199_254_740_993_u64)
        ));
        assert!(condition(
            json!({"below": 9_007_199_254_740_993_u64}),
            json!(9_007_199_254_740_992_u64)
        ));
        assert!(condition(json!({"equals": 1}), json!(1.0)));
        assert!(condition(json!({"at_least": 0}), json!(-0.0)));
        assert!(condition(json!({"one_of": ["EUR", "USD"]}), json!("USD")));
        assert!(condition(json!({"matches": "DE.**"}), json!("DE.44")));
        assert!(!condition(json!({"above": 10}), json!("20")));
        assert!(!condition(json!({"matches": "DE*"}), json!(20)));
    }

    #[test]
    fn calendars_know_the_days_and_nights() {
        let times = |text: Value| serde_json::from_value::<Calendar>(text).unwrap();
        // 2026-11-20 was a Friday.
        let friday =
            |hour: u64, minute: u64| Time((1_795_132_800 + hour * 3_600 + minute * 60) * 1_000_000);
        let office = times(json!({"days": ["mon", "fri"], "from": "08:00", "to": "18:00"}));
        assert!(is_during(&office, friday(8, 0)) && is_during(&office, friday(17, 59)));
        assert!(!is_during(&office, friday(7, 59)) && !is_during(&office, friday(18, 0)));
        assert!(!is_during(&office, friday(24 + 9, 0)));
        let night = times(json!({"days": ["fri"], "from": "22:00", "to": "06:00"}));
        assert!(is_during(&night, friday(23, 0)) && is_during(&night, friday(24 + 5, 59)));
        assert!(!is_during(&night, friday(5, 0)) && !is_during(&night, friday(24 + 6, 0)));
        let tokyo = times(json!({"days": ["sat"], "utc_offset_minutes": 540}));
        assert!(is_during(&tokyo, friday(15, 0)) && !is_during(&tokyo, friday(14, 59)));
        assert!(is_during(&times(json!({})), friday(0, 0)));
    }

    #[test]
    fn a_number_comes_back_from_text_bit_by_bit() {
        // Arguments live in the journal as text: replay must see what was decided on (I2).
        let mut seed = 1u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let Some(number) = Number::from_f64(f64::from_bits(seed)) else {
                continue;
            };
            let again: Number = serde_json::from_str(&number.to_string()).unwrap();
            assert_eq!(
                double(&again).to_bits(),
                double(&number).to_bits(),
                "{number}"
            );
        }
    }
}
