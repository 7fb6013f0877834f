//! Paths of scopes and resources, and the patterns that match them.
//!
//! Invariant: a path that exists has no empty, `.` or `..` segment, so a parent is always a textual
//! prefix that ends before a `/`, and two spellings never name the same thing.
use crate::text::Invalid;
use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 512;
/// Most segments of a path.
pub const SEGMENTS_MAX: usize = 16;

fn check_path(kind: &str, path: &str, wildcards: bool) -> Result<(), Invalid> {
    if path.is_empty() || path.len() > PATH_BYTES_MAX {
        return Err(Invalid(format!(
            "{kind} must be 1–{PATH_BYTES_MAX} bytes, not {}",
            path.len()
        )));
    }
    let mut count = 0;
    for segment in path.split('/') {
        count += 1;
        if segment.is_empty() {
            return Err(Invalid(format!(
                "{kind} {path:?} has an empty segment; write a/b, without // and without a slash at either end"
            )));
        }
        if segment == "." || segment == ".." {
            return Err(Invalid(format!(
                "{kind} {path:?} has a segment {segment:?}; name the place itself"
            )));
        }
    }
    if count > SEGMENTS_MAX {
        return Err(Invalid(format!(
            "{kind} has {count} segments, more than {SEGMENTS_MAX}"
        )));
    }
    match path
        .chars()
        .find(|c| c.is_control() || c.is_whitespace() || *c == '\\' || (!wildcards && *c == '*'))
    {
        Some(c) => Err(Invalid(format!(
            "{kind} {path:?} holds {c:?}, which no path may"
        ))),
        None => Ok(()),
    }
}

macro_rules! paths {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $wildcards:literal, $example:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, min_length = 1, max_length = 512, example = $example)]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks the segments.
            ///
            /// # Errors
            /// When it is empty, too long, too deep, or has an empty, `.` or `..` segment, white space,
            /// a control character or a backslash.
            pub fn parse(path: &str) -> Result<Self, Invalid> {
                check_path($kind, path, $wildcards)?;
                Ok(Self(SmolStr::new(path)))
            }
            /// The path as text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
            /// The path as shared text; cheap to clone.
            #[must_use]
            pub fn text(&self) -> &SmolStr { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(path: &str) -> Result<Self, Invalid> { Self::parse(path) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let path = SmolStr::deserialize(deserializer)?;
                check_path($kind, &path, $wildcards).map_err(serde::de::Error::custom)?;
                Ok(Self(path))
            }
        }
    )*};
}

paths! {
    /// A node of a fleet's tree: `emea/treasury/payments`.
    ScopePath = "scope", false, "emea/treasury";
    /// Anything agents act on: `ledger/eu/account-4711`. A parent covers its children.
    ResourcePath = "resource", false, "ledger/eu/account-4711";
    /// Matches names (`payment.*`) or paths (`ledger/*/cash`, `ledger/**`): `*` stands for any text
    /// within one segment, a final `**` for any rest, nothing included. Segments end at `/` and `.`.
    Pattern = "pattern", true, "ledger/eu/**";
}

impl ScopePath {
    /// Whether `other` is this scope or lies below it.
    #[must_use]
    pub fn covers(&self, other: &ScopePath) -> bool {
        covers(&self.0, &other.0)
    }
}

impl ResourcePath {
    /// Whether `other` is this resource or lies below it.
    #[must_use]
    pub fn covers(&self, other: &ResourcePath) -> bool {
        covers(&self.0, &other.0)
    }

    /// The path one level up.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }
}

fn covers(upper: &str, lower: &str) -> bool {
    lower
        .strip_prefix(upper)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Pattern {
    /// Whether it names exactly one thing.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether `text` matches as a whole.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let pattern = self.0.as_str();
        if let Some(stem) = pattern.strip_suffix("**") {
            if stem.is_empty() {
                return true;
            }
            // `a/**` also covers `a` itself.
            let (stem, separator) = stem.split_at(stem.len() - 1);
            if matches!(separator, "/" | ".") {
                return rest_after(stem, text)
                    .any(|rest| rest.is_empty() || rest.starts_with(separator));
            }
        }
        rest_after(pattern, text).any(str::is_empty)
    }
}

/// Every rest of `text` that is left when `pattern` has matched its beginning.
///
/// One pass with one remembered star cannot serve here, as each star stops at its segment's end; the set of
/// positions is followed instead: O(pattern × text), both bounded by [`PATH_BYTES_MAX`].
fn rest_after<'t>(pattern: &str, text: &'t str) -> impl Iterator<Item = &'t str> {
    let bytes = text.as_bytes();
    // The common case, no wildcard: a plain prefix, found without a set of positions.
    let plain = !pattern.contains('*');
    let prefix = if plain {
        text.strip_prefix(pattern)
    } else {
        None
    };
    let mut reached = Vec::new();
    if !plain {
        reached = vec![false; bytes.len() + 1];
        reached[0] = true;
        for &p in pattern.as_bytes() {
            if p == b'*' {
                for i in 0..bytes.len() {
                    if reached[i] && !matches!(bytes[i], b'/' | b'.') {
                        reached[i + 1] = true;
                    }
                }
            } else {
                for i in (0..bytes.len()).rev() {
                    reached[i + 1] = reached[i] && bytes[i] == p;
                }
                reached[0] = false;
            }
        }
    }
    let by_star = reached
        .into_iter()
        .enumerate()
        .filter(|(_, hit)| *hit)
        .filter_map(move |(at, _)| text.get(at..));
    prefix.into_iter().chain(by_star)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks_are_refused() {
        for bad in [
            "",
            "/",
            "a//b",
            "/a",
            "a/",
            "a/../b",
            "./a",
            "a/.",
            "a b",
            "a\n",
            "a\\b",
            "a*",
            &"x".repeat(513),
            &"a/".repeat(16).as_str()[..32],
        ] {
            assert!(ResourcePath::parse(bad).is_err(), "{bad:?} was taken");
        }
        assert!(ResourcePath::parse("ledger/eu/Ärger-1").is_ok());
    }

    #[test]
    fn patterns() {
        let cases = [
            ("payment.*", "payment.send", true),
            ("payment.*", "payment.send.now", false),
            ("payment.**", "payment.send.now", true),
            ("payment.**", "payment", true),
            ("payment.**", "payments", false),
            ("ledger/*/cash", "ledger/eu/cash", true),
            ("ledger/*/cash", "ledger/eu/x/cash", false),
            ("ledger/**", "ledger/eu/x/cash", true),
            ("ledger/eu-*-1", "ledger/eu-x-1", true),
            ("ledger/eu-*-1", "ledger/eu-x-2-1", true),
            ("**", "anything/at.all", true),
            ("*", "one", true),
            ("*", "one/two", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("a/*/c/**", "a/b/c/d/e", true),
            ("a/*/c/**", "a/b/c", true),
            ("a/*/c/**", "a/b/cc", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(text),
                expected,
                "{pattern} on {text}"
            );
        }
    }
}
