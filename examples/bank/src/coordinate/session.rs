//! Coordination by the server, over its session protocol.
//!
//! Thin on purpose: the client keeps the connection, resumes it, beats and acknowledges; here its words become ours.
use super::{Control, Coordinator, Look, Lost, Standing, Turn};
use crate::options::{AgentOptions, Server};
use fleet_client::{Http, Kind, Options, Session as Client, Standing as ClientStanding};
use fleet_types::permit::{Finish, Request};
use fleet_types::{AgentId, FleetId, HaltId, InstanceId, Text, halt};
use std::time::Duration;
use tokio::sync::watch;

/// How long an agent waits for a server that is away before a step is given up. Longer than a restart takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// One agent's session with the server.
pub struct Session {
    client: Client,
    watch: watch::Receiver<ClientStanding>,
    seen: Standing,
}

impl Session {
    /// Connects; waits with growing pauses while the server is not there.
    ///
    /// # Errors
    /// When the server refuses this agent.
    pub async fn connect(options: &AgentOptions, server: &Server) -> Result<Self, Lost> {
        let fleet = FleetId::parse(&server.fleet).map_err(lost)?;
        let agent = AgentId::parse(&options.seat.name()).map_err(lost)?;
        // The same in every life: who comes back takes the place of who was killed, and what that one held is free.
        let instance = InstanceId::parse("desk").map_err(lost)?;
        let options = Options::new(server.base_url.clone(), fleet, agent, instance)
            .key(server.key.clone())
            .patience(PATIENCE);
        let client = loop {
            match Client::connect(options.clone()).await {
                Ok(client) => break client,
                Err(error) if error.kind() == Kind::Unreachable || error.kind() == Kind::Lost => {}
                Err(error) => return Err(lost(error)),
            }
        };
        let watch = client.watch();
        let seen = told(&client.standing());
        Ok(Session {
            client,
            watch,
            seen,
        })
    }
}

fn lost(error: impl std::fmt::Display) -> Lost {
    Lost(error.to_string())
}

fn told(standing: &ClientStanding) -> Standing {
    Standing {
        connected: standing.connected && !standing.over,
        halted: standing.is_halted(),
    }
}

impl Coordinator for Session {
    async fn permit(&mut self, request: Request) -> Result<Turn, Lost> {
        let turn = self.client.ask(request).await.map_err(lost)?;
        Ok(Turn {
            decision: turn.decision,
            queued: turn.queued,
        })
    }

    async fn finish(&mut self, finish: Finish) -> Result<(), Lost> {
        let Finish {
            permit,
            ending,
            cost,
            latency_ms,
            ..
        } = finish;
        let finished = self.client.finish(permit, ending, cost, latency_ms).await;
        finished.map(drop).map_err(lost)
    }

    fn standing(&self) -> Standing {
        told(&self.client.standing())
    }

    async fn changed(&mut self) {
        loop {
            let now = told(&self.watch.borrow_and_update());
            if now != self.seen {
                self.seen = now;
                return;
            }
            if self.watch.changed().await.is_err() {
                // The session is over for good, and told so already: nothing changes any more.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn close(&mut self) {
        // The server may be away; then missed heartbeats say the same.
        let _ = self.client.close("the day is over").await;
    }
}

/// The orchestrator's way to the server.
#[derive(Clone, Debug)]
pub struct ServerControl {
    server: Server,
}

impl ServerControl {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(server: Server) -> Self {
        ServerControl { server }
    }

    fn fleet(&self) -> Result<fleet_client::Fleet, Lost> {
        let http = Http::new(&self.server.base_url, self.server.key.as_deref()).map_err(lost)?;
        Ok(http.fleet(FleetId::parse(&self.server.fleet).map_err(lost)?))
    }
}

impl Control for ServerControl {
    async fn halt(&self, order: halt::Order) -> Result<HaltId, Lost> {
        let halted = self.fleet()?.halt(&order).await.map_err(lost)?;
        Ok(halted.halt)
    }

    async fn release(&self, halt: HaltId) -> Result<(), Lost> {
        let reason = Text::clip("the exercise is over");
        let released = self.fleet()?.release(halt, reason).await;
        released.map(drop).map_err(lost)
    }

    async fn look(&self) -> Result<Look, Lost> {
        let fleet = self.fleet()?;
        let status = fleet.status().await.map_err(lost)?;
        let budgets = fleet.budgets().await.map_err(lost)?;
        Ok(Look {
            waiting: status.permits_waiting,
            budgets,
        })
    }
}
