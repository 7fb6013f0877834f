//! Who needs whom and what: nodes and edges of the dependency graph, and the command that declares an edge.
//!
//! An edge says "from needs to": when `to` fails or stops, `from` feels it. Declared edges are part of the fleet's
//! state; those that traffic shows are a view of the journal (`view`). What an agent *may* touch is no edge.
pub mod view;

use crate::id::{ActionName, AgentId};
use crate::path::ResourcePath;
use crate::text::{Invalid, Text};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// Most declared edges of a fleet; each costs some hundred bytes of every snapshot.
pub const COUNT_MAX: usize = 20_000;

/// Something that needs or is needed. As text: `agent:payments-1`, `action:payment.send`, `resource:ledger/eu`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// An agent.
    Agent(AgentId),
    /// An action: a tool, as agents see it.
    Action(ActionName),
    /// A resource.
    Resource(ResourcePath),
}

/// What a node is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[schema(as = GraphNodeKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An agent.
    Agent,
    /// An action.
    Action,
    /// A resource.
    Resource,
}

impl Kind {
    /// The word before the colon.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Agent => "agent",
            Kind::Action => "action",
            Kind::Resource => "resource",
        }
    }
}

impl Node {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Node::Agent(_) => Kind::Agent,
            Node::Action(_) => Kind::Action,
            Node::Resource(_) => Kind::Resource,
        }
    }

    /// Its name, without what it is; cheap to clone.
    #[must_use]
    pub fn name(&self) -> &SmolStr {
        match self {
            Node::Agent(agent) => agent.text(),
            Node::Action(action) => action.text(),
            Node::Resource(path) => path.text(),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind().as_str(), self.name())
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Node {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.split_once(':') {
            Some(("agent", name)) => Ok(Node::Agent(name.parse()?)),
            Some(("action", name)) => Ok(Node::Action(name.parse()?)),
            Some(("resource", name)) => Ok(Node::Resource(name.parse()?)),
            Some(_) | None => Err(Invalid::new(format!(
                "node {:?} is not of the form agent:NAME, action:NAME or resource:PATH",
                text.chars().take(80).collect::<String>()
            ))),
        }
    }
}

impl PartialSchema for Node {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::String))
            .description(Some(
                "Something that needs or is needed: an agent, an action (a tool) or a resource.",
            ))
            .pattern(Some("^(agent|action|resource):"))
            .examples(["agent:payments-1"])
            .into()
    }
}

impl ToSchema for Node {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("GraphNode")
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SmolStr::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A declared edge: `from` needs `to`. Neither must be known to the fleet yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = DeclaredEdge)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Who or what needs the other.
    pub from: Node,
    /// Who or what is needed.
    pub to: Node,
    /// What for, for people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
}

/// Between which nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = EdgeEnds)]
#[serde(deny_unknown_fields)]
pub struct Ends {
    /// Who or what needs the other.
    pub from: Node,
    /// Who or what is needed.
    pub to: Node,
}

impl Edge {
    /// Between which nodes.
    #[must_use]
    pub fn ends(&self) -> Ends {
        Ends {
            from: self.from.clone(),
            to: self.to.clone(),
        }
    }
}

/// What can be asked about declared edges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Adds an edge, or says otherwise what it is for.
    Declare(Edge),
    /// Removes an edge.
    Undeclare(Ends),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read_as_they_are_written() {
        for text in [
            "agent:pay-1",
            "agent:team:pay@eu",
            "action:payment.send",
            "resource:ledger/eu/Ärger-1",
            "resource:a:b/c",
        ] {
            let node: Node = text.parse().unwrap();
            assert_eq!(node.to_string(), text);
            let json = serde_json::to_string(&node).unwrap();
            assert_eq!(serde_json::from_str::<Node>(&json).unwrap(), node);
        }
        for bad in [
            "",
            "pay-1",
            "tool:x",
            "agent:",
            "agent:a b",
            "resource:/a",
            "Agent:a",
            ":",
        ] {
            assert!(bad.parse::<Node>().is_err(), "{bad:?} was taken");
        }
    }
}
