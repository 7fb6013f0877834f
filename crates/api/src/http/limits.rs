//! Limits: how often, or how many at once.
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
use fleet_types::limit::{self, Limit};
use fleet_types::view::{self, Page};
use fleet_types::{Command, FleetId, LimitId};

/// Limits and their use, by id.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/limits",
    tag = "limits",
    params(("fleet" = FleetId, Path, description = "The fleet."), PageQuery),
    responses((status = 200, body = Page<view::Limit>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<view::Limit>>> {
    door.caller
        .may_within(Operation::ReadLimits, door.caller.scope.as_ref())?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let mut page = door
        .read(move |state| reads::limits(state, after.as_deref(), count))
        .await?;
    // A key bound to a scope sees its own; a page may then hold fewer rows than asked for.
    page.items
        .retain(|row| door.caller.sees(row.limit.selector.scope.as_ref()));
    Ok(axum::Json(cursor::seal(page)))
}

/// A limit and its use.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/limits/{limit}",
    tag = "limits",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("limit" = LimitId, Path, description = "The limit.")),
    responses((status = 200, body = view::Limit, description = "The limit."))
)]
pub async fn get(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, limit)): Path<(FleetId, LimitId)>,
) -> Result<Response> {
    door.caller
        .may_within(Operation::ReadLimits, door.caller.scope.as_ref())?;
    let id = limit.clone();
    let found = door
        .read(move |state| reads::limit(state, &id))
        .await?
        .filter(|row| door.caller.sees(row.limit.selector.scope.as_ref()))
        .ok_or_else(|| Problem::not_found("limit", limit))?;
    Ok(etag::answer(&headers, &etag::of(&found.limit), &found))
}

/// Sets a limit; what it has counted stands.
///
/// `id` may be left out of the body: the path names it.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/limits/{limit}",
    tag = "limits",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("limit" = LimitId, Path, description = "The limit."),
        ("If-Match" = Option<String>, Header, description = "Only if it is still this version."),
    ),
    request_body = Limit,
    responses((status = 200, body = Changed, description = "It is in force."))
)]
pub async fn put(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, limit)): Path<(FleetId, LimitId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    may_replace(&door, &limit).await?;
    let definition: Limit =
        body.read_named(&door.caller, Operation::SetLimit, ("id", limit.as_str()))?;
    door.caller
        .may_within(Operation::SetLimit, definition.selector.scope.as_ref())?;
    let command = Command::Limit(limit::Command::Set(Box::new(definition)));
    edit(&door, &headers, limit, command).await
}

/// Removes a limit.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/limits/{limit}",
    tag = "limits",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("limit" = LimitId, Path, description = "The limit.")),
    responses((status = 200, body = Changed, description = "It is removed."))
)]
pub async fn delete(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, limit)): Path<(FleetId, LimitId)>,
) -> Result<axum::Json<Changed>> {
    may_replace(&door, &limit).await?;
    let command = Command::Limit(limit::Command::Remove {
        limit: limit.clone(),
    });
    edit(&door, &headers, limit, command).await
}

/// Whether the caller may change what stands under this name now, if anything does.
async fn may_replace(door: &Door, limit: &LimitId) -> Result<()> {
    if door.caller.scope.is_none() {
        return door.caller.may_within(Operation::SetLimit, None);
    }
    let id = limit.clone();
    match door.read(move |state| reads::limit(state, &id)).await? {
        Some(found) => door
            .caller
            .may_within(Operation::SetLimit, found.limit.selector.scope.as_ref()),
        // Nothing stands there: only the role counts.
        None => door
            .caller
            .may_within(Operation::SetLimit, door.caller.scope.as_ref()),
    }
}

async fn edit(
    door: &Door,
    headers: &HeaderMap,
    limit: LimitId,
    command: Command,
) -> Result<axum::Json<Changed>> {
    let now = move |state: &fleet_core::State| reads::limit(state, &limit).map(|found| found.limit);
    Ok(axum::Json(change(door, headers, now, command).await?))
}
