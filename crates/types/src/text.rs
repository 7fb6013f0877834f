//! Bounded text and labels, and the error that says which field was out of bounds.
use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::fmt;
use utoipa::ToSchema;

/// Why a value was refused when it was parsed. Reads after "invalid: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub String);

impl Invalid {
    /// An error with this explanation.
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Invalid(why.into())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// Free text for people: at most 1,024 bytes, no control characters but newline and tab.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, max_length = 1024)]
pub struct Text(SmolStr);

impl Text {
    /// Longest text, in bytes.
    pub const BYTES_MAX: usize = 1_024;

    /// Checks the bounds.
    ///
    /// # Errors
    /// When the text is too long or holds a control character.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > Self::BYTES_MAX {
            return Err(Invalid(format!(
                "text of {} bytes is longer than {}",
                text.len(),
                Self::BYTES_MAX
            )));
        }
        if let Some(c) = text
            .chars()
            .find(|c| c.is_control() && *c != '\n' && *c != '\t')
        {
            return Err(Invalid(format!("text holds the control character {c:?}")));
        }
        Ok(Text(text.into()))
    }

    /// Our own words, cut at the bound and freed of control characters: never fails.
    #[must_use]
    pub fn clip(text: &str) -> Self {
        let mut end = text.len().min(Self::BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = &text[..end];
        if text.chars().any(char::is_control) {
            return Text(
                text.chars()
                    .map(|c| if c.is_control() { ' ' } else { c })
                    .collect(),
            );
        }
        Text(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SmolStr::deserialize(deserializer)?;
        Text::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Labels: at most 32 pairs, keys of 1–63 and values of 0–255 bytes, no control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = std::collections::BTreeMap<String, String>)]
pub struct Labels(BTreeMap<SmolStr, SmolStr>);

impl Labels {
    /// Most pairs.
    pub const COUNT_MAX: usize = 32;
    /// Longest value, in bytes.
    pub const VALUE_BYTES_MAX: usize = 255;

    /// Checks the bounds.
    ///
    /// # Errors
    /// When there are too many pairs, or a key or value is out of bounds.
    pub fn parse(map: BTreeMap<SmolStr, SmolStr>) -> Result<Self, Invalid> {
        if map.len() > Self::COUNT_MAX {
            return Err(Invalid(format!(
                "{} labels are more than {}",
                map.len(),
                Self::COUNT_MAX
            )));
        }
        for (key, value) in &map {
            if key.is_empty() || key.len() > 63 || key.chars().any(char::is_control) {
                return Err(Invalid(format!(
                    "label key {key:?} is not 1–63 bytes of plain text"
                )));
            }
            if value.len() > Self::VALUE_BYTES_MAX || value.chars().any(char::is_control) {
                return Err(Invalid(format!(
                    "label {key:?} has a value that is not 0–255 bytes of plain text"
                )));
            }
        }
        Ok(Labels(map))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&SmolStr> {
        self.0.get(key)
    }

    /// All pairs in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&SmolStr, &SmolStr)> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every pair of `wanted` is among these labels.
    #[must_use]
    pub fn contain(&self, wanted: &Labels) -> bool {
        wanted.0.iter().all(|(k, v)| self.0.get(k) == Some(v))
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Labels::parse(BTreeMap::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
