//! The system's word that the program should end: SIGINT (Ctrl-C) and SIGTERM.
use crate::exit;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears it. Once there is one, the program does not end by itself any more.
pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Listens from now on.
    pub fn listen() -> io::Result<Stop> {
        Ok(Stop {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for it; the exit code that says so.
    pub async fn asked(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => exit::INTERRUPTED,
            _ = self.terminate.recv() => exit::TERMINATED,
        }
    }
}
