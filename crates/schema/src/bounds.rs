//! What a schema may be: how large with its references unfolded, and which references it may have.
use crate::fault;
use fleet_types::tool::Fault;
use serde_json::Value;
use std::collections::HashMap;

/// Most schemas that one is made of, with its references unfolded.
const UNFOLDED_MAX: usize = 1_024;
/// Most patterns, with its references unfolded.
const PATTERNS_MAX: usize = 16;
/// References that lead to one another, at most.
const REFERENCES_DEEP_MAX: usize = 16;
/// What names a place in a schema, or changes what references are relative to.
const NAMES: [&str; 7] = [
    "$id",
    "id",
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveAnchor",
    "$recursiveRef",
];
/// Keywords whose values are schemas by names of their author's choice.
const OF_NAMES: [&str; 5] = [
    "properties",
    "$defs",
    "definitions",
    "dependentSchemas",
    "dependencies",
];
/// Versions of the language that are known here; absent: the first.
const VERSIONS: [&str; 4] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
];

/// How much a schema asks for, with its references unfolded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Schemas, and values in them.
    pub schemas: usize,
    /// Patterns.
    pub patterns: usize,
}

impl Size {
    fn add(&mut self, other: Size) {
        self.schemas = self.schemas.saturating_add(other.schemas);
        self.patterns = self.patterns.saturating_add(other.patterns);
    }
}

/// How much it asks for, if that is within bounds.
pub fn check(schema: &Value) -> Result<Size, Fault> {
    if let Some(version) = schema.get("$schema") {
        let named = version.as_str().unwrap_or_default();
        if !VERSIONS.contains(&named.trim_end_matches('#')) {
            let words = format!("one of {}", VERSIONS.join(", "));
            return Err(fault("/$schema", &words));
        }
    }
    let mut walk = Walk {
        root: schema,
        known: HashMap::new(),
        open: Vec::new(),
    };
    let size = walk.size(schema, "")?;
    if size.schemas > UNFOLDED_MAX {
        let words = format!(
            "a smaller schema: with its references unfolded it is {} parts, more than {UNFOLDED_MAX}",
            size.schemas
        );
        return Err(fault("", &words));
    }
    if size.patterns > PATTERNS_MAX {
        let words = format!(
            "fewer patterns: with its references unfolded it tries {}, more than {PATTERNS_MAX}",
            size.patterns
        );
        return Err(fault("", &words));
    }
    Ok(size)
}

struct Walk<'s> {
    root: &'s Value,
    /// The sizes of what references lead to.
    known: HashMap<&'s str, Size>,
    /// The references that are being followed.
    open: Vec<&'s str>,
}

impl<'s> Walk<'s> {
    fn size(&mut self, value: &'s Value, at: &str) -> Result<Size, Fault> {
        self.part(value, at, false)
    }

    /// `of_names`: its keys are names that the schema's author has chosen, and say nothing by themselves.
    fn part(&mut self, value: &'s Value, at: &str, of_names: bool) -> Result<Size, Fault> {
        let mut size = Size::default();
        let map = match value {
            Value::Object(map) => map,
            Value::Array(list) => {
                for (number, value) in list.iter().enumerate() {
                    size.add(self.size(value, &format!("{at}/{number}"))?);
                }
                return Ok(size);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Ok(size),
        };
        size.schemas = 1;
        for (key, value) in map {
            let here = format!("{at}/{key}");
            match (key.as_str(), value) {
                _ if of_names => {
                    size.schemas = size.schemas.saturating_add(1);
                    size.add(self.size(value, &here)?);
                }
                // Values, and no schemas.
                ("const" | "enum" | "default" | "examples", _) => size.schemas += 1,
                ("$ref", Value::String(to)) => size.add(self.reference(to, &here)?),
                (name, Value::String(_)) if NAMES.contains(&name) => {
                    let words = "no names of places; refer to parts as #/$defs/…";
                    return Err(fault(&here, words));
                }
                ("pattern", Value::String(_)) => size.patterns += 1,
                ("patternProperties", Value::Object(patterns)) => {
                    size.patterns = size.patterns.saturating_add(patterns.len());
                    size.add(self.part(value, &here, true)?);
                }
                (name, Value::Object(_)) if OF_NAMES.contains(&name) => {
                    size.schemas = size.schemas.saturating_add(1);
                    size.add(self.part(value, &here, true)?);
                }
                (_, value) => {
                    size.schemas = size.schemas.saturating_add(1);
                    size.add(self.size(value, &here)?);
                }
            }
        }
        Ok(size)
    }

    fn reference(&mut self, to: &'s str, here: &str) -> Result<Size, Fault> {
        if let Some(size) = self.known.get(to) {
            return Ok(*size);
        }
        let pointer = to.strip_prefix('#').filter(|rest| rest.starts_with('/'));
        let found = pointer.and_then(|pointer| match pointer.contains('%') {
            true => None,
            false => self.root.pointer(pointer),
        });
        let Some(found) = found else {
            let words = "a reference to a part of this schema, such as #/$defs/amount";
            return Err(fault(here, words));
        };
        if self.open.contains(&to) {
            return Err(fault(here, "no reference that leads back to itself"));
        }
        if self.open.len() == REFERENCES_DEEP_MAX {
            let words =
                format!("at most {REFERENCES_DEEP_MAX} references that lead to one another");
            return Err(fault(here, &words));
        }
        self.open.push(to);
        let size = self.size(found, here);
        self.open.pop();
        let size = size?;
        self.known.insert(to, size);
        Ok(size)
    }
}
