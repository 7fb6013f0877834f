//! Expressions: JavaScript as text, and which values each wants to see.
//!
//! What an expression means an engine knows, which is handed in as a [`Checker`]. Here only its mentions are found:
//! `nodes.read.outputs.pages` in it makes its node wait for `read`.
pub(crate) mod mentions;

use crate::template::{Lookup, Source};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use smol_str::SmolStr;

/// An expression, and what it wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expression {
    /// JavaScript.
    pub source: String,
    /// What it mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<Binding>,
}

/// A value under the name by which an expression sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Binding {
    /// The names that lead to it: `nodes`, `read`, `outputs`.
    pub names: Vec<SmolStr>,
    /// The value.
    pub source: Source,
}

impl Expression {
    /// What it sees, as one object: what it mentions, and nothing else. What has no value yet is absent.
    #[must_use]
    pub fn inputs(&self, lookup: &dyn Lookup) -> Value {
        let mut inputs = Map::new();
        for binding in &self.bindings {
            let Some((last, way)) = binding.names.split_last() else {
                continue;
            };
            let Some(value) = lookup.get(&binding.source) else {
                continue;
            };
            let mut at = &mut inputs;
            for name in way {
                let entry = at
                    .entry(name.as_str())
                    .or_insert_with(|| Value::Object(Map::new()));
                match entry {
                    Value::Object(map) => at = map,
                    _ => return Value::Object(inputs),
                }
            }
            at.insert(last.to_string(), value.into_owned());
        }
        Value::Object(inputs)
    }
}

/// What is wrong with an expression or a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// What, with the place within it where that is known.
    pub what: String,
}

/// What only an engine, or a compiler of schemas, can tell.
pub trait Checker {
    /// Whether a text is an expression.
    ///
    /// # Errors
    /// When it is none: why.
    fn expression(&self, source: &str) -> Result<(), Flaw>;

    /// Whether a value is a JSON Schema that can be asked.
    ///
    /// # Errors
    /// When it is none: why.
    fn schema(&self, schema: &Value) -> Result<(), Flaw>;
}

/// Takes every text for an expression, and every map for a schema: for what was checked before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unchecked;

impl Checker for Unchecked {
    fn expression(&self, _source: &str) -> Result<(), Flaw> {
        Ok(())
    }

    fn schema(&self, _schema: &Value) -> Result<(), Flaw> {
        Ok(())
    }
}
