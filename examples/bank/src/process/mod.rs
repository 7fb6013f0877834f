//! One agent: a process of its own that works on the ledger until it is told to stop.
//!
//! The work runs on a thread of its own, where the ledger may block; the session with the server goes on beside it,
//! so a busy ledger never costs a heartbeat. The agent stops when its standard input ends, so it never outlives the
//! orchestrator, or when it gets SIGTERM or SIGINT. It finishes the step it is in first.
mod tally;
mod work;

pub use tally::Tally;

use crate::coordinate::{Coordinator, Session, Uncoordinated};
use crate::options::{AgentOptions, Mode};
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// The agent stopped because it was told to.
pub const EXIT_STOPPED: u8 = 0;
/// Something failed that may work the next time: the orchestrator starts the agent again.
pub const EXIT_FAILED: u8 = 1;
/// The agent cannot work like this: starting it again would not help.
pub const EXIT_UNUSABLE: u8 = 2;

/// Runs one agent until it is told to stop; gives its process's exit code.
pub async fn agent_main(options: AgentOptions) -> u8 {
    match (options.mode, options.server.clone()) {
        (Mode::Uncoordinated, _) => agent_main_with(options, Uncoordinated).await,
        (Mode::Coordinated, Some(server)) => {
            let orders = Orders::listen();
            let mut stopped = orders.stop.clone();
            let session = tokio::select! {
                session = Session::connect(&options, &server) => session,
                _ = stopped.wait_for(|stop| *stop) => return EXIT_STOPPED,
            };
            match session {
                Ok(session) => agent_until(options, session, orders).await,
                Err(lost) => {
                    complain(&options, &lost.to_string());
                    EXIT_UNUSABLE
                }
            }
        }
        (Mode::Coordinated, None) => {
            complain(&options, "a coordinated run needs a server");
            EXIT_UNUSABLE
        }
    }
}

/// Runs one agent with this coordinator.
pub async fn agent_main_with<C: Coordinator + 'static>(
    options: AgentOptions,
    coordinator: C,
) -> u8 {
    agent_until(options, coordinator, Orders::listen()).await
}

async fn agent_until<C: Coordinator + 'static>(
    options: AgentOptions,
    coordinator: C,
    orders: Orders,
) -> u8 {
    let runtime = tokio::runtime::Handle::current();
    let name = options.clone();
    let work = tokio::task::spawn_blocking(move || {
        runtime.block_on(work::work(options, coordinator, orders))
    });
    match work.await {
        Ok(Ok(())) => EXIT_STOPPED,
        Ok(Err(error)) => {
            complain(&name, &error.to_string());
            EXIT_FAILED
        }
        Err(panic) => {
            complain(&name, &panic.to_string());
            EXIT_FAILED
        }
    }
}

/// For the orchestrator, which keeps the last line.
fn complain(options: &AgentOptions, what: &str) {
    // Nobody is left to tell when this fails.
    let _ = writeln!(std::io::stderr(), "{}: {what}", options.seat.name());
}

/// What the orchestrator orders.
#[derive(Clone)]
struct Orders {
    /// Becomes true when standard input ends or a signal asks for the end.
    stop: watch::Receiver<bool>,
    /// How much longer the next thought takes: a line `stall MILLISECONDS`. Zero: no longer than usual.
    stall_ms: Arc<AtomicU64>,
}

impl Orders {
    fn listen() -> Self {
        let (ask, stop) = watch::channel(false);
        let at_end = ask.clone();
        let stall_ms = Arc::new(AtomicU64::new(0));
        let stall = stall_ms.clone();
        // A thread of its own: a runtime would wait for this reading when it ends, a process does not.
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if let Some(Ok(ms)) = line.strip_prefix("stall ").map(str::parse) {
                    stall.store(ms, Ordering::Relaxed);
                }
            }
            at_end.send_replace(true);
        });
        tokio::spawn(async move {
            terminated().await;
            ask.send_replace(true);
        });
        Orders { stop, stall_ms }
    }
}

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        // Without a handler the signal ends the process by itself.
        Err(_) => std::future::pending().await,
    }
}
