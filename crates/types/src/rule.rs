//! Coordination rules: what must not happen together, what must come first, how often, by whom.
//!
//! A rule judges the requests of its case, and remembers by its key what permits of its cases did, in flight and done.
mod mark;

use crate::approval::Terms;
use crate::calendar::Calendar;
use crate::id::{GroupId, RuleId};
pub use crate::order::{Allocation, Fallback, Order, Resolution, Strategy};
use crate::path::{Pattern, ScopePath};
use crate::pointer::Pointer;
use crate::selector::Selector;
use crate::text::{Invalid, Labels, Text};
use crate::time::Millis;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use utoipa::ToSchema;

pub use mark::{Alike, Mark, Marked, Notes, Side};

/// Most rules of a fleet.
pub const COUNT_MAX: usize = 10_000;

/// A rule over the requests of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Rule)]
pub struct Rule {
    /// The rule.
    pub id: RuleId,
    /// Why it exists, for people. A denial says it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// How far it is in its life.
    #[serde(default)]
    pub stage: Stage,
    /// Which requests it judges.
    #[serde(default)]
    pub when: Case,
    /// What must be so for them.
    pub form: Form,
}

impl Rule {
    /// Its own case, and the other one where its form names one.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        std::iter::once(&self.when).chain(self.form.other_case())
    }
}

/// How far a rule is in its life.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = RuleStage)]
pub enum Stage {
    /// Kept, and asked nothing.
    Draft,
    /// Its verdict is recorded and not enforced.
    Observe,
    /// Its verdict counts.
    #[default]
    Enforce,
}

/// Which requests: every part that is given must match; none given: all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Case {
    /// Agents in this scope or below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopePath>,
    /// Agents whose id matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Pattern>,
    /// Members of this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// Actions that match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Pattern>,
    /// Requests that claim a resource that matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Pattern>,
    /// Requests that carry these labels.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// What must hold of the action's arguments, by JSON pointer. An argument that is not there meets no condition.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Condition>)]
    pub parameters: BTreeMap<Pointer, Condition>,
    /// At which times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub during: Option<Calendar>,
}

impl Case {
    /// The part that agents, limits and budgets have too.
    #[must_use]
    pub fn selector(&self) -> Selector {
        Selector {
            scope: self.scope.clone(),
            agent: self.agent.clone(),
            group: self.group.clone(),
            action: self.action.clone(),
            resource: self.resource.clone(),
            labels: self.labels.clone(),
        }
    }
}

/// What must hold of one argument: all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// Is this value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// Is one of these values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Value>,
    /// Is a number and not less.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub at_least: Option<Number>,
    /// Is a number and not more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub at_most: Option<Number>,
    /// Is a number and more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub above: Option<Number>,
    /// Is a number and less.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub below: Option<Number>,
    /// Is text and matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<Pattern>,
}

/// What must be so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = RuleForm)]
pub enum Form {
    /// An argument stays within bounds.
    Bounds(Bounds),
    /// Two kinds of actions do not both happen to the same thing within a span, in either order, whoever does them.
    Contradiction(Contradiction),
    /// Two kinds of actions are not in flight at once for the same thing.
    Exclusion(Exclusion),
    /// An action happens only when another was completed before.
    Sequence(Sequence),
    /// Who did one thing does not do the other, in either order.
    Separation(Separation),
    /// An action does not happen again for a while.
    CoolingOff(CoolingOff),
    /// So often, or so much, within any span of this length; what is in flight counts.
    Quota(Quota),
    /// As a quota; whoever passes it is stopped until a person resets the rule.
    Throttle(Throttle),
    /// Somebody else must approve it first.
    #[schema(value_type = Terms)]
    Approval(Arc<Terms>),
    /// Who gets a resource first.
    Allocation(Allocation),
    /// What is done about a conflict.
    Resolution(Resolution),
}

impl Form {
    /// The case that it names besides the rule's own.
    #[must_use]
    pub fn other_case(&self) -> Option<&Case> {
        match self {
            Form::Contradiction(form) => Some(&form.with),
            Form::Exclusion(form) => Some(&form.with),
            Form::Sequence(form) => Some(&form.after),
            Form::Separation(form) => Some(&form.from),
            Form::Bounds(_)
            | Form::CoolingOff(_)
            | Form::Quota(_)
            | Form::Throttle(_)
            | Form::Approval(_)
            | Form::Allocation(_)
            | Form::Resolution(_) => None,
        }
    }

    /// How long it remembers what was done.
    #[must_use]
    pub const fn span(&self) -> Millis {
        match self {
            Form::Bounds(_)
            | Form::Exclusion(_)
            | Form::Approval(_)
            | Form::Allocation(_)
            | Form::Resolution(_) => Millis(0),
            Form::Contradiction(form) => form.within_ms,
            Form::Sequence(form) => form.within_ms,
            Form::Separation(form) => form.within_ms,
            Form::CoolingOff(form) => form.for_ms,
            Form::Quota(form) => form.window_ms,
            Form::Throttle(form) => form.window_ms,
        }
    }
}

/// An argument stays within bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Which argument. It must be there, and a number.
    pub parameter: Pointer,
    /// Not less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub at_least: Option<Number>,
    /// Not more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub at_most: Option<Number>,
    /// A collar: not further from another argument than a part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<Collar>,
}

/// Not further from another argument than a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Collar {
    /// Which argument is the middle, such as a reference price.
    pub parameter: Pointer,
    /// How far from it, in thousandths of it.
    #[schema(minimum = 1)]
    pub permille: u32,
}

/// Two kinds of actions do not both happen within a span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contradiction {
    /// The other kind; the first is the rule's own case.
    pub with: Case,
    /// How long after one the other is refused.
    pub within_ms: Millis,
    /// What is one thing.
    #[serde(default)]
    pub per: Per,
}

/// Two kinds of actions are not in flight at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// The other kind; the first is the rule's own case.
    pub with: Case,
    /// What is one thing.
    #[serde(default)]
    pub per: Per,
}

/// An action happens only when another was completed before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// What must have been completed.
    pub after: Case,
    /// How long before at most.
    pub within_ms: Millis,
    /// What is one thing.
    #[serde(default)]
    pub per: Per,
}

/// Who did one thing does not do the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Separation {
    /// The other kind; the first is the rule's own case.
    pub from: Case,
    /// For how long.
    pub within_ms: Millis,
    /// What is one thing.
    #[serde(default)]
    pub per: Per,
}

/// An action does not happen again for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CoolingOff {
    /// How long after one the next is refused.
    pub for_ms: Millis,
    /// What is one thing.
    #[serde(default)]
    pub per: Per,
}

/// So often, or so much, within a span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// How often; with `sum`, how much.
    #[schema(value_type = f64)]
    pub max: Number,
    /// Within any span of this length.
    pub window_ms: Millis,
    /// Which argument is summed, such as a volume; absent: actions are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<Pointer>,
    /// What has a count of its own.
    #[serde(default)]
    pub per: Per,
}

/// As a quota; whoever passes it is stopped until a person resets the rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// How often.
    #[schema(minimum = 1)]
    pub max: u32,
    /// Within any span of this length.
    pub window_ms: Millis,
    /// What has a count of its own.
    #[serde(default)]
    pub per: Per,
}

/// What is one thing to a rule: requests that agree in all of these parts: `resource`, `agent`, `action`, `label:KEY`,
/// `parameter:/POINTER`. Default: each resource. None: everything is one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Vec<String>, max_items = 4, example = json!(["resource"]))]
pub struct Per(Vec<Part>);

impl Per {
    /// Most parts.
    pub const COUNT_MAX: usize = 4;

    /// The parts, each once; none: all requests are about one thing.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// Whether each resource is a thing of its own.
    #[must_use]
    pub fn has_resource(&self) -> bool {
        self.0.contains(&Part::Resource)
    }
}

impl Default for Per {
    fn default() -> Self {
        Per(vec![Part::Resource])
    }
}

impl<'de> Deserialize<'de> for Per {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Vec::<Part>::deserialize(deserializer)?;
        if parts.len() > Self::COUNT_MAX {
            let words = format!(
                "per has {} parts, more than {}",
                parts.len(),
                Self::COUNT_MAX
            );
            return Err(serde::de::Error::custom(words));
        }
        if let Some(twice) = (1..parts.len()).find(|at| parts[..*at].contains(&parts[*at])) {
            let words = format!("per names {} twice", parts[twice]);
            return Err(serde::de::Error::custom(words));
        }
        Ok(Per(parts))
    }
}

/// One part of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// `resource`: each claimed resource that the case matches. One above or below another is the same thing.
    Resource,
    /// `agent`: who asks.
    Agent,
    /// `action`: what it does.
    Action,
    /// `label:KEY`: the value of a label.
    Label(SmolStr),
    /// `parameter:/POINTER`: an argument.
    Parameter(Pointer),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Resource => f.write_str("resource"),
            Part::Agent => f.write_str("agent"),
            Part::Action => f.write_str("action"),
            Part::Label(key) => write!(f, "label:{key}"),
            Part::Parameter(pointer) => write!(f, "parameter:{pointer}"),
        }
    }
}

impl FromStr for Part {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match (text, text.split_once(':')) {
            ("resource", _) => Ok(Part::Resource),
            ("agent", _) => Ok(Part::Agent),
            ("action", _) => Ok(Part::Action),
            (_, Some(("label", key))) if (1..=63).contains(&key.len()) => {
                Ok(Part::Label(key.into()))
            }
            (_, Some(("parameter", pointer))) => Ok(Part::Parameter(pointer.parse()?)),
            _ => Err(Invalid::new(format!(
                "part {text:?} is not resource, agent, action, label:KEY or parameter:/POINTER"
            ))),
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SmolStr::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What can be asked about rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = RuleCommand)]
pub enum Command {
    /// Adds a rule, or its next version; what its permits did goes on counting where the form is the same.
    Set {
        /// The rule.
        rule: Box<Rule>,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
    /// Removes a rule with all its versions.
    Remove {
        /// Which.
        rule: RuleId,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
    /// Makes an earlier version the next one.
    RollBack {
        /// Which.
        rule: RuleId,
        /// To which version; absent: the one before.
        #[serde(default)]
        version: Option<u32>,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
    /// Lets through again what a throttle has stopped. For people: an agent cannot.
    Reset {
        /// Which.
        rule: RuleId,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
}
