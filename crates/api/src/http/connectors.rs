//! Connectors: ways to the outside systems that take part in transactions.
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
use fleet_types::connector::{Command as Act, Connector, Mark};
use fleet_types::view::Page;
use fleet_types::{Command, ConnectorId, FleetId};

/// Connectors by id. Credentials are named in them, never shown.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/connectors",
    tag = "connectors",
    params(("fleet" = FleetId, Path, description = "The fleet."), PageQuery),
    responses((status = 200, body = Page<Connector>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<Connector>>> {
    door.caller.may(Operation::ReadConnectors)?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let page = door
        .read(move |state| reads::connectors(state, after.as_deref(), count))
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// A connector.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/connectors/{connector}",
    tag = "connectors",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("connector" = ConnectorId, Path, description = "The connector.")),
    responses((status = 200, body = Connector, description = "The connector."))
)]
pub async fn get(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, connector)): Path<(FleetId, ConnectorId)>,
) -> Result<Response> {
    door.caller.may(Operation::ReadConnectors)?;
    let id = connector.clone();
    let found = door
        .read(move |state| reads::connector(state, &id))
        .await?
        .ok_or_else(|| Problem::not_found("connector", connector))?;
    Ok(etag::answer(&headers, &etag::of(&found), &found))
}

/// Sets a connector, new or in place of the old one. Its mark is given by the server.
///
/// `id` may be left out of the body: the path names it. A credential that the server cannot read, or that is none, is refused.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/connectors/{connector}",
    tag = "connectors",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("connector" = ConnectorId, Path, description = "The connector."),
        ("If-Match" = Option<String>, Header, description = "Only if it is still this version."),
    ),
    request_body = Connector,
    responses((status = 200, body = Changed, description = "It is in force."))
)]
pub async fn put(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, connector)): Path<(FleetId, ConnectorId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::SetConnector)?;
    let named = ("id", connector.as_str());
    let mut definition: Connector =
        body.read_named(&door.caller, Operation::SetConnector, named)?;
    door.app
        .may_connect(&door.caller.tenant, &definition)
        .await?;
    // No two fleets may take each other's prepared transactions for their own, wherever they run.
    let random = uuid::Uuid::now_v7().simple().to_string();
    let mark = format!("fleet:{}:{}", door.fleet, &random[20..]);
    definition.mark = Mark::parse(&mark)
        .map_err(|why| Problem::new(fleet_types::Code::Internal, why.to_string()))?;
    edit(&door, &headers, connector, Act::Set(Box::new(definition))).await
}

/// Removes a connector that no live transaction uses.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/connectors/{connector}",
    tag = "connectors",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("connector" = ConnectorId, Path, description = "The connector.")),
    responses((status = 200, body = Changed, description = "It is removed."))
)]
pub async fn delete(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, connector)): Path<(FleetId, ConnectorId)>,
) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::SetConnector)?;
    let id = connector.clone();
    edit(&door, &headers, id, Act::Remove { connector }).await
}

async fn edit(
    door: &Door,
    headers: &HeaderMap,
    connector: ConnectorId,
    command: Act,
) -> Result<axum::Json<Changed>> {
    let now = move |state: &fleet_core::State| reads::connector(state, &connector);
    let command = Command::Connector(command);
    Ok(axum::Json(change(door, headers, now, command).await?))
}
