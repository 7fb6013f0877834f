//! The fleet's settings.
use crate::auth::Operation;
use crate::door::Door;
use crate::etag;
use crate::extract::Unread;
use crate::http::{Changed, change};
use crate::problem::Result;
use crate::reads;
use axum::http::HeaderMap;
use axum::response::Response;
use fleet_types::settings::Settings;
use fleet_types::{Command, FleetId};

/// How the fleet behaves where nothing more special is said.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/settings",
    tag = "settings",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    responses((status = 200, body = Settings, description = "The settings."))
)]
pub async fn get(door: Door, headers: HeaderMap) -> Result<Response> {
    door.caller.may(Operation::ReadSettings)?;
    let settings = door.read(reads::settings).await?;
    Ok(etag::answer(&headers, &etag::of(&settings), &settings))
}

/// Replaces the settings; what is left out takes its default.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/settings",
    tag = "settings",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("If-Match" = Option<String>, Header, description = "Only if it is still this version.")),
    request_body = Settings,
    responses((status = 200, body = Changed, description = "They are in force."))
)]
pub async fn put(door: Door, headers: HeaderMap, body: Unread) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::Configure)?;
    let settings: Settings = body.read(&door.caller, Operation::Configure)?;
    let command = Command::Configure(Box::new(settings));
    let now = |state: &fleet_core::State| Some(reads::settings(state));
    Ok(axum::Json(change(&door, &headers, now, command).await?))
}
