//! The graph in the words of other tools: DOT (Graphviz), GraphML (yEd, Gephi, NetworkX), Cypher (Neo4j), JSON.
//!
//! Names come from outside, and descriptions are free text: each form escapes what it must, and a test for each reads
//! hostile names back. Nodes have numbers of their own in DOT and GraphML, so that no name is ever an identifier.
mod cypher;
mod dot;
mod graphml;
mod json;

#[cfg(test)]
mod tests;

use crate::traffic::Graph;
use std::str::FromStr;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Graphviz.
    Dot,
    /// XML for graph editors.
    GraphMl,
    /// Statements that merge it into a graph database; running them again changes nothing.
    Cypher,
    /// As the API shows it.
    Json,
}

impl Format {
    /// Every form, by name.
    pub const ALL: [(&'static str, Format); 4] = [
        ("dot", Format::Dot),
        ("graphml", Format::GraphMl),
        ("cypher", Format::Cypher),
        ("json", Format::Json),
    ];

    /// What it is called over HTTP.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Dot => "text/vnd.graphviz; charset=utf-8",
            Format::GraphMl => "application/graphml+xml",
            Format::Cypher => "text/plain; charset=utf-8",
            Format::Json => "application/json",
        }
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Format::ALL.into_iter().find(|(known, _)| *known == name);
        let names = Format::ALL.map(|(name, _)| name).join(", ");
        found
            .map(|(_, format)| format)
            .ok_or_else(|| format!("{name:?} is no form of a graph; there are {names}"))
    }
}

/// Writes a graph.
#[must_use]
pub fn export(graph: &Graph, format: Format) -> String {
    match format {
        Format::Dot => dot::write(graph),
        Format::GraphMl => graphml::write(graph),
        Format::Cypher => cypher::write(graph),
        Format::Json => json::write(graph),
    }
}

/// What is told of an edge besides its ends and its description, by name: the same in every form.
fn facts(edge: &fleet_types::graph::view::Edge) -> Vec<(&'static str, u64)> {
    let Some(traffic) = &edge.traffic else {
        return Vec::new();
    };
    vec![
        ("asked", traffic.asked),
        ("asked_last_day", traffic.last_day),
        ("granted", traffic.granted),
        ("denied", traffic.denied),
        ("failed", traffic.failed),
        ("waits", traffic.waits),
        ("wait_us", traffic.wait_us),
        ("first_us", traffic.first.0),
        ("last_us", traffic.last.0),
    ]
}
