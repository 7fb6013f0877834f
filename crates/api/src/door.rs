//! A fleet as one caller sees it: what handlers ask with.
use crate::app::{App, wall_clock};
use crate::auth::{Caller, Operation};
use crate::graphs::FleetGraph;
use crate::problem::{Problem, Result};
use crate::reads;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use fleet_core::State;
use fleet_runtime::Handle;
use fleet_types::{AgentId, Code, Command, Envelope, FleetId, Reply};
use std::sync::Arc;
use std::time::Duration;

/// A fleet and who stands at its door.
#[derive(Clone)]
pub struct Door {
    /// What the doors share.
    pub app: App,
    /// Which fleet.
    pub fleet: FleetId,
    /// Its handle.
    pub handle: Handle,
    /// Who asks.
    pub caller: Caller,
}

/// Why what lasts must end now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The server stops; whoever was cut may come back and resume.
    Stopping,
    /// The key was revoked or has expired.
    KeyGone,
}

/// What is told to whoever is cut for that.
pub const KEY_GONE: &str = "the key was revoked or has expired";
/// How long it may go unnoticed that the wall clock was set past the end of a key.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(60);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(|| {
            Problem::new(
                Code::Unauthenticated,
                "no key was given; send `Authorization: Bearer fk_…`",
            )
        })
    }
}

impl FromRequestParts<App> for Door {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|error| {
                let detail = error.body_text();
                // It tells of the name between backticks only.
                let field = detail.split('`').nth(1).unwrap_or_default().to_owned();
                Problem::new(Code::Invalid, detail).field(field)
            })?;
        let name = params
            .iter()
            .find_map(|(key, value)| (key == "fleet").then_some(value))
            .unwrap_or("");
        let fleet = FleetId::parse(name)
            .map_err(|why| Problem::new(Code::Invalid, why.to_string()).field("fleet"))?;
        caller.may_reach(&fleet)?;
        let handle = app.fleet(&caller.tenant, &fleet).await?;
        Ok(Door {
            app: app.clone(),
            fleet,
            handle,
            caller,
        })
    }
}

impl Door {
    /// Asks and waits for the durable answer.
    ///
    /// # Errors
    /// When it was refused, or there is no answer.
    pub async fn call(&self, command: Command) -> Result<Reply> {
        Ok(self.handle.call(self.envelope(command)).await??)
    }

    /// The command with who asks.
    #[must_use]
    pub fn envelope(&self, command: Command) -> Envelope {
        Envelope {
            by: self.caller.actor.clone(),
            command,
        }
    }

    /// Reads the state.
    ///
    /// # Errors
    /// When the fleet is not serving.
    pub async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&State) -> R + Send + 'static,
    ) -> Result<R> {
        Ok(self.handle.read(read).await?)
    }

    /// The fleet's dependency graph.
    #[must_use]
    pub fn graph(&self) -> Arc<FleetGraph> {
        self.app
            .graph(&self.caller.tenant, &self.fleet, &self.handle)
    }

    /// Ends when a session, a stream or a wait of this caller must: at once when its key is revoked or expires.
    pub async fn interrupted(&self) -> Interruption {
        let mut stopping = self.app.stopping();
        let mut changes = self.app.keyring().changes();
        loop {
            let now = wall_clock();
            let Some(until) = self.app.keyring().opens_until(&self.caller, now) else {
                return Interruption::KeyGone;
            };
            let rest = Duration::from_millis(now.millis_until(until));
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => return Interruption::Stopping,
                changed = changes.changed() => if changed.is_err() {
                    return Interruption::Stopping;
                },
                () = tokio::time::sleep(rest.min(LOOK_AT_CLOCK)) => {}
            }
        }
    }

    /// Whether the caller may do this to, or as, this agent: by its role, its bound agent and its scope.
    ///
    /// # Errors
    /// When it may not.
    pub async fn may_for_agent(&self, operation: Operation, agent: &AgentId) -> Result<()> {
        if matches!(operation, Operation::Ask | Operation::Connect) {
            self.caller.may_act_as(agent)?;
        }
        if self.caller.scope.is_none() {
            return self.caller.may_within(operation, None);
        }
        let agent = agent.clone();
        let scope = self
            .read(move |state| reads::agent_scope(state, &agent))
            .await?;
        self.caller.may_within(operation, scope.as_ref())
    }
}
