//! Live connections: who is there, and the way in for agents that cannot hold a WebSocket.
//!
//! Such an agent connects, beats, and polls for its signals; it asks for permits as anyone does over HTTP, with its
//! instance and epoch in the request.
use crate::auth::Operation;
use crate::cursor;
use crate::door::{Door, Interruption, KEY_GONE};
use crate::extract::{Path, Query, Unread};
use crate::http::{Changed, wait};
use crate::mailbox::Signals;
use crate::problem::{Problem, Result};
use crate::reads;
use crate::session::port::Port;
use axum::http::StatusCode;
use fleet_runtime::Outbox;
use fleet_types::instance::{self, InstanceKey};
use fleet_types::session::Halt;
use fleet_types::view::{self, Page};
use fleet_types::{
    AgentId, Code, Command, Epoch, FleetId, HaltId, InstanceId, Labels, Millis, Reply, Text,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// An instance and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = InstanceRow)]
pub struct Row {
    /// The agent.
    pub agent: AgentId,
    /// Its instance.
    #[serde(flatten)]
    pub instance: view::Instance,
}

/// Which connections.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InstancesQuery {
    /// `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1–1000; 100 when absent.
    pub count: Option<usize>,
    /// Those that are gone, too.
    #[serde(default)]
    #[param(default = false)]
    pub all: bool,
}

/// Live connections, by agent and instance.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/instances",
    tag = "instances",
    params(("fleet" = FleetId, Path, description = "The fleet."), InstancesQuery),
    responses((status = 200, body = Page<Row>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<InstancesQuery>,
) -> Result<axum::Json<Page<Row>>> {
    // Whose scope each stands in is not at hand here: a key bound to a scope lists its agents instead.
    door.caller.may_within(Operation::ReadAgents, None)?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let page = door
        .read(move |state| reads::instances(state, query.all, after.as_deref(), count))
        .await?;
    let items = page.items.into_iter().map(|(key, instance)| Row {
        agent: key.agent,
        instance,
    });
    let page = Page {
        items: items.collect(),
        next: page.next,
        seq: page.seq,
    };
    Ok(axum::Json(cursor::seal(page)))
}

/// Who connects.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectBody {
    /// The agent.
    pub agent: AgentId,
    /// Which of its connections.
    pub instance: InstanceId,
    /// The epoch it had, to go on; absent: a new life.
    #[serde(default)]
    pub resume: Option<Epoch>,
    /// For selectors.
    #[serde(default)]
    pub labels: Labels,
}

/// An instance is connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Connected {
    /// Its epoch: say it with everything from now on.
    pub epoch: Epoch,
    /// Whether it must clean up and say `ready` before it gets permits.
    pub recovering: bool,
    /// How often it must beat.
    pub heartbeat_ms: Millis,
    /// Halts in force over it: obey, then acknowledge each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub halts: Vec<Halt>,
}

/// Connects an instance that will poll.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/instances",
    tag = "instances",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    request_body = ConnectBody,
    responses((status = 200, body = Connected, description = "It is connected."))
)]
pub async fn connect(door: Door, body: Unread) -> Result<axum::Json<Connected>> {
    let body: ConnectBody = body.read(&door.caller, Operation::Connect)?;
    door.may_for_agent(Operation::Connect, &body.agent).await?;
    let key = InstanceKey {
        agent: body.agent,
        instance: body.instance,
    };
    let command = instance::Command::Connect {
        key: key.clone(),
        resume: body.resume,
        labels: body.labels,
    };
    let reply = door.call(Command::Instance(command)).await?;
    let Reply::Connected { epoch, recovering } = reply else {
        tracing::error!(?reply, "an answer to another question");
        return Err(Problem::new(
            Code::Internal,
            "the answer is lost; connect again",
        ));
    };
    let mailbox = door
        .app
        .mailboxes()
        .open(&door.caller.tenant, &door.fleet, &key, epoch);
    let outbox: Arc<dyn Outbox> = mailbox;
    door.handle.attach(&key, epoch, &outbox);
    door.handle.heartbeat(&key, epoch);
    let greeting = door.greet(&key.agent).await?;
    Ok(axum::Json(Connected {
        epoch,
        recovering,
        heartbeat_ms: greeting.heartbeat_ms,
        halts: greeting.halts,
    }))
}

/// In which life.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EpochBody {
    /// The epoch, as told when it connected.
    pub epoch: Epoch,
}

type Place = Path<(FleetId, AgentId, InstanceId)>;

/// The instance is alive.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/instances/{agent}/{instance}/heartbeat",
    tag = "instances",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("agent" = AgentId, Path, description = "The agent."), ("instance" = InstanceId, Path, description = "The instance.")),
    request_body = EpochBody,
    responses((status = 204, description = "It was heard."))
)]
pub async fn heartbeat(
    door: Door,
    Path((_fleet, agent, instance)): Place,
    body: Unread,
) -> Result<StatusCode> {
    door.may_for_agent(Operation::Connect, &agent).await?;
    let body: EpochBody = body.read(&door.caller, Operation::Connect)?;
    let key = InstanceKey { agent, instance };
    known(&door, &key, Some(body.epoch))?;
    door.handle.heartbeat(&key, body.epoch);
    Ok(StatusCode::NO_CONTENT)
}

/// Cleaned up after a failure, and ready.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/instances/{agent}/{instance}/ready",
    tag = "instances",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("agent" = AgentId, Path, description = "The agent."), ("instance" = InstanceId, Path, description = "The instance.")),
    request_body = EpochBody,
    responses((status = 200, body = Changed, description = "It gets permits again."))
)]
pub async fn ready(
    door: Door,
    Path((_fleet, agent, instance)): Place,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    door.may_for_agent(Operation::Connect, &agent).await?;
    let body: EpochBody = body.read(&door.caller, Operation::Connect)?;
    let key = InstanceKey { agent, instance };
    let command = instance::Command::Ready {
        key,
        epoch: body.epoch,
    };
    Ok(axum::Json(Changed::of(
        &door.call(Command::Instance(command)).await?,
    )))
}

/// Which halt was seen.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeBody {
    /// The epoch, as told when it connected.
    pub epoch: Epoch,
    /// The halt.
    pub halt: HaltId,
    /// Permits it still works on.
    #[serde(default)]
    pub in_flight: u32,
}

/// The instance has seen a halt.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/instances/{agent}/{instance}/acknowledge-halt",
    tag = "instances",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("agent" = AgentId, Path, description = "The agent."), ("instance" = InstanceId, Path, description = "The instance.")),
    request_body = AcknowledgeBody,
    responses((status = 200, body = Changed, description = "It is noted."))
)]
pub async fn acknowledge_halt(
    door: Door,
    Path((_fleet, agent, instance)): Place,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    door.may_for_agent(Operation::Connect, &agent).await?;
    let body: AcknowledgeBody = body.read(&door.caller, Operation::Connect)?;
    let command = instance::Command::AcknowledgeHalt {
        key: InstanceKey { agent, instance },
        epoch: body.epoch,
        halt: body.halt,
        in_flight: body.in_flight,
    };
    Ok(axum::Json(Changed::of(
        &door.call(Command::Instance(command)).await?,
    )))
}

/// Which life ends, and why.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DisconnectQuery {
    /// The epoch, as told when it connected.
    pub epoch: Epoch,
    /// Why.
    pub reason: Option<Text>,
}

/// The instance says good-bye; everything it held is released.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/instances/{agent}/{instance}",
    tag = "instances",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("agent" = AgentId, Path, description = "The agent."), ("instance" = InstanceId, Path, description = "The instance."), DisconnectQuery),
    responses((status = 200, body = Changed, description = "It is gone."))
)]
pub async fn disconnect(
    door: Door,
    Path((_fleet, agent, instance)): Place,
    Query(query): Query<DisconnectQuery>,
) -> Result<axum::Json<Changed>> {
    door.may_for_agent(Operation::Connect, &agent).await?;
    let key = InstanceKey { agent, instance };
    let command = instance::Command::Disconnect {
        key: key.clone(),
        epoch: query.epoch,
        reason: query.reason.unwrap_or_default(),
    };
    let changed = Changed::of(&door.call(Command::Instance(command)).await?);
    let mailboxes = door.app.mailboxes();
    if let Some(mailbox) = mailboxes.close(&door.caller.tenant, &door.fleet, &key) {
        let outbox: Arc<dyn Outbox> = mailbox;
        door.handle.detach(&key, &outbox);
    }
    Ok(axum::Json(changed))
}

/// What was seen already, and how long to wait for more.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SignalsQuery {
    /// The number of the last signal that was seen; it and those before are forgotten.
    pub after: Option<u64>,
    /// Wait here so long for the first; at most 25,000.
    pub wait_ms: Option<Millis>,
    /// The epoch, as told when it connected: a poll of an older life is refused.
    pub epoch: Option<Epoch>,
}

/// What the instance must know: decisions on what waited, permits taken back, halts. A poll is a heartbeat too.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/instances/{agent}/{instance}/signals",
    tag = "instances",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("agent" = AgentId, Path, description = "The agent."), ("instance" = InstanceId, Path, description = "The instance."), SignalsQuery),
    responses((status = 200, body = Signals, description = "What is new; empty when nothing came in time."))
)]
pub async fn signals(
    door: Door,
    Path((_fleet, agent, instance)): Place,
    Query(query): Query<SignalsQuery>,
) -> Result<axum::Json<Signals>> {
    door.may_for_agent(Operation::Connect, &agent).await?;
    let key = InstanceKey { agent, instance };
    let mailbox = known(&door, &key, query.epoch)?;
    door.handle.heartbeat(&key, mailbox.epoch());
    let wait_ms = wait::span(query.wait_ms.unwrap_or_default());
    let after = query.after.unwrap_or(0);
    let taken = tokio::select! {
        signals = mailbox.take(after, wait_ms) => Ok(signals),
        why = door.interrupted() => Err(why),
    };
    let signals = match taken {
        Ok(signals) => signals,
        Err(Interruption::Stopping) => mailbox.take(after, std::time::Duration::ZERO).await,
        Err(Interruption::KeyGone) => return Err(Problem::new(Code::Unauthenticated, KEY_GONE)),
    };
    door.handle.heartbeat(&key, mailbox.epoch());
    Ok(axum::Json(signals))
}

fn known(
    door: &Door,
    key: &InstanceKey,
    epoch: Option<Epoch>,
) -> Result<Arc<crate::mailbox::Mailbox>> {
    door.app
        .mailboxes()
        .get(&door.caller.tenant, &door.fleet, key)
        .filter(|mailbox| epoch.is_none_or(|epoch| epoch == mailbox.epoch()))
        .ok_or_else(|| {
            Problem::new(
                Code::InstanceStale,
                "this instance is not connected here under this epoch; connect again, with `resume` to go on",
            )
        })
}
