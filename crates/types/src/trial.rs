//! Tests of rules, as people write them beside the rules: what was done, what is asked then, and what should be answered.
use crate::code::Code;
use crate::explain::Gate;
use crate::id::{ActionName, AgentId, RuleId};
use crate::path::ResourcePath;
use crate::permit::{self, Ending};
use crate::text::{Labels, Text};
use crate::time::{Millis, Time};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// One test of rules. Each begins with a fleet in which nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleTest)]
pub struct Test {
    /// What it shows, for people.
    pub name: Text,
    /// When it begins, for calendars: `2026-11-02T08:00:00Z`; absent: that, a Monday.
    #[serde(default)]
    pub begins: Moment,
    /// What is done before. All of it must be granted.
    #[serde(default)]
    pub given: Vec<Given>,
    /// What is asked then.
    pub ask: Ask,
    /// What should be answered.
    pub expect: Expect,
}

/// A permit that is granted before a test's request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleTestGiven)]
pub struct Given {
    /// When it is asked for, after the test's beginning.
    #[serde(default)]
    pub at_ms: Millis,
    /// By whom.
    pub agent: AgentId,
    /// For what.
    pub action: ActionName,
    /// On what, claimed shared, so that no lock is in the way.
    #[serde(default)]
    pub resources: Vec<ResourcePath>,
    /// The action's arguments.
    #[serde(default, deserialize_with = "permit::parameters")]
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Box<Map<String, Value>>>,
    /// The request's labels.
    #[serde(default)]
    pub labels: Labels,
    /// How it ends; absent: it is in flight.
    #[serde(default)]
    pub ending: Option<Ending>,
    /// When it ends, after the test's beginning; absent: at once.
    #[serde(default)]
    pub ends_at_ms: Option<Millis>,
}

/// What a test asks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleTestAsk)]
pub struct Ask {
    /// When, after the test's beginning.
    #[serde(default)]
    pub at_ms: Millis,
    /// Who asks.
    pub agent: AgentId,
    /// For what.
    pub action: ActionName,
    /// On what, claimed shared, so that no lock is in the way.
    #[serde(default)]
    pub resources: Vec<ResourcePath>,
    /// The action's arguments.
    #[serde(default, deserialize_with = "permit::parameters")]
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Box<Map<String, Value>>>,
    /// The request's labels.
    #[serde(default)]
    pub labels: Labels,
    /// How long it will wait; 0: an answer now.
    #[serde(default)]
    pub wait_ms: Millis,
}

/// What a test expects: all that is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleTestExpect)]
pub struct Expect {
    /// What is answered.
    pub decision: Verdict,
    /// Of a denial: its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Of a denial: the gate that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// The rule that is in the way, or waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RuleTestVerdict)]
pub enum Verdict {
    /// Go.
    Granted,
    /// Wait.
    Queued,
    /// No.
    Denied,
}

/// A point in time, as people write it: RFC 3339, `2026-11-02T08:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-02T08:00:00Z")]
pub struct Moment(pub Time);

impl Default for Moment {
    fn default() -> Self {
        Moment(Time(1_793_606_400_000_000))
    }
}

impl FromStr for Moment {
    type Err = crate::text::Invalid;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let stamp = text.parse::<jiff::Timestamp>().ok();
        let micros = stamp.and_then(|stamp| u64::try_from(stamp.as_microsecond()).ok());
        micros.map(|micros| Moment(Time(micros))).ok_or_else(|| {
            crate::text::Invalid::new(format!(
                "time {text:?} is not one such as 2026-11-02T08:00:00Z"
            ))
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = i64::try_from(self.0.0).ok();
        match micros.and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok()) {
            Some(stamp) => write!(f, "{stamp}"),
            None => write!(f, "{} µs", self.0.0),
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_begins_on_a_monday() {
        assert_eq!(Moment::default().to_string(), "2026-11-02T08:00:00Z");
        assert_eq!("2026-11-02T09:00:00+01:00".parse(), Ok(Moment::default()));
        assert!(
            "monday".parse::<Moment>().is_err()
                && "1950-01-01T00:00:00Z".parse::<Moment>().is_err()
        );
    }
}
