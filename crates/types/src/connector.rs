//! Connectors: ways to outside systems that take part in transactions, set up by an admin.
//!
//! Credentials are named, never held: neither a command nor an event nor the state has one.
use crate::id::ConnectorId;
use crate::text::{Invalid, Text};
use crate::time::Millis;
use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;
use utoipa::ToSchema;

/// Most connectors of a fleet.
pub const COUNT_MAX: usize = 1_000;

/// A way to an outside system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// Its name.
    pub id: ConnectorId,
    /// What for.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// To what.
    pub to: To,
    /// How long one attempt may take; absent: 10 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<Millis>,
    /// With what the names of its prepared transactions begin. Given by the server when the connector is new, and kept: by
    /// this, and nothing else, a prepared transaction in a database is known for this fleet's.
    #[serde(default, skip_serializing_if = "Mark::is_empty")]
    pub mark: Mark,
}

/// To what a connector leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConnectorTo)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum To {
    /// A PostgreSQL database, which must allow prepared transactions.
    Postgres {
        /// Where the connection string is kept.
        url: Secret,
    },
    /// An address that takes signed messages (Standard Webhooks).
    Webhook {
        /// The address.
        url: Address,
        /// Where the signing secret is kept: `whsec_` and base64.
        secret: Secret,
    },
}

impl To {
    /// In a word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            To::Postgres { .. } => "postgres",
            To::Webhook { .. } => "webhook",
        }
    }
}

/// Where a credential is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SecretReference)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Secret {
    /// In the server's environment, under this name, which begins with `CONNECTOR_`.
    Env(Variable),
    /// In a file of this name in the tenant's directory of secrets.
    File(FileName),
}

macro_rules! checked {
    ($($(#[$doc:meta])* $name:ident, $max:literal, $check:expr, $words:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String)]
        pub struct $name(SmolStr);
        impl $name {
            /// Checks the characters and the length.
            ///
            /// # Errors
            /// When it is not of this form.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                let check: fn(&str) -> bool = $check;
                if text.len() <= $max && check(text) {
                    return Ok(Self(SmolStr::new(text)));
                }
                let shown: String = text.chars().take(80).collect();
                Err(Invalid(format!(concat!("{:?} is not ", $words), shown)))
            }
            /// As text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
            /// Whether there is none.
            #[must_use]
            pub fn is_empty(&self) -> bool { self.0.is_empty() }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = SmolStr::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

checked! {
    /// The name of a variable of the environment. It begins with `CONNECTOR_`, so that a connector reaches for nothing else
    /// that the server was started with.
    Variable, 128,
    |text| text.len() > 10 && text.starts_with("CONNECTOR_")
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
    "a variable for connectors: CONNECTOR_ and capital letters, digits and _";
    /// The name of a file.
    FileName, 64,
    |text| text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')),
    "the name of a file: letters, digits and . _ -, and no directory";
    /// An address: `http` or `https`, without a name and a password in it.
    Address, 512,
    |text| text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty() && !host.contains('@') && rest.bytes().all(|b| b.is_ascii_graphic())
    }),
    "an address: http:// or https://, a host, and no password";
    /// With what names of prepared transactions begin.
    Mark, 96,
    |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':')),
    "a mark: letters, digits and . _ - :";
}

/// What can be asked about connectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConnectorCommand)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Sets a connector, new or in place of the old one.
    Set(Box<Connector>),
    /// Removes a connector that no live transaction uses.
    Remove {
        /// Which.
        connector: ConnectorId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_reaches_for_nothing_else() {
        for good in ["CONNECTOR_EU", "CONNECTOR_EU_2"] {
            assert!(Variable::parse(good).is_ok(), "{good}");
        }
        for bad in ["PATH", "CONNECTOR_", "CONNECTOR_eu", "connector_EU", ""] {
            assert!(Variable::parse(bad).is_err(), "{bad} was taken");
        }
        for bad in ["", "../x", "a/b", ".hidden", "a b", &"x".repeat(65)] {
            assert!(FileName::parse(bad).is_err(), "{bad} was taken");
        }
        for bad in [
            "ftp://h",
            "http://",
            "http://u:p@h/",
            "https:///x",
            "http://h/a b",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad} was taken");
        }
        assert!(Address::parse("https://bank.example/txn?x=1").is_ok());
    }
}
