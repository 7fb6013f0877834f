//! Cypher: one `MERGE` for each node and each edge, so that running it again brings the counts up to date and adds
//! nothing twice. What is gone from the graph stays in the database.
use super::facts;
use crate::traffic::Graph;
use fleet_types::graph::{Kind, Node};
use std::fmt::Write;

pub fn write(graph: &Graph) -> String {
    let mut out = String::new();
    for node in &graph.nodes {
        // Writing into a string does not fail.
        let _ = writeln!(out, "MERGE ({});", pattern("", node));
    }
    for edge in &graph.edges {
        let _ = write!(
            out,
            "MATCH ({}), ({}) MERGE (a)-[e:NEEDS]->(b) SET e.declared = {}, e.description = {}",
            pattern("a", &edge.from),
            pattern("b", &edge.to),
            edge.declared,
            quoted(edge.description.as_str())
        );
        for (name, value) in facts(edge) {
            let _ = write!(out, ", e.{name} = {value}");
        }
        out.push_str(";\n");
    }
    out
}

fn pattern(variable: &str, node: &Node) -> String {
    let label = match node.kind() {
        Kind::Agent => "Agent",
        Kind::Action => "Action",
        Kind::Resource => "Resource",
    };
    format!("{variable}:{label} {{name: {}}}", quoted(node.name()))
}

/// A string in single quotes. A doubled backslash also holds where `\u` is read before everything else.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}
