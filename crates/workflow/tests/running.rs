//! What an engine asks of a graph while it runs.
use fleet_workflow::definition::parts::Backoff;
use fleet_workflow::graph::{Graph, Unfilled, Work};
use fleet_workflow::template::Source;
use fleet_workflow::{Lookup, Unchecked, read};
use serde_json::{Value, json};
use std::borrow::Cow;

const EVERY: &str = include_str!("every-kind.yaml");

fn graph() -> Graph {
    read(EVERY, &Unchecked).unwrap().graph
}

/// What stands in an execution of the definition of everything.
struct Known<'g>(&'g Graph, Value);

impl Lookup for Known<'_> {
    fn get(&self, source: &Source) -> Option<Cow<'_, Value>> {
        let at = |pointer: String| self.1.pointer(&pointer).map(Cow::Borrowed);
        match source {
            Source::Input(name) => at(format!("/inputs/{name}")),
            Source::Variable(name) => at(format!("/variables/{name}")),
            Source::Outputs(node) => at(format!("/{}", self.0.node(*node).path)),
            Source::Status(node) => at(format!("/status/{}", self.0.node(*node).path)),
            _ => None,
        }
    }
}

#[test]
fn permits_and_questions_are_filled() {
    let graph = graph();
    let known = json!({
        "inputs": {"document": "a/b"},
        "improve": {"write": {"text": "x"}},
        "scores": {"items": [0.5]},
        "read": {"score": 0.7},
    });
    let known = Known(&graph, known);
    let read = graph.node(graph.find("read").unwrap());
    let wanted = read.permit.as_ref().unwrap().fill(&known).unwrap();
    assert_eq!(wanted.resources[0].path.to_string(), "documents/a/b");
    assert_eq!(
        (wanted.parameters["url"].clone(), wanted.wait.unwrap().0),
        (json!("a/b"), 30_000)
    );
    let Work::Approval(approval) = &graph.node(graph.find("ask").unwrap()).work else {
        panic!("it is a question");
    };
    let terms = approval.terms(&known).unwrap();
    assert_eq!(terms.question.as_str(), "Send the offer for a/b?");
    assert_eq!(
        (terms.context.as_str(), terms.risks[0].as_str()),
        ("{\"text\":\"x\"}", "The price is 0.5")
    );
    assert_eq!(
        (terms.deadline_ms.unwrap().0, terms.fields.len()),
        (172_800_000, 2)
    );
    let wrong = Known(&graph, json!({"inputs": {"document": "//"}}));
    let wrong = read.permit.as_ref().unwrap().fill(&wrong).unwrap_err();
    assert!(
        matches!(wrong, Unfilled::Invalid { ref field, .. } if field == "resources[0]"),
        "{wrong}"
    );
}

#[test]
fn expressions_see_what_they_mention() {
    let graph = graph();
    let known = Known(
        &graph,
        json!({"inputs": {"strict": false, "document": "x"}, "read": {"score": 0.7}}),
    );
    let book = graph.node(graph.find("book").unwrap());
    assert_eq!(
        book.when.as_ref().unwrap().inputs(&known),
        json!({"inputs": {"strict": false}, "nodes": {"read": {"outputs": {"score": 0.7}}}})
    );
    assert_eq!(book.waits_for, [graph.find("read").unwrap()]);
}

#[test]
fn references_outwards_make_the_container_wait() {
    let graph = graph();
    let of = |path: &str| graph.node(graph.find(path).unwrap());
    let waits = |path: &str| -> Vec<&str> {
        of(path)
            .waits_for
            .iter()
            .map(|other| graph.node(*other).path.as_str())
            .collect()
    };
    assert_eq!(waits("scores"), ["reviews"]);
    assert_eq!(waits("scores.nodes.score"), [""; 0]);
    assert_eq!(waits("improve.nodes.rate"), ["improve.nodes.write"]);
    assert_eq!(waits("deliver"), ["ask"]);
    assert_eq!(
        of("improve").bodies[0].entries,
        [graph.find("improve.nodes.write").unwrap()]
    );
}

#[test]
fn waits_between_attempts() {
    let graph = graph();
    let mut retry = graph.node(graph.find("gate").unwrap()).retry.clone();
    assert_eq!(retry, None, "defaults are of agents and tools");
    retry = graph
        .node(graph.find("deliver.nodes.send").unwrap())
        .retry
        .clone();
    let mut retry = retry.unwrap();
    let waits = |retry: &fleet_workflow::definition::Retry, chance: f64| {
        [1, 2, 3, 100].map(|failed| retry.wait(failed, chance).0)
    };
    assert_eq!(waits(&retry, 0.0), [2_000, 4_000, 6_000, 200_000]);
    assert_eq!(waits(&retry, 1.0), [1_000, 2_000, 3_000, 100_000]);
    retry.backoff = Backoff::Exponential;
    assert_eq!(waits(&retry, 0.0), [2_000, 6_000, 18_000, 300_000]);
    retry.backoff = Backoff::Fixed;
    assert_eq!(waits(&retry, 0.0), [2_000; 4]);
    assert!(retry.again(3, "timeout") && !retry.again(4, "timeout") && !retry.again(1, "invalid"));
}
