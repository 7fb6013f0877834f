//! Policies in Rego, for what the forms of rules cannot say, and what they said of a request.
//!
//! A policy is a module with a case. It is evaluated in front of the queue; its verdict travels with the request, and
//! the core enforces it. What is written here never evaluates anything.
use crate::approval::Terms;
use crate::id::{ActionName, PermitId, PolicyId, Seq};
use crate::permit::{Extend, Request};
use crate::rule::{Case, Stage};
use crate::text::{Invalid, Text};
use crate::tool;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use smol_str::SmolStr;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use utoipa::ToSchema;

/// Largest module, in bytes.
pub const MODULE_BYTES_MAX: usize = 64 * 1024;
/// Largest document of data, in bytes of compact JSON.
pub const DATA_BYTES_MAX: usize = 256 * 1024;
/// Most reasons of one policy that are kept.
pub const REASONS_MAX: usize = 16;
/// Most approvals that one policy wants for a request.
pub const APPROVALS_MAX: usize = 8;
/// Most policies of a fleet.
pub const COUNT_MAX: usize = 200;

/// A Rego module over the requests of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Policy)]
pub struct Policy {
    /// The policy.
    pub id: PolicyId,
    /// Why it exists, for people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// How far it is in its life.
    #[serde(default)]
    pub stage: Stage,
    /// Which requests it looks at.
    #[serde(default)]
    pub when: Case,
    /// The text of the module, of package `fleet`.
    pub module: Module,
}

/// The text of a module: at most 64 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, max_length = 65536)]
pub struct Module(Arc<str>);

impl Module {
    /// Checks the bound. Whether it is Rego is found out when it is compiled.
    ///
    /// # Errors
    /// When it is too large.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > MODULE_BYTES_MAX {
            let size = text.len();
            return Err(Invalid::new(format!(
                "a module of {size} bytes is more than {MODULE_BYTES_MAX}; split it into several policies"
            )));
        }
        Ok(Module(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Module {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Module::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The hash of a module's text: BLAKE3, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, min_length = 64, max_length = 64)]
pub struct Hash(SmolStr);

impl Hash {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Hash {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 64 || !digits {
            return Err(Invalid::new("a hash is 64 hexadecimal digits"));
        }
        Ok(Hash(text.into()))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SmolStr::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What operators tell policies beside the fleet's own state: an object of at most 256 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct Data(Arc<Map<String, Value>>);

impl Data {
    /// Checks the bound.
    ///
    /// # Errors
    /// When it is too large.
    pub fn new(document: Map<String, Value>) -> Result<Self, Invalid> {
        let size = serde_json::to_vec(&document).map_or(usize::MAX, |bytes| bytes.len());
        if size > DATA_BYTES_MAX {
            return Err(Invalid::new(format!(
                "data of {size} bytes is more than {DATA_BYTES_MAX}"
            )));
        }
        Ok(Data(Arc::new(document)))
    }

    /// The object.
    #[must_use]
    pub fn object(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Map::deserialize(deserializer)?;
        Data::new(document).map_err(serde::de::Error::custom)
    }
}

/// What can be asked about policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = PolicyCommand)]
pub enum Command {
    /// Adds a policy, or its next version. The door has compiled it.
    Set {
        /// The policy.
        policy: Box<Policy>,
        /// The hash of its module.
        hash: Hash,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
    /// Removes a policy with all its versions.
    Remove {
        /// Which.
        policy: PolicyId,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
    /// Makes an earlier version the next one.
    RollBack {
        /// Which.
        policy: PolicyId,
        /// To which version; absent: the one before.
        #[serde(default)]
        version: Option<u32>,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
    /// Replaces the data that policies see.
    SetData {
        /// All of it.
        data: Data,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
}

/// What a policy said of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyOpinion)]
pub enum Opinion {
    /// It may pass.
    Allow,
    /// It may pass as changed.
    Transform,
    /// Somebody must approve it first.
    Approve,
    /// It must not pass.
    Deny,
    /// The policy came to no answer; that counts as a denial.
    Failed,
}

/// What one policy said of a request, and which text of it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyJudgement)]
pub struct Judgement {
    /// Which.
    pub policy: PolicyId,
    /// Which version of it.
    pub version: u32,
    /// Where in the journal that version was set: two texts never share a place, even when a policy was removed between.
    pub set_at: Seq,
    /// Its module's hash.
    pub hash: Hash,
    /// What it said.
    pub opinion: Opinion,
    /// Whether it is only observed: recorded, and not enforced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
    /// Why, in the policy's words; at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Text>,
    /// Which approvals it wants, on which terms; none: it does not say whom to ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Terms>)]
    pub terms: Vec<Arc<Terms>>,
}

/// What all policies that a request met said of it, and what its tool made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyVerdict)]
pub struct Verdict {
    /// Each policy that was asked, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judged: Vec<Judgement>,
    /// What its tool made of it, if its action is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Box<tool::Judgement>>,
    /// Tools whose names are like that of an action that should be one and is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<ActionName>,
    /// Where in the journal the data stood that they saw; 0: there was none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub data_at: Seq,
    /// The request as it was asked, where policies or its tool changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Request>)]
    pub original: Option<Arc<Request>>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(seq: &Seq) -> bool {
    seq.0 == 0
}

impl Verdict {
    /// Itself, if any policy or tool was asked.
    #[must_use]
    pub fn filled(self) -> Option<Box<Verdict>> {
        let says = !self.judged.is_empty() || self.tool.is_some();
        says.then(|| Box::new(self))
    }
}

/// A request as policies want it, with what they said. Made in front of the queue, never by a caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The request, changed where policies say so.
    pub request: Arc<Request>,
    /// What they said.
    pub verdict: Verdict,
    /// How often the core has found a verdict out of date before.
    #[serde(default)]
    pub attempts: u8,
}

/// Asking for more, with what policies said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedExtend {
    /// What is asked.
    pub extend: Arc<Extend>,
    /// What they said.
    pub verdict: Verdict,
    /// How often the core has found a verdict out of date before.
    #[serde(default)]
    pub attempts: u8,
}

/// A waiting permit judged anew, since policies have changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejudged {
    /// Which.
    pub permit: PermitId,
    /// Its request, changed where policies say so.
    pub request: Arc<Request>,
    /// What they said.
    pub verdict: Verdict,
}
