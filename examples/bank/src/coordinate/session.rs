//! Coordination by the server, over its session protocol.
//!
//! Thin on purpose: the client keeps the connection, resumes it, beats and acknowledges; here its words become ours.
use super::{Control, Coordinator, Look, Lost, Standing, Turn};
use crate::options::{AgentOptions, Server};
use fleet_types::permit::{Finish, Request};
use fleet_types::{HaltId, halt};

const ABSENT: &str = "this build has no session client";

/// One agent's session with the server.
#[derive(Debug)]
pub struct Session {
    _private: (),
}

impl Session {
    /// Connects; waits with growing pauses while the server is not there.
    ///
    /// # Errors
    /// When the server refuses this agent.
    pub async fn connect(_options: &AgentOptions, _server: &Server) -> Result<Self, Lost> {
        Err(Lost(ABSENT.into()))
    }
}

impl Coordinator for Session {
    async fn permit(&mut self, _request: Request) -> Result<Turn, Lost> {
        Err(Lost(ABSENT.into()))
    }

    async fn finish(&mut self, _finish: Finish) -> Result<(), Lost> {
        Err(Lost(ABSENT.into()))
    }

    fn standing(&self) -> Standing {
        Standing {
            connected: false,
            halted: false,
        }
    }

    async fn changed(&mut self) {
        std::future::pending().await
    }

    async fn close(&mut self) {}
}

/// The orchestrator's way to the server.
#[derive(Clone, Debug)]
pub struct ServerControl {
    _server: Server,
}

impl ServerControl {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(server: Server) -> Self {
        ServerControl { _server: server }
    }
}

impl Control for ServerControl {
    async fn halt(&self, _order: halt::Order) -> Result<HaltId, Lost> {
        Err(Lost(ABSENT.into()))
    }

    async fn release(&self, _halt: HaltId) -> Result<(), Lost> {
        Err(Lost(ABSENT.into()))
    }

    async fn look(&self) -> Result<Look, Lost> {
        Err(Lost(ABSENT.into()))
    }
}
