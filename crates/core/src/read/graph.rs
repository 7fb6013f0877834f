//! Declared edges, for whoever builds the dependency graph from them.
use crate::state::State;
use fleet_types::graph::Edge;

/// All declared edges, by their ends. Bounded by what a fleet may declare.
#[must_use]
pub fn declared(state: &State) -> Vec<Edge> {
    state.graph.iter().collect()
}
