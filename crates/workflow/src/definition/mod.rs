//! A definition as data: what a text says, with its short forms written out.
//!
//! What is read from one and written again is the same definition; maps are in the order of their names, so that the
//! order of a text makes no difference to what it means.
pub mod kind;
pub mod parts;

pub use kind::Kind;
pub use parts::{
    Claim, Compensation, Concurrency, Estimate, OnLimit, Output, Permit, Retry, Timeouts, Variable,
    Workers,
};

use crate::name::Name;
use parts::{is_default, names};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Nodes by their names.
pub type Nodes = BTreeMap<Name, Node>;
/// Templates by the names of what they give.
pub type Templates = BTreeMap<Name, Value>;
/// JSON Schemas by the names of what they are of.
pub type Schemas = BTreeMap<Name, Value>;

/// A workflow: what is to be done, by whom, and what must come before what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Its name.
    pub name: SmolStr,
    /// What it is for.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    pub description: SmolStr,
    /// For selectors and searches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<SmolStr, SmolStr>,
    /// The JSON Schema of each input; one with a `default` may be left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: Schemas,
    /// What an execution gives in the end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<Name, Output>,
    /// Values that nodes set and read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<Name, Variable>,
    /// Secrets that nodes may refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Name>,
    /// How much happens at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub concurrency: Concurrency,
    /// Of agents and tools that say none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub defaults: Defaults,
    /// What is done.
    pub nodes: Nodes,
}

/// What holds for every agent and tool that does not say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Defaults {
    /// How often it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// How long it may take.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Node {
    /// What it does.
    #[serde(flatten)]
    pub kind: Kind,
    /// What every node may have.
    #[serde(flatten)]
    pub common: Common,
}

/// What every node may have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Common {
    /// What it is for.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    pub description: SmolStr,
    /// Nodes beside it that must have ended before.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "names"
    )]
    pub after: Vec<Name>,
    /// It is skipped unless this is true.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "parts::maybe_expression"
    )]
    pub when: Option<String>,
    /// Its failure fails nothing else.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optional: bool,
    /// Variables that it sets when it has succeeded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: Templates,
    /// The JSON Schema of each output; absent: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Schemas>,
    /// 1 (least) to 10; absent: by the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// How long it may take.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
    /// How often it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The permit it runs under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<Permit>,
    /// What undoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<Compensation>,
    /// What is expected of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub estimate: Estimate,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let mut common = Map::new();
        for field in crate::shape::COMMON {
            if let Some(value) = fields.remove(field.name) {
                common.insert(field.name.to_owned(), value);
            }
        }
        let wrong = serde::de::Error::custom::<serde_json::Error>;
        let kind = fields.remove("kind").unwrap_or_default();
        Ok(Node {
            kind: Kind::read(kind.as_str().unwrap_or_default(), fields).map_err(wrong)?,
            common: Common::deserialize(Value::Object(common)).map_err(wrong)?,
        })
    }
}
