//! What two cases have in common, without any request at hand: whether one holds whenever the other does, and whether
//! both can hold at once. Where that cannot be told for certain, the answer is the one that claims less.
use super::case::{compare, is_during, meets};
use fleet_types::calendar::Calendar;
use fleet_types::rule::{Case, Condition};
use fleet_types::{Pattern, Time};
use serde_json::{Number, Value};
use std::cmp::Ordering;

const MINUTES_PER_WEEK: u64 = 7 * 24 * 60;

/// Whether every request of `narrow` is certainly one of `wide`.
pub fn covers(wide: &Case, narrow: &Case) -> bool {
    let Case {
        scope,
        agent,
        group,
        action,
        resource,
        labels,
        parameters,
        during,
    } = wide;
    let pattern = |wide: &Option<Pattern>, narrow: &Option<Pattern>| match (wide, narrow) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => wide.covers(narrow),
        (Some(wide), None) => wide.as_str() == "**",
    };
    scope.as_ref().is_none_or(|wide| {
        let narrow = narrow.scope.as_ref();
        narrow.is_some_and(|narrow| wide.covers(narrow))
    }) && pattern(agent, &narrow.agent)
        && group.is_none_or_same(&narrow.group)
        && pattern(action, &narrow.action)
        // A request that claims nothing is not of a case that names resources, whichever they are.
        && match (resource, &narrow.resource) {
            (None, _) => true,
            (Some(wide), Some(narrow)) => wide.covers(narrow),
            (Some(_), None) => false,
        }
        && narrow.labels.contain(labels)
        && parameters.iter().all(|(pointer, wide)| {
            let narrow = narrow.parameters.get(pointer);
            narrow.is_some_and(|narrow| implies(narrow, wide))
        })
        && match (during, &narrow.during) {
            (None, _) => true,
            (Some(wide), None) => Week::of(wide).is_all(),
            (Some(wide), Some(narrow)) => wide == narrow || Week::of(wide).covers(&Week::of(narrow)),
        }
}

trait Same {
    fn is_none_or_same(&self, other: &Self) -> bool;
}

impl<T: PartialEq> Same for Option<T> {
    fn is_none_or_same(&self, other: &Self) -> bool {
        self.is_none() || self == other
    }
}

/// Whether a request may be of both. One that claims several resources is of cases that name different ones.
pub fn overlap(one: &Case, other: &Case) -> bool {
    let scopes = match (&one.scope, &other.scope) {
        (Some(one), Some(other)) => one.covers(other) || other.covers(one),
        (None, _) | (_, None) => true,
    };
    scopes
        && patterns_overlap(&one.agent, &other.agent)
        && patterns_overlap(&one.action, &other.action)
        && one.labels.iter().all(|(key, value)| {
            let other = other.labels.get(key);
            other.is_none_or(|other| other == value)
        })
        && one.parameters.iter().all(|(pointer, condition)| {
            let other = other.parameters.get(pointer);
            other.is_none_or(|other| !disjoint(condition, other))
        })
        && match (&one.during, &other.during) {
            (Some(one), Some(other)) => one == other || Week::of(one).meets(&Week::of(other)),
            (None, _) | (_, None) => true,
        }
}

pub fn patterns_overlap(one: &Option<Pattern>, other: &Option<Pattern>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.overlaps(other),
        (None, _) | (_, None) => true,
    }
}

/// The values that a condition names one by one.
fn named(condition: &Condition) -> Option<Vec<&Value>> {
    match &condition.equals {
        Some(value) => Some(vec![value]),
        None if condition.one_of.is_empty() => None,
        None => Some(condition.one_of.iter().collect()),
    }
}

/// Numbers between two bounds, each with whether it belongs to them.
#[derive(Clone, Copy, Default)]
pub struct Span<'a> {
    pub low: Option<(&'a Number, bool)>,
    pub high: Option<(&'a Number, bool)>,
}

impl<'a> Span<'a> {
    pub fn of(condition: &'a Condition) -> Span<'a> {
        let at_least = condition.at_least.as_ref().map(|bound| (bound, true));
        let above = condition.above.as_ref().map(|bound| (bound, false));
        let at_most = condition.at_most.as_ref().map(|bound| (bound, true));
        let below = condition.below.as_ref().map(|bound| (bound, false));
        Span {
            low: tighter(at_least, above, Ordering::Greater),
            high: tighter(at_most, below, Ordering::Less),
        }
    }

    pub fn is_all(&self) -> bool {
        self.low.is_none() && self.high.is_none()
    }

    pub fn is_empty(&self) -> bool {
        match (self.low, self.high) {
            (Some((low, from)), Some((high, to))) => match compare(low, high) {
                Ordering::Less => false,
                Ordering::Equal => !(from && to),
                Ordering::Greater => true,
            },
            (None, _) | (_, None) => false,
        }
    }

    /// What is in both.
    pub fn and(self, other: Span<'a>) -> Span<'a> {
        Span {
            low: tighter(self.low, other.low, Ordering::Greater),
            high: tighter(self.high, other.high, Ordering::Less),
        }
    }

    /// Whether all of `narrow` lies in it.
    pub fn covers(&self, narrow: &Span<'_>) -> bool {
        let within = |wide: Option<(&Number, bool)>, narrow: Option<(&Number, bool)>, beyond| match (
            wide, narrow,
        ) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((wide, belongs)), Some((narrow, narrow_belongs))) => {
                match compare(narrow, wide) {
                    Ordering::Equal => belongs || !narrow_belongs,
                    order => order == beyond,
                }
            }
        };
        within(self.low, narrow.low, Ordering::Greater)
            && within(self.high, narrow.high, Ordering::Less)
    }
}

/// The bound that lets less through.
fn tighter<'a>(
    one: Option<(&'a Number, bool)>,
    other: Option<(&'a Number, bool)>,
    wins: Ordering,
) -> Option<(&'a Number, bool)> {
    let (Some(a), Some(b)) = (one, other) else {
        return one.or(other);
    };
    Some(match compare(a.0, b.0) {
        Ordering::Equal => (a.0, a.1 && b.1),
        order if order == wins => a,
        _ => b,
    })
}

/// Whether no argument meets a condition.
pub fn is_impossible(condition: &Condition) -> bool {
    if let Some(values) = named(condition) {
        return !values.iter().any(|value| meets(condition, value));
    }
    let span = Span::of(condition);
    span.is_empty() || condition.matches.is_some() && !span.is_all()
}

/// Whether every argument that meets `narrow` certainly meets `wide`.
fn implies(narrow: &Condition, wide: &Condition) -> bool {
    if let Some(values) = named(narrow) {
        let mut values = values.iter().filter(|value| meets(narrow, value));
        return values.all(|value| meets(wide, value));
    }
    if named(wide).is_some() {
        return false;
    }
    let matches = match (&wide.matches, &narrow.matches) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => wide.covers(narrow),
        (Some(_), None) => false,
    };
    matches && Span::of(wide).covers(&Span::of(narrow))
}

/// Whether no argument meets both.
pub fn disjoint(one: &Condition, other: &Condition) -> bool {
    if let Some(values) = named(one).or_else(|| named(other)) {
        let mut values = values.iter();
        return !values.any(|value| meets(one, value) && meets(other, value));
    }
    let (span, other_span) = (Span::of(one), Span::of(other));
    let both = span.and(other_span);
    let matches = one.matches.is_some() || other.matches.is_some();
    both.is_empty() || matches && !both.is_all() || !patterns_overlap(&one.matches, &other.matches)
}

/// Whether a calendar has no minute.
pub fn is_never(calendar: &Calendar) -> bool {
    Week::of(calendar).is_none()
}

/// The minutes of a week, each yes or no.
struct Week(Vec<bool>);

impl Week {
    fn of(calendar: &Calendar) -> Week {
        let minute = |number: u64| Time(number * 60_000_000);
        // Weeks are alike; the second one of all has the day before in it, whatever the zone.
        let minutes = MINUTES_PER_WEEK..2 * MINUTES_PER_WEEK;
        Week(
            minutes
                .map(|number| is_during(calendar, minute(number)))
                .collect(),
        )
    }

    fn is_all(&self) -> bool {
        self.0.iter().all(|minute| *minute)
    }

    fn is_none(&self) -> bool {
        !self.0.iter().any(|minute| *minute)
    }

    fn covers(&self, narrow: &Week) -> bool {
        let mut pairs = self.0.iter().zip(&narrow.0);
        pairs.all(|(wide, narrow)| *wide || !narrow)
    }

    fn meets(&self, other: &Week) -> bool {
        let mut pairs = self.0.iter().zip(&other.0);
        pairs.any(|(one, other)| *one && *other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// Values between which every condition below can be told apart.
    fn values() -> Vec<Value> {
        let halves = (-2..=10).map(|half| json!(f64::from(half) / 2.0));
        let others = [
            json!("a"),
            json!("ab"),
            json!("b"),
            json!(true),
            json!(null),
        ];
        halves.chain(others).collect()
    }

    fn condition() -> impl Strategy<Value = Condition> {
        let bound = || proptest::option::weighted(0.3, (0..5).prop_map(Number::from));
        let value = || proptest::sample::select(values());
        let pattern = proptest::sample::select(vec!["a*", "a", "*b", "*", "b*"]);
        let pattern = pattern.prop_map(|text| text.parse().unwrap());
        let parts = (
            proptest::option::weighted(0.2, value()),
            proptest::collection::vec(value(), 0..3),
            [bound(), bound(), bound(), bound()],
            proptest::option::weighted(0.2, pattern),
        );
        parts.prop_map(
            |(equals, one_of, [at_least, at_most, above, below], matches)| Condition {
                equals,
                one_of,
                at_least,
                at_most,
                above,
                below,
                matches,
            },
        )
    }

    fn calendar() -> impl Strategy<Value = Calendar> {
        let clock = || (0u32..=24).prop_map(|hour| format!("{hour:02}:00"));
        let days = proptest::sample::subsequence(vec!["mon", "tue", "sat", "sun"], 0..4);
        (days, clock(), clock(), -3..3).prop_map(|(days, from, to, zone)| {
            let text =
                json!({"days": days, "from": from, "to": to, "utc_offset_minutes": zone * 60});
            serde_json::from_value(text).unwrap()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn conditions_are_as_every_value_says(one in condition(), other in condition()) {
            let values = values();
            let holds = |of: &Condition| values.iter().filter(|value| meets(of, value)).cloned().collect::<Vec<_>>();
            let (of_one, of_other) = (holds(&one), holds(&other));
            prop_assert_eq!(is_impossible(&one), of_one.is_empty());
            let common = of_one.iter().any(|value| of_other.contains(value));
            prop_assert_eq!(disjoint(&one, &other), !common);
            if implies(&one, &other) {
                prop_assert!(of_one.iter().all(|value| of_other.contains(value)));
            }
            prop_assert!(implies(&one, &one));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn calendars_are_as_every_hour_says(one in calendar(), other in calendar()) {
            // All begin and end with an hour.
            let hours: Vec<(bool, bool)> = (200..200 + 2 * 168)
                .map(|hour: u64| Time(hour * 3_600_000_000))
                .map(|at| (is_during(&one, at), is_during(&other, at)))
                .collect();
            let (week, other_week) = (Week::of(&one), Week::of(&other));
            prop_assert_eq!(is_never(&one), hours.iter().all(|(one, _)| !one));
            prop_assert_eq!(week.covers(&other_week), hours.iter().all(|(one, other)| *one || !other));
            prop_assert_eq!(week.meets(&other_week), hours.iter().any(|(one, other)| *one && *other));
        }
    }

    #[test]
    fn cases_cover_and_overlap_part_by_part() {
        let case = |text: Value| serde_json::from_value::<Case>(text).unwrap();
        let all = case(json!({}));
        let pay = case(json!({"action": "pay.*", "scope": "emea", "labels": {"a": "1"}}));
        let send = case(
            json!({"action": "pay.send", "scope": "emea/x", "labels": {"a": "1", "b": "2"}, "group": "g",
            "resource": "acc/1", "parameters": {"/n": {"above": 5}}, "during": {"days": ["mon"]}}),
        );
        assert!(
            covers(&all, &pay)
                && covers(&pay, &send)
                && !covers(&send, &pay)
                && !covers(&pay, &all)
        );
        assert!(overlap(&all, &send) && overlap(&pay, &send));
        for apart in [
            json!({"action": "buy"}),
            json!({"scope": "apac"}),
            json!({"labels": {"b": "3"}}),
            json!({"parameters": {"/n": {"at_most": 5}}}),
            json!({"during": {"days": ["tue"]}}),
        ] {
            let apart = case(apart);
            assert!(
                !overlap(&apart, &send) && !covers(&apart, &send),
                "{apart:?}"
            );
        }
        // One request may claim both, and belong to several groups.
        for beside in [json!({"resource": "acc/2"}), json!({"group": "h"})] {
            let beside = case(beside);
            assert!(
                overlap(&beside, &send) && !covers(&beside, &send),
                "{beside:?}"
            );
        }
        assert!(
            !covers(&case(json!({"resource": "**"})), &all),
            "who claims nothing has no resource"
        );
    }
}
