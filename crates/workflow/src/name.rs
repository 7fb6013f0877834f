//! Names of nodes, inputs, outputs, variables and secrets: identifiers, so that references and expressions need no quotes.
use crate::fault::clip;
use crate::limits::NAME_BYTES_MAX;
use fleet_types::Invalid;
use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;
use std::fmt;

/// A letter or underscore, then letters, digits and underscores; at most 64 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(SmolStr);

/// As a regular expression.
pub(crate) const PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_]{0,63}$";

impl Name {
    /// Checks the characters and the length.
    ///
    /// # Errors
    /// When it is no such name.
    pub fn parse(name: &str) -> Result<Name, Invalid> {
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let goes_on = name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        if begins && goes_on && name.len() <= NAME_BYTES_MAX {
            return Ok(Name(name.into()));
        }
        Err(Invalid(format!(
            "{:?} is no name: a letter, then letters, digits and _, at most {NAME_BYTES_MAX}",
            clip(name)
        )))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = SmolStr::deserialize(deserializer)?;
        Name::parse(&name).map_err(serde::de::Error::custom)
    }
}
