//! One writer per fleet.
pub mod fleets;
pub mod handle;
pub use fleets::Fleets;
pub use handle::{Failure, Handle, Outbox, Signal};
