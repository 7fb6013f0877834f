//! WebSocket frames (RFC 6455, the server's side), read many at a time from one buffer and written many at a time into
//! one.
//!
//! Assumptions
//! - No extension is ever negotiated, so the reserved bits are zero.
//! - Text is not checked for UTF-8 here: the JSON reader does, on the same pass that reads it.
//! - Answers are serialised straight into the buffer that goes to the socket. That, and handing out frames as slices of
//!   the read buffer, is why this stands here and is not a library: at 100,000 frames a second a message object and a
//!   copy for each are a large part of the cost.
//!
//! Tested against a WebSocket client that others wrote (`tests/session.rs`).
mod decode;
mod encode;

pub use decode::{Broken, Decoder, Message};
pub use encode::{close, pong, text};

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
