//! Read models: what can be worked out of a fleet's journal for people and for planning, but decides nothing.
//!
//! A view is a fold over records. It is never the truth: it can be thrown away and built again from the journal, or from
//! a snapshot of itself and the records after it. Whoever drives it follows the journal from the view's own cursor,
//! beside the writer, so that the writer never waits for it.
//!
//! Invariants
//! - A view is a function of the records it was given, of nothing else: no clock, no randomness, and no order of a hash
//!   map shows.
//! - Everything has a bound; past it, what was not seen for longest is forgotten, and how much is said.
//!
//! It leaves following, files, threads and doors to others.
pub mod analysis;
pub mod export;
pub mod traffic;

pub use traffic::Traffic;
