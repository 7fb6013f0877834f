//! The catalogue of actions: which ones reduce risk.
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::etag;
use crate::extract::{Path, Query, Unread};
use crate::http::{Changed, PageQuery, change};
use crate::problem::{Problem, Result};
use crate::reads;
use axum::http::HeaderMap;
use axum::response::Response;
use fleet_types::action::{self, Action};
use fleet_types::view::Page;
use fleet_types::{Command, FleetId, Pattern};

/// Entries of the catalogue, by pattern.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/actions",
    tag = "actions",
    params(("fleet" = FleetId, Path, description = "The fleet."), PageQuery),
    responses((status = 200, body = Page<Action>, description = "A page."))
)]
pub async fn list(door: Door, Query(query): Query<PageQuery>) -> Result<axum::Json<Page<Action>>> {
    door.caller.may(Operation::ReadActions)?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let page = door
        .read(move |state| reads::actions(state, after.as_deref(), count))
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// An entry of the catalogue.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/actions/{*pattern}",
    tag = "actions",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("pattern" = Pattern, Path, description = "The pattern; its slashes as they are.")),
    responses((status = 200, body = Action, description = "The pattern; its slashes as they are."))
)]
pub async fn get(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, pattern)): Path<(FleetId, Pattern)>,
) -> Result<Response> {
    door.caller.may(Operation::ReadActions)?;
    let id = pattern.clone();
    let found = door
        .read(move |state| reads::action(state, &id))
        .await?
        .ok_or_else(|| Problem::not_found("action", pattern))?;
    Ok(etag::answer(&headers, &etag::of(&found), &found))
}

/// Sets an entry of the catalogue.
///
/// `pattern` may be left out of the body: the path names it.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/actions/{*pattern}",
    tag = "actions",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("pattern" = Pattern, Path, description = "The pattern; its slashes as they are."),
        ("If-Match" = Option<String>, Header, description = "Only if it is still this version."),
    ),
    request_body = Action,
    responses((status = 200, body = Changed, description = "It is in force."))
)]
pub async fn put(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, pattern)): Path<(FleetId, Pattern)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::SetAction)?;
    let named = ("pattern", pattern.as_str());
    let definition: Action = body.read_named(&door.caller, Operation::SetAction, named)?;
    let command = Command::Action(action::Command::Set(definition));
    edit(&door, &headers, pattern, command).await
}

/// Removes an entry of the catalogue.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/actions/{*pattern}",
    tag = "actions",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("pattern" = Pattern, Path, description = "The pattern; its slashes as they are.")),
    responses((status = 200, body = Changed, description = "It is removed."))
)]
pub async fn delete(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, pattern)): Path<(FleetId, Pattern)>,
) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::SetAction)?;
    let command = Command::Action(action::Command::Remove {
        pattern: pattern.clone(),
    });
    edit(&door, &headers, pattern, command).await
}

async fn edit(
    door: &Door,
    headers: &HeaderMap,
    pattern: Pattern,
    command: Command,
) -> Result<axum::Json<Changed>> {
    let now = move |state: &fleet_core::State| reads::action(state, &pattern);
    Ok(axum::Json(change(door, headers, now, command).await?))
}
