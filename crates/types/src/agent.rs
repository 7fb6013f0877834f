//! A registered agent: its definitions, version beside version, and its life cycle.
use crate::id::{AgentId, Version};
use crate::path::{Pattern, ScopePath};
use crate::text::{Labels, Text};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::ToSchema;

/// One version of an agent, as registered. Every field but `id` has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The agent.
    pub id: AgentId,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub name: Text,
    /// Versions stand side by side; the newest active one speaks for the agent.
    #[serde(default = "first_version")]
    pub version: Version,
    /// What it does.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// Where it stands in the fleet's tree. Default: the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopePath>,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What it may do. What is not listed follows the fleet's default.
    #[serde(default)]
    pub allow: Allow,
    /// What it costs and how well it does, as declared.
    #[serde(default)]
    pub performance: Performance,
    /// How it is run.
    #[serde(default)]
    pub config: Config,
    /// 1 (least) to 10 (most urgent): for its requests that name none.
    #[serde(default)]
    pub priority: Priority,
    /// Its share beside other agents that wait for the same limit, 1–1000.
    #[serde(default)]
    pub weight: Weight,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub owner: Text,
    /// Its pool's type, such as `coder` or `tester`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Word>,
    /// For selectors.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Where in its life this version is.
    #[serde(default)]
    pub status: Status,
}

fn first_version() -> Version {
    Version::parse("1").expect("a digit is a version")
}

impl Definition {
    /// A definition with every default.
    #[must_use]
    pub fn new(id: AgentId) -> Self {
        Definition {
            id,
            name: Text::default(),
            version: first_version(),
            description: Text::default(),
            scope: None,
            capabilities: Capabilities::default(),
            allow: Allow::default(),
            performance: Performance::default(),
            config: Config::default(),
            priority: Priority::default(),
            weight: Weight::default(),
            owner: Text::default(),
            pool: None,
            labels: Labels::default(),
            status: Status::default(),
        }
    }
}

/// A short word of up to 128 bytes: a skill, a media type, a pool, an input's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, min_length = 1, max_length = 128)]
pub struct Word(SmolStr);

impl Word {
    /// The word as shared text; cheap to clone.
    #[must_use]
    pub fn text(&self) -> &SmolStr {
        &self.0
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = SmolStr::deserialize(deserializer)?;
        if word.is_empty() || word.len() > 128 || word.chars().any(char::is_control) {
            return Err(serde::de::Error::custom(
                "must be 1–128 bytes without control characters",
            ));
        }
        Ok(Word(word))
    }
}

/// What an agent can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Capabilities {
    /// Its field: `finance`, `legal`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Word>,
    /// What it is good at: `contract_review`. At most 64.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most_64")]
    #[schema(max_items = 64)]
    pub skills: Vec<Word>,
    /// What it takes: `text`, `pdf`. At most 64.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most_64")]
    #[schema(max_items = 64)]
    pub input_types: Vec<Word>,
    /// What it gives: `report`, `decision`. At most 64.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most_64")]
    #[schema(max_items = 64)]
    pub output_types: Vec<Word>,
    /// The tools it may use. At most 64.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most_64")]
    #[schema(max_items = 64)]
    pub tools: Vec<Word>,
}

/// Deserializes a list of at most 64 entries.
pub(crate) fn at_most_64<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(deserializer)?;
    if list.len() > 64 {
        return Err(serde::de::Error::custom(format!(
            "{} entries are more than 64",
            list.len()
        )));
    }
    Ok(list)
}

/// Allow-lists of patterns; what they do not name follows the fleet's default. At most 64 entries each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Allow {
    /// Actions it may take: `payment.*`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most_64")]
    #[schema(max_items = 64)]
    pub actions: Vec<Pattern>,
    /// Resources it may touch: `ledger/eu/**`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most_64")]
    #[schema(max_items = 64)]
    pub resources: Vec<Pattern>,
}

/// A profile as declared; what is measured stands in the usage statistics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Performance {
    /// Mean latency of a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// Successes per thousand tasks, 0–1000.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "per_mille"
    )]
    #[schema(maximum = 1000)]
    pub success_per_mille: Option<u16>,
    /// Reliability per thousand, 0–1000.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "per_mille"
    )]
    #[schema(maximum = 1000)]
    pub reliability_per_mille: Option<u16>,
    /// Tasks an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks_per_hour: Option<u64>,
    /// Cost of one task, in millionths of the fleet's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
}

fn per_mille<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    match Option::<u16>::deserialize(deserializer)? {
        Some(value) if value > 1000 => Err(serde::de::Error::custom(format!(
            "{value} is more than 1000 per mille"
        ))),
        value => Ok(value),
    }
}

/// How an agent is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Most permits in flight at once, enforced; absent: no bound of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_max: Option<u32>,
    /// How long a task may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<Millis>,
    /// What to do when a task fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Inputs it cannot do without. At most 64.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most_64")]
    #[schema(max_items = 64)]
    pub required_inputs: Vec<Word>,
    /// Inputs it can use. At most 64.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most_64")]
    #[schema(max_items = 64)]
    pub optional_inputs: Vec<Word>,
}

/// A retry policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Most repeats after the first try.
    pub retries_max: u16,
    /// How the pause grows.
    pub backoff: Backoff,
}

/// How a pause between tries grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Doubles each time.
    Exponential,
    /// Grows by the same amount each time.
    Linear,
}

/// Where in its life a version is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AgentStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// On trial: asked only by name.
    Beta,
    /// In use.
    #[default]
    Active,
    /// Still works; use its replacement.
    Deprecated,
    /// Asks for nothing: every permit is denied.
    Offline,
}

/// 1 (least) to 10 (most urgent).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = u8, minimum = 1, maximum = 10)]
pub struct Priority(u8);

impl Priority {
    /// The least urgent.
    pub const MIN: Priority = Priority(1);
    /// The most urgent.
    pub const MAX: Priority = Priority(10);

    /// Checks the range.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        if value >= 1 && value <= 10 {
            Some(Priority(value))
        } else {
            None
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Priority(5)
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u8::deserialize(deserializer)?;
        Priority::new(value)
            .ok_or_else(|| serde::de::Error::custom(format!("priority {value} is not 1–10")))
    }
}

/// A share beside others, 1–1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = u16, minimum = 1, maximum = 1000)]
pub struct Weight(u16);

impl Weight {
    /// Checks the range.
    #[must_use]
    pub const fn new(value: u16) -> Option<Self> {
        if value >= 1 && value <= 1000 {
            Some(Weight(value))
        } else {
            None
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Weight(100)
    }
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u16::deserialize(deserializer)?;
        Weight::new(value)
            .ok_or_else(|| serde::de::Error::custom(format!("weight {value} is not 1–1000")))
    }
}

/// What can be asked of the registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Adds or replaces one version of an agent.
    Register(Box<Definition>),
    /// Moves a version through its life; `replaced_by` names the successor of a deprecated one.
    SetStatus {
        /// The agent.
        agent: AgentId,
        /// Which version; absent: all.
        #[serde(default)]
        version: Option<Version>,
        /// The new status.
        status: Status,
        /// The agent to use instead.
        #[serde(default)]
        replaced_by: Option<AgentId>,
    },
    /// Removes an agent that holds nothing.
    Remove {
        /// The agent.
        agent: AgentId,
    },
}
