//! JSON pointers (RFC 6901): which argument of an action.
use crate::text::Invalid;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use smol_str::SmolStr;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Which argument: `/amount`, `/order/items/0/price`. `~1` stands for `/` in a name, `~0` for `~`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, min_length = 2, max_length = 256, pattern = "^/", example = "/amount")]
pub struct Pointer(SmolStr);

impl Pointer {
    /// Longest pointer, in bytes.
    pub const BYTES_MAX: usize = 256;

    /// The value it points to.
    #[must_use]
    pub fn find<'a>(&self, arguments: &'a Map<String, Value>) -> Option<&'a Value> {
        let rest = &self.0[1..];
        if !rest.bytes().any(|byte| matches!(byte, b'/' | b'~')) {
            return arguments.get(rest); // As most are.
        }
        let (first, below) = match rest.split_once('/') {
            Some((first, _)) => (first, &rest[first.len()..]),
            None => (rest, ""),
        };
        let value = match first.contains('~') {
            true => arguments.get(&first.replace("~1", "/").replace("~0", "~")),
            false => arguments.get(first),
        };
        value?.pointer(below)
    }
}

impl FromStr for Pointer {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let escapes = text.split('~').skip(1);
        let is_sound = (2..=Self::BYTES_MAX).contains(&text.len())
            && text.starts_with('/')
            && !text.chars().any(char::is_control)
            && escapes.into_iter().all(|rest| rest.starts_with(['0', '1']));
        match is_sound {
            true => Ok(Pointer(text.into())),
            false => Err(Invalid::new(format!(
                "pointer {:?} is not a JSON pointer of 2–{} bytes such as /amount",
                text.chars().take(80).collect::<String>(),
                Self::BYTES_MAX
            ))),
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SmolStr::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_what_it_points_to() {
        let text = r#"{"amount":5,"a/b":{"c~d":[1,{"e":2}]}}"#;
        let arguments: Map<String, Value> = serde_json::from_str(text).unwrap();
        let find = |pointer: &str| {
            pointer
                .parse::<Pointer>()
                .unwrap()
                .find(&arguments)
                .cloned()
        };
        assert_eq!(find("/amount"), Some(5.into()));
        assert_eq!(find("/a~1b/c~0d/1/e"), Some(2.into()));
        assert_eq!(
            [find("/amount/x"), find("/other"), find("/a")],
            [None, None, None]
        );
        for wrong in ["", "/", "amount", "/a~2", "/a~", "/a\n"] {
            assert!(wrong.parse::<Pointer>().is_err(), "{wrong:?}");
        }
    }
}
