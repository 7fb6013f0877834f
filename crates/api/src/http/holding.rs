//! What is done with a permit that is held: finish, renew, extend.
use crate::auth::Operation;
use crate::door::Door;
use crate::extract::{Path, Unread};
use crate::http::permits::{respond, speaker, unexpected};
use crate::http::wait;
use crate::problem::Result;
use axum::response::{IntoResponse, Response};
use fleet_types::event::Finished;
use fleet_types::permit::{self, Decision, Ending};
use fleet_types::session::{ExtendBody, FinishBody, Problem, RenewBody};
use fleet_types::{Command, FleetId, PermitId, Reply};
use std::sync::Arc;

/// The action was done.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/permits/{permit}/complete",
    tag = "permits",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("permit" = PermitId, Path, description = "The permit.")),
    request_body = FinishBody,
    responses((status = 200, body = Finished, description = "It ended, and gave everything back."))
)]
pub async fn complete_permit(
    door: Door,
    path: Path<(FleetId, PermitId)>,
    body: Unread,
) -> Result<Response> {
    finish(door, path, body, Ending::Completed).await
}

/// The action was tried and failed.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/permits/{permit}/fail",
    tag = "permits",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("permit" = PermitId, Path, description = "The permit.")),
    request_body = FinishBody,
    responses((status = 200, body = Finished, description = "It ended, and gave everything back."))
)]
pub async fn fail(door: Door, path: Path<(FleetId, PermitId)>, body: Unread) -> Result<Response> {
    finish(door, path, body, Ending::Failed).await
}

/// The action was not begun; a request that waits is withdrawn.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/permits/{permit}/cancel",
    tag = "permits",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("permit" = PermitId, Path, description = "The permit.")),
    request_body = FinishBody,
    responses(
        (status = 200, body = Finished, description = "It ended; rates and costs were given back."),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`cancelled`: it waited and is withdrawn, and its denial is the answer; or it stands otherwise than holding."),
    )
)]
pub async fn cancel(door: Door, path: Path<(FleetId, PermitId)>, body: Unread) -> Result<Response> {
    finish(door, path, body, Ending::Cancelled).await
}

async fn finish(
    door: Door,
    Path((_fleet, permit)): Path<(FleetId, PermitId)>,
    body: Unread,
    ending: Ending,
) -> Result<Response> {
    let body: FinishBody = body.read(&door.caller, Operation::Ask)?;
    let agent = speaker(&door, body.agent)?;
    door.may_for_agent(Operation::Ask, &agent).await?;
    let finish = permit::Finish {
        permit,
        agent,
        ending,
        cost: body.cost,
        latency_ms: body.latency_ms,
    };
    match door
        .call(Command::Permit(permit::Command::Finish(finish)))
        .await?
    {
        Reply::Finished(finished) => Ok(axum::Json(finished).into_response()),
        // One that waited is withdrawn: its denial is the answer.
        Reply::Decision(Decision::Denied(denial)) => Err(denial.into()),
        other => unexpected(&other),
    }
}

/// Holds a permit longer.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/permits/{permit}/renew",
    tag = "permits",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("permit" = PermitId, Path, description = "The permit.")),
    request_body = RenewBody,
    responses((status = 200, body = permit::Grant, description = "It holds until `expires_at`."))
)]
pub async fn renew(
    door: Door,
    Path((_fleet, permit)): Path<(FleetId, PermitId)>,
    body: Unread,
) -> Result<Response> {
    let body: RenewBody = body.read(&door.caller, Operation::Ask)?;
    let agent = speaker(&door, body.agent)?;
    door.may_for_agent(Operation::Ask, &agent).await?;
    let command = permit::Command::Renew {
        permit,
        agent,
        ttl_ms: body.ttl_ms,
    };
    match door.call(Command::Permit(command)).await? {
        Reply::Granted(grant) => Ok(axum::Json(grant).into_response()),
        other => unexpected(&other),
    }
}

/// Takes more resources into a permit.
///
/// Waits here up to `wait_ms` (at most 25 s), then 202: poll the permit.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/permits/{permit}/extend",
    tag = "permits",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("permit" = PermitId, Path, description = "The permit.")),
    request_body = ExtendBody,
    responses(
        (status = 200, body = Decision, description = "It holds more."),
        (status = 202, body = Decision, description = "It waits, and goes on holding what it held."),
    )
)]
pub async fn extend(
    door: Door,
    Path((_fleet, permit)): Path<(FleetId, PermitId)>,
    body: Unread,
) -> Result<Response> {
    let body: ExtendBody = body.read(&door.caller, Operation::Ask)?;
    let agent = speaker(&door, body.agent)?;
    door.may_for_agent(Operation::Ask, &agent).await?;
    let extend = permit::Extend {
        permit,
        agent,
        resources: body.resources,
        wait_ms: body.wait_ms,
    };
    let wait_ms = extend.wait_ms;
    let told = door
        .app
        .waits()
        .on(&door.caller.tenant, &door.fleet, &door.handle, permit);
    match door
        .call(Command::Permit(permit::Command::Extend(Arc::new(extend))))
        .await?
    {
        Reply::Granted(grant) | Reply::Decision(Decision::Granted(grant)) => {
            respond(&door, Decision::Granted(grant))
        }
        Reply::Decision(Decision::Denied(denial)) => Err(denial.into()),
        Reply::Extending(queued) | Reply::Decision(Decision::Queued(queued)) => {
            let decision = wait::for_extension(&door, queued, wait_ms, told).await?;
            respond(&door, decision)
        }
        other => unexpected(&other),
    }
}
