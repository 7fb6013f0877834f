//! The session: one WebSocket for each agent instance.
//!
//! One task serves a session: it reads what the socket has, submits every whole frame to the fleet's writer without
//! waiting, and writes all answers that have gathered since with one system call. Under load both sides batch by
//! themselves; there are no timers on this path.
//!
//! Bounds (I13): a frame of 64 KiB, 1,024 requests without their answer, [`outbox::SIGNALS_MAX`] signals, and a time in
//! which the client must take what it is told. While answers cannot be written nothing more is read, so a client that
//! does not read is slowed down before it is cut.
//!
//! In the order of a frame's way: [`wire`] → [`connection`] → [`reader`] → the fleet's writer → [`outbox`] → [`answer`] → [`wire`].

pub mod answer;
pub mod connection;
pub mod outbox;
pub mod port;
pub mod reader;
mod talk;
pub mod wire;

use crate::auth::Operation;
use crate::door::Door;
use crate::load::Kind;
use crate::problem::{Problem, Result};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use connection::Connection;
use fleet_types::Code;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// One WebSocket for each agent instance: permits, heartbeats and signals.
///
/// The frames are described in `schemas/session-v1.json`.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/session",
    tag = "session",
    params(("fleet" = fleet_types::FleetId, Path, description = "The fleet.")),
    responses((status = 101, description = "A session begins; say hello."))
)]
pub async fn open(door: Door, mut request: Request) -> Result<Response> {
    // A key bound to a scope is checked against the agent's own when it says hello.
    door.caller.may_somewhere(Operation::Connect)?;
    let key = accept_key(request.headers())?;
    let ticket = door
        .app
        .load()
        .enter(Kind::Session, door.caller.key.as_ref())?;
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let _ticket = ticket;
        match upgrade.await {
            Ok(stream) => Connection::new(door).run(TokioIo::new(stream)).await,
            Err(error) => tracing::debug!(%error, "a session did not begin"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    Ok(response)
}

/// Checks the handshake of RFC 6455 §4.2.1 and gives the answer to its key.
fn accept_key(headers: &HeaderMap) -> Result<HeaderValue> {
    let has = |name: header::HeaderName, word: &str| {
        headers.get_all(name).iter().any(|value| {
            value.to_str().is_ok_and(|text| {
                text.split(',')
                    .any(|part| part.trim().eq_ignore_ascii_case(word))
            })
        })
    };
    let upgrade_required = |why: &str| {
        Problem::new(
            Code::Malformed,
            format!("{why}; open a WebSocket (RFC 6455) here"),
        )
        .status(StatusCode::UPGRADE_REQUIRED)
    };
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err(upgrade_required("this is no WebSocket handshake"));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(upgrade_required("the WebSocket version is not 13"));
    }
    headers
        .get(header::SEC_WEBSOCKET_KEY)
        .map(|key| derive_accept_key(key.as_bytes()))
        .and_then(|key| HeaderValue::try_from(key).ok())
        .ok_or_else(|| upgrade_required("Sec-WebSocket-Key is missing"))
}
