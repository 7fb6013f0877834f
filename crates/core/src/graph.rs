//! Declared edges of the dependency graph: who needs whom and what, as people say. Nothing is decided by them; what
//! traffic shows is a view of the journal and not known here.
use crate::decide::{Decided, invalid, rejected};
use crate::state::State;
use fleet_types::graph::{self, Command, Edge, Ends};
use fleet_types::{Code, Event, Text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Few where it is tested.
const COUNT_MAX: usize = if cfg!(test) { 4 } else { graph::COUNT_MAX };

/// What is declared, in the order of its ends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Edge>", into = "Vec<Edge>")]
pub struct Graph {
    edges: BTreeMap<Ends, Text>,
}

impl From<Vec<Edge>> for Graph {
    fn from(edges: Vec<Edge>) -> Self {
        let edges = edges
            .into_iter()
            .map(|edge| (edge.ends(), edge.description));
        Graph {
            edges: edges.collect(),
        }
    }
}

impl From<Graph> for Vec<Edge> {
    fn from(graph: Graph) -> Self {
        graph.iter().collect()
    }
}

impl Graph {
    /// All of them, by their ends.
    pub fn iter(&self) -> impl Iterator<Item = Edge> {
        self.edges.iter().map(|(ends, description)| Edge {
            from: ends.from.clone(),
            to: ends.to.clone(),
            description: description.clone(),
        })
    }

    /// Whether nothing was ever declared: then snapshots do not mention it.
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }
}

pub fn decide(state: &State, command: &Command) -> Decided {
    let known = &state.graph.edges;
    match command {
        Command::Declare(edge) if edge.from == edge.to => {
            invalid("to", format!("{} cannot need itself", edge.to))
        }
        Command::Declare(edge) => match known.get(&edge.ends()) {
            Some(description) if *description == edge.description => Decided::unchanged(),
            None if known.len() >= COUNT_MAX => {
                let words = format!(
                    "a fleet has at most {COUNT_MAX} declared edges; undeclare some, or declare a resource that covers more"
                );
                rejected(Code::Conflict, words)
            }
            Some(_) | None => Decided::event(Event::GraphDeclared(edge.clone())),
        },
        Command::Undeclare(ends) if known.contains_key(ends) => {
            Decided::event(Event::GraphUndeclared(ends.clone()))
        }
        Command::Undeclare(ends) => rejected(
            Code::NotFound,
            format!("it is not declared that {} needs {}", ends.from, ends.to),
        ),
    }
}

pub fn declared(state: &mut State, edge: &Edge) {
    let edges = &mut state.graph.edges;
    edges.insert(edge.ends(), edge.description.clone());
}

pub fn undeclared(state: &mut State, ends: &Ends) {
    state.graph.edges.remove(ends);
}
