//! Does what is due outside (I10): for each open fleet a desk, which reads from the durable state what its transactions want
//! told to whom, lets executors do it, and brings back what they found as commands.
//!
//! - What is due is a set worked out anew whenever a transaction changes, so nothing is lost by a crash here or there.
//! - One branch hears one thing at a time: what is newer waits until the attempt under way has ended.
//! - Every fleet is opened at the start, one after the other: those in doubt must be carried to their ends though nobody asks.
mod branch;
mod orphans;

use crate::config::Outside;
use branch::{Desk, Tools};
use fleet_effects::{Executors, Secrets};
use fleet_journal::FleetKey;
use fleet_runtime::fleets::Opened;
use fleet_runtime::{Fleets, Handle};
use fleet_types::{FleetId, TenantId};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// Where opened fleets are announced. As many as there are fleets.
type Announced = mpsc::UnboundedReceiver<(FleetKey, Handle)>;

/// What hears of fleets before the desks stand.
pub struct Announcements(Announced);

/// All desks of a server.
pub struct Desks {
    running: JoinHandle<()>,
}

/// What the runtime tells of opened fleets, and where it is heard.
#[allow(
    clippy::disallowed_methods,
    reason = "each fleet is announced once when it opens: never more than there are fleets"
)]
pub fn announcements() -> (Opened, Announcements) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let opened = move |key: &FleetKey, handle: &Handle| {
        // Nobody listens any more when the server stops.
        let _ = sender.send((key.clone(), handle.clone()));
    };
    (Arc::new(opened), Announcements(receiver))
}

impl Desks {
    /// Opens every fleet and a desk for each.
    ///
    /// # Errors
    /// When the ways to the outside cannot be set up, in words.
    pub fn start(
        announcements: Announcements,
        fleets: &Fleets,
        data: &Path,
        outside: Outside,
        default: &TenantId,
    ) -> Result<Desks, String> {
        let secrets = secrets(&outside, data, default);
        let tools = Arc::new(Tools {
            executors: Executors::new(secrets)?,
            outside,
        });
        let running = tokio::spawn(run(announcements.0, fleets.clone(), tools));
        Ok(Desks { running })
    }

    /// Ends what is under way: it is done again after the next start.
    pub async fn stop(mut self) {
        self.running.abort();
        let _ = (&mut self.running).await; // It was told to end.
    }
}

/// Where credentials are kept.
pub fn secrets(outside: &Outside, data: &Path, default: &TenantId) -> Secrets {
    let elsewhere = outside.secrets.clone();
    Secrets {
        dir: elsewhere.unwrap_or_else(|| data.join("secrets")),
        environment_of: default.clone(),
    }
}

impl Drop for Desks {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn run(mut announced: Announced, fleets: Fleets, tools: Arc<Tools>) {
    let mut desks = JoinSet::new();
    desks.spawn(open_all(fleets));
    while let Some((key, handle)) = announced.recv().await {
        let names = (TenantId::parse(key.tenant()), FleetId::parse(key.fleet()));
        let (Ok(tenant), Ok(fleet)) = names else {
            continue; // A fleet of the server's own.
        };
        let desk = Desk::new(tenant, fleet, handle, tools.clone());
        desks.spawn(orphans::look(desk.place().clone()));
        desks.spawn(desk.run());
    }
    // The fleets are gone; the set ends what still runs.
}

async fn open_all(fleets: Fleets) {
    let known = loop {
        match fleets.directory().read(fleet_core::read::directory).await {
            Ok(known) => break known,
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    };
    for (tenant, ids, _) in known {
        for fleet in ids {
            if let Err(failure) = fleets.get(&tenant, &fleet).await {
                tracing::error!(%tenant, %fleet, %failure, "failed to open a fleet; its transactions wait");
            }
        }
    }
}
