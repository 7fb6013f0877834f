//! A text in YAML or JSON as a tree that knows where everything stands.
//!
//! Read event by event, without recursion, so that no depth of nesting reaches the stack. What is read is counted, with
//! what aliases stand for: neither a bomb of aliases nor a deep nest costs more than the bounds say. Names that stand
//! twice are all noted; the first counts.
mod scalar;

use crate::fault::{Notes, Step, Way, clip};
use crate::limits::{DEPTH_MAX, TEXT_BYTES_MAX, VALUES_MAX};
use granit_parser::{Event, Marker, Parser, Span};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Where something stands: a range of bytes, and its beginning as line and column from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// Bytes of the text, up to the end of the line at most.
    pub range: Range<usize>,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where.
    pub spot: Spot,
    /// What.
    pub node: Node,
    /// Values it is made of.
    size: usize,
    /// How deep it is by itself.
    depth: usize,
}

/// A value.
#[derive(Clone, Debug)]
pub enum Node {
    /// A single one.
    Scalar(Value),
    /// A list.
    List(Vec<Place>),
    /// Names with values, in order.
    Map(Vec<Entry>),
}

/// A name with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// Where the name stands.
    pub spot: Spot,
    /// What it names.
    pub place: Place,
}

/// Why a text is no tree.
#[derive(Debug)]
pub struct Unreadable {
    pub spot: Spot,
    pub what: String,
    pub to_do: String,
}

impl Place {
    fn scalar(spot: Spot, value: Value) -> Place {
        Place {
            spot,
            node: Node::Scalar(value),
            size: 1,
            depth: 1,
        }
    }

    /// As JSON.
    pub fn value(&self) -> Value {
        match &self.node {
            Node::Scalar(value) => value.clone(),
            Node::List(places) => places.iter().map(Place::value).collect(),
            Node::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.name.clone(), entry.place.value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// Where a way leads: the last place on it that there is.
    pub fn find(&self, way: &Way, of_name: bool) -> Spot {
        let mut at = self;
        let mut spot = &self.spot;
        for (number, step) in way.0.iter().enumerate() {
            let is_last = number + 1 == way.0.len();
            match (&at.node, step) {
                (Node::List(places), Step::At(index)) if *index < places.len() => {
                    at = &places[*index];
                    spot = &at.spot;
                }
                (Node::Map(entries), Step::Of(name)) => {
                    let Some(entry) = entries.iter().find(|entry| entry.name == *name) else {
                        break;
                    };
                    at = &entry.place;
                    // A map or list begins a line below its name, which says more.
                    let by_name = is_last && (of_name || !matches!(at.node, Node::Scalar(_)));
                    spot = if by_name { &entry.spot } else { &at.spot };
                }
                _ => break,
            }
        }
        spot.clone()
    }
}

/// Something that is begun and not ended.
struct Open {
    place: Place,
    /// In a map: the name whose value comes next.
    name: Option<(String, Spot)>,
    anchor: usize,
}

struct Builder<'t> {
    text: &'t str,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Place>,
    count: usize,
    done: Option<Place>,
}

/// Reads a text. What can be read in spite of a mistake is, and the mistake is noted.
pub(crate) fn parse(text: &str, notes: &mut Notes) -> Result<Place, Unreadable> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Unreadable {
            spot: Spot::default(),
            what: format!("{} bytes are more than {TEXT_BYTES_MAX}", text.len()),
            to_do: "split it into sub-workflows".to_owned(),
        });
    }
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = DEPTH_MAX + 1;
    options.block_nesting_limit = DEPTH_MAX + 1;
    let mut builder = Builder {
        text,
        open: Vec::new(),
        anchors: BTreeMap::new(),
        count: 0,
        done: None,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| Unreadable {
            spot: spot(text, &Span::empty(*error.marker())),
            what: format!("it is neither YAML nor JSON: {}", error.info()),
            to_do: String::new(),
        })?;
        builder.take(event, &span, notes)?;
    }
    builder.done.ok_or_else(|| Unreadable {
        spot: Spot {
            line: 1,
            column: 1,
            ..Spot::default()
        },
        what: "it is empty".to_owned(),
        to_do: "a definition has at least `name` and `nodes`".to_owned(),
    })
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: &Span, notes: &mut Notes) -> Result<(), Unreadable> {
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(..) if self.done.is_some() => Err(self.refuse(
                span,
                "there is a second document",
                "a file holds one definition",
            )),
            Event::DocumentStart(..) => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                let spot = spot(self.text, span);
                let value = scalar::value(&text, style, tag.as_deref());
                let value = value.map_err(|what| Unreadable {
                    spot: spot.clone(),
                    what,
                    to_do: String::new(),
                })?;
                self.add(Place::scalar(spot, value), anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Node::List(Vec::new()), anchor, span),
            Event::MappingStart(_, anchor, _) => self.begin(Node::Map(Vec::new()), anchor, span),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => {
                    let place = self.without_repeats(open.place, notes);
                    self.add(place, open.anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(mut place) => {
                    self.count += place.size.saturating_sub(1);
                    place.spot = spot(self.text, span);
                    self.add(place, 0)
                }
                None => Err(self.refuse(
                    span,
                    "an alias stands within what it is an alias for",
                    "write it out",
                )),
            },
            _ => Err(self.refuse(span, "this is nothing that a definition has", "")),
        }
    }

    fn refuse(&self, span: &Span, what: &str, to_do: &str) -> Unreadable {
        Unreadable {
            spot: spot(self.text, span),
            what: what.to_owned(),
            to_do: to_do.to_owned(),
        }
    }

    fn begin(&mut self, node: Node, anchor: usize, span: &Span) -> Result<(), Unreadable> {
        if self.open.len() >= DEPTH_MAX {
            return Err(self.deep(span));
        }
        self.open.push(Open {
            place: Place {
                spot: spot(self.text, span),
                node,
                size: 1,
                depth: 1,
            },
            name: None,
            anchor,
        });
        Ok(())
    }

    fn deep(&self, span: &Span) -> Unreadable {
        self.refuse(
            span,
            &format!("values lie more than {DEPTH_MAX} deep in each other"),
            "put the inner nodes into a workflow of their own",
        )
    }

    /// Puts a whole value where it belongs.
    fn add(&mut self, place: Place, anchor: usize) -> Result<(), Unreadable> {
        self.count += 1;
        if self.count > VALUES_MAX {
            return Err(Unreadable {
                spot: place.spot,
                what: format!("it has more than {VALUES_MAX} values, with what aliases stand for"),
                to_do: "split it into sub-workflows".to_owned(),
            });
        }
        if self.open.len() + place.depth > DEPTH_MAX {
            return Err(Unreadable {
                spot: place.spot,
                what: format!("values lie more than {DEPTH_MAX} deep in each other"),
                to_do: "put the inner nodes into a workflow of their own".to_owned(),
            });
        }
        if anchor != 0 {
            self.count += place.size;
            self.anchors.insert(anchor, place.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.done = Some(place);
            return Ok(());
        };
        let is_name = matches!(open.place.node, Node::Map(_)) && open.name.is_none();
        if !is_name {
            open.place.size += place.size;
            open.place.depth = open.place.depth.max(place.depth + 1);
        }
        match (&mut open.place.node, open.name.take()) {
            (Node::List(places), _) => places.push(place),
            (Node::Map(entries), Some((name, spot))) => entries.push(Entry { name, spot, place }),
            (Node::Map(_), None) => {
                let Some(name) = scalar::name(&place.node) else {
                    return Err(Unreadable {
                        spot: place.spot,
                        what: "a name is a text".to_owned(),
                        to_do: "put it in quotes".to_owned(),
                    });
                };
                open.name = Some((name, place.spot));
            }
            (Node::Scalar(_), _) => {}
        }
        Ok(())
    }

    /// Of names that stand twice in a map the first counts; the others are noted.
    fn without_repeats(&self, mut place: Place, notes: &mut Notes) -> Place {
        let Node::Map(entries) = &mut place.node else {
            return place;
        };
        let mut seen = BTreeSet::new();
        let is_first: Vec<bool> = entries
            .iter()
            .map(|entry| seen.insert(entry.name.as_str()))
            .collect();
        if is_first.iter().all(|is_first| *is_first) {
            return place;
        }
        let steps = self.open.iter().filter_map(|open| match &open.place.node {
            Node::List(places) => Some(Step::At(places.len())),
            Node::Map(_) => open.name.as_ref().map(|(name, _)| Step::Of(name.clone())),
            Node::Scalar(_) => None,
        });
        let way = Way(steps.collect());
        let mut is_first = is_first.into_iter();
        entries.retain(|entry| {
            let is_first = is_first.next() != Some(false);
            if !is_first {
                notes.push_spot(
                    &way.of(&entry.name),
                    entry.spot.clone(),
                    format!("{:?} stands twice", clip(&entry.name)),
                    "keep one of them",
                );
            }
            is_first
        });
        place
    }
}

/// The place of a span, up to the end of its line.
fn spot(text: &str, span: &Span) -> Spot {
    let start = offset(text, &span.start);
    let end = offset(text, &span.end).max(start);
    let line = text[start..end].find('\n').map_or(end, |at| start + at);
    Spot {
        range: start..line,
        line: span.start.line().max(1),
        column: span.start.col() + 1,
    }
}

fn offset(text: &str, mark: &Marker) -> usize {
    let mut at = mark.byte_offset().unwrap_or(0).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The beginning of a text, for people.
pub(crate) fn shown(value: &Value) -> String {
    clip(&value.to_string())
}
