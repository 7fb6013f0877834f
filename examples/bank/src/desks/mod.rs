//! Desks: work beside the agents, done by the orchestrator itself, and counted on what it leaves behind.
//!
//! ```text
//! officer   ── approves large payments, rejects some, leaves some unanswered
//! clearing  ── moves money between two real databases: two-phase commit, or two updates one after the other
//! abroad    ── pays abroad in four steps: a saga, or four calls one after the other
//! conflicts ── reads the fleet's records of what collided
//! ```
//!
//! Without permits there is no officer and no record; clearing and abroad do the same work without a coordinator.
mod abroad;
mod clearing;
mod conflicts;
mod officer;

pub use clearing::Transfers;
pub use officer::Approvals;

use crate::coordinate::Lost;
use crate::error::Error;
use crate::ledger::Ledger;
use crate::ledger::abroad::Abroad;
use crate::options::{Mode, Options, Progress, Server};
use fleet_client::{Fleet, Http};
use fleet_types::FleetId;
use fleet_types::conflict::Kind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A pause after something that did not work, such as when the server is away.
const AGAIN: Duration = Duration::from_millis(200);

/// What the desks did, and what they left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeskReport {
    /// Large payments that somebody was asked about.
    pub approvals: Approvals,
    /// Transfers between two databases; None where there were none to be made.
    pub transfers: Option<Transfers>,
    /// Why there were none.
    pub no_transfers: Option<String>,
    /// Why what came of the transfers could not be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncounted: Option<String>,
    /// Payments abroad.
    pub abroad: Abroad,
    /// Requests that ran into something, by kind, as the fleet's own records have it.
    pub conflicts: BTreeMap<Kind, u64>,
}

impl DeskReport {
    /// What must be zero, each with its name.
    #[must_use]
    pub fn violations(&self) -> [(&'static str, u64); 4] {
        let transfers = self.transfers.clone().unwrap_or_default();
        [
            (
                "money lost or made (cents)",
                transfers.difference.unsigned_abs(),
            ),
            ("left half-way in a database", transfers.half_way),
            ("transfers not counted", u64::from(self.uncounted.is_some())),
            ("payments abroad half done", self.abroad.half_done),
        ]
    }

    /// Whether nothing was left wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations().iter().all(|(_, count)| *count == 0)
    }
}

/// The desks at work.
pub(crate) struct Desks {
    stop: watch::Sender<bool>,
    ledger: SharedLedger,
    officer: Option<JoinHandle<Approvals>>,
    conflicts: Option<JoinHandle<BTreeMap<Kind, u64>>>,
    clearing: Result<JoinHandle<Result<Transfers, String>>, String>,
    abroad: JoinHandle<()>,
    /// Ends with the desks, however they end.
    _databases: clearing::Databases,
}

impl Desks {
    /// Starts them, and the databases first; the ledger must be there.
    pub async fn start(options: &Options) -> Result<Desks, Error> {
        let ledger = SharedLedger::open(options)?;
        let (stop, stopped) = watch::channel(false);
        let stopped = Stopped(stopped);
        let coordinated = match (options.mode, &options.server) {
            (Mode::Coordinated, Some(server)) => Some(server),
            (Mode::Coordinated | Mode::Uncoordinated, _) => None,
        };
        let fleet = |key: Option<&str>| coordinated.map(|server| fleet_of(server, key)).transpose();
        let desk_options = &options.desks;
        let admin = fleet(desk_options.admin_key.as_deref())?;
        let officer = fleet(desk_options.officer_key.as_deref())?.map(|fleet| {
            let officer = officer::Officer {
                fleet,
                has_key: desk_options.officer_key.is_some(),
                seed: options.seed,
                ledger: ledger.clone(),
                stopped: stopped.clone(),
            };
            tokio::spawn(officer.work())
        });
        let conflicts = admin
            .clone()
            .map(|fleet| tokio::spawn(conflicts::count(fleet, stopped.clone())));
        let databases = clearing::Databases::default();
        let clearing = clearing::Clearing {
            databases: databases.place(),
            fleet: admin.clone(),
            secrets_dir: desk_options.secrets_dir.clone(),
            kill_every: options.chaos.kill_banks_every,
            seed: options.seed,
            stopped: stopped.clone(),
        };
        let open = clearing.open().await;
        if let Err(why) = &open
            && options.progress != Progress::Silent
        {
            // As a run may last for hours. Nobody reads it: no reason to stop.
            let _ = writeln!(
                std::io::stderr(),
                "No transfers between databases: {why}. All else goes on."
            );
        }
        let abroad = abroad::Abroad {
            fleet: admin,
            server: coordinated.cloned(),
            ledger: ledger.clone(),
            stopped,
        };
        Ok(Desks {
            stop,
            ledger,
            officer,
            conflicts,
            clearing: open.map(|open| tokio::spawn(open.work())),
            abroad: tokio::spawn(abroad.work()),
            _databases: databases,
        })
    }

    /// Lets them finish what they have begun, and counts.
    pub async fn stop(self) -> Result<DeskReport, Error> {
        self.stop.send_replace(true);
        let mut report = DeskReport::default();
        match self.clearing {
            Ok(work) => match joined(work.await)? {
                Ok(transfers) => report.transfers = Some(transfers),
                Err(why) => report.uncounted = Some(why),
            },
            Err(why) => report.no_transfers = Some(why),
        }
        joined(self.abroad.await)?;
        report.abroad = self.ledger.with(|ledger| ledger.abroad()).await?;
        if let Some(officer) = self.officer {
            report.approvals = joined(officer.await)?;
        }
        if let Some(conflicts) = self.conflicts {
            report.conflicts = joined(conflicts.await)?;
        }
        Ok(report)
    }
}

fn joined<T>(task: Result<T, tokio::task::JoinError>) -> Result<T, Error> {
    task.map_err(|panic| Lost(panic.to_string()).into())
}

fn fleet_of(server: &Server, key: Option<&str>) -> Result<Fleet, Lost> {
    let http = Http::new(&server.base_url, key).map_err(lost)?;
    Ok(http.fleet(FleetId::parse(&server.fleet).map_err(lost)?))
}

fn lost(error: impl std::fmt::Display) -> Lost {
    Lost(error.to_string())
}

/// Whether the desks shall stop.
#[derive(Clone)]
struct Stopped(watch::Receiver<bool>);

impl Stopped {
    fn is(&self) -> bool {
        *self.0.borrow()
    }

    /// Rests, unless told to stop.
    async fn pause(&mut self, span: Duration) {
        // A sender that is gone has stopped, too.
        let _ = tokio::time::timeout(span, self.0.wait_for(|stop| *stop)).await;
    }
}

/// The desks' own connection to the ledger.
#[derive(Clone)]
struct SharedLedger(Arc<Mutex<Ledger>>);

impl SharedLedger {
    fn open(options: &Options) -> Result<Self, Error> {
        let ledger = Ledger::open(&options.ledger_path(), "desks")?;
        Ok(SharedLedger(Arc::new(Mutex::new(ledger))))
    }

    /// Does something on it, on a thread that may block.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, crate::ledger::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let ledger = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            // Each use is one transaction: a panic in another left nothing half done.
            work(&mut ledger.lock().unwrap_or_else(PoisonError::into_inner))
        });
        Ok(joined(done.await)??)
    }
}
