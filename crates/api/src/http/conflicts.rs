//! Conflicts: who is in whose way, what is done about it, and what people and parties say.
use crate::app::wall_clock;
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::extract::{Path, Query, Unread};
use crate::http::Changed;
use crate::http::permits::speaker;
use crate::problem::{Problem, Result};
use crate::reads::{self, ConflictFilter};
use fleet_types::conflict::{Answer, Command, Kind, State, View};
use fleet_types::view::Page;
use fleet_types::{AgentId, Command as Any, ConflictId, FleetId, PermitId, ResourcePath, Text};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which conflicts.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConflictsQuery {
    /// `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1–1000; 100 when absent.
    pub count: Option<usize>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// In this state.
    pub state: Option<State>,
    /// That this agent ran into.
    pub agent: Option<AgentId>,
    /// Over this resource, or one below it.
    pub prefix: Option<ResourcePath>,
}

/// Conflicts that last, and the last thousand that are over; the newest first.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/conflicts",
    tag = "conflicts",
    params(("fleet" = FleetId, Path, description = "The fleet."), ConflictsQuery),
    responses((status = 200, body = Page<View>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<ConflictsQuery>,
) -> Result<axum::Json<Page<View>>> {
    door.caller.may(Operation::ReadConflicts)?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let filter = ConflictFilter {
        kind: query.kind,
        state: query.state,
        agent: query.agent,
        under: query.prefix,
    };
    let page = door
        .read(move |state| reads::conflicts(state, &filter, wall_clock(), after.as_deref(), count))
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// A conflict, with its evidence.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/conflicts/{conflict}",
    tag = "conflicts",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("conflict" = ConflictId, Path, description = "The conflict.")),
    responses((status = 200, body = View, description = "The conflict."))
)]
pub async fn get(
    door: Door,
    Path((_fleet, conflict)): Path<(FleetId, ConflictId)>,
) -> Result<axum::Json<View>> {
    door.caller.may(Operation::ReadConflicts)?;
    Ok(axum::Json(find(&door, conflict).await?))
}

async fn find(door: &Door, conflict: ConflictId) -> Result<View> {
    door.read(move |state| reads::conflict(state, conflict, wall_clock()))
        .await?
        .ok_or_else(|| Problem::not_found("conflict", conflict))
}

/// What a person decides.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResolveBody {
    /// Who goes first; absent: things stay as they are.
    pub winner: Option<PermitId>,
    /// Whether those that hold what the winner waits for lose it at once.
    pub revoke: bool,
    /// Why; people will read it.
    pub reason: Text,
}

/// Decides a conflict: an override by a person.
///
/// A key that is bound to a scope decides what has been escalated to that scope, or to one below it.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/conflicts/{conflict}/resolve",
    tag = "conflicts",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("conflict" = ConflictId, Path, description = "The conflict.")),
    request_body = ResolveBody,
    responses((status = 200, body = Changed, description = "It is decided."))
)]
pub async fn resolve(
    door: Door,
    Path((_fleet, conflict)): Path<(FleetId, ConflictId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    let before = match &door.caller.scope {
        None => None,
        Some(_) => {
            door.caller.may_somewhere(Operation::ResolveConflict)?;
            let dispute = find(&door, conflict).await?.dispute;
            dispute.and_then(|dispute| dispute.before?.scope)
        }
    };
    door.caller
        .may_within(Operation::ResolveConflict, before.as_ref())?;
    let body: ResolveBody = body.read(&door.caller, Operation::ResolveConflict)?;
    let command = Command::Resolve {
        conflict,
        winner: body.winner,
        revoke: body.revoke,
        reason: body.reason,
    };
    change(&door, command).await
}

/// What a party offers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    /// Whose; absent: the agent that the key is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// By which of its permits it is a party.
    pub permit: PermitId,
    /// What.
    pub answer: Answer,
}

/// Offers something to settle a conflict: to yield, swap, split or defer, or nothing.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/conflicts/{conflict}/answer",
    tag = "conflicts",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("conflict" = ConflictId, Path, description = "The conflict.")),
    request_body = AnswerBody,
    responses((status = 200, body = Changed, description = "It is offered."))
)]
pub async fn answer(
    door: Door,
    Path((_fleet, conflict)): Path<(FleetId, ConflictId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    let body: AnswerBody = body.read(&door.caller, Operation::Ask)?;
    let agent = speaker(&door, body.agent)?;
    door.may_for_agent(Operation::Ask, &agent).await?;
    let command = Command::Answer {
        conflict,
        permit: body.permit,
        agent,
        answer: body.answer,
    };
    change(&door, command).await
}

/// A vote.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoteBody {
    /// Who votes; absent: the agent that the key is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Who shall go first.
    pub winner: PermitId,
}

/// Votes for who goes first.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/conflicts/{conflict}/vote",
    tag = "conflicts",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("conflict" = ConflictId, Path, description = "The conflict.")),
    request_body = VoteBody,
    responses((status = 200, body = Changed, description = "It is counted."))
)]
pub async fn vote(
    door: Door,
    Path((_fleet, conflict)): Path<(FleetId, ConflictId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    let body: VoteBody = body.read(&door.caller, Operation::Ask)?;
    let agent = speaker(&door, body.agent)?;
    door.may_for_agent(Operation::Ask, &agent).await?;
    let command = Command::Vote {
        conflict,
        agent,
        winner: body.winner,
    };
    change(&door, command).await
}

async fn change(door: &Door, command: Command) -> Result<axum::Json<Changed>> {
    let reply = door.call(Any::Conflict(command)).await?;
    Ok(axum::Json(Changed::of(&reply)))
}
