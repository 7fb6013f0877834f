//! The tree of scopes.
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
use fleet_types::scope::{self, Scope};
use fleet_types::view::{self, Page};
use fleet_types::{Command, FleetId, ScopePath};

/// Nodes of the tree, by path.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/scopes",
    tag = "scopes",
    params(("fleet" = FleetId, Path, description = "The fleet."), PageQuery),
    responses((status = 200, body = Page<view::Scope>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<view::Scope>>> {
    door.caller
        .may_within(Operation::ReadScopes, door.caller.scope.as_ref())?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let mut page = door
        .read(move |state| reads::scopes(state, after.as_deref(), count))
        .await?;
    // A key bound to a scope sees its own; a page may then hold fewer rows than asked for.
    page.items.retain(|row| door.caller.sees(Some(&row.path)));
    Ok(axum::Json(cursor::seal(page)))
}

/// A node of the tree.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/scopes/{*path}",
    tag = "scopes",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("path" = ScopePath, Path, description = "The path; its slashes as they are.")),
    responses((status = 200, body = view::Scope, description = "The path; its slashes as they are."))
)]
pub async fn get(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, path)): Path<(FleetId, ScopePath)>,
) -> Result<Response> {
    door.caller.may_within(Operation::ReadScopes, Some(&path))?;
    let id = path.clone();
    let found = door
        .read(move |state| reads::scope(state, &id))
        .await?
        .ok_or_else(|| Problem::not_found("scope", path))?;
    Ok(etag::answer(
        &headers,
        &etag::of(&declared(found.clone())),
        &found,
    ))
}

/// Declares a node: words and labels for people.
///
/// `path` may be left out of the body: the path names it.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/scopes/{*path}",
    tag = "scopes",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("path" = ScopePath, Path, description = "The path; its slashes as they are."),
        ("If-Match" = Option<String>, Header, description = "Only if it is still this version."),
    ),
    request_body = Scope,
    responses((status = 200, body = Changed, description = "It is in force."))
)]
pub async fn put(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, path)): Path<(FleetId, ScopePath)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    door.caller.may_within(Operation::SetScope, Some(&path))?;
    let definition: Scope =
        body.read_named(&door.caller, Operation::SetScope, ("path", path.as_str()))?;
    let command = Command::Scope(scope::Command::Set(definition));
    edit(&door, &headers, path, command).await
}

/// Removes a declared node in which no agent stands.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/scopes/{*path}",
    tag = "scopes",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("path" = ScopePath, Path, description = "The path; its slashes as they are.")),
    responses((status = 200, body = Changed, description = "It is removed."))
)]
pub async fn delete(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, path)): Path<(FleetId, ScopePath)>,
) -> Result<axum::Json<Changed>> {
    door.caller.may_within(Operation::SetScope, Some(&path))?;
    let command = Command::Scope(scope::Command::Remove { path: path.clone() });
    edit(&door, &headers, path, command).await
}

/// What of a node people change.
fn declared(view: view::Scope) -> Scope {
    Scope {
        path: view.path,
        description: view.description,
        labels: view.labels,
    }
}

async fn edit(
    door: &Door,
    headers: &HeaderMap,
    path: ScopePath,
    command: Command,
) -> Result<axum::Json<Changed>> {
    let now = move |state: &fleet_core::State| reads::scope(state, &path).map(declared);
    Ok(axum::Json(change(door, headers, now, command).await?))
}
