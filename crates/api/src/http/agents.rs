//! The registry: agents, their versions and their life.
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::etag;
use crate::extract::{Path, Query, Unread};
use crate::http::{Changed, change};
use crate::problem::{Problem, Result};
use crate::reads::{self, AgentFilter};
use axum::http::HeaderMap;
use axum::response::Response;
use fleet_types::agent::{self, Definition, Status};
use fleet_types::view::{Agent, Page};
use fleet_types::{AgentId, Code, Command, FleetId, GroupId, Labels, ScopePath, Version};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Which agents.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AgentsQuery {
    /// `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1–1000; 100 when absent.
    pub count: Option<usize>,
    /// In this scope and below.
    pub scope: Option<ScopePath>,
    /// Members of this group.
    pub group: Option<GroupId>,
    /// With this status.
    pub status: Option<Status>,
    /// With this skill.
    pub skill: Option<String>,
    /// Of this domain.
    pub domain: Option<String>,
    /// In this pool.
    pub pool: Option<String>,
    /// With these labels: `region=eu,tier=1`.
    pub labels: Option<String>,
    /// Whose id, name or description holds this text, in any case.
    pub search: Option<String>,
}

impl AgentsQuery {
    /// Narrowed to what the caller may see.
    ///
    /// # Errors
    /// When it asks for another scope.
    pub fn filter(self, door: &Door) -> Result<AgentFilter> {
        let scope = self.scope.or_else(|| door.caller.scope.clone());
        door.caller
            .may_within(Operation::ReadAgents, scope.as_ref())?;
        Ok(AgentFilter {
            scope,
            group: self.group,
            status: self.status,
            skill: self.skill,
            domain: self.domain,
            pool: self.pool,
            labels: labels(self.labels.as_deref())?,
            search: self.search,
        })
    }
}

/// Reads `region=eu,tier=1`.
fn labels(text: Option<&str>) -> Result<Labels> {
    let invalid = |why: String| Problem::new(Code::Invalid, why).field("labels");
    let mut labels = BTreeMap::new();
    for pair in text.into_iter().flat_map(|text| text.split(',')) {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| invalid(format!("{pair:?} is not of the form key=value")))?;
        labels.insert(key.into(), value.into());
    }
    Labels::parse(labels).map_err(|why| invalid(why.to_string()))
}

/// Agents, by id.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/agents",
    tag = "agents",
    params(("fleet" = FleetId, Path, description = "The fleet."), AgentsQuery),
    responses((status = 200, body = Page<Agent>, description = "A page."))
)]
pub async fn list(door: Door, Query(query): Query<AgentsQuery>) -> Result<axum::Json<Page<Agent>>> {
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let filter = query.filter(&door)?;
    let page = door
        .read(move |state| reads::agents(state, &filter, after.as_deref(), count))
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// An agent.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/agents/{agent}",
    tag = "agents",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("agent" = AgentId, Path, description = "The agent.")),
    responses((status = 200, body = Agent, description = "The agent; its `ETag` is that of its definitions."))
)]
pub async fn get(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, agent)): Path<(FleetId, AgentId)>,
) -> Result<Response> {
    door.may_for_agent(Operation::ReadAgents, &agent).await?;
    let id = agent.clone();
    let agent = door
        .read(move |state| reads::agent(state, &id))
        .await?
        .ok_or_else(|| Problem::not_found("agent", agent))?;
    Ok(etag::answer(
        &headers,
        &etag::of(&versioned(agent.clone())),
        &agent,
    ))
}

/// Registers a version of an agent, or replaces it.
///
/// Versions stand side by side; the newest active one speaks for the agent. `id` may be left out of the body.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/agents/{agent}",
    tag = "agents",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("agent" = AgentId, Path, description = "The agent."),
        ("If-Match" = Option<String>, Header, description = "Only if it is still this version."),
    ),
    request_body = Definition,
    responses((status = 200, body = Changed, description = "It is registered."))
)]
pub async fn put(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, agent)): Path<(FleetId, AgentId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    let definition: Definition = body.read_named(
        &door.caller,
        Operation::RegisterAgent,
        ("id", agent.as_str()),
    )?;
    let to = definition.scope.as_ref();
    door.caller.may_within(Operation::RegisterAgent, to)?;
    if door.caller.scope.is_some() {
        // Nor may it take an agent out of another scope.
        let id = agent.clone();
        if let Some(known) = door.read(move |state| reads::agent(state, &id)).await? {
            let from = known.definition.scope.as_ref();
            door.caller.may_within(Operation::RegisterAgent, from)?;
        }
    }
    let command = Command::Agent(agent::Command::Register(Box::new(definition)));
    edit(&door, &headers, agent, command).await
}

/// Where in its life a version is to be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusBody {
    /// Which version; absent: all.
    #[serde(default)]
    pub version: Option<Version>,
    /// The new status.
    pub status: Status,
    /// The agent to use instead, of a deprecated one.
    #[serde(default)]
    pub replaced_by: Option<AgentId>,
}

/// Moves a version of an agent in its life: beta, active, deprecated, offline.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/agents/{agent}/status",
    tag = "agents",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("agent" = AgentId, Path, description = "The agent.")),
    request_body = StatusBody,
    responses((status = 200, body = Changed, description = "It is set."))
)]
pub async fn set_status(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, agent)): Path<(FleetId, AgentId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    door.may_for_agent(Operation::ControlAgent, &agent).await?;
    let body: StatusBody = body.read(&door.caller, Operation::ControlAgent)?;
    let command = Command::Agent(agent::Command::SetStatus {
        agent: agent.clone(),
        version: body.version,
        status: body.status,
        replaced_by: body.replaced_by,
    });
    edit(&door, &headers, agent, command).await
}

/// Removes an agent that holds nothing.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/agents/{agent}",
    tag = "agents",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("agent" = AgentId, Path, description = "The agent.")),
    responses((status = 200, body = Changed, description = "It is removed."))
)]
pub async fn delete(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, agent)): Path<(FleetId, AgentId)>,
) -> Result<axum::Json<Changed>> {
    door.may_for_agent(Operation::RemoveAgent, &agent).await?;
    let command = Command::Agent(agent::Command::Remove {
        agent: agent.clone(),
    });
    edit(&door, &headers, agent, command).await
}

async fn edit(
    door: &Door,
    headers: &HeaderMap,
    agent: AgentId,
    command: Command,
) -> Result<axum::Json<Changed>> {
    let now = move |state: &fleet_core::State| reads::agent(state, &agent).map(versioned);
    Ok(axum::Json(change(door, headers, now, command).await?))
}

/// What of an agent people change: its definition and its versions' status, not its use.
fn versioned(agent: Agent) -> impl Serialize + Send + 'static {
    (agent.definition, agent.versions, agent.replaced_by)
}
