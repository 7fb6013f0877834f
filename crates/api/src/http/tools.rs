//! Tools: actions with arguments, guards, resources and costs of their own. What they make of a request concerns the whole
//! fleet, so keys bound to a scope do not change them.
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::etag;
use crate::extract::{Path, Query, Unread};
use crate::http::rules::ReasonQuery;
use crate::http::{Changed, PageQuery, change};
use crate::problem::{Problem, Result};
use crate::reads;
use axum::http::HeaderMap;
use axum::response::Response;
use fleet_types::tool::{self, Schema, Tool};
use fleet_types::view::{self, Page};
use fleet_types::{ActionName, Code, Command, FleetId};

/// Registered tools, by id.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/tools",
    tag = "tools",
    params(("fleet" = FleetId, Path, description = "The fleet."), PageQuery),
    responses((status = 200, body = Page<view::Tool>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<view::Tool>>> {
    door.caller.may(Operation::ReadTools)?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let page = door
        .read(move |state| reads::tools(state, after.as_deref(), count))
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// A tool.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/tools/{tool}",
    tag = "tools",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("tool" = ActionName, Path, description = "The tool.")),
    responses((status = 200, body = view::Tool, description = "The tool."))
)]
pub async fn get(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, tool)): Path<(FleetId, ActionName)>,
) -> Result<Response> {
    door.caller.may(Operation::ReadTools)?;
    let id = tool.clone();
    let found = door.read(move |state| reads::tool(state, &id)).await?;
    let found = found.ok_or_else(|| Problem::not_found("tool", &tool))?;
    Ok(etag::answer(&headers, &etag::of(&found.tool), &found))
}

/// Registers a tool, or its next version, once the schema of its arguments compiles.
///
/// `id` may be left out of the body: the path names it.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/tools/{tool}",
    tag = "tools",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("tool" = ActionName, Path, description = "The tool."),
        ("If-Match" = Option<String>, Header, description = "Only if it is still this version."),
        ReasonQuery,
    ),
    request_body = Tool,
    responses((status = 200, body = Changed, description = "It is registered."))
)]
pub async fn put(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, tool)): Path<(FleetId, ActionName)>,
    Query(query): Query<ReasonQuery>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::SetTool)?;
    let definition: Tool =
        body.read_named(&door.caller, Operation::SetTool, ("id", tool.as_str()))?;
    if let Some(schema) = &definition.arguments {
        compile(schema).await?;
    }
    let command = tool::Command::Set {
        tool: Box::new(definition),
        reason: query.reason.unwrap_or_default(),
    };
    edit(&door, &headers, tool, command).await
}

/// Removes a tool.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/tools/{tool}",
    tag = "tools",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("tool" = ActionName, Path, description = "The tool."),
        ReasonQuery,
    ),
    responses((status = 200, body = Changed, description = "It is removed."))
)]
pub async fn delete(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, tool)): Path<(FleetId, ActionName)>,
    Query(query): Query<ReasonQuery>,
) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::SetTool)?;
    let command = tool::Command::Remove {
        tool: tool.clone(),
        reason: query.reason.unwrap_or_default(),
    };
    edit(&door, &headers, tool, command).await
}

/// Compiles away from the threads that serve.
async fn compile(schema: &Schema) -> Result<()> {
    let schema = schema.clone();
    let compiled = tokio::task::spawn_blocking(move || fleet_schema::compile(&schema).map(drop));
    match compiled.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(fault)) => {
            let words = format!(
                "arguments is no schema that tools may have: at {:?}: {}",
                fault.argument, fault.wanted
            );
            Err(Problem::new(Code::Invalid, words).field("arguments"))
        }
        Err(error) => Err(Problem::new(Code::Internal, error.to_string())),
    }
}

async fn edit(
    door: &Door,
    headers: &HeaderMap,
    tool: ActionName,
    command: tool::Command,
) -> Result<axum::Json<Changed>> {
    let now = move |state: &fleet_core::State| reads::tool(state, &tool).map(|found| found.tool);
    let command = Command::Tool(command);
    Ok(axum::Json(change(door, headers, now, command).await?))
}
