//! The server: configuration, the wiring of journal, runtime and doors, listening, and a stop that loses nothing.
//!
//! [`start`] gives a [`Running`] server with its real address, for tests and for the command line; [`run`] serves until
//! the process is told to end.

pub mod bootstrap;
pub mod config;
mod desk;
mod error;
mod listen;
pub mod logging;
mod patience;
mod running;
mod wiring;

pub use bootstrap::bootstrap_key;
pub use config::{Config, Overrides};
pub use error::Error;
pub use running::{Running, run, start};
