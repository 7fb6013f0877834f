//! Templates: literal JSON with holes, filled without any engine.
//!
//! A text that is one hole and nothing else becomes the value itself; in a longer text a hole becomes text. A hole is a
//! path: `{{ nodes.read.outputs.pages[0].title }}`. `\{{` is two braces.
pub(crate) mod path;

use crate::graph::NodeIndex;
use crate::name::Name;
use path::Written;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Literal JSON with holes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// A value without holes.
    Literal(Value),
    /// What a path leads to, as it is.
    Hole(Path),
    /// Text with holes in it.
    Text(Vec<Piece>),
    /// A list with holes somewhere within.
    List(Vec<Template>),
    /// A map with holes somewhere within.
    Map(BTreeMap<String, Template>),
}

impl Default for Template {
    fn default() -> Self {
        Template::Literal(Value::Null)
    }
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// As it is.
    Text(String),
    /// What a path leads to, as text: texts as they are, other values as JSON, null as nothing.
    Hole(Path),
}

/// A way from a source into its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// Where it begins.
    pub source: Source,
    /// How it goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// As it is written, for messages.
    pub written: SmolStr,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// Into a list, from 0.
    At(usize),
    /// Into a map.
    Of(SmolStr),
}

/// Where a path begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `inputs.<name>`
    Input(Name),
    /// `variables.<name>`
    Variable(Name),
    /// `nodes.<name>.outputs`: null where the node was skipped, or has failed and is optional.
    Outputs(NodeIndex),
    /// `nodes.<name>.status`: `succeeded`, `skipped` or `failed`.
    Status(NodeIndex),
    /// `item`: of the innermost map.
    Item,
    /// `index`: of the innermost map or loop.
    Index,
    /// `secrets.<name>`: a reference to it, never its value.
    Secret(Name),
    /// `error`: what was caught.
    Error,
    /// `outputs`: the node's own.
    Own,
    /// `event`: what came with it.
    Event,
}

/// What an engine knows while an execution runs.
pub trait Lookup {
    /// The value of a source; `None` where it has none yet.
    fn get(&self, source: &Source) -> Option<Cow<'_, Value>>;
}

/// A path that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} leads nowhere: there is nothing at {at}")]
pub struct MissingPath {
    /// As it is written.
    pub path: SmolStr,
    /// The part of it that is not there.
    pub at: String,
}

impl Path {
    /// What it leads to. A source that is null as a whole, such as that of a skipped node, gives null, however the path goes on.
    ///
    /// # Errors
    /// When its source has no value, or the value has no such part.
    pub fn resolve<'l>(&self, lookup: &'l dyn Lookup) -> Result<Cow<'l, Value>, MissingPath> {
        let missing = |at: usize| MissingPath {
            path: self.written.clone(),
            at: self
                .steps
                .get(at)
                .map_or_else(|| "its beginning".to_owned(), Step::shown),
        };
        let whole = lookup
            .get(&self.source)
            .ok_or_else(|| missing(usize::MAX))?;
        if whole.is_null() {
            return Ok(Cow::Owned(Value::Null));
        }
        match whole {
            Cow::Borrowed(value) => self.walk(value).map(Cow::Borrowed).map_err(missing),
            Cow::Owned(value) => {
                let found = self.walk(&value).map_err(missing)?.clone();
                Ok(Cow::Owned(found))
            }
        }
    }

    fn walk<'v>(&self, value: &'v Value) -> Result<&'v Value, usize> {
        let mut at = value;
        for (number, step) in self.steps.iter().enumerate() {
            let next = match step {
                Step::At(index) => at.get(index),
                Step::Of(name) => at.get(name.as_str()),
            };
            at = next.ok_or(number)?;
        }
        Ok(at)
    }
}

impl Step {
    fn shown(&self) -> String {
        match self {
            Step::At(index) => format!("[{index}]"),
            Step::Of(name) => format!("{name:?}"),
        }
    }
}

impl Template {
    /// The value with its holes filled.
    ///
    /// # Errors
    /// When a path leads nowhere: the first, in the order of the text.
    pub fn resolve(&self, lookup: &dyn Lookup) -> Result<Value, MissingPath> {
        Ok(match self {
            Template::Literal(value) => value.clone(),
            Template::Hole(path) => path.resolve(lookup)?.into_owned(),
            Template::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(piece) => text.push_str(piece),
                        Piece::Hole(path) => match path.resolve(lookup)?.as_ref() {
                            Value::Null => {}
                            Value::String(value) => text.push_str(value),
                            value => {
                                let _ = write!(text, "{value}");
                            }
                        },
                    }
                }
                Value::String(text)
            }
            Template::List(items) => {
                let items: Result<_, _> = items.iter().map(|item| item.resolve(lookup)).collect();
                Value::Array(items?)
            }
            Template::Map(entries) => {
                let mut map = serde_json::Map::new();
                for (name, entry) in entries {
                    map.insert(name.clone(), entry.resolve(lookup)?);
                }
                Value::Object(map)
            }
        })
    }

    /// Every path in it, in the order of the text.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        self.collect(&mut paths);
        paths
    }

    fn collect<'t>(&'t self, paths: &mut Vec<&'t Path>) {
        match self {
            Template::Literal(_) => {}
            Template::Hole(path) => paths.push(path),
            Template::Text(pieces) => paths.extend(pieces.iter().filter_map(|piece| match piece {
                Piece::Text(_) => None,
                Piece::Hole(path) => Some(path),
            })),
            Template::List(items) => items.iter().for_each(|item| item.collect(paths)),
            Template::Map(entries) => entries.values().for_each(|entry| entry.collect(paths)),
        }
    }

    /// Reads one; each hole is asked for once. Where a hole is none, null stands in its place: whoever is asked has noted it.
    pub(crate) fn read(value: &Value, ask: &mut dyn FnMut(Hole<'_>) -> Option<Path>) -> Template {
        match value {
            Value::String(text) => Template::of_text(text, ask),
            Value::Array(items) => {
                let items: Vec<Template> =
                    items.iter().map(|item| Template::read(item, ask)).collect();
                match items
                    .iter()
                    .all(|item| matches!(item, Template::Literal(_)))
                {
                    true => Template::Literal(value.clone()).unescaped(items),
                    false => Template::List(items),
                }
            }
            Value::Object(entries) => {
                let entries: BTreeMap<String, Template> = entries
                    .iter()
                    .map(|(name, entry)| (name.clone(), Template::read(entry, ask)))
                    .collect();
                match entries
                    .values()
                    .all(|entry| matches!(entry, Template::Literal(_)))
                {
                    true => {
                        let literal = entries.into_iter().filter_map(|(name, entry)| match entry {
                            Template::Literal(value) => Some((name, value)),
                            _ => None,
                        });
                        Template::Literal(Value::Object(literal.collect()))
                    }
                    false => Template::Map(entries),
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Template::Literal(value.clone()),
        }
    }

    /// A literal list, made of its literal items.
    fn unescaped(self, items: Vec<Template>) -> Template {
        let items = items.into_iter().filter_map(|item| match item {
            Template::Literal(value) => Some(value),
            _ => None,
        });
        Template::Literal(Value::Array(items.collect()))
    }

    fn of_text(text: &str, ask: &mut dyn FnMut(Hole<'_>) -> Option<Path>) -> Template {
        if !text.contains("{{") {
            return Template::Literal(Value::String(text.to_owned()));
        }
        let mut pieces: Vec<Piece> = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(begin) = rest.find("{{") {
            if rest[..begin].ends_with('\\') {
                plain.push_str(&rest[..begin - 1]);
                plain.push_str("{{");
                rest = &rest[begin + 2..];
                continue;
            }
            plain.push_str(&rest[..begin]);
            let within = &rest[begin + 2..];
            let Some(end) = within.find("}}") else {
                ask(Hole::Open);
                return Template::default();
            };
            let is_whole = begin == 0 && rest.len() == text.len() && within.len() == end + 2;
            let hole = match path::parse(within[..end].trim()) {
                Ok(written) => Hole::Path { written, is_whole },
                Err(what) => Hole::Wrong(what),
            };
            rest = &within[end + 2..];
            let Some(path) = ask(hole) else { continue };
            if is_whole {
                return Template::Hole(path);
            }
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Hole(path));
        }
        plain.push_str(rest);
        if pieces.is_empty() {
            return Template::Literal(Value::String(plain));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Template::Text(pieces)
    }
}

/// A hole that was found in a text.
pub(crate) enum Hole<'t> {
    /// It is begun and not ended.
    Open,
    /// It holds no path: why.
    Wrong(String),
    /// A path.
    Path {
        written: Written<'t>,
        /// It is all that the text holds.
        is_whole: bool,
    },
}

#[cfg(test)]
mod tests;
