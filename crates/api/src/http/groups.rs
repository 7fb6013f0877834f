//! Groups: agents across scopes.
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
use fleet_types::group::{self, Group};
use fleet_types::view::Page;
use fleet_types::{Command, FleetId, GroupId};

/// Groups and their members, by id.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/groups",
    tag = "groups",
    params(("fleet" = FleetId, Path, description = "The fleet."), PageQuery),
    responses((status = 200, body = Page<Group>, description = "A page."))
)]
pub async fn list(door: Door, Query(query): Query<PageQuery>) -> Result<axum::Json<Page<Group>>> {
    door.caller.may(Operation::ReadGroups)?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let page = door
        .read(move |state| reads::groups(state, after.as_deref(), count))
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// A group.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/groups/{group}",
    tag = "groups",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("group" = GroupId, Path, description = "The group.")),
    responses((status = 200, body = Group, description = "The group."))
)]
pub async fn get(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, group)): Path<(FleetId, GroupId)>,
) -> Result<Response> {
    door.caller.may(Operation::ReadGroups)?;
    let id = group.clone();
    let found = door
        .read(move |state| reads::group(state, &id))
        .await?
        .ok_or_else(|| Problem::not_found("group", group))?;
    Ok(etag::answer(&headers, &etag::of(&found), &found))
}

/// Sets a group and all its members.
///
/// `id` may be left out of the body: the path names it.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/groups/{group}",
    tag = "groups",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("group" = GroupId, Path, description = "The group."),
        ("If-Match" = Option<String>, Header, description = "Only if it is still this version."),
    ),
    request_body = Group,
    responses((status = 200, body = Changed, description = "It is in force."))
)]
pub async fn put(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, group)): Path<(FleetId, GroupId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::SetGroup)?;
    let definition: Group =
        body.read_named(&door.caller, Operation::SetGroup, ("id", group.as_str()))?;
    let command = Command::Group(group::Command::Set(definition));
    edit(&door, &headers, group, command).await
}

/// Removes a group.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/groups/{group}",
    tag = "groups",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("group" = GroupId, Path, description = "The group.")),
    responses((status = 200, body = Changed, description = "It is removed."))
)]
pub async fn delete(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, group)): Path<(FleetId, GroupId)>,
) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::SetGroup)?;
    let command = Command::Group(group::Command::Remove {
        group: group.clone(),
    });
    edit(&door, &headers, group, command).await
}

async fn edit(
    door: &Door,
    headers: &HeaderMap,
    group: GroupId,
    command: Command,
) -> Result<axum::Json<Changed>> {
    let now = move |state: &fleet_core::State| reads::group(state, &group);
    Ok(axum::Json(change(door, headers, now, command).await?))
}
