//! The doors: HTTP, the session (WebSocket) and the stream of events. A request becomes one command; an answer leaves
//! only when the fleet says it is durable (I3).
//!
//! Only this crate knows what stands on the wire. It decides nothing about permits: that is `core`'s. It does decide who
//! comes in ([`auth`]) and how much at once ([`load`], the session's bounds).
//!
//! A request over HTTP passes [`front`] → [`door`] → a handler in [`http`] → the fleet's writer; a frame passes
//! [`session`]. What either reads, [`strict`] reads.

pub mod app;
pub mod auth;
pub mod cursor;
pub mod door;
pub mod etag;
pub mod events;
pub mod extract;
pub mod front;
pub mod graphs;
pub mod http;
pub mod load;
pub mod mailbox;
mod openapi;
pub mod problem;
mod reads;
mod router;
pub mod session;
pub mod status;
pub mod strict;
pub mod wait;

pub use app::{App, Limits};
pub use auth::Mode;
pub use openapi::{openapi, rule_schema, rule_tests_schema, session_schema, tool_schema};
pub use problem::Problem;
pub use router::router;
