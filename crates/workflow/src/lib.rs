//! Workflows: definitions that people write, and the graphs that engines step through.
//!
//! ```text
//! text ── tree ──────── shape ─────────── definition ── compile ───────────────── graph ── plan
//!         where every   fields and types, data, short   references looked up,     flat,    levels, longest way,
//!         value stands  by one table      forms written templates read, circles   whole    estimates, who is missing
//!                                         out           and dead ends refused
//! ```
//!
//! Every mistake of a text is found at once, and each says where it stands, what it is and what to do ([`Fault`]).
//!
//! Invariants
//! - Pure: no clock, no IO, no randomness; the same text makes the same graph, byte for byte.
//! - No text is too hostile: size, depth, values, nodes and edges are bounded ([`limits`]), and nothing here panics.
//! - The published JSON Schema, the reader's checks and the reference in the documentation are made of the same tables.
//! - A graph is complete: whoever steps through it needs neither the text nor an engine for its templates.
//!
//! It leaves to others: what an expression means ([`Checker`]), and how an execution goes on.

mod compile;
pub mod contract;
pub mod definition;
pub mod expression;
mod fault;
pub mod graph;
pub mod limits;
mod name;
pub mod plan;
mod shape;
mod span;
pub mod template;
mod tree;
pub mod version;

pub use definition::Definition;
pub use expression::{Checker, Expression, Flaw, Unchecked};
pub use fault::{Fault, Faults};
pub use graph::{Graph, NodeIndex};
pub use name::Name;
pub use shape::{reference, schema};
pub use span::Span;
pub use template::{Lookup, MissingPath, Template};
pub use version::Hash;

use fault::{Notes, Way};
use serde::Deserialize;
use shape::WORKFLOW;

/// A workflow that was read: what it says, and how it is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// What it says.
    pub definition: Definition,
    /// How it is run.
    pub graph: Graph,
}

/// Reads a definition in YAML or JSON.
///
/// # Errors
/// When something is wrong with it: everything that is, as far as one mistake does not hide another. References are
/// looked up only where every field is what it should be.
pub fn read(text: &str, checker: &dyn Checker) -> Result<Workflow, Faults> {
    let mut notes = Notes::default();
    let tree = tree::parse(text, &mut notes).map_err(|wrong| Faults {
        faults: vec![Fault::new(
            &Way::default(),
            wrong.spot,
            wrong.what,
            wrong.to_do,
        )],
        more: 0,
    })?;
    shape::check(&tree, &WORKFLOW, &mut notes);
    if !notes.is_empty() {
        return Err(notes.locate(&tree));
    }
    let definition = match Definition::deserialize(tree.value()) {
        Ok(definition) => definition,
        Err(error) => {
            notes.push(&Way::default(), error.to_string(), "");
            return Err(notes.locate(&tree));
        }
    };
    let graph = compile::compile(&definition, checker, &mut notes);
    match notes.is_empty() {
        true => Ok(Workflow { definition, graph }),
        false => Err(notes.locate(&tree)),
    }
}
