//! Versions: which definition this is, what changed between two, and whether executions can move from one to the other.
pub mod diff;
pub mod migrate;

pub use diff::{Change, Diff, diff};
pub use migrate::{Migration, Obstacle, Phase, migrate};

use crate::definition::Definition;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;
use std::fmt;

/// Which definition: the BLAKE3 hash of its canonical form, as 64 hexadecimal digits. Comments, the order of names, and
/// whether a short form was used make no difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(SmolStr);

impl Hash {
    /// Of a definition.
    #[must_use]
    pub fn of(definition: &Definition) -> Hash {
        let text = canonical(definition);
        Hash(SmolStr::new(
            blake3::hash(text.as_bytes()).to_hex().as_str(),
        ))
    }

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

/// The canonical form of a definition: compact JSON with names in order, and short forms written out.
///
/// # Panics
/// Never: every definition has a JSON form.
#[must_use]
pub fn canonical(definition: &Definition) -> String {
    let mut text = String::new();
    write(&value(definition), &mut text);
    text
}

fn value<T: Serialize>(thing: &T) -> Value {
    serde_json::to_value(thing).expect("definitions have a JSON form")
}

/// Names in order, whatever order the map keeps them in.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut names: Vec<&String> = map.keys().collect();
            names.sort_unstable();
            text.push('{');
            for (number, name) in names.into_iter().enumerate() {
                if number > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(name.clone()).to_string());
                text.push(':');
                write(&map[name], text);
            }
            text.push('}');
        }
        Value::Array(list) => {
            text.push('[');
            for (number, item) in list.iter().enumerate() {
                if number > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        single => text.push_str(&single.to_string()),
    }
}
