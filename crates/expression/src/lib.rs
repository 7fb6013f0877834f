//! JavaScript expressions: checked, and evaluated within bounds, in a world of their own.
//!
//! Invariants
//! - The same expression over the same inputs gives the same value: there is no clock, no chance and no outside. Each
//!   evaluation has a runtime and a context of its own, which nothing survives.
//! - Nothing runs on for ever: steps, time, memory and stack are bounded ([`Bounds`]).
//!
//! Assumptions, each with a test in `tests/hostile.rs`
//! - Whoever writes an expression may want to harm the server. So nothing makes code of text (`eval` and the constructors of
//!   functions are gone), and there are no numbers without end (no BigInt).
//! - The library looks at its bounds once in 10,000 steps, and within regular expressions. So what goes through a list or
//!   a text in one step is charged by its length, and one of more than a million places is refused: holes cost no memory.
//! - What is left are steps as dear as memory allows, such as comparing long texts: [`Bounds::wall`] is looked at late then.
//!   Whoever evaluates does so on a thread that may be late, never on one that writes (I11).
mod bounds;
mod check;
mod evaluate;
mod fault;

pub use bounds::Bounds;
pub use check::{Checks, check};
pub use evaluate::{evaluate, is_true};
pub use fault::{Fault, Flaw};
