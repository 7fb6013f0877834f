//! Whether a tree has the shape that a table says. Everything that is wrong is noted, each thing in its place.
use super::{COMMON, Choice, Field, KINDS, Kind, Shape, Takes, kind};
use crate::fault::{Notes, Way, clip, known, nearest};
use crate::limits::{EXPRESSION_BYTES_MAX, NODES_MAX, TEMPLATE_BYTES_MAX};
use crate::name::Name;
use crate::span::Span;
use crate::tree::{Entry, Node, Place, shown};
use fleet_types::Text;
use serde_json::Value;

/// Notes what a whole definition has that its shape has not.
pub(crate) fn check(place: &Place, shape: &'static Shape, notes: &mut Notes) {
    let mut check = Check {
        notes,
        nodes: 0,
        way: Way::default(),
    };
    check.shape(place, shape);
    if check.nodes > NODES_MAX {
        let what = format!("{} nodes are more than {NODES_MAX}", check.nodes);
        let way = Way::default().of("nodes");
        notes.push_name(&way, what, "put some into a workflow of their own");
    }
}

struct Check<'n> {
    notes: &'n mut Notes,
    nodes: usize,
    way: Way,
}

impl Check<'_> {
    fn note(&mut self, what: impl Into<String>, to_do: impl Into<String>) {
        self.notes.push(&self.way, what, to_do);
    }

    fn within(&mut self, name: &str, then: impl FnOnce(&mut Self)) {
        self.way.0.push(crate::fault::Step::Of(name.to_owned()));
        then(self);
        self.way.0.pop();
    }

    fn shape(&mut self, place: &Place, shape: &'static Shape) {
        match &place.node {
            Node::Map(entries) => self.fields(entries, shape.fields, &[], shape.name),
            _ => self.wanted(place, &format!("a map with {}", names(shape.fields))),
        }
    }

    /// The fields of a map: known ones, and all that must be there.
    fn fields(
        &mut self,
        entries: &[Entry],
        fields: &'static [Field],
        common: &'static [Field],
        whose: &str,
    ) {
        let all = fields.iter().chain(common);
        for entry in entries {
            let Some(field) = all.clone().find(|field| field.name == entry.name) else {
                if entry.name == "kind" && !common.is_empty() {
                    continue;
                }
                let to_do = nearest(&entry.name, all.clone().map(|field| field.name));
                let way = self.way.of(&entry.name);
                let what = format!("{whose} has no field {:?}", clip(&entry.name));
                self.notes.push_name(&way, what, to_do);
                continue;
            };
            self.within(field.name, |check| check.takes(&entry.place, &field.takes));
        }
        for field in all.filter(|field| field.required) {
            if entries.iter().all(|entry| entry.name != field.name) {
                let what = format!("{:?} is missing", field.name);
                self.notes
                    .push_name(&self.way.clone(), what, format!("add it: {}", field.doc));
            }
        }
    }

    fn takes(&mut self, place: &Place, takes: &'static Takes) {
        match (takes, &place.node) {
            (Takes::Flag, Node::Scalar(Value::Bool(_)))
            | (Takes::Literal, _)
            | (Takes::Schema, Node::Scalar(Value::Bool(_)) | Node::Map(_)) => {}
            (Takes::Template, node) => self.texts(node),
            (Takes::Count { min, max }, Node::Scalar(Value::Number(number))) => {
                match number.as_u64() {
                    Some(count) if (*min..=*max).contains(&count) => {}
                    _ => self.note(format!("{number} is not within {min} and {max}"), ""),
                }
            }
            (Takes::Number { min, max }, Node::Scalar(Value::Number(number))) => {
                let value = number.as_f64().unwrap_or(f64::NAN);
                if !(*min..=*max).contains(&value) {
                    self.note(format!("{number} is not within {min} and {max}"), "");
                }
            }
            (Takes::Text, Node::Scalar(Value::String(text))) => {
                if let Err(invalid) = Text::parse(text) {
                    self.note(invalid.0, "shorten it");
                }
            }
            (Takes::Id(id), Node::Scalar(Value::String(text))) => {
                if let Err(invalid) = (id.check)(text) {
                    self.note(invalid.0, "");
                }
            }
            (Takes::Span, Node::Scalar(Value::String(text))) => {
                if let Err(invalid) = Span::parse(text) {
                    self.note(invalid.0, "");
                }
            }
            (Takes::Choice(choices), Node::Scalar(Value::String(text))) => {
                if choices.iter().all(|choice| choice.word != text) {
                    let to_do = nearest(text, words(choices));
                    self.note(format!("{:?} is not known here", clip(text)), to_do);
                }
            }
            (Takes::TextTemplate, Node::Scalar(Value::String(_))) => self.texts(&place.node),
            (Takes::Expression, Node::Scalar(Value::String(text))) => {
                if text.len() > EXPRESSION_BYTES_MAX {
                    let what = format!(
                        "an expression of {} bytes is longer than {EXPRESSION_BYTES_MAX}",
                        text.len()
                    );
                    self.note(what, "let a tool do it");
                }
            }
            // What people write without quotes.
            (Takes::Expression, Node::Scalar(Value::Bool(_) | Value::Number(_))) => {}
            (Takes::List { of, min, max }, Node::List(places)) => {
                self.count(places.len(), *min, *max, "entries");
                for (index, place) in places.iter().enumerate() {
                    self.way.0.push(crate::fault::Step::At(index));
                    self.takes(place, of);
                    self.way.0.pop();
                }
            }
            (Takes::Map { keys, of, min, max }, Node::Map(entries)) => {
                self.count(entries.len(), *min, *max, "entries");
                for entry in entries {
                    if let Err(invalid) = (keys.check)(&entry.name) {
                        self.notes
                            .push_name(&self.way.of(&entry.name), invalid.0, "");
                    }
                    self.within(&entry.name, |check| check.takes(&entry.place, of));
                }
            }
            (Takes::Shape(shape), _) => self.shape(place, shape),
            (Takes::Nodes, Node::Map(entries)) => self.nodes(entries),
            (Takes::Either(ways), node) => match ways.iter().find(|takes| takes.fits(node)) {
                Some(takes) => self.takes(place, takes),
                None => self.wanted(place, &takes.words()),
            },
            (takes, _) => self.wanted(place, &takes.words()),
        }
    }

    fn count(&mut self, count: usize, min: usize, max: usize, what: &str) {
        if count < min {
            self.notes.push_name(
                &self.way,
                format!("{count} {what} are fewer than {min}"),
                "",
            );
        }
        if count > max {
            self.notes
                .push_name(&self.way, format!("{count} {what} are more than {max}"), "");
        }
    }

    /// Texts with holes stay within bounds.
    fn texts(&mut self, node: &Node) {
        match node {
            Node::Scalar(Value::String(text)) if text.len() > TEMPLATE_BYTES_MAX => {
                let what = format!(
                    "a text of {} bytes is longer than {TEMPLATE_BYTES_MAX}",
                    text.len()
                );
                self.note(what, "pass it as an input");
            }
            Node::Scalar(_) => {}
            Node::List(places) => places.iter().for_each(|place| self.texts(&place.node)),
            Node::Map(entries) => entries
                .iter()
                .for_each(|entry| self.texts(&entry.place.node)),
        }
    }

    fn nodes(&mut self, entries: &[Entry]) {
        self.nodes += entries.len();
        if entries.is_empty() {
            self.notes
                .push_name(&self.way, "there are no nodes", "add one");
        }
        if self.nodes > NODES_MAX {
            return;
        }
        for entry in entries {
            if let Err(invalid) = Name::parse(&entry.name) {
                self.notes
                    .push_name(&self.way.of(&entry.name), invalid.0, "");
            }
            self.within(&entry.name, |check| check.node(&entry.place));
        }
    }

    fn node(&mut self, place: &Place) {
        let Node::Map(entries) = &place.node else {
            self.wanted(place, "a node: a map with `kind`");
            return;
        };
        match entries.iter().find(|entry| entry.name == "kind") {
            None => {
                let to_do = format!("add it: {}", known(KINDS.iter().map(|kind| kind.name)));
                self.notes
                    .push_name(&self.way.clone(), "\"kind\" is missing", to_do);
            }
            Some(entry) => match &entry.place.node {
                Node::Scalar(Value::String(name)) => match kind(name) {
                    Some(kind) => self.fields_of(entries, kind),
                    None => {
                        let to_do = nearest(name, KINDS.iter().map(|kind| kind.name));
                        let what = format!("there is no kind {:?}", clip(name));
                        self.notes.push(&self.way.of("kind"), what, to_do);
                    }
                },
                _ => self.within("kind", |check| {
                    check.wanted(&entry.place, "a kind of nodes")
                }),
            },
        }
    }

    fn fields_of(&mut self, entries: &[Entry], kind: &'static Kind) {
        let whose = format!("kind {:?}", kind.name);
        self.fields(entries, kind.fields, COMMON, &whose);
    }

    fn wanted(&mut self, place: &Place, what: &str) {
        let found = match &place.node {
            Node::Scalar(Value::Null) => "nothing".to_owned(),
            Node::Scalar(value) => shown(value),
            Node::List(_) => "a list".to_owned(),
            Node::Map(_) => "a map".to_owned(),
        };
        self.note(
            format!("{found} does not fit here"),
            format!("write {what}"),
        );
    }
}

fn names(fields: &'static [Field]) -> String {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    names.join(", ")
}

fn words(choices: &'static [Choice]) -> impl Iterator<Item = &'static str> + Clone {
    choices.iter().map(|choice| choice.word)
}

impl Takes {
    /// Whether a value is of the type that this takes.
    fn fits(&self, node: &Node) -> bool {
        match (self, node) {
            (Takes::Flag, Node::Scalar(Value::Bool(_)))
            | (Takes::Count { .. } | Takes::Number { .. }, Node::Scalar(Value::Number(_)))
            | (
                Takes::Text
                | Takes::Id(_)
                | Takes::Span
                | Takes::Choice(_)
                | Takes::TextTemplate
                | Takes::Expression,
                Node::Scalar(Value::String(_)),
            )
            | (Takes::List { .. }, Node::List(_))
            | (Takes::Map { .. } | Takes::Shape(_) | Takes::Nodes | Takes::Schema, Node::Map(_))
            | (Takes::Literal | Takes::Template, _) => true,
            (Takes::Either(ways), node) => ways.iter().any(|takes| takes.fits(node)),
            _ => false,
        }
    }

    /// In words, after "is not".
    pub(crate) fn words(&self) -> String {
        match self {
            Takes::Flag => "true or false".to_owned(),
            Takes::Count { .. } => "a whole number".to_owned(),
            Takes::Number { .. } => "a number".to_owned(),
            Takes::Text => "text".to_owned(),
            Takes::Id(id) => id.what.to_owned(),
            Takes::Span => "a span of time such as 30s, 5m or 2h".to_owned(),
            Takes::Choice(choices) => {
                format!("one of {}", words(choices).collect::<Vec<_>>().join(", "))
            }
            Takes::Literal | Takes::Template => "a value".to_owned(),
            Takes::TextTemplate => "text".to_owned(),
            Takes::Expression => "an expression, as text".to_owned(),
            Takes::Schema => "a JSON Schema".to_owned(),
            Takes::List { of, .. } => format!("a list, each entry {}", of.words()),
            Takes::Map { of, .. } => format!("a map of names, each with {}", of.words()),
            Takes::Shape(shape) => format!("a map with {}", names(shape.fields)),
            Takes::Nodes => "a map of nodes by their names".to_owned(),
            Takes::Either(ways) => {
                let ways: Vec<String> = ways.iter().map(Takes::words).collect();
                ways.join(", or ")
            }
        }
    }
}
