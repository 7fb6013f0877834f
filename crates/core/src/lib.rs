//! The state machine of one fleet: `step` takes a command and the time and says what happens.
//!
//! ```text
//! step = tend (due timers) → decide: (&State, &Command, now) → events → apply: event into State → react (waiters)
//! ```
//!
//! Invariants (numbers as in `ARCHITECTURE.md`)
//! - I1. No clock, IO, async, randomness, unordered maps. Time arrives as `now` and never goes back.
//! - I2. `decide` never mutates; `apply` never fails. Replaying the records gives the same state.
//! - I5. A request id takes effect at most once (`memory`).
//! - I6. At most one incompatible holder of a lock; tokens are journal sequences (`lock`).
//! - I7. A permit consumes everything it needs or nothing (`permit::gates`).
//! - I8. After a halt no permit in its reach is granted until release (`halt`).
//! - I9. Reserved + spent never passes a hard budget (`budget`).
//! - I10. What must be done outside follows from the state (`txn::due`).
//!
//! One folder or file per noun; each has its `decide` and what its events do to the state.
//! It leaves durability, clocks, threads and wire formats to others.

mod action;
mod agent;
mod apply;
mod approval;
mod budget;
mod conflict;
mod decide;
mod directory;
mod graph;
mod group;
mod halt;
mod limit;
mod lock;
mod map;
mod memory;
mod permit;
mod plan;
mod policy;
pub mod read;
mod reply;
mod rule;
mod scope;
mod selector;
mod settings;
pub mod signal;
mod state;
mod step;
mod timers;
mod tool;
mod txn;
mod version;

pub use memory::{Answered, COUNT_MAX as MEMORY_MAX, Evicted, Key, Remembered};
pub use permit::end::denial_of_waiter;
pub use policy::matching;
pub use rule::check;
pub use state::State;
pub use step::{adopt, apply_record, next_deadline, step, step_recalled};
pub use tool::decide::check as check_tool;
pub use tool::derive::{Derived, derive, expand};
pub use tool::judge::{Seen as SeenTool, judge as judge_tool};
pub use txn::due::{Due, due, due_of};

#[cfg(test)]
mod tests;
