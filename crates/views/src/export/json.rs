//! JSON: nodes, and edges as the API shows them.
use crate::traffic::Graph;
use serde_json::json;

pub fn write(graph: &Graph) -> String {
    let nodes: Vec<_> = graph
        .nodes
        .iter()
        .map(|node| json!({"id": node, "kind": node.kind(), "name": node.name()}))
        .collect();
    let mut text = json!({"seq": graph.seq, "nodes": nodes, "edges": graph.edges}).to_string();
    text.push('\n');
    text
}
