//! Permits over HTTP: ask, wait, look, and what the gates would say. What is done with one that is held stands in
//! `holding.rs`.
use crate::app::wall_clock;
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::extract::{Path, Query, Unread};
use crate::http::wait;
use crate::problem::{Problem, Result};
use crate::reads::{self, PermitFilter};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_types::explain::{Explanation, GateReport};
use fleet_types::permit::{self, Decision, Request, View, ViewState};
use fleet_types::session::{self, PermitRequest};
use fleet_types::view::Page;
use fleet_types::{AgentId, Code, Command, FleetId, Millis, PermitId, Reply, RequestId};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// How often policies are asked before what they say is explained: they may change meanwhile.
const EXPLAIN_ATTEMPTS_MAX: usize = 5;

/// Asks for a permit.
///
/// Granted: 200. Queued: waits here up to `wait_ms` (at most 25 s) for the decision, then 202 with a `Location` to poll.
/// Denied: 403, 409 or 429 with the denial in the problem.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/permits",
    tag = "permits",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("Idempotency-Key" = Option<RequestId>, Header, description = "The request's id, where the body has none."),
    ),
    request_body = PermitRequest,
    responses(
        (status = 200, body = Decision, description = "Granted."),
        (status = 202, body = Decision, description = "Queued."),
        (status = "4XX", body = session::Problem, content_type = "application/problem+json", description = "Denied or refused."),
    )
)]
pub async fn request(door: Door, headers: HeaderMap, body: Unread) -> Result<Response> {
    let body: PermitRequest = body.read(&door.caller, Operation::Ask)?;
    let wait_ms = body.wait_ms;
    let request = complete(&door, Some(&headers), body)?;
    door.may_for_agent(Operation::Ask, &request.agent).await?;
    match ask(&door, request).await? {
        Decision::Queued(queued) => {
            let decision = wait::for_decision(&door, queued, wait_ms).await?;
            respond(&door, decision)
        }
        decision => respond(&door, decision),
    }
}

/// What every gate would say to this request now.
///
/// Nothing is changed, and nothing is recorded.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/permits:explain",
    tag = "permits",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    request_body = PermitRequest,
    responses((status = 200, body = Explanation, description = "Every gate."))
)]
pub async fn explain(door: Door, body: Unread) -> Result<axum::Json<Explanation>> {
    let body: PermitRequest = body.read(&door.caller, Operation::Ask)?;
    let request = complete(&door, None, body)?;
    door.may_for_agent(Operation::Ask, &request.agent).await?;
    let request = Arc::new(request);
    for _ in 0..EXPLAIN_ATTEMPTS_MAX {
        let judged = door.handle.judge(request.clone()).await?;
        let actor = door.caller.actor.clone();
        let explain = move |state: &fleet_core::State| {
            reads::explain(
                state,
                &actor,
                &judged.request,
                &judged.verdict,
                wall_clock(),
            )
        };
        let explanation = door.read(explain).await??;
        let is_stale = |gate: &GateReport| gate.code == Some(Code::PolicyStale);
        if !explanation.gates.iter().any(is_stale) {
            return Ok(axum::Json(explanation));
        }
    }
    let words = "policies changed each time the request was judged; ask again";
    Err(Problem::new(Code::PolicyStale, words).retry_after(100))
}

/// Which permits.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PermitsQuery {
    /// `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1–1000; 100 when absent.
    pub count: Option<usize>,
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// In this state.
    pub state: Option<ViewState>,
}

/// Permits that wait or hold.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/permits",
    tag = "permits",
    params(("fleet" = FleetId, Path, description = "The fleet."), PermitsQuery),
    responses((status = 200, body = Page<View>, description = "A page."))
)]
pub async fn list(door: Door, Query(query): Query<PermitsQuery>) -> Result<axum::Json<Page<View>>> {
    match &query.agent {
        Some(agent) => door.may_for_agent(Operation::ReadPermits, agent).await?,
        None => door.caller.may_within(Operation::ReadPermits, None)?,
    }
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let filter = PermitFilter {
        agent: query.agent,
        state: query.state,
    };
    let page = door
        .read(move |state| reads::permits(state, &filter, after.as_deref(), count))
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// How long to wait.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// While it waits for its turn, wait here so long for the decision; at most 25,000.
    pub wait_ms: Option<Millis>,
}

/// A permit that waits or holds.
///
/// A request that was denied after waiting answers with its denial.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/permits/{permit}",
    tag = "permits",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("permit" = PermitId, Path, description = "The permit."),
        WaitQuery,
    ),
    responses(
        (status = 200, body = View, description = "The permit."),
        (status = "4XX", body = session::Problem, content_type = "application/problem+json", description = "Denied, ended, or not known."),
    )
)]
pub async fn get(
    door: Door,
    Path((_fleet, permit)): Path<(FleetId, PermitId)>,
    Query(query): Query<WaitQuery>,
) -> Result<axum::Json<View>> {
    // Whether it exists is not told to who may not see it.
    door.caller
        .may_within(Operation::ReadPermits, door.caller.scope.clone().as_ref())?;
    wait::for_change(&door, permit, query.wait_ms.unwrap_or_default()).await?;
    let view = wait::view(&door, permit).await?;
    door.may_for_agent(Operation::ReadPermits, &view.request.agent)
        .await?;
    Ok(axum::Json(view))
}

/// The request with what the door knows.
pub(super) fn complete(
    door: &Door,
    headers: Option<&HeaderMap>,
    mut body: PermitRequest,
) -> Result<Request> {
    let by_header = match headers.and_then(|headers| headers.get("idempotency-key")) {
        Some(key) => {
            let key = key.to_str().unwrap_or("").trim_matches('"');
            let id = RequestId::parse(key).map_err(|why| {
                Problem::new(Code::Invalid, why.to_string()).field("Idempotency-Key")
            })?;
            Some(id)
        }
        None => None,
    };
    let request_id = match (body.request_id.take(), by_header) {
        (Some(one), Some(two)) if one != two => {
            return Err(Problem::new(
                Code::Invalid,
                "request_id and the header Idempotency-Key name two ids; give one of them",
            )
            .field("request_id"));
        }
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => RequestId::parse(&uuid::Uuid::now_v7().to_string())
            .map_err(|why| Problem::new(Code::Internal, why.to_string()))?,
    };
    let agent = speaker(door, body.agent.take())?;
    let instance = body.instance.take();
    Ok(body.complete(request_id, agent, instance))
}

/// Who speaks: as said, or as the key is bound.
pub(super) fn speaker(door: &Door, said: Option<AgentId>) -> Result<AgentId> {
    said.or_else(|| door.caller.agent.clone()).ok_or_else(|| {
        Problem::new(
            Code::Invalid,
            "agent is missing, and this key is bound to none; say who asks",
        )
        .field("agent")
    })
}

pub(super) async fn ask(door: &Door, request: Request) -> Result<Decision> {
    match door
        .call(Command::Permit(permit::Command::Request(Arc::new(request))))
        .await?
    {
        Reply::Decision(decision) => Ok(decision),
        Reply::Granted(grant) => Ok(Decision::Granted(grant)),
        other => unexpected(&other),
    }
}

pub(super) fn respond(door: &Door, decision: Decision) -> Result<Response> {
    match decision {
        Decision::Granted(_) => Ok(axum::Json(decision).into_response()),
        Decision::Queued(ref queued) => {
            let poll = format!(
                "/v1/fleets/{}/permits/{}?wait_ms={}",
                door.fleet,
                queued.permit,
                wait::WAIT_MS_MAX
            );
            Ok((
                StatusCode::ACCEPTED,
                [(header::LOCATION, poll)],
                axum::Json(decision),
            )
                .into_response())
        }
        Decision::Denied(denial) => Err(denial.into()),
    }
}

pub(super) fn unexpected<T>(reply: &Reply) -> Result<T> {
    tracing::error!(?reply, "an answer to another question");
    Err(Problem::new(
        Code::Internal,
        "the fleet gave an answer to another question; tell who runs the server",
    ))
}
