//! DOT. Declared edges are drawn through, those that only traffic shows are dashed.
use super::facts;
use crate::traffic::Graph;
use fleet_types::graph::Kind;
use std::fmt::Write;

pub fn write(graph: &Graph) -> String {
    let mut out = String::from("digraph fleet {\n  rankdir=LR;\n");
    for (number, node) in graph.nodes.iter().enumerate() {
        let shape = match node.kind() {
            Kind::Agent => "box",
            Kind::Action => "cds",
            Kind::Resource => "cylinder",
        };
        // Writing into a string does not fail.
        let _ = writeln!(
            out,
            "  n{number} [label={}, shape={shape}];",
            quoted(&node.to_string())
        );
    }
    for (edge, (from, to)) in graph.edges.iter().zip(&graph.ends) {
        let style = if edge.declared { "solid" } else { "dashed" };
        let mut label = edge.description.to_string();
        if let Some(traffic) = &edge.traffic {
            if !label.is_empty() {
                label.push('\n');
            }
            let _ = write!(label, "{} asked", traffic.asked);
        }
        let _ = write!(
            out,
            "  n{from} -> n{to} [style={style}, label={}",
            quoted(&label)
        );
        for (name, value) in facts(edge) {
            let _ = write!(out, ", {name}={value}");
        }
        out.push_str("];\n");
    }
    out.push_str("}\n");
    out
}

/// A quoted string. In labels a backslash begins an escape, and `&` a character's name.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
