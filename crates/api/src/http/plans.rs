//! Plans: what agents intend, and what it would run into.
use crate::app::wall_clock;
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::extract::{Path, Query, Unread};
use crate::http::Changed;
use crate::http::permits::{speaker, unexpected};
use crate::problem::{Problem, Result};
use crate::reads;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fleet_types::plan::{Command, Plan, Step, View};
use fleet_types::view::Page;
use fleet_types::{AgentId, Command as Any, FleetId, Millis, PlanId, Reply};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// What an agent intends.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanBody {
    /// Who; absent: the agent that the key is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What, in this order; 1–32.
    #[schema(min_items = 1, max_items = 32)]
    pub steps: Vec<Step>,
    /// How long the plan stands; at most a day. Absent: ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<Millis>,
}

/// Says what an agent intends, and hears what it would run into.
///
/// A plan holds nothing and stops nobody.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/plans",
    tag = "plans",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    request_body = PlanBody,
    responses((status = 201, body = View, description = "It is declared: collisions ahead, and the suggested order."))
)]
pub async fn declare(door: Door, body: Unread) -> Result<Response> {
    let body: PlanBody = body.read(&door.caller, Operation::Ask)?;
    let agent = speaker(&door, body.agent)?;
    door.may_for_agent(Operation::Ask, &agent).await?;
    let plan = Arc::new(Plan {
        agent,
        steps: body.steps,
        ttl_ms: body.ttl_ms.unwrap_or(Millis(600_000)),
    });
    match door.call(Any::Plan(Command::Declare { plan })).await? {
        Reply::Done { seq } => {
            let view = find(&door, PlanId(seq)).await?;
            Ok((StatusCode::CREATED, axum::Json(view)).into_response())
        }
        other => unexpected(&other),
    }
}

/// Which plans.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PlansQuery {
    /// `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1–1000; 100 when absent.
    pub count: Option<usize>,
    /// Of this agent.
    pub agent: Option<AgentId>,
}

/// Plans that stand, the oldest first; without what they run into.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/plans",
    tag = "plans",
    params(("fleet" = FleetId, Path, description = "The fleet."), PlansQuery),
    responses((status = 200, body = Page<View>, description = "A page."))
)]
pub async fn list(door: Door, Query(query): Query<PlansQuery>) -> Result<axum::Json<Page<View>>> {
    match &query.agent {
        Some(agent) => door.may_for_agent(Operation::ReadPlans, agent).await?,
        None => door.caller.may_within(Operation::ReadPlans, None)?,
    }
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let page = door
        .read(move |state| {
            let agent = query.agent.as_ref();
            reads::plans(state, agent, wall_clock(), after.as_deref(), count)
        })
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// A plan, and what it runs into as things stand now.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/plans/{plan}",
    tag = "plans",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("plan" = PlanId, Path, description = "The plan.")),
    responses((status = 200, body = View, description = "The plan."))
)]
pub async fn get(
    door: Door,
    Path((_fleet, plan)): Path<(FleetId, PlanId)>,
) -> Result<axum::Json<View>> {
    // Whether it exists is not told to who may not see it.
    door.caller
        .may_within(Operation::ReadPlans, door.caller.scope.clone().as_ref())?;
    let view = find(&door, plan).await?;
    door.may_for_agent(Operation::ReadPlans, &view.declared.agent)
        .await?;
    Ok(axum::Json(view))
}

/// It is not intended any more.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/plans/{plan}",
    tag = "plans",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("plan" = PlanId, Path, description = "The plan.")),
    responses((status = 200, body = Changed, description = "It is withdrawn."))
)]
pub async fn withdraw(
    door: Door,
    Path((_fleet, plan)): Path<(FleetId, PlanId)>,
) -> Result<axum::Json<Changed>> {
    door.caller
        .may_within(Operation::Ask, door.caller.scope.clone().as_ref())?;
    let agent = find(&door, plan).await?.declared.agent;
    door.may_for_agent(Operation::Ask, &agent).await?;
    let reply = door
        .call(Any::Plan(Command::Withdraw { plan, agent }))
        .await?;
    Ok(axum::Json(Changed::of(&reply)))
}

async fn find(door: &Door, plan: PlanId) -> Result<View> {
    door.read(move |state| reads::plan(state, plan, wall_clock()))
        .await?
        .ok_or_else(|| Problem::not_found("plan", plan))
}
