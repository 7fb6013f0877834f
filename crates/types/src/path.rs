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
    let stars = path.strip_suffix("**").unwrap_or(path);
    if wildcards
        && (stars.contains("**")
            || !matches!(stars.as_bytes().last(), None | Some(b'/' | b'.')) && stars != path)
    {
        return Err(Invalid(format!(
            "{kind} {path:?} has ** elsewhere than at its end behind a / or a ."
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
    /// within one segment, a final `**` (behind a `/` or `.`, or alone) for any rest, nothing included. Segments end
    /// at `/` and `.`.
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
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        if matches_plainly(pattern, text) {
            return true;
        }
        let Some(stem) = pattern.strip_suffix(b"**") else {
            return match_from(pattern, text) == Some(text.len());
        };
        match stem.split_last() {
            None => true,
            // `a/**` also covers `a` itself.
            Some((separator @ (b'/' | b'.'), stem)) => match match_from(stem, text) {
                Some(end) => end == text.len() || text[end] == *separator,
                None => false,
            },
            Some(_) => false, // Not a pattern that can be parsed.
        }
    }
}

/// The most frequent case: the text begins with all but the last star, letter by letter. A star in a text, should there
/// be one, matches a star too, so this never says yes where [`match_from`] says no.
fn matches_plainly(pattern: &[u8], text: &[u8]) -> bool {
    let (stem, stars) = match pattern {
        [stem @ .., b'*', b'*'] => (stem, 2),
        [stem @ .., b'*'] => (stem, 1),
        stem => (stem, 0),
    };
    let Some(rest) = text.strip_prefix(stem) else {
        return false;
    };
    match stars {
        0 => rest.is_empty(),
        1 => !rest.iter().any(|byte| matches!(byte, b'/' | b'.')),
        _ => true,
    }
}

/// Where in `text` the whole of `pattern` has matched, from its beginning; the furthest such place.
///
/// A star ends at its segment's end, so only the last star since the last separator can give way: one pass with one
/// remembered place is enough.
fn match_from(pattern: &[u8], text: &[u8]) -> Option<usize> {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    let separates = |byte: u8| matches!(byte, b'/' | b'.');
    loop {
        if p == pattern.len() {
            // The rest of this segment may still belong to a final star.
            let last_is_star = star.is_some_and(|(after, _)| after == p);
            while last_is_star && t < text.len() && !separates(text[t]) {
                t += 1;
            }
            let ends = t == text.len() || separates(text[t]) || star.is_none();
            if ends {
                return Some(t);
            }
        } else if pattern[p] == b'*' {
            star = Some((p + 1, t));
            p += 1;
            continue;
        } else if t < text.len() && pattern[p] == text[t] {
            if separates(text[t]) {
                star = None;
            }
            p += 1;
            t += 1;
            continue;
        }
        // Let the star take one more, if it may.
        match star {
            Some((after, from)) if from < text.len() && !separates(text[from]) => {
                star = Some((after, from + 1));
                p = after;
                t = from + 1;
            }
            _ => return None,
        }
    }
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

    /// The definition, by trying everything.
    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            b"" => text.is_empty(),
            b"**" => true,
            b"/**" | b".**" => text.is_empty() || text[0] == pattern[0],
            [b'*', rest @ ..] => {
                by_definition(rest, text)
                    || text.first().is_some_and(|byte| {
                        !matches!(byte, b'/' | b'.') && by_definition(pattern, &text[1..])
                    })
            }
            [byte, rest @ ..] => text.first() == Some(byte) && by_definition(rest, &text[1..]),
        }
    }

    #[test]
    fn patterns_match_by_definition() {
        let words = |alphabet: &[char], length: usize| {
            let mut words = vec![String::new()];
            for _ in 0..length {
                let longer = words
                    .iter()
                    .flat_map(|w| alphabet.iter().map(move |c| format!("{w}{c}")));
                let longer: Vec<String> = longer.collect();
                words.extend(longer);
            }
            words.sort();
            words.dedup();
            words
        };
        let texts = words(&['a', 'b', '/', '.'], 5);
        let mut checked = 0;
        for stem in words(&['a', 'b', '*', '/'], 5) {
            for pattern in [stem.clone(), format!("{stem}/**"), format!("{stem}.**")] {
                if pattern.trim_end_matches("**").contains("**") {
                    continue; // Two stars stand at the end only.
                }
                let Ok(parsed) = Pattern::parse(&pattern) else {
                    continue;
                };
                for text in &texts {
                    let expected = by_definition(pattern.as_bytes(), text.as_bytes());
                    assert_eq!(parsed.matches(text), expected, "{pattern} on {text}");
                    checked += 1;
                }
            }
        }
        assert!(checked > 100_000, "only {checked} pairs were checked");
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
