//! Whether a schema may take the place of another: which of its changes break those who write, and those who read.
use super::types;
use crate::name::Name;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Deepest that schemas are compared; what lies deeper counts as different where it differs.
const DEPTH_MAX: usize = 32;

/// Which way data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Others write it: what was taken before must be taken still.
    In,
    /// Others read it: what is given now must be what was promised before.
    Out,
}

/// A change of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: `address.zip`, `lines[]`; empty: the whole.
    pub path: String,
    /// What changed.
    pub what: String,
    /// Some values that were right are not any more: whoever writes by the old schema may be refused.
    pub breaks_writers: bool,
    /// Some values are right that were not: whoever reads by the old schema may get what it does not know.
    pub breaks_readers: bool,
}

/// A change that somebody has to follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Break {
    /// Where: `inputs.budget.currency`.
    pub path: String,
    /// What changed.
    pub what: String,
}

/// Every change from an old schema to a new one.
#[must_use]
pub fn compare(old: &Value, new: &Value) -> Vec<Difference> {
    let mut compare = Compare {
        old,
        new,
        found: Vec::new(),
    };
    compare.schemas(String::new(), old, new, 0);
    compare.found
}

/// The changes of several schemas by name that somebody has to follow.
#[must_use]
pub fn of_maps(
    whole: &str,
    old: &BTreeMap<Name, Value>,
    new: &BTreeMap<Name, Value>,
    direction: Direction,
) -> Vec<Break> {
    let has_default = |schema: &Value| schema.get("default").is_some();
    let names: BTreeSet<&Name> = old.keys().chain(new.keys()).collect();
    let mut breaks = Vec::new();
    for name in names {
        let path = format!("{whole}.{name}");
        let mut push = |path: String, what: &str| {
            breaks.push(Break {
                path,
                what: what.to_owned(),
            })
        };
        match (old.get(name), new.get(name)) {
            (Some(_), None) => push(path, "is not there any more"),
            (None, Some(new)) if direction == Direction::In && !has_default(new) => {
                push(path, "is needed now")
            }
            (Some(old), Some(new)) => {
                if direction == Direction::In && has_default(old) && !has_default(new) {
                    push(path.clone(), "is needed now");
                }
                if direction == Direction::Out && !has_default(old) && has_default(new) {
                    push(path.clone(), "may be missing now");
                }
                for difference in compare(old, new) {
                    let is_break = match direction {
                        Direction::In => difference.breaks_writers,
                        Direction::Out => difference.breaks_readers,
                    };
                    if is_break {
                        let path = join(&path, &difference.path);
                        push(path, &difference.what);
                    }
                }
            }
            (None, _) => {}
        }
    }
    breaks
}

fn join(path: &str, rest: &str) -> String {
    match (path, rest) {
        (path, "") => path.to_owned(),
        ("", rest) => rest.to_owned(),
        (path, rest) if rest.starts_with('[') => format!("{path}{rest}"),
        (path, rest) => format!("{path}.{rest}"),
    }
}

struct Compare<'s> {
    old: &'s Value,
    new: &'s Value,
    found: Vec<Difference>,
}

/// Which way a change goes.
#[derive(Clone, Copy)]
enum Change {
    Narrower,
    Wider,
    Other,
}

impl<'s> Compare<'s> {
    fn push(&mut self, path: &str, change: Change, what: impl Into<String>) {
        self.found.push(Difference {
            path: path.to_owned(),
            what: what.into(),
            breaks_writers: !matches!(change, Change::Wider),
            breaks_readers: !matches!(change, Change::Narrower),
        });
    }

    fn schemas(&mut self, path: String, old: &'s Value, new: &'s Value, depth: usize) {
        let (old, new) = (resolve(self.old, old), resolve(self.new, new));
        if old == new && !has_reference(old) {
            return;
        }
        match (old, new) {
            (Value::Object(old), Value::Object(new)) if depth < DEPTH_MAX => {
                self.types(&path, old, new);
                self.values(&path, old, new);
                self.bounds(&path, old, new);
                self.properties(&path, old, new, depth);
                if let Some((old, new)) = both(old, new, "items") {
                    self.schemas(format!("{path}[]"), old, new, depth + 1);
                }
                self.others(&path, old, new);
            }
            (old, new) if old == new => {}
            (Value::Bool(true), _) => self.push(&path, Change::Narrower, "is described now"),
            (_, Value::Bool(true)) => self.push(&path, Change::Wider, "may be anything now"),
            (_, Value::Bool(false)) => {
                self.push(&path, Change::Narrower, "may not be there any more")
            }
            _ => self.push(&path, Change::Other, "is another schema"),
        }
    }

    fn types(&mut self, path: &str, old: &'s Map<String, Value>, new: &'s Map<String, Value>) {
        let (olds, news) = (types(old.get("type")), types(new.get("type")));
        let covers = |types: &[&str], one: &str| {
            types.is_empty()
                || types.contains(&one)
                || one == "integer" && types.contains(&"number")
        };
        let gone: Vec<&str> = olds
            .iter()
            .copied()
            .filter(|one| !covers(&news, one))
            .collect();
        let come: Vec<&str> = news
            .iter()
            .copied()
            .filter(|one| !covers(&olds, one))
            .collect();
        match (olds.is_empty(), news.is_empty()) {
            (true, false) => self.push(
                path,
                Change::Narrower,
                format!("must be {} now", news.join(" or ")),
            ),
            (false, true) => self.push(path, Change::Wider, "may be of any type now"),
            _ => {
                if !gone.is_empty() {
                    self.push(
                        path,
                        Change::Narrower,
                        format!("may not be {} any more", gone.join(" or ")),
                    );
                }
                if !come.is_empty() {
                    self.push(
                        path,
                        Change::Wider,
                        format!("may be {} now", come.join(" or ")),
                    );
                }
            }
        }
    }

    fn values(&mut self, path: &str, old: &'s Map<String, Value>, new: &'s Map<String, Value>) {
        let of = |schema: &'s Map<String, Value>| -> Option<Vec<&'s Value>> {
            match (schema.get("enum"), schema.get("const")) {
                (_, Some(value)) => Some(vec![value]),
                (Some(Value::Array(values)), None) => Some(values.iter().collect()),
                _ => None,
            }
        };
        match (of(old), of(new)) {
            (Some(_), None) => self.push(path, Change::Wider, "may be any value now"),
            (None, Some(_)) => self.push(path, Change::Narrower, "must be one of some values now"),
            (Some(olds), Some(news)) => {
                for gone in olds.iter().filter(|value| !news.contains(value)) {
                    self.push(
                        path,
                        Change::Narrower,
                        format!("may not be {gone} any more"),
                    );
                }
                for come in news.iter().filter(|value| !olds.contains(value)) {
                    self.push(path, Change::Wider, format!("may be {come} now"));
                }
            }
            (None, None) => {}
        }
    }

    fn bounds(&mut self, path: &str, old: &'s Map<String, Value>, new: &'s Map<String, Value>) {
        const LEAST: [&str; 5] = [
            "minimum",
            "exclusiveMinimum",
            "minLength",
            "minItems",
            "minProperties",
        ];
        const MOST: [&str; 5] = [
            "maximum",
            "exclusiveMaximum",
            "maxLength",
            "maxItems",
            "maxProperties",
        ];
        for (names, is_least) in [(LEAST, true), (MOST, false)] {
            for name in names {
                let of = |schema: &Map<String, Value>| schema.get(name).and_then(Value::as_f64);
                let change = match (of(old), of(new)) {
                    (None, Some(_)) => Change::Narrower,
                    (Some(_), None) => Change::Wider,
                    (Some(old), Some(new)) if old < new => match is_least {
                        true => Change::Narrower,
                        false => Change::Wider,
                    },
                    (Some(old), Some(new)) if old > new => match is_least {
                        true => Change::Wider,
                        false => Change::Narrower,
                    },
                    _ => continue,
                };
                let shown = |schema: &Map<String, Value>| {
                    schema.get(name).map_or("none".to_owned(), Value::to_string)
                };
                self.push(
                    path,
                    change,
                    format!("{name} was {} and is {}", shown(old), shown(new)),
                );
            }
        }
    }

    fn properties(
        &mut self,
        path: &str,
        old: &'s Map<String, Value>,
        new: &'s Map<String, Value>,
        depth: usize,
    ) {
        let of =
            |schema: &'s Map<String, Value>| schema.get("properties").and_then(Value::as_object);
        let empty = Map::new();
        let (olds, news) = (of(old), of(new));
        let is_closed = |schema: &Map<String, Value>| {
            schema.get("additionalProperties") == Some(&Value::Bool(false))
        };
        for (name, old_one) in olds.into_iter().flatten() {
            let at = join(path, name);
            match news.and_then(|news| news.get(name)) {
                Some(new_one) => self.schemas(at, old_one, new_one, depth + 1),
                None if is_closed(new) => self.push(&at, Change::Other, "is not there any more"),
                None => self.push(&at, Change::Wider, "is not promised any more"),
            }
        }
        let known = olds.unwrap_or(&empty);
        for (name, _) in news
            .into_iter()
            .flatten()
            .filter(|(name, _)| !known.contains_key(*name))
        {
            if is_closed(old) {
                self.push(
                    &join(path, name),
                    Change::Wider,
                    "is new where nothing else was allowed",
                );
            }
        }
        match (is_closed(old), is_closed(new)) {
            (false, true) => {
                self.push(path, Change::Narrower, "may not have other fields any more")
            }
            (true, false) => self.push(path, Change::Wider, "may have other fields now"),
            _ => {}
        }
        let needed = |schema: &'s Map<String, Value>| -> BTreeSet<&'s str> {
            types(schema.get("required")).into_iter().collect()
        };
        let (olds, news) = (needed(old), needed(new));
        for name in news.difference(&olds) {
            self.push(&join(path, name), Change::Narrower, "is needed now");
        }
        for name in olds.difference(&news) {
            self.push(&join(path, name), Change::Wider, "may be missing now");
        }
        if let Some((old @ Value::Object(_), new @ Value::Object(_))) =
            both(old, new, "additionalProperties")
        {
            self.schemas(join(path, "*"), old, new, depth + 1);
        }
    }

    /// What is not looked into: it differs, or not.
    fn others(&mut self, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        const NAMES: [&str; 12] = [
            "pattern",
            "format",
            "multipleOf",
            "uniqueItems",
            "prefixItems",
            "contains",
            "patternProperties",
            "allOf",
            "anyOf",
            "oneOf",
            "not",
            "if",
        ];
        for name in NAMES {
            match (old.get(name), new.get(name)) {
                (old, new) if old == new => {}
                (None, Some(_)) if name != "oneOf" => {
                    self.push(path, Change::Narrower, format!("{name} is new"))
                }
                (Some(_), None) => self.push(path, Change::Wider, format!("{name} is gone")),
                _ => self.push(path, Change::Other, format!("{name} is another")),
            }
        }
    }
}

fn both<'s>(
    old: &'s Map<String, Value>,
    new: &'s Map<String, Value>,
    name: &str,
) -> Option<(&'s Value, &'s Value)> {
    Some((old.get(name)?, new.get(name)?))
}

fn has_reference(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key("$ref") || map.values().any(has_reference),
        Value::Array(list) => list.iter().any(has_reference),
        _ => false,
    }
}

/// What a reference leads to, within bounds.
fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let mut at = schema;
    for _ in 0..16 {
        let to = at.get("$ref").and_then(Value::as_str);
        match to.and_then(|to| root.pointer(to.strip_prefix('#')?)) {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(old: Value, new: Value) -> String {
        let lines = compare(&old, &new).into_iter().map(|difference| {
            let breaks = match (difference.breaks_writers, difference.breaks_readers) {
                (true, true) => "both",
                (true, false) => "writers",
                (false, true) => "readers",
                (false, false) => "nobody",
            };
            format!("{:?} {}: {breaks}", difference.path, difference.what)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn changes_and_whom_they_break() {
        let old = json!({
            "type": "object",
            "required": ["a", "b"],
            "properties": {
                "a": {"type": "integer", "minimum": 0},
                "b": {"enum": ["x", "y"]},
                "c": {"type": "array", "items": {"type": "string"}},
                "d": {"$ref": "#/$defs/d"},
            },
            "$defs": {"d": {"type": "string"}},
        });
        let new = json!({
            "type": "object",
            "required": ["a", "c"],
            "properties": {
                "a": {"type": "number", "minimum": 1},
                "b": {"enum": ["x", "z"]},
                "c": {"type": "array", "items": {"type": ["string", "null"]}, "maxItems": 3},
                "d": {"type": "boolean"},
                "e": {},
            },
            "additionalProperties": false,
        });
        insta::assert_snapshot!(shown(old.clone(), new), @r#"
        "a" may be number now: readers
        "a" minimum was 0 and is 1: writers
        "b" may not be "y" any more: writers
        "b" may be "z" now: readers
        "c" maxItems was none and is 3: writers
        "c[]" may be null now: readers
        "d" may not be string any more: writers
        "d" may be boolean now: readers
        "" may not have other fields any more: writers
        "c" is needed now: writers
        "b" may be missing now: readers
        "#);
        assert_eq!(shown(old.clone(), old), "");
        let circle = json!({"properties": {"a": {"$ref": "#"}}});
        assert_eq!(shown(circle.clone(), circle), "");
    }
}
