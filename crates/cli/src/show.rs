//! Values for people: times, spans, amounts, selectors. JSON and YAML have them raw.
use fleet_types::approval::Assignee;
use fleet_types::budget::{Cost, Unit};
use fleet_types::halt::{Mode, Target};
use fleet_types::permit::Blocker;
use fleet_types::selector::Selector;
use fleet_types::{Actor, Labels, Time};
use serde::Serialize;
use std::borrow::Borrow;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, by this machine's clock.
pub fn now() -> Time {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Time(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// `12s ago`, `in 3m`, `never`.
pub fn relative(time: Time) -> String {
    relative_to(time, now())
}

fn relative_to(time: Time, now: Time) -> String {
    if time == Time::ZERO {
        return "never".to_owned();
    }
    if time == Time::MAX {
        return "for ever".to_owned();
    }
    if time > now {
        format!("in {}", span_ms(time.micros_since(now) / 1_000))
    } else {
        format!("{} ago", span_ms(now.micros_since(time) / 1_000))
    }
}

/// `2026-03-01 12:00:00.123Z`.
pub fn absolute(time: Time) -> String {
    if time == Time::ZERO {
        return "never".to_owned();
    }
    let Some(stamp) = i64::try_from(time.0)
        .ok()
        .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok())
    else {
        return "for ever".to_owned();
    };
    format!("{stamp:.3}").replacen('T', " ", 1)
}

/// `850ms`, `12s`, `3m20s`, `2h5m`, `4d3h`.
pub fn span_ms(ms: u64) -> String {
    let (seconds, rest) = (ms / 1_000, ms % 1_000);
    let two = |big: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{small}{small_unit}")
        }
    };
    match seconds {
        0 => format!("{ms}ms"),
        1..10 if rest > 0 => format!("{seconds}.{}s", rest / 100),
        1..60 => format!("{seconds}s"),
        60..3_600 => two(seconds / 60, "m", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// `0.8 ms`, `12.4 ms`, `1.5 s`.
pub fn span_us(us: u64) -> String {
    if us < 1_000_000 {
        format!("{}.{} ms", us / 1_000, us % 1_000 / 100)
    } else {
        format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000)
    }
}

/// `1,234,567`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Millionths as money: `12.50`, `0.000030`.
pub fn money(micros: u64) -> String {
    let (whole, part) = (micros / 1_000_000, micros % 1_000_000);
    if part.is_multiple_of(10_000) {
        format!("{}.{:02}", number(whole), part / 10_000)
    } else {
        format!("{}.{part:06}", number(whole))
    }
}

/// An amount in a budget's unit.
pub fn amount(value: u64, unit: Unit) -> String {
    match unit {
        Unit::Money => money(value),
        Unit::Tokens => number(value),
    }
}

/// `1.50 and 400 tokens`.
pub fn cost(cost: &Cost) -> String {
    match (cost.money_micros, cost.tokens) {
        (0, 0) => "-".to_owned(),
        (micros, 0) => money(micros),
        (0, tokens) => format!("{} tokens", number(tokens)),
        (micros, tokens) => format!("{} and {} tokens", money(micros), number(tokens)),
    }
}

/// A word of the API: what serde calls it.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}

/// Whether `1` or `many`.
pub fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", self::number(number))
}

/// All, with this between them; these words where there are none.
pub fn joined<T: Borrow<str>>(items: &[T], between: &str, when_none: &str) -> String {
    if items.is_empty() {
        when_none.to_owned()
    } else {
        items.join(between)
    }
}

/// `a, b`; `-`.
pub fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    joined(&items, ", ", "-")
}

/// `key: ` before what is told of one of several; nothing where there is but one.
pub fn head(key: Option<&impl fmt::Display>) -> String {
    key.map(|key| format!("{key}: ")).unwrap_or_default()
}

/// `a=1,b=2`.
pub fn labels(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    joined(&pairs, ",", "-")
}

/// `scope emea, action payment.*`; `everything`.
pub fn selector(selector: &Selector) -> String {
    let mut parts = Vec::new();
    let mut part = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            parts.push(format!("{name} {value}"));
        }
    };
    part("scope", selector.scope.as_ref().map(ToString::to_string));
    part("agent", selector.agent.as_ref().map(ToString::to_string));
    part("group", selector.group.as_ref().map(ToString::to_string));
    part("action", selector.action.as_ref().map(ToString::to_string));
    part(
        "resource",
        selector.resource.as_ref().map(ToString::to_string),
    );
    part(
        "labels",
        (!selector.labels.is_empty()).then(|| labels(&selector.labels)),
    );
    joined(&parts, ", ", "everything")
}

/// `every agent`, `scope emea`.
pub fn target(target: &Target) -> String {
    match target {
        Target::All => "every agent".to_owned(),
        Target::Scope(scope) => format!("scope {scope}"),
        Target::Group(group) => format!("group {group}"),
        Target::Selector(wanted) => format!("agents with {}", labels(wanted)),
        Target::Agent(agent) => format!("agent {agent}"),
    }
}

/// What a mode does.
pub const fn effect(mode: Mode) -> &'static str {
    match mode {
        Mode::RiskReducingOnly => "nothing new but what reduces risk; what runs goes on",
        Mode::Pause => "new requests wait; what runs goes on",
        Mode::Graceful => "nothing new; what runs may finish",
        Mode::Immediate => "nothing new; permits and locks are taken back at once",
    }
}

/// Who did it.
pub fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Agent(agent) => format!("agent {agent}"),
        Actor::Key(key) => format!("key {key}"),
        Actor::System => "the server".to_owned(),
        Actor::Local => "this machine".to_owned(),
    }
}

/// `user:k1`; `one of user:k1, role:operator`; `2 of user:k1, user:k2, user:k3`.
pub fn asked_of(assignees: &[Assignee], needed: u32) -> String {
    let names = list(assignees);
    match (needed, assignees.len()) {
        (1, 1) => names,
        (1, _) => format!("one of {names}"),
        (needed, _) => format!("{needed} of {names}"),
    }
}

/// What a rule takes for one thing.
pub fn thing(key: &str) -> String {
    let parts: Vec<&str> = key
        .split('\u{1f}')
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(", ")
}

/// What stands in the way now. A time that is past says nothing any more (a lease may have been renewed since), and is left out.
pub fn blocker(blocker: &Blocker) -> String {
    let now = now();
    blocker_with(blocker, |at| (at > now).then(|| relative_to(at, now)))
}

/// What stood in the way at some time past: with the times that were true then, as such.
pub fn blocker_then(blocker: &Blocker) -> String {
    blocker_with(blocker, |at| Some(absolute(at)))
}

fn blocker_with(blocker: &Blocker, when: impl Fn(Time) -> Option<String>) -> String {
    let when = |words: &str, at: Option<Time>| {
        let at = at.and_then(&when).map(|at| format!("{words} {at}"));
        at.unwrap_or_default()
    };
    match blocker {
        Blocker::Halt { halt } => format!("halt {halt}"),
        Blocker::AgentConcurrency { in_flight, max } => {
            format!("agent has {in_flight} of {max} in flight")
        }
        Blocker::Limit { limit, free_at } => format!("limit {limit}{}", when(", free", *free_at)),
        Blocker::Rule { rule, key, free_at } => {
            let on = match thing(key).as_str() {
                "" => String::new(),
                thing => format!(" on {thing}"),
            };
            format!("rule {rule}{on}{}", when(", free", *free_at))
        }
        Blocker::Approval {
            approval,
            source,
            assignees,
            needed,
            deadline,
        } => {
            let which = match approval {
                Some(approval) => format!("approval {approval}"),
                None => "approval".to_owned(),
            };
            let asked_of = asked_of(assignees, *needed);
            format!(
                "{which} by {asked_of} ({source}){}",
                when(", until", *deadline)
            )
        }
        Blocker::Policy { policies, reasons } if reasons.is_empty() => {
            format!("policies {}, which are asked anew", list(policies))
        }
        Blocker::Policy { policies, .. } => format!("policies {}", list(policies)),
        Blocker::Tool { tool, faults, .. } if faults.is_empty() => format!("tool {tool}"),
        Blocker::Tool { tool, faults, .. } => {
            let names: Vec<&str> = faults.iter().map(|fault| fault.argument.as_str()).collect();
            format!("tool {tool}: {}", names.join(", "))
        }
        Blocker::Delegation { parent, chain } if chain.is_empty() => {
            format!("permit {parent}, which is not held")
        }
        Blocker::Delegation { parent, chain } => {
            let names: Vec<&str> = chain.iter().map(fleet_types::AgentId::as_str).collect();
            format!("permit {parent} of {}", names.join(" → "))
        }
        // How much was asked and is left stands in the denial, in the budget's own unit.
        Blocker::Budget { budget, .. } => format!("budget {budget}"),
        Blocker::Lock {
            path,
            permit,
            agent,
            until,
            ..
        } => {
            format!(
                "{path} held by {agent} ({permit}){}",
                when(" until", Some(*until))
            )
        }
        Blocker::Turn {
            path,
            permit,
            agent,
        } => format!("{path}: {agent} ({permit}) came first"),
        Blocker::Version {
            path,
            asked,
            current,
            agent,
            ..
        } => {
            let current = current.map(|current| format!(" at version {current},"));
            let by = agent.as_ref().map(|agent| format!(", by {agent}"));
            let (current, by) = (current.unwrap_or_default(), by.unwrap_or_default());
            format!("{path}:{current} not known as of {asked}{by}")
        }
        Blocker::Cycle { agents, .. } => {
            let names: Vec<&str> = agents.iter().map(|agent| agent.as_str()).collect();
            format!("a circle of {}", names.join(" → "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_amounts_read_well() {
        let spans = [
            0,
            850,
            1_000,
            1_250,
            12_000,
            200_000,
            7_500_000,
            360_000_000,
        ];
        assert_eq!(
            spans.map(span_ms),
            ["0ms", "850ms", "1s", "1.2s", "12s", "3m20s", "2h5m", "4d4h"]
        );
        assert_eq!(
            [0, 30, 12_500_000, 1_234_000_000].map(money),
            ["0.00", "0.000030", "12.50", "1,234.00"]
        );
        assert_eq!(relative_to(Time(5_000_000), Time(9_000_000)), "4s ago");
        assert_eq!(relative_to(Time(9_000_000), Time(5_000_000)), "in 4s");
        assert_eq!(relative_to(Time::ZERO, Time(5)), "never");
        assert_eq!(
            absolute(Time(1_795_000_000_123_456)),
            "2026-11-18 11:06:40.123Z"
        );
    }

    #[test]
    fn what_was_in_the_way_is_told_as_it_was() {
        let blocker = |until: Time| Blocker::Lock {
            path: fleet_types::ResourcePath::parse("acc/1").unwrap(),
            mode: fleet_types::lock::Mode::Exclusive,
            permit: fleet_types::PermitId(fleet_types::Seq(3)),
            agent: fleet_types::AgentId::parse("ann").unwrap(),
            until,
        };
        let past = Time(1_795_000_000_123_456);
        assert_eq!(
            blocker_then(&blocker(past)),
            "acc/1 held by ann (p3) until 2026-11-18 11:06:40.123Z"
        );
        // The lease was renewed or has ended; which, the record does not say.
        let past = Time(now().0 - 1_000_000);
        assert_eq!(super::blocker(&blocker(past)), "acc/1 held by ann (p3)");
        // Between 59 minutes and an hour, however long this takes.
        let ahead = Time(now().0 + 3_590_000_000);
        let ahead = super::blocker(&blocker(ahead));
        assert!(
            ahead.starts_with("acc/1 held by ann (p3) until in 59m"),
            "{ahead}"
        );
    }
}
