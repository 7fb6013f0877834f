//! Spans of time as they are written: `250ms`, `30s`, `5m`, `2h`, `3d`.
use fleet_types::{Invalid, Millis};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use std::fmt;

/// A span of time, written as a whole number and its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Millis);

/// As a regular expression.
pub(crate) const PATTERN: &str = "^[0-9]{1,12}(ms|s|m|h|d)$";

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];
/// Ten years: longer is a mistake.
const MILLIS_MAX: u64 = 3_653 * 86_400_000;

impl Span {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none, or longer than ten years.
    pub fn parse(text: &str) -> Result<Span, Invalid> {
        let wrong = || {
            let shown: String = text.chars().take(40).collect();
            Invalid(format!(
                "{shown:?} is no span of time: write 250ms, 30s, 5m, 2h or 3d"
            ))
        };
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (digits, unit) = text.split_at(split);
        let (_, each) = UNITS
            .into_iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        match count.checked_mul(each) {
            Some(millis) if millis <= MILLIS_MAX => Ok(Span(Millis(millis))),
            _ => Err(Invalid(format!("{text} is longer than ten years"))),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.0;
        let (unit, each) = UNITS
            .into_iter()
            .find(|(_, each)| millis >= *each && millis.is_multiple_of(*each))
            .unwrap_or(("ms", 1));
        write!(f, "{}{unit}", millis / each)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SmolStr::deserialize(deserializer)?;
        Span::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_alike() {
        for (text, millis, written) in [
            ("250ms", 250, "250ms"),
            ("0s", 0, "0ms"),
            ("90s", 90_000, "90s"),
            ("60s", 60_000, "1m"),
            ("48h", 172_800_000, "2d"),
        ] {
            let span = Span::parse(text).unwrap();
            assert_eq!((span.0.0, span.to_string().as_str()), (millis, written));
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "1.5h",
            "5 s",
            "5w",
            "99999999999999999999s",
            "9999d",
        ] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
    }
}
