//! A YAML file as a tree that knows where everything stands, so that every mistake can be shown in its place.
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};
use std::fmt;
use std::ops::Range;

/// A node and where it stands.
pub type Place = Spanned<Node>;

/// A node.
#[derive(Clone, Debug)]
pub enum Node {
    /// A single value.
    Scalar(Value),
    /// A list.
    List(Vec<Place>),
    /// Names with values, in order.
    Map(Vec<(Spanned<String>, Place)>),
}

/// One step of a way through the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a list.
    At(usize),
    /// Into a map.
    Of(String),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("YAML")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Scalar(
                    Number::from_f64(value).map_or(Value::Null, Value::Number),
                ))
            }
            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Null))
            }
            fn visit_none<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Null))
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
                Node::deserialize(deserializer)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
                let mut nodes = Vec::new();
                while let Some(node) = list.next_element()? {
                    nodes.push(node);
                }
                Ok(Node::List(nodes))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Node::Map(pairs))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Reads a text as a tree.
///
/// # Errors
/// When it is not YAML.
pub fn parse(text: &str) -> Result<Place, Box<serde_saphyr::Error>> {
    serde_saphyr::from_str(text).map_err(Box::new)
}

/// Whether a name stands at the top of it.
pub fn has(place: &Place, wanted: &str) -> bool {
    match &place.value {
        Node::Map(pairs) => pairs.iter().any(|(name, _)| name.value == wanted),
        Node::List(_) | Node::Scalar(_) => false,
    }
}

/// The node as JSON.
pub fn value(node: &Node) -> Value {
    match node {
        Node::Scalar(value) => value.clone(),
        Node::List(nodes) => nodes.iter().map(|node| value(&node.value)).collect(),
        Node::Map(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(name, node)| (name.value.clone(), value(&node.value)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

/// Where the way leads: the last place on it that is in the file. A name is shown at the name, not at its value, where
/// `name` says so.
pub fn find(place: &Place, way: &[Step], name: bool) -> Location {
    let mut at = place;
    let mut location = place.referenced;
    for (index, step) in way.iter().enumerate() {
        let next = match (&at.value, step) {
            (Node::List(nodes), Step::At(number)) => {
                nodes.get(*number).map(|node| (node, node.referenced))
            }
            (Node::Map(pairs), Step::Of(wanted)) => pairs
                .iter()
                .find(|(name, _)| name.value == *wanted)
                .map(|(key, node)| {
                    let by_name = name && index + 1 == way.len();
                    (
                        node,
                        if by_name {
                            key.referenced
                        } else {
                            node.referenced
                        },
                    )
                }),
            _ => None,
        };
        let Some((node, there)) = next else { break };
        at = node;
        location = there;
    }
    location
}

/// The bytes of the text that a location stands for.
pub fn range(text: &str, location: Location) -> Range<usize> {
    let span = location.span();
    if let (Some(start), Some(length)) = (span.byte_offset(), span.byte_len()) {
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(text.len());
        let end = start
            .saturating_add(usize::try_from(length).unwrap_or(0))
            .min(text.len());
        if text.is_char_boundary(start) && text.is_char_boundary(end) {
            // Up to the end of the line: a whole map would hide what it is about.
            let line = text[start..end].find('\n').map_or(end, |at| start + at);
            return start..line.max(start);
        }
    }
    let line = usize::try_from(location.line())
        .unwrap_or(1)
        .saturating_sub(1);
    let column = usize::try_from(location.column())
        .unwrap_or(1)
        .saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let within = text[start..]
        .char_indices()
        .nth(column)
        .map_or(0, |(at, _)| at);
    start + within..start + within
}

/// Takes away what a way leads to; whether it was there.
pub fn remove(value: &mut Value, way: &[Step]) -> bool {
    match (way, value) {
        ([Step::Of(name)], Value::Object(map)) => map.remove(name).is_some(),
        ([Step::At(at)], Value::Array(list)) if *at < list.len() => {
            // Its neighbours keep their numbers.
            list[*at] = Value::Null;
            false
        }
        ([Step::Of(name), rest @ ..], Value::Object(map)) => {
            map.get_mut(name).is_some_and(|value| remove(value, rest))
        }
        ([Step::At(at), rest @ ..], Value::Array(list)) => {
            list.get_mut(*at).is_some_and(|value| remove(value, rest))
        }
        _ => false,
    }
}

/// What a way leads to.
pub fn get_mut<'v>(value: &'v mut Value, way: &[Step]) -> Option<&'v mut Value> {
    match (way, value) {
        ([], value) => Some(value),
        ([Step::Of(name), rest @ ..], Value::Object(map)) => get_mut(map.get_mut(name)?, rest),
        ([Step::At(at), rest @ ..], Value::Array(list)) => get_mut(list.get_mut(*at)?, rest),
        _ => None,
    }
}
