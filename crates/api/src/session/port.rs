//! What a session needs of the world around it. A trait, so that the session's loop can be tested and measured by itself.
use crate::auth::Operation;
use crate::door::{Door, Interruption};
use crate::problem::Result;
use crate::reads;
use fleet_runtime::{Failure, Outbox};
use fleet_types::approval::View;
use fleet_types::instance::InstanceKey;
use fleet_types::session::Halt;
use fleet_types::{Actor, AgentId, Command, Envelope, Epoch, Millis};
use std::sync::Arc;
use std::time::Duration;

/// What a welcome tells besides the epoch.
#[derive(Clone, Debug, Default)]
pub struct Greeting {
    /// How often the instance must be heard of.
    pub heartbeat_ms: Millis,
    /// Halts in force over it.
    pub halts: Vec<Halt>,
    /// What its agent is asked to approve, and has not answered.
    pub approvals: Vec<View>,
}

/// How long a session waits.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the hello.
    pub hello: Duration,
    /// For the client to take what it is told.
    pub write: Duration,
}

/// The world around a session.
pub trait Port: Send + Sync + 'static {
    /// Who the session's commands come from.
    fn actor(&self) -> Actor;
    /// How long to wait.
    fn patience(&self) -> Patience;
    /// Whether the caller may speak for this agent.
    fn admit(&self, agent: &AgentId) -> impl Future<Output = Result<()>> + Send;
    /// Puts a command into the inbox.
    ///
    /// # Errors
    /// At once, without an answer later, when the inbox refuses it.
    fn submit(
        &self,
        envelope: Envelope,
        outbox: &Arc<dyn Outbox>,
        tag: u64,
    ) -> std::result::Result<(), Failure>;
    /// Puts several into the inbox, with one look at its lock.
    ///
    /// # Errors
    /// When one is refused, with its tag; those after it are still in `commands`.
    fn submit_all(
        &self,
        commands: &mut dyn Iterator<Item = (Envelope, u64)>,
        outbox: &Arc<dyn Outbox>,
    ) -> std::result::Result<(), (u64, Failure)>;
    /// Signals for this instance go to `outbox` from now on.
    fn attach(&self, key: &InstanceKey, epoch: Epoch, outbox: &Arc<dyn Outbox>);
    /// No session any more.
    fn detach(&self, key: &InstanceKey, outbox: &Arc<dyn Outbox>);
    /// The instance is alive.
    fn heartbeat(&self, key: &InstanceKey, epoch: Epoch);
    /// What to tell an instance that has connected.
    fn greet(&self, agent: &AgentId) -> impl Future<Output = Result<Greeting>> + Send;
    /// Ends when the session must.
    fn interrupted(&self) -> impl Future<Output = Interruption> + Send;
}

impl Port for Door {
    fn actor(&self) -> Actor {
        self.caller.actor.clone()
    }

    fn patience(&self) -> Patience {
        Patience {
            hello: self.app.limits().hello_timeout,
            write: self.app.limits().write_timeout,
        }
    }

    async fn admit(&self, agent: &AgentId) -> Result<()> {
        self.may_for_agent(Operation::Connect, agent).await
    }

    fn submit(
        &self,
        envelope: Envelope,
        outbox: &Arc<dyn Outbox>,
        tag: u64,
    ) -> std::result::Result<(), Failure> {
        self.handle.submit(envelope, outbox, tag)
    }

    fn submit_all(
        &self,
        commands: &mut dyn Iterator<Item = (Envelope, u64)>,
        outbox: &Arc<dyn Outbox>,
    ) -> std::result::Result<(), (u64, Failure)> {
        self.handle.submit_all(commands, outbox)
    }

    fn attach(&self, key: &InstanceKey, epoch: Epoch, outbox: &Arc<dyn Outbox>) {
        self.handle.attach(key, epoch, outbox);
    }

    fn detach(&self, key: &InstanceKey, outbox: &Arc<dyn Outbox>) {
        self.handle.detach(key, outbox);
    }

    fn heartbeat(&self, key: &InstanceKey, epoch: Epoch) {
        self.handle.heartbeat(key, epoch);
    }

    async fn greet(&self, agent: &AgentId) -> Result<Greeting> {
        let agent = agent.clone();
        let read = move |state: &fleet_core::State| {
            (
                reads::settings(state).heartbeat_ms,
                reads::halts_over(state, &agent),
                reads::asked_of(state, &agent),
            )
        };
        let (heartbeat_ms, halts, approvals) = self.read(read).await?;
        Ok(Greeting {
            heartbeat_ms,
            halts,
            approvals,
        })
    }

    async fn interrupted(&self) -> Interruption {
        Door::interrupted(self).await
    }
}

/// A command with who it comes from.
#[must_use]
pub fn envelope(actor: &Actor, command: Command) -> Envelope {
    Envelope {
        by: actor.clone(),
        command,
    }
}
