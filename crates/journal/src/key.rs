//! The name of a fleet's journal: `tenant/fleet`.
//!
//! Both parts also name directories (snapshots, archives), so their alphabet is small.

use std::fmt;
use std::str::FromStr;

use smol_str::{SmolStr, format_smolstr};

use crate::Error;

/// Names a fleet's journal: `tenant/fleet`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FleetKey(SmolStr);

/// The longest tenant or fleet name, in bytes.
const PART_BYTES_MAX: usize = 64;

impl FleetKey {
    /// Joins a tenant's and a fleet's name. Each is 1 to 64 characters of `A-Z a-z 0-9 . _ -` and
    /// begins with a letter or digit.
    pub fn new(tenant: &str, fleet: &str) -> Result<FleetKey, Error> {
        for part in [tenant, fleet] {
            check_part(part).map_err(|why| Error::Key {
                text: format!("{tenant}/{fleet}"),
                why,
            })?;
        }
        Ok(FleetKey(format_smolstr!("{tenant}/{fleet}")))
    }

    /// The organisation.
    pub fn tenant(&self) -> &str {
        self.parts().0
    }

    /// The fleet within its tenant.
    pub fn fleet(&self) -> &str {
        self.parts().1
    }

    /// The whole key: `tenant/fleet`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or((&self.0, "")) // `new` put the slash there.
    }
}

fn check_part(part: &str) -> Result<(), &'static str> {
    match part.as_bytes() {
        [] => Err("a part is empty"),
        bytes if bytes.len() > PART_BYTES_MAX => Err("a part is longer than 64 bytes"),
        [first, rest @ ..]
            if first.is_ascii_alphanumeric()
                && rest
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b)) =>
        {
            Ok(())
        }
        _ => Err("a part has a character other than A-Z a-z 0-9 . _ - or begins with . _ -"),
    }
}

impl FromStr for FleetKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<FleetKey, Error> {
        match text.split_once('/') {
            Some((tenant, fleet)) => FleetKey::new(tenant, fleet),
            None => Err(Error::Key {
                text: text.to_owned(),
                why: "it has no slash",
            }),
        }
    }
}

impl fmt::Display for FleetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FleetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for FleetKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for FleetKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<FleetKey, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = r#""acme/main" = tenant acme fleet main
"a/b" = tenant a fleet b
"A-1/x.y_z" = tenant A-1 fleet x.y_z
"" it has no slash
"acme" it has no slash
"/main" a part is empty
"acme/" a part is empty
"a/b/c" a part has a character other than A-Z a-z 0-9 . _ - or begins with . _ -
"../main" a part has a character other than A-Z a-z 0-9 . _ - or begins with . _ -
"a/.." a part has a character other than A-Z a-z 0-9 . _ - or begins with . _ -
"a b/c" a part has a character other than A-Z a-z 0-9 . _ - or begins with . _ -
"é/b" a part has a character other than A-Z a-z 0-9 . _ - or begins with . _ -
"#;

    #[test]
    fn names() {
        let table = [
            "acme/main",
            "a/b",
            "A-1/x.y_z",
            "",
            "acme",
            "/main",
            "acme/",
            "a/b/c",
            "../main",
            "a/..",
            "a b/c",
            "é/b",
        ]
        .map(|text| match text.parse::<FleetKey>() {
            Ok(key) => format!("{text:?} = tenant {} fleet {}\n", key.tenant(), key.fleet()),
            Err(Error::Key { why, .. }) => format!("{text:?} {why}\n"),
            Err(error) => panic!("{error}"),
        })
        .concat();
        assert_eq!(table, NAMES);
    }
}
