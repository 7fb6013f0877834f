//! Times of a week: on which days, from when to when.
use crate::text::Invalid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Times of a week, at a fixed distance from UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// On these days; none given: on all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// From this time of day on.
    #[serde(default = "Clock::midnight")]
    pub from: Clock,
    /// Up to this time of day; not later than `from`: up to it on the next day.
    #[serde(default = "Clock::end")]
    pub to: Clock,
    /// Minutes that the clock there is ahead of UTC, -840 to 840.
    #[serde(default)]
    pub utc_offset_minutes: i32,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "they say what they are")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A time of day, `HH:MM`, 00:00 to 24:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, example = "08:30")]
pub struct Clock(u16);

impl Clock {
    fn midnight() -> Clock {
        Clock(0)
    }

    fn end() -> Clock {
        Clock(24 * 60)
    }

    /// Minutes since midnight.
    #[must_use]
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for Clock {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(format!("time of day {text:?} is not HH:MM, 00:00 to 24:00"));
        let two = |part: &str| match part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()) {
            true => part.parse::<u16>().map_err(|_| invalid()),
            false => Err(invalid()),
        };
        let (hours, minutes) = text.split_once(':').ok_or_else(invalid)?;
        let (hours, minutes) = (two(hours)?, two(minutes)?);
        match minutes < 60 && hours * 60 + minutes <= 24 * 60 {
            true => Ok(Clock(hours * 60 + minutes)),
            false => Err(invalid()),
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for Clock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Clock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SmolStr::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
