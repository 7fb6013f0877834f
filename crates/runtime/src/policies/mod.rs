//! Policies and tools in front of the queue: whoever asks for a permit of a fleet that has some goes through here.
//!
//! ```text
//! Handle::submit → desk (bounded) → pool of threads: evaluate → inbox, with the verdict → writer → core's gate
//!                     ↑ the fleet's picture, at most a second old        ↓ out of date: judged anew, a few times
//!                     ↑ waiting permits whose verdict is out of date: a round of them, until there are none
//! ```
//!
//! Invariants
//! - I11. No policy and no schema runs on a writer, a scribe or a door's thread.
//! - I12. The pool takes fleets in turns, so one fleet's policies delay another's by one turn of each thread at most.
//! - I13. A desk takes as many as its lane has room for; past that the least urgent are refused first.
//! - A request is never let by because its policies could not be asked: it gets a verdict or a failure.
//!
//! A tool's schema is asked before the policies, and what follows from the arguments is part of what they see.
//!
//! A fleet without either is not concerned: its handle looks at one flag.
mod desk;
mod picture;
mod pool;
mod tools;

pub use desk::{Began, Desk};
pub(crate) use desk::{again, forget, look, submit, tend};
pub use picture::{Judged, Sight};
pub use pool::{Pool, Running};
