//! The parts of a definition that kinds of nodes have in common.
use crate::name::Name;
use crate::span::Span;
use fleet_types::budget::Cost;
use fleet_types::lock::Mode;
use fleet_types::{ActionName, AgentId, Millis};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use smol_str::SmolStr;
use std::collections::BTreeMap;

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What may be written shorter than in full.
#[derive(Deserialize)]
#[serde(untagged)]
enum Short<S, F> {
    Short(S),
    Full(F),
}

/// A name, or several.
pub(super) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Name>, D::Error> {
    Ok(match Short::<Name, Vec<Name>>::deserialize(deserializer)? {
        Short::Short(name) => vec![name],
        Short::Full(names) => names,
    })
}

/// An expression; a bare number or truth value is one too.
pub(super) fn expression<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

pub(super) fn maybe_expression<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    expression(deserializer).map(Some)
}

/// How often a failed attempt is made again, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Short<u32, RetryInFull>")]
pub struct Retry {
    /// Attempts in all, the first too.
    pub max_attempts: u32,
    /// How waits grow.
    pub backoff: Backoff,
    /// The first wait.
    pub first: Span,
    /// Of exponential waits.
    pub factor: f64,
    /// The longest wait.
    pub max: Span,
    /// Part of each wait that is left to chance: 0 to 1.
    pub jitter: f64,
    /// Types of errors after which no attempt is made again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_on: Vec<SmolStr>,
}

/// How waits between attempts grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Each wait is `factor` times the one before.
    #[default]
    Exponential,
    /// Each wait is longer by the first.
    Linear,
    /// Each wait is the first.
    Fixed,
}

#[derive(Deserialize)]
#[serde(default)]
struct RetryInFull {
    max_attempts: u32,
    backoff: Backoff,
    first: Span,
    factor: f64,
    max: Span,
    jitter: f64,
    not_on: Vec<SmolStr>,
}

impl Default for RetryInFull {
    fn default() -> Self {
        RetryInFull {
            max_attempts: 3,
            backoff: Backoff::Exponential,
            first: Span(Millis(1_000)),
            factor: 2.0,
            max: Span(Millis(60_000)),
            jitter: 0.0,
            not_on: Vec::new(),
        }
    }
}

impl From<Short<u32, RetryInFull>> for Retry {
    fn from(short: Short<u32, RetryInFull>) -> Retry {
        let full = match short {
            Short::Full(full) => full,
            Short::Short(max_attempts) => RetryInFull {
                max_attempts,
                ..RetryInFull::default()
            },
        };
        Retry {
            max_attempts: full.max_attempts,
            backoff: full.backoff,
            first: full.first,
            factor: full.factor,
            max: full.max,
            jitter: full.jitter,
            not_on: full.not_on,
        }
    }
}

impl Retry {
    /// How long to wait before the next attempt, when so many (1 or more) have failed. `chance` is from 0 to 1 and takes
    /// its part of the wait away: it is handed in, so that the same is worked out again.
    #[must_use]
    pub fn wait(&self, failed: u32, chance: f64) -> Millis {
        let first = self.first.0.0 as f64;
        let steps = failed.saturating_sub(1);
        let grown = match self.backoff {
            Backoff::Exponential => {
                first * self.factor.powi(i32::try_from(steps).unwrap_or(i32::MAX))
            }
            Backoff::Linear => first * f64::from(steps.saturating_add(1)),
            Backoff::Fixed => first,
        };
        let capped = grown.min(self.max.0.0 as f64);
        Millis((capped * (1.0 - self.jitter * chance.clamp(0.0, 1.0))) as u64)
    }

    /// Whether another attempt may be made, when so many have failed and the last with an error of this type.
    #[must_use]
    pub fn again(&self, failed: u32, error: &str) -> bool {
        failed < self.max_attempts && self.not_on.iter().all(|not| not != error)
    }
}

/// How long each part of a task may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Short<Span, TimeoutsInFull>")]
pub struct Timeouts {
    /// Until a worker is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Span>,
    /// Until the worker says that it has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Span>,
    /// From there until it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Span>,
    /// Longest silence of a worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Span>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TimeoutsInFull {
    queue: Option<Span>,
    start: Option<Span>,
    run: Option<Span>,
    heartbeat: Option<Span>,
}

impl From<Short<Span, TimeoutsInFull>> for Timeouts {
    fn from(short: Short<Span, TimeoutsInFull>) -> Timeouts {
        match short {
            Short::Short(run) => Timeouts {
                run: Some(run),
                ..Timeouts::default()
            },
            Short::Full(full) => Timeouts {
                queue: full.queue,
                start: full.start,
                run: full.run,
                heartbeat: full.heartbeat,
            },
        }
    }
}

impl Timeouts {
    /// These, and what they do not say as others do.
    #[must_use]
    pub fn or(&self, others: &Timeouts) -> Timeouts {
        Timeouts {
            queue: self.queue.or(others.queue),
            start: self.start.or(others.start),
            run: self.run.or(others.run),
            heartbeat: self.heartbeat.or(others.heartbeat),
        }
    }
}

/// A resource, and how it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Which; may have holes.
    pub path: String,
    /// How.
    pub mode: Mode,
}

/// The permit that a task runs under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Short<ActionName, PermitInFull>")]
pub struct Permit {
    /// What is done.
    pub action: ActionName,
    /// On what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Claim>,
    /// The action's arguments, as templates.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<SmolStr, Value>,
    /// Most it will cost.
    #[serde(skip_serializing_if = "Cost::is_zero")]
    pub cost: Cost,
    /// How long it waits for its turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<Span>,
    /// How long it holds unless renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// For selectors and budgets; text templates.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<SmolStr, String>,
}

#[derive(Deserialize)]
struct PermitInFull {
    action: ActionName,
    #[serde(default)]
    resources: Vec<Claim>,
    #[serde(default)]
    parameters: BTreeMap<SmolStr, Value>,
    #[serde(default)]
    cost: Cost,
    #[serde(default)]
    wait: Option<Span>,
    #[serde(default)]
    ttl: Option<Span>,
    #[serde(default)]
    labels: BTreeMap<SmolStr, String>,
}

impl From<Short<ActionName, PermitInFull>> for Permit {
    fn from(short: Short<ActionName, PermitInFull>) -> Permit {
        match short {
            Short::Short(action) => Permit {
                action,
                resources: Vec::new(),
                parameters: BTreeMap::new(),
                cost: Cost::ZERO,
                wait: None,
                ttl: None,
                labels: BTreeMap::new(),
            },
            Short::Full(full) => Permit {
                action: full.action,
                resources: full.resources,
                parameters: full.parameters,
                cost: full.cost,
                wait: full.wait,
                ttl: full.ttl,
                labels: full.labels,
            },
        }
    }
}

/// What a worker must be to get a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workers {
    /// It has all of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<SmolStr>,
    /// It belongs to this pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<SmolStr>,
    /// It runs there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<SmolStr>,
    /// The worker that did this node, while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Name>,
    /// It does nothing else meanwhile.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exclusive: bool,
    /// It has all of these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<SmolStr, SmolStr>,
}

/// What undoes a node that has succeeded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compensation {
    /// Who does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ActionName>,
    /// What it gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: super::Templates,
    /// As of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// As of a node.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
    /// As of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<Permit>,
}

/// What the author expects of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Short<Span, EstimateInFull>")]
pub struct Estimate {
    /// How long it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// What it costs.
    #[serde(skip_serializing_if = "Cost::is_zero")]
    pub cost: Cost,
    /// How many items a map gets, or how often a loop goes round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct EstimateInFull {
    duration: Option<Span>,
    cost: Cost,
    count: Option<u64>,
}

impl From<Short<Span, EstimateInFull>> for Estimate {
    fn from(short: Short<Span, EstimateInFull>) -> Estimate {
        match short {
            Short::Short(duration) => Estimate {
                duration: Some(duration),
                ..Estimate::default()
            },
            Short::Full(full) => Estimate {
                duration: full.duration,
                cost: full.cost,
                count: full.count,
            },
        }
    }
}

/// A value that nodes may set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Variable {
    /// What it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// What it is at first.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub value: Value,
}

/// Something that an execution gives in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Short<String, OutputInFull>")]
pub struct Output {
    /// A template.
    pub value: Value,
    /// What it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
}

#[derive(Deserialize)]
struct OutputInFull {
    value: Value,
    #[serde(default)]
    schema: Option<Value>,
}

impl From<Short<String, OutputInFull>> for Output {
    fn from(short: Short<String, OutputInFull>) -> Output {
        match short {
            Short::Short(text) => Output {
                value: Value::String(text),
                schema: None,
            },
            Short::Full(full) => Output {
                value: full.value,
                schema: full.schema,
            },
        }
    }
}

/// How much happens at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concurrency {
    /// Executions of this workflow at once, for each key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executions: Option<u32>,
    /// Which executions are counted together: a text template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What happens to one more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_limit: OnLimit,
    /// Tasks of one execution at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u32>,
}

/// What happens to an execution that is one too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It is refused.
    Refuse,
}
