//! A fleet in a simulated world: the real writer, core and journal on one thread, over a clock, a disk, a network and
//! agents that a seed decides.
//!
//! ```text
//! clients → wire (late, lost, doubled, out of order) → server: writer → in flight → journal on a simulated disk
//!     ↑ answers, only after `Committed` ←──────────────┘        crash, torn write, failed sync, full disk, clock jump
//!                                        └→ old answers → files beside it; a small memory, a lost file
//! ```
//!
//! Assumptions
//! - One seed gives one run, to the last byte of its log: `log_hash` says whether two runs were the same.
//! - The server here is what `runtime`'s service and scribe are without their threads: at most two turns in flight,
//!   neighbours in one transaction, releases in the order of the journal and only after `Committed`.
//! - Safety is checked all the time; when the faults stop, everything asked must be answered and everything held must
//!   end within a bound.
//!
//! It leaves threads to the tests with real ones, and processes and file systems to those that stop real processes.

pub mod check;
pub mod client;
pub mod config;
pub mod files;
pub mod requests;
pub mod rng;
pub mod server;
pub mod world;

pub use config::{Config, Planted};
pub use world::{Report, World, run};

/// The records' own model of a fleet, as the core's tests use it. It stays there: were it here, every test of the core would
/// build the runtime and the journal first.
#[path = "../../core/src/tests/model/reference.rs"]
#[allow(
    clippy::missing_panics_doc,
    missing_docs,
    unreachable_pub,
    reason = "a checker: it panics where an invariant is broken"
)]
pub mod reference;
