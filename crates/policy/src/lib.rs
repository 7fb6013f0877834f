//! Policies in Rego: compiled once, evaluated within bounds, never trusted.
//!
//! ```text
//! text → compile: parse, compile to bytecode, check → Module
//! Module + input + data → evaluate: bounded → what it says → combine: one verdict, and the request as policies want it
//! ```
//!
//! A module is package `fleet` and says what it says by four rules, each optional: `deny contains reason`,
//! `approve contains reason`, `allow` (where it stands, what it does not allow is denied) and `transform`.
//!
//! Assumptions, each with a test in `tests/hostile.rs`
//! - Whoever writes a policy may want to harm the server. So what a policy may call is on a list; it cannot recurse; it is
//!   stopped after [`Bounds::instructions`] and [`Bounds::wall`]; and what one instruction may cost is bounded by
//!   [`guard`], as the library checks its bounds only between instructions.
//! - The library cannot bound memory without an allocator of its own. Here memory is bounded by what can allocate: each
//!   instruction adds one value, and builtins work on [`Bounds::fuel`] bytes at most.
//! - Comparing deeply shared values can take long within one instruction. Nothing here ends that: whoever evaluates must
//!   watch the time, and must not ask such a policy again (see `fleet-runtime`).
//! - Threads that evaluate have a stack of at least [`STACK_BYTES`].
//! - Whatever goes wrong is a denial: [`Opinion::Failed`](fleet_types::policy::Opinion::Failed).
//!
//! It knows no clock, no network and no fleet: what a policy sees is handed in.

mod cases;
mod check;
mod combine;
mod evaluate;
mod fault;
pub mod guard;
mod input;
mod module;
mod said;

pub use cases::{Case, run_cases};
pub use combine::{Asked, judge};
pub use evaluate::Bounds;
pub use fault::Fault;
pub use input::{Document, input};
pub use module::{Module, compile, hash};
pub use said::{Patch, Said};

/// Stack that evaluating may need: rules may call each other [`check::DEPTH_MAX`] deep.
pub const STACK_BYTES: usize = if cfg!(debug_assertions) { 64 } else { 16 } << 20;
