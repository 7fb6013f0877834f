//! Halts: stop, see who has heard, let go again.
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::extract::{Path, Query, Unread};
use crate::problem::{Problem, Result};
use crate::reads;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_types::halt::{self, Order, Target};
use fleet_types::view::{self, Page};
use fleet_types::{Code, Command, FleetId, HaltId, Reply, ScopePath, Text, Time};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A halt is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Halted {
    /// Which.
    pub halt: HaltId,
    /// Live instances in its reach.
    pub reach: u64,
    /// Permits taken back or denied.
    pub revoked: u64,
    /// When.
    pub at: Time,
}

/// Orders a halt.
///
/// When this answers, the halt is durable and no permit in its reach is granted until its release.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/halts",
    tag = "halts",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    request_body = Order,
    responses((status = 201, body = Halted, description = "It is in force."))
)]
pub async fn order(door: Door, body: Unread) -> Result<Response> {
    let order: Order = body.read(&door.caller, Operation::Halt)?;
    let scope = scope_of(&door, &order.target).await?;
    door.caller.may_within(Operation::Halt, scope.as_ref())?;
    let reply = door
        .call(Command::Halt(halt::Command::Order(order)))
        .await?;
    let Reply::Halted {
        halt,
        reach,
        revoked,
        at,
    } = reply
    else {
        tracing::error!(?reply, "an answer to another question");
        return Err(Problem::new(
            Code::Internal,
            "the halt was taken, but its answer is lost; list the halts",
        ));
    };
    let place = format!("/v1/fleets/{}/halts/{halt}", door.fleet);
    let halted = Halted {
        halt,
        reach,
        revoked,
        at,
    };
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, place)],
        axum::Json(halted),
    )
        .into_response())
}

/// Which halts.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HaltsQuery {
    /// `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1–1000; 100 when absent.
    pub count: Option<usize>,
    /// Only those in force.
    #[serde(default)]
    #[param(default = false)]
    pub in_force: bool,
}

/// Halts, the newest first.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/halts",
    tag = "halts",
    params(("fleet" = FleetId, Path, description = "The fleet."), HaltsQuery),
    responses((status = 200, body = Page<view::Halt>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<HaltsQuery>,
) -> Result<axum::Json<Page<view::Halt>>> {
    door.caller
        .may_within(Operation::ReadHalts, door.caller.scope.as_ref())?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let mut page = door
        .read(move |state| reads::halts(state, query.in_force, after.as_deref(), count))
        .await?;
    // A key bound to a scope sees the halts ordered over it; a page may then hold fewer rows than asked for.
    page.items.retain(|row| match &row.order.target {
        Target::Scope(scope) => door.caller.sees(Some(scope)),
        Target::All | Target::Group(_) | Target::Selector(_) | Target::Agent(_) => {
            door.caller.sees(None)
        }
    });
    Ok(axum::Json(cursor::seal(page)))
}

/// A halt, and who has acknowledged it.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/halts/{halt}",
    tag = "halts",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("halt" = HaltId, Path, description = "The halt.")),
    responses((status = 200, body = view::Halt, description = "The halt."))
)]
pub async fn get(
    door: Door,
    Path((_fleet, halt)): Path<(FleetId, HaltId)>,
) -> Result<axum::Json<view::Halt>> {
    Ok(axum::Json(known(&door, Operation::ReadHalts, halt).await?))
}

/// Why it is released.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseBody {
    /// Why; people will read it.
    pub reason: Text,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Release {
    /// Whether the halt is lifted; false: a second person must release it too.
    pub released: bool,
}

/// Releases a halt, or asks for it where two persons must.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/halts/{halt}/release",
    tag = "halts",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("halt" = HaltId, Path, description = "The halt.")),
    request_body = ReleaseBody,
    responses(
        (status = 200, body = Release, description = "It is released."),
        (status = 202, body = Release, description = "A second person must release it too."),
    )
)]
pub async fn release(
    door: Door,
    Path((_fleet, halt)): Path<(FleetId, HaltId)>,
    body: Unread,
) -> Result<Response> {
    if door.caller.scope.is_some() {
        known(&door, Operation::Release, halt).await?;
    } else {
        door.caller.may_within(Operation::Release, None)?;
    }
    let body: ReleaseBody = body.read(&door.caller, Operation::Release)?;
    let command = halt::Command::Release {
        halt,
        reason: body.reason,
    };
    let reply = door.call(Command::Halt(command)).await?;
    if let Reply::ReleaseRequested { .. } = reply {
        return Ok((
            StatusCode::ACCEPTED,
            axum::Json(Release { released: false }),
        )
            .into_response());
    }
    // Released now, or before.
    Ok(axum::Json(Release { released: true }).into_response())
}

async fn known(door: &Door, operation: Operation, halt: HaltId) -> Result<view::Halt> {
    let found = door
        .read(move |state| reads::halt(state, halt))
        .await?
        .ok_or_else(|| Problem::not_found("halt", halt))?;
    let scope = scope_of(door, &found.order.target).await?;
    door.caller.may_within(operation, scope.as_ref())?;
    Ok(found)
}

/// The scope that a target lies in wholly, where that can be told: asked only for keys bound to a scope.
async fn scope_of(door: &Door, target: &Target) -> Result<Option<ScopePath>> {
    match target {
        Target::Scope(scope) => Ok(Some(scope.clone())),
        Target::Agent(agent) if door.caller.scope.is_some() => {
            let agent = agent.clone();
            door.read(move |state| reads::agent_scope(state, &agent))
                .await
        }
        // These may reach any scope.
        Target::All | Target::Group(_) | Target::Selector(_) | Target::Agent(_) => Ok(None),
    }
}
