//! Names and numbers that identify things; each its own type, each checked when parsed.
use crate::text::Invalid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// A name is 1–128 bytes of letters, digits and `. _ : @ -`, and starts with a letter or digit.
///
/// Names of tenants and fleets also name directories: at most 64 bytes, without `:` and `@`.
fn check_name(kind: &str, name: &str) -> Result<(), Invalid> {
    if matches!(kind, "tenant" | "fleet") && (name.len() > 64 || name.contains([':', '@'])) {
        return Err(Invalid(format!(
            "{kind} {:?} must be 1–64 letters, digits and . _ -",
            name.chars().take(80).collect::<String>()
        )));
    }
    if name.is_empty() || name.len() > 128 {
        return Err(Invalid(format!(
            "{kind} must be 1–128 bytes, not {}",
            name.len()
        )));
    }
    if !name.as_bytes()[0].is_ascii_alphanumeric() {
        return Err(Invalid(format!(
            "{kind} {name:?} must start with a letter or digit"
        )));
    }
    match name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '@' | '-')))
    {
        Some(c) => Err(Invalid(format!(
            "{kind} {name:?} holds {c:?}; use letters, digits and . _ : @ -"
        ))),
        None => Ok(()),
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $example:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9][A-Za-z0-9._:@-]*$", example = $example)]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks the characters and the length.
            ///
            /// # Errors
            /// When it is empty, longer than 128 bytes or holds another character.
            pub fn parse(name: &str) -> Result<Self, Invalid> {
                check_name($kind, name)?;
                Ok(Self(SmolStr::new(name)))
            }
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
            /// The name as shared text; cheap to clone.
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
            fn from_str(name: &str) -> Result<Self, Invalid> { Self::parse(name) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = SmolStr::deserialize(deserializer)?;
                check_name($kind, &name).map_err(serde::de::Error::custom)?;
                Ok(Self(name))
            }
        }
    )*};
}

names! {
    /// An organisation: the boundary of data, keys and load.
    TenantId = "tenant", "default";
    /// One coordinated set of agents of a tenant.
    FleetId = "fleet", "main";
    /// A registered agent.
    AgentId = "agent", "payments-7";
    /// One live connection of an agent; chosen by the agent, unique within it.
    InstanceId = "instance", "host-3.1842";
    /// A group of agents across scopes.
    GroupId = "group", "quarter-end";
    /// A version of an agent's definition.
    Version = "version", "1.4.0";
    /// What an agent wants to do: `payment.send`.
    ActionName = "action", "payment.send";
    /// The asker's own id of a request; a repeat gets the first answer.
    RequestId = "request_id", "0198f2c4-5d1e-7c3a-9f1e-2b6c1d4e8a90";
    /// A limit.
    LimitId = "limit", "payments-per-second";
    /// A budget.
    BudgetId = "budget", "emea-daily";
    /// A rule.
    RuleId = "rule", "freeze-before-pay";
    /// A branch of a two-phase commit, or a step of a saga; unique within its transaction.
    BranchId = "branch", "ledger-eu";
    /// A way to an outside system that takes part in transactions.
    ConnectorId = "connector", "bank-eu";
    /// A policy.
    PolicyId = "policy", "no-big-payments-at-night";
    /// A credential; the secret itself is never kept.
    KeyId = "key", "k-3f9a";
    /// One of the answers that an approval takes.
    OptionId = "option", "approve";
    /// Something that an answer to an approval tells besides.
    FieldId = "field", "cost-centre";
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = u64)]
        pub struct $name(pub u64);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
    )*};
}

numbers! {
    /// The place of an event in its fleet's journal: 1, 2, 3 … without gaps.
    Seq;
    /// A fencing token: the journal sequence of the grant. Only grows; never reused.
    Token;
    /// Which life of an instance this is; grows each time it returns.
    Epoch;
}

macro_rules! prefixed {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
        #[schema(value_type = String)]
        pub struct $name(pub Seq);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, concat!($prefix, "{}"), self.0.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                text.strip_prefix($prefix)
                    .filter(|digits| !digits.starts_with('+'))
                    .and_then(|digits| digits.parse().ok())
                    .map(|seq| Self(Seq(seq)))
                    .ok_or_else(|| Invalid(format!(concat!($kind, " {:?} is not of the form ", $prefix, "123"), text.chars().take(40).collect::<String>())))
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                // Twenty digits and the prefix fit: no allocation on the hot path.
                let mut buffer = [0u8; 24];
                buffer[..$prefix.len()].copy_from_slice($prefix.as_bytes());
                let mut digits = [0u8; 20];
                let mut at = digits.len();
                let mut rest = self.0.0;
                loop {
                    at -= 1;
                    digits[at] = b'0' + (rest % 10) as u8;
                    rest /= 10;
                    if rest == 0 { break; }
                }
                let end = $prefix.len() + digits.len() - at;
                buffer[$prefix.len()..end].copy_from_slice(&digits[at..]);
                serializer.serialize_str(std::str::from_utf8(&buffer[..end]).expect("digits are UTF-8"))
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = SmolStr::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

prefixed! {
    /// A permit: `p` and the journal sequence of its request.
    PermitId = "p", "permit";
    /// A halt: `h` and the journal sequence of its order.
    HaltId = "h", "halt";
    /// An approval: `a` and the journal sequence of its question.
    ApprovalId = "a", "approval";
    /// A transaction: `t` and the journal sequence of its begin.
    TxnId = "t", "transaction";
    /// A conflict: `c` and the journal sequence of the first request that ran into it.
    ConflictId = "c", "conflict";
    /// A plan: `n` and the journal sequence of its declaration.
    PlanId = "n", "plan";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_checked() {
        assert_eq!(AgentId::parse("pay-1").unwrap().as_str(), "pay-1");
        for bad in ["", "-a", "a b", "a/b", "é", "a\u{0}", &"x".repeat(129)] {
            assert!(AgentId::parse(bad).is_err(), "{bad:?} was taken");
        }
        for seq in [0, 7, u64::MAX] {
            let id = PermitId(Seq(seq));
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(json, format!("\"p{seq}\""));
            assert_eq!(serde_json::from_str::<PermitId>(&json).unwrap(), id);
        }
        for bad in ["p", "7", "p-7", "p+7", "h7", "p99999999999999999999"] {
            assert!(bad.parse::<PermitId>().is_err(), "{bad:?} was taken");
        }
    }
}
