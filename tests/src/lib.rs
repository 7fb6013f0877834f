//! Drives the real binary from outside: servers as processes on free ports and directories of their own, and the
//! command line as people and scripts use it.
//!
//! Nothing here looks into the server: what is tested is what a user can see. [`history`] writes down what concurrent
//! clients see, and checks it.
mod binary;
mod command;
pub mod history;
mod postgres;
mod server;

pub use binary::binary;
pub use command::{Output, fleet, fleet_at, fleet_in};
pub use postgres::Postgres;
pub use server::{Follower, Server};
