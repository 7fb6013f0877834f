//! The client that the command line, the demonstrations, the benches and the tests share.
//!
//! Two ways to a server: [`Http`] for people and tools, one typed method for each address of `/v1`; [`Session`] for an
//! agent's instance, one WebSocket that beats, acknowledges, comes back after a cut and goes on where it was.
//!
//! Both fail closed: what is not known to have been granted is an [`Error`], never a grant.
//!
//! This crate knows the words (`fleet-types`) and what stands on the wire, and nothing of how it is decided.
pub mod ask;
pub mod error;
pub mod events;
pub mod http;
pub mod session;

pub use ask::Ask;
pub use error::{Error, Kind, Result};
pub use events::Events;
pub use http::{Fleet, Http};
pub use session::{Options, Session, Signal, Standing, Turn};

/// What a program calls itself to the server.
const USER_AGENT: &str = concat!("fleetcommand/", env!("CARGO_PKG_VERSION"));

/// Names the one cryptography library that this program uses. Called by whatever opens a connection; a repeat does
/// nothing.
fn use_ring() {
    // It fails when the program has chosen one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
