//! The hash that chains rows: 32 bytes of BLAKE3, shown in hexadecimal.

use std::fmt;

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// What the first batch of a fleet names as the hash before it.
pub const GENESIS: Hash = [0; 32];

/// Shows a hash as 64 hexadecimal digits, or with `{:#}` as the first 8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex<'a>(pub &'a Hash);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if f.alternate() { 4 } else { self.0.len() };
        self.0[..shown]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads 64 hexadecimal digits.
pub(crate) fn parse(text: &str) -> Option<Hash> {
    blake3::Hash::from_hex(text)
        .ok()
        .map(|hash| *hash.as_bytes())
}

/// For `serde(with = "hash::hex")`.
pub(crate) mod hex {
    use super::{Hash, Hex, parse};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hex(hash))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| serde::de::Error::custom("a hash is not 64 hexadecimal digits"))
    }
}
