//! Schemas of arguments: compiled, and asked within bounds.
//!
//! Invariants
//! - Nothing is fetched: references stay within the schema, and none leads back to itself.
//! - What one question may cost is bounded before it is asked: how large a schema is with its references unfolded, how many
//!   patterns it tries, and each pattern takes a time linear in the text.
//!
//! It is no part of this crate on which thread that happens: never on one that writes (I11).
mod bounds;

use bounds::Size;
use fleet_types::Text;
use fleet_types::tool::{FAULTS_MAX, Fault, Schema};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

/// Largest compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 32 * 1024;
/// Largest cache of one pattern, in bytes.
const PATTERN_CACHE_BYTES_MAX: usize = 256 * 1024;
/// Most text that patterns are tried on: bytes times patterns. A pattern may take some hundred steps for each byte.
const TRIED_MAX: usize = 16 * 1024;
/// Of it, most for which each argument is told that is wrong.
const TRIED_TOLD_MAX: usize = 4 * 1024;
/// Most work for which each argument is told that is wrong: schemas times values.
const TOLD_WORK_MAX: usize = 200_000;

/// A schema that can be asked.
#[derive(Debug)]
pub struct Compiled {
    validator: Validator,
    size: Size,
}

/// Compiles a schema.
///
/// # Errors
/// When it is none, or out of bounds: where, as a JSON pointer into it, and why.
pub fn compile(schema: &Schema) -> Result<Compiled, Fault> {
    let size = bounds::check(schema.value())?;
    let patterns = PatternOptions::regex()
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_CACHE_BYTES_MAX);
    let built = jsonschema::options()
        .with_pattern_options(patterns)
        .should_validate_formats(true)
        .build(schema.value());
    match built {
        Ok(validator) => Ok(Compiled { validator, size }),
        Err(error) => Err(Fault {
            // What is wrong is the schema: it is the instance of the schema of schemas.
            argument: error.instance_path().as_str().into(),
            wanted: Text::clip(&error.to_string()),
        }),
    }
}

impl Compiled {
    /// Which arguments are not what it wants, at most [`FAULTS_MAX`]; none: all are.
    #[must_use]
    pub fn check(&self, arguments: &Map<String, Value>) -> Vec<Fault> {
        let instance = Value::Object(arguments.clone());
        let (values, bytes) = count(&instance);
        let tried = self.size.patterns.saturating_mul(bytes);
        if tried > TRIED_MAX {
            let most = TRIED_MAX / self.size.patterns;
            return vec![Fault {
                argument: "".into(),
                wanted: Text::clip(&format!(
                    "less text: {bytes} bytes are more than the {most} that are tried on the patterns of the schema"
                )),
            }];
        }
        if self.validator.is_valid(&instance) {
            return Vec::new();
        }
        let work = self.size.schemas.saturating_mul(values);
        if work > TOLD_WORK_MAX || tried > TRIED_TOLD_MAX {
            return vec![Fault {
                argument: "".into(),
                wanted: Text::clip("what the schema says; they are too many to tell which are not"),
            }];
        }
        let mut faults = Vec::new();
        for error in self.validator.iter_errors(&instance) {
            tell(&error, &mut faults);
            if faults.len() >= FAULTS_MAX {
                break;
            }
        }
        faults.dedup();
        faults.truncate(FAULTS_MAX);
        faults
    }
}

/// The arguments that an error is about, and what was wanted of them.
fn tell(error: &ValidationError<'_>, faults: &mut Vec<Fault>) {
    let at = error.instance_path().as_str();
    let below = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            faults.push(fault(&below(name), "to be there"));
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let names = unexpected.iter().take(FAULTS_MAX);
            faults.extend(names.map(|name| fault(&below(name), "not to be there")));
        }
        _ => faults.push(fault(at, &error.masked_with("it").to_string())),
    }
}

/// What is wrong at a place, its name cut to what a fault has room for.
fn fault(at: &str, wanted: &str) -> Fault {
    Fault {
        argument: at[..at.floor_char_boundary(256)].into(),
        wanted: Text::clip(wanted),
    }
}

/// How many values a value is made of, and how many bytes of text.
fn count(value: &Value) -> (usize, usize) {
    let sum = |parts: &mut dyn Iterator<Item = (usize, usize)>| {
        parts.fold((1, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
    };
    match value {
        Value::Array(list) => sum(&mut list.iter().map(count)),
        Value::Object(map) => sum(&mut map.iter().map(|(name, value)| {
            let (values, bytes) = count(value);
            (values, bytes + name.len()) // Patterns are tried on names too.
        })),
        Value::String(text) => (1, text.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => (1, 0),
    }
}
