//! GraphML.
use super::facts;
use crate::traffic::Graph;
use std::fmt::Write;

const NUMBERS: [&str; 9] = [
    "asked",
    "asked_last_day",
    "granted",
    "denied",
    "failed",
    "waits",
    "wait_us",
    "first_us",
    "last_us",
];

pub fn write(graph: &Graph) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
    );
    let mut key = |of: &str, name: &str, kind: &str| {
        // Writing into a string does not fail.
        let _ = writeln!(
            out,
            "  <key id=\"{name}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>"
        );
    };
    key("node", "kind", "string");
    key("node", "name", "string");
    key("edge", "declared", "boolean");
    key("edge", "description", "string");
    for name in NUMBERS {
        key("edge", name, "long");
    }
    out.push_str("  <graph id=\"fleet\" edgedefault=\"directed\">\n");
    for (number, node) in graph.nodes.iter().enumerate() {
        let _ = writeln!(
            out,
            "    <node id=\"n{number}\"><data key=\"kind\">{}</data><data key=\"name\">{}</data></node>",
            node.kind().as_str(),
            escaped(node.name())
        );
    }
    for (edge, (from, to)) in graph.edges.iter().zip(&graph.ends) {
        let _ = write!(
            out,
            "    <edge source=\"n{from}\" target=\"n{to}\"><data key=\"declared\">{}</data>",
            edge.declared
        );
        if !edge.description.is_empty() {
            let text = escaped(edge.description.as_str());
            let _ = write!(out, "<data key=\"description\">{text}</data>");
        }
        for (name, value) in facts(edge) {
            let _ = write!(out, "<data key=\"{name}\">{value}</data>");
        }
        out.push_str("</edge>\n");
    }
    out.push_str("  </graph>\n</graphml>\n");
    out
}

/// Text between tags. What XML cannot hold at all becomes the sign for that.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_has_its_key() {
        let mut edge = fleet_types::graph::view::Edge {
            from: "agent:a".parse().unwrap(),
            to: "agent:b".parse().unwrap(),
            declared: true,
            description: Default::default(),
            traffic: None,
            rolled_up: false,
        };
        assert!(facts(&edge).is_empty());
        edge.traffic = Some(Default::default());
        let names: Vec<&str> = facts(&edge).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, NUMBERS);
    }
}
