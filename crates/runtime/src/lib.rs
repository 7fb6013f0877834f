//! One writer per fleet: it stamps time, decides and applies, hands batches to the journal, and lets answers,
//! reads, signals and streams go only when what they tell of is durable.
//!
//! ```text
//! Handle → inbox → writer (decide, apply, encode) → scribe (append, sync) → answers, signals, tail
//!                     ↑ heartbeats, deadlines                  ↓ failure: the writer recovers from the journal
//! ```
//!
//! Invariants
//! - I3. Nothing is heard before it is durable: the scribe releases in the order of the journal.
//! - I4. A failed or unknown append stops the fleet's writer; it comes back through recovery.
//! - I13. The inbox is bounded; the lowest priority is refused first.
//!
//! `Writer` is free of threads and clocks, so that the simulator can drive it; `service` drives it for real.
mod agenda;
pub mod clock;
pub mod fleets;
pub mod follow;
pub mod handle;
mod heartbeats;
mod inbox;
mod policies;
mod post;
mod readers;
pub mod recall;
mod recover;
mod scribe;
mod service;
pub mod snapshots;
mod tail;
pub mod turn;
pub mod writer;
mod writes;

pub use clock::{Clock, WallClock};
pub use fleet_core::signal::Signal;
pub use fleets::{Fleets, Options};
pub use follow::Follower;
pub use handle::{Failure, Handle, Outbox};
pub use policies::{Began, Judged, Running, Sight};
pub use recall::Recall;
pub use recover::{Recovered, SNAPSHOT_FORMAT, Stored, recover, recover_into, recover_with};
pub use writer::Writer;
