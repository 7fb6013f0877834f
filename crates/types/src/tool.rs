//! Tools: actions that a fleet knows more of than their names. What arguments they take, who may use them with which of
//! them, what they touch and what they cost follows from the arguments, not from what the caller says.
//!
//! A tool is registered under the action that agents ask for. What is written here never runs a schema: that happens in
//! front of the queue, and what came of it travels with the request.
use crate::approval::Terms;
use crate::budget::Cost;
use crate::id::{ActionName, Seq};
use crate::lock::Mode;
use crate::path::{ResourcePath, SEGMENTS_MAX};
use crate::pointer::Pointer;
use crate::rule;
use crate::text::{Invalid, Text};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use smol_str::SmolStr;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;
use utoipa::ToSchema;

/// Most tools of a fleet.
pub const COUNT_MAX: usize = 1_000;
/// Most cases of one guard.
pub const CASES_MAX: usize = 32;
/// Most resources that one tool derives.
pub const TEMPLATES_MAX: usize = 16;
/// Most arguments that one tool's cost depends on.
pub const RATES_MAX: usize = 16;
/// Largest schema of arguments, in bytes of compact JSON.
pub const SCHEMA_BYTES_MAX: usize = 16 * 1024;
/// Deepest schema of arguments: so many objects and lists inside each other.
pub const SCHEMA_DEPTH_MAX: usize = 24;
/// Most arguments that a refusal names.
pub const FAULTS_MAX: usize = 16;
/// Most known tools that are named where one is unknown.
pub const NEAREST_MAX: usize = 3;

/// An action with its arguments, its guard, its resources and its cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Tool)]
pub struct Tool {
    /// The action that agents ask for.
    pub id: ActionName,
    /// What it does, for people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// What its arguments must be, as JSON Schema; absent: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Schema>,
    /// Who may use it, where no case says so.
    #[serde(default)]
    pub guard: Guard,
    /// Who may use it when; the first case that a request belongs to decides.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::<_, _, CASES_MAX>"
    )]
    #[schema(max_items = 32)]
    pub cases: Vec<Case>,
    /// On which terms it is approved, where a case does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Terms>)]
    pub approval: Option<Arc<Terms>>,
    /// What it touches; joins what a request claims itself.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::<_, _, TEMPLATES_MAX>"
    )]
    #[schema(max_items = 16)]
    pub resources: Vec<Template>,
    /// What it costs at least.
    #[serde(default, skip_serializing_if = "CostModel::is_nothing")]
    pub cost: CostModel,
}

/// Whether a tool may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ToolGuard)]
pub enum Guard {
    /// As far as everything else lets it.
    #[default]
    Automatic,
    /// When somebody has approved it.
    Approval,
    /// Not at all.
    Forbidden,
}

/// A guard for some requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ToolCase)]
pub struct Case {
    /// Which requests, with the resources that follow from their arguments.
    #[serde(default)]
    pub when: rule::Case,
    /// Whether the tool may be used for them.
    pub guard: Guard,
    /// On which terms it is approved; absent: the tool's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Terms>)]
    pub approval: Option<Arc<Terms>>,
}

/// A resource that follows from the arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ToolResource)]
pub struct Template {
    /// Which: a path in which `{account}`, or `{/order/account}`, stands for an argument.
    pub path: TemplatePath,
    /// How it is held.
    pub mode: Mode,
}

/// What a tool costs: a fixed part, and for each of some arguments a number times a rate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ToolCost)]
pub struct CostModel {
    /// Whatever the arguments are.
    #[serde(
        skip_serializing_if = "Cost::is_zero",
        deserialize_with = "crate::permit::cost"
    )]
    pub fixed: Cost,
    /// For what arguments say.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::<_, _, RATES_MAX>"
    )]
    #[schema(max_items = 16)]
    pub per: Vec<Rate>,
}

/// What one of something costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ToolRate)]
pub struct Rate {
    /// Which argument tells how many. It must be there, and a number of at least 0.
    pub argument: Pointer,
    /// What one costs. A part of one costs its part, rounded up.
    #[serde(deserialize_with = "crate::permit::cost")]
    pub unit: Cost,
}

impl CostModel {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == CostModel::default()
    }
}

/// JSON Schema for the arguments of a tool: at most 16 KiB and 24 levels. References stay within it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct Schema(Arc<Value>);

impl Schema {
    /// Checks the bounds. Whether it is a schema is found out when it is compiled.
    ///
    /// # Errors
    /// When it is no object, too large or too deep.
    pub fn new(schema: Value) -> Result<Self, Invalid> {
        if !schema.is_object() {
            return Err(Invalid::new("a schema of arguments is an object"));
        }
        if depth(&schema, SCHEMA_DEPTH_MAX).is_none() {
            return Err(Invalid::new(format!(
                "a schema of arguments has at most {SCHEMA_DEPTH_MAX} levels; name parts of it in $defs"
            )));
        }
        let size = serde_json::to_vec(&schema).map_or(usize::MAX, |bytes| bytes.len());
        if size > SCHEMA_BYTES_MAX {
            return Err(Invalid::new(format!(
                "a schema of {size} bytes is more than {SCHEMA_BYTES_MAX}; say less of the arguments"
            )));
        }
        Ok(Schema(Arc::new(schema)))
    }

    /// The document.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }
}

/// How deep a value is, if not deeper than this.
fn depth(value: &Value, most: usize) -> Option<usize> {
    let below = |children: &mut dyn Iterator<Item = &Value>| {
        let mut deepest = 0;
        for child in children {
            deepest = deepest.max(depth(child, most.checked_sub(1)?)? + 1);
        }
        Some(deepest)
    };
    match value {
        Value::Array(list) => below(&mut list.iter()),
        Value::Object(map) => below(&mut map.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(0),
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Schema::new(Value::deserialize(deserializer)?).map_err(Error::custom)
    }
}

/// A path whose segments are words, or arguments: `ledger/{account}`, `ledger/{/order/region}/{/order/account}`.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, min_length = 1, max_length = 512, example = "ledger/{account}")]
pub struct TemplatePath(SmolStr);

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// As it stands there.
    Word(&'a str),
    /// The value of this argument.
    Argument(Pointer),
}

impl TemplatePath {
    /// The segments in order.
    ///
    /// # Panics
    /// Never: what exists was parsed.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let mut rest = self.0.as_str();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (segment, after) = cut(rest).expect("it was parsed");
            rest = after;
            Some(segment)
        })
    }

    /// The template as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first segment, and what follows it.
fn cut(text: &str) -> Result<(Segment<'_>, &str), Invalid> {
    let Some(inner) = text.strip_prefix('{') else {
        let (word, rest) = text.split_once('/').unwrap_or((text, ""));
        if word.contains(['{', '}']) {
            return Err(Invalid::new(format!(
                "segment {word:?} is neither a word nor an argument alone; write {{argument}} between slashes"
            )));
        }
        return Ok((Segment::Word(word), rest));
    };
    let Some((name, rest)) = inner.split_once('}') else {
        return Err(Invalid::new("a { has no }"));
    };
    let rest = match rest.strip_prefix('/') {
        Some(rest) => rest,
        None if rest.is_empty() => rest,
        None => {
            return Err(Invalid::new(format!(
                "behind {{{name}}} stands more of the segment; an argument is all of it"
            )));
        }
    };
    let pointer = match name.starts_with('/') {
        true => name.parse()?,
        false => format!("/{name}").parse()?,
    };
    Ok((Segment::Argument(pointer), rest))
}

impl FromStr for TemplatePath {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |why: Invalid| Invalid::new(format!("template {text:?}: {why}"));
        let (mut plain, mut count, mut rest) = (String::new(), 0, text);
        while !rest.is_empty() {
            let (segment, after) = cut(rest).map_err(wrong)?;
            if count > 0 {
                plain.push('/');
            }
            plain.push_str(match segment {
                Segment::Word(word) => word,
                Segment::Argument(_) => "x",
            });
            count += 1;
            rest = after;
        }
        if count > SEGMENTS_MAX || text.len() > crate::path::PATH_BYTES_MAX || text.ends_with('/') {
            return Err(wrong(Invalid::new(format!(
                "it must be 1–{SEGMENTS_MAX} segments without a slash at the end"
            ))));
        }
        // Whatever stands between the arguments must make a path.
        ResourcePath::parse(&plain).map_err(wrong)?;
        Ok(TemplatePath(text.into()))
    }
}

impl<'de> Deserialize<'de> for TemplatePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SmolStr::deserialize(deserializer)?;
        text.parse().map_err(Error::custom)
    }
}

impl fmt::Display for TemplatePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TemplatePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks the number of entries while they are read.
fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Entries<T, const MAX: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Entries<T, MAX> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX}")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(entry) = entries.next_element()? {
                if list.len() == MAX {
                    return Err(A::Error::custom(format!("more than {MAX} entries")));
                }
                list.push(entry);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_seq(Entries::<T, MAX>(PhantomData))
}

/// What can be asked about tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = ToolCommand)]
pub enum Command {
    /// Registers a tool, or its next version. The door has compiled its schema.
    Set {
        /// The tool.
        tool: Box<Tool>,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
    /// Removes a tool.
    Remove {
        /// Which.
        tool: ActionName,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
}

/// An argument that is not what a tool takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ToolFault)]
pub struct Fault {
    /// Which, as a JSON pointer; empty: all of them together.
    #[schema(value_type = String)]
    pub argument: SmolStr,
    /// What was wanted.
    pub wanted: Text,
}

/// What a tool makes of a request, and which text of it did. Made in front of the queue, never by a caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ToolJudgement)]
pub struct Judgement {
    /// Which.
    pub tool: ActionName,
    /// Which version of it.
    pub version: u32,
    /// Where in the journal that version was set.
    pub set_at: Seq,
    /// Arguments that are not what it takes. None: the request carries all that follows from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_are_words_and_arguments() {
        let segments = |text: &str| -> Vec<String> {
            let path: TemplatePath = text.parse().unwrap();
            let segments = path.segments();
            segments.map(|segment| format!("{segment:?}")).collect()
        };
        assert_eq!(
            segments("ledger/{account}"),
            [r#"Word("ledger")"#, "Argument(/account)"]
        );
        assert_eq!(
            segments("{/order/region}/x/{a~1b}"),
            ["Argument(/order/region)", r#"Word("x")"#, "Argument(/a~1b)"]
        );
        for wrong in [
            "", "/", "ledger/", "/ledger", "a//{b}", "a/{b}/", "a/{b", "a/b}", "a/x{b}", "a/{b}x",
            "a/{}", "a/{/}", "../{b}", "a/*", "a b", "{a~2}",
        ] {
            assert!(
                wrong.parse::<TemplatePath>().is_err(),
                "{wrong:?} was taken"
            );
        }
    }

    #[test]
    fn schemas_are_bounded() {
        let mut deep = json!({});
        for _ in 0..SCHEMA_DEPTH_MAX {
            deep = json!({ "not": deep });
        }
        assert!(Schema::new(deep.clone()).is_ok());
        assert!(Schema::new(json!({ "not": deep })).is_err());
        assert!(Schema::new(json!({"description": "x".repeat(SCHEMA_BYTES_MAX)})).is_err());
        assert!(Schema::new(json!(true)).is_err());
    }
}
