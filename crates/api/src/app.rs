//! What every door shares: the fleets, who may come in, how much at once, and when it is time to stop.
use crate::auth::{Keyring, Mode};
use crate::graphs::{FleetGraph, Graphs};
use crate::load::{Kind, Load};
use crate::mailbox::Mailboxes;
use crate::problem::{Problem, Result};
use crate::reads;
use crate::wait::Waits;
use fleet_runtime::{Failure, Fleets, Handle};
use fleet_types::connector::Connector;
use fleet_types::{Code, FleetId, Seq, TenantId, Time};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Bounds of the doors. Each queue and wait has one (I13).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest HTTP body.
    pub body_bytes_max: usize,
    /// How long a body may take to come.
    pub body_timeout: Duration,
    /// How long a request may take; long polls stay below it.
    pub request_timeout: Duration,
    /// Requests in work at once.
    pub requests_max: usize,
    /// Requests in work at once for one key.
    pub requests_per_key_max: usize,
    /// Sessions and streams open at once.
    pub sessions_max: usize,
    /// Sessions and streams open at once for one key.
    pub sessions_per_key_max: usize,
    /// How long a session may take to say hello.
    pub hello_timeout: Duration,
    /// How long a client may leave what it is told unread.
    pub write_timeout: Duration,
    /// How often a silent stream says that it is alive.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body_bytes_max: 1 << 20,
            body_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(30),
            // Each costs some tens of KiB while it waits for the journal.
            requests_max: 4_096,
            requests_per_key_max: 1_024,
            // Each costs a socket and at most some hundred KiB.
            sessions_max: 20_000,
            sessions_per_key_max: 10_000,
            hello_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(15),
        }
    }
}

/// So many read-only fleets are named; the rest is counted.
const FLEETS_NAMED: usize = 10;

/// The doors' shared state. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// Held while a definition of a fleet is compared and replaced.
pub type Edit = Arc<tokio::sync::Mutex<()>>;

/// Says of a tenant's connector why it could not be used as it stands: the field to blame, and words. May look at files.
pub type ConnectorCheck = Box<
    dyn Fn(&TenantId, &Connector) -> std::result::Result<(), (&'static str, String)> + Send + Sync,
>;

struct Inner {
    fleets: Fleets,
    mode: Mode,
    limits: Limits,
    keyring: Arc<Keyring>,
    load: Arc<Load>,
    waits: Waits,
    mailboxes: Mailboxes,
    graphs: Graphs,
    connectors: OnceLock<ConnectorCheck>,
    edits: Mutex<HashMap<(TenantId, FleetId), Edit>>,
    stop: watch::Sender<bool>,
}

impl App {
    /// Opens the doors' state: reads the directory to its end, then follows it.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn start(
        fleets: Fleets,
        mode: Mode,
        limits: Limits,
    ) -> std::result::Result<App, Failure> {
        let app = App(Arc::new(Inner {
            mode,
            keyring: Arc::new(Keyring::default()),
            load: Arc::new(Load::new(&limits)),
            waits: Waits::default(),
            mailboxes: Mailboxes::default(),
            graphs: Graphs::new(fleets.dir()),
            connectors: OnceLock::new(),
            edits: Mutex::default(),
            stop: watch::Sender::new(false),
            limits,
            fleets,
        }));
        let directory = app.0.fleets.directory();
        let at = load(&app.0.keyring, &directory).await?;
        tokio::spawn(follow(
            Arc::clone(&app.0.keyring),
            directory,
            at,
            app.stopping(),
        ));
        Ok(app)
    }

    /// From now on connectors are looked at before they are set. The first that is given here stays.
    pub fn check_connectors(&self, check: ConnectorCheck) {
        let _ = self.0.connectors.set(check); // A second one has nothing to say.
    }

    /// Whether a connector could be used as it stands.
    ///
    /// # Errors
    /// When it could not, by the field.
    pub async fn may_connect(&self, tenant: &TenantId, connector: &Connector) -> Result<()> {
        let (app, tenant, connector) = (self.clone(), tenant.clone(), connector.clone());
        let look = move || match app.0.connectors.get() {
            Some(check) => check(&tenant, &connector),
            None => Ok(()),
        };
        let looked = tokio::task::spawn_blocking(look).await;
        match looked.map_err(|error| Problem::new(Code::Internal, error.to_string()))? {
            Ok(()) => Ok(()),
            Err((field, words)) => Err(Problem::new(Code::Invalid, words).field(field)),
        }
    }

    /// The fleets.
    #[must_use]
    pub fn fleets(&self) -> &Fleets {
        &self.0.fleets
    }

    /// How callers prove who they are.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.0.mode
    }

    /// The bounds.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Tenants, fleets and keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    /// How much is in work.
    #[must_use]
    pub fn load(&self) -> &Arc<Load> {
        &self.0.load
    }

    /// Who waits for decisions over HTTP.
    #[must_use]
    pub fn waits(&self) -> &Waits {
        &self.0.waits
    }

    /// Signals for instances that poll.
    #[must_use]
    pub fn mailboxes(&self) -> &Mailboxes {
        &self.0.mailboxes
    }

    /// A fleet's handle.
    ///
    /// # Errors
    /// When there is no such fleet, or it cannot be opened.
    pub async fn fleet(&self, tenant: &TenantId, fleet: &FleetId) -> Result<Handle> {
        let handle = self.0.fleets.get(tenant, fleet).await?;
        let handle = handle.ok_or_else(|| Problem::not_found("fleet", fleet))?;
        // Whoever comes first begins it, so that it is there when it is asked for.
        self.graph(tenant, fleet, &handle);
        Ok(handle)
    }

    /// A fleet's dependency graph, which follows the fleet from now on if it did not yet.
    pub fn graph(&self, tenant: &TenantId, fleet: &FleetId, handle: &Handle) -> Arc<FleetGraph> {
        let stopping = || self.stopping();
        self.0.graphs.of(tenant, fleet, handle, stopping)
    }

    /// Held while a definition is compared with `If-Match` and replaced, so that of two who saw the same one only the
    /// first replaces it. One process owns a fleet, so this is enough.
    #[must_use]
    pub fn edit(&self, tenant: &TenantId, fleet: &FleetId) -> Edit {
        let mut edits = self.0.edits.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(edits.entry((tenant.clone(), fleet.clone())).or_default())
    }

    /// Whether the server can serve: the directory's writer answers, and so does its journal; every fleet takes writes.
    ///
    /// # Errors
    /// When it cannot now.
    pub async fn is_ready(&self) -> Result<()> {
        if *self.0.stop.borrow() || self.0.fleets.has_failed() {
            return Err(Failure::Unavailable.into());
        }
        let directory = self.0.fleets.directory();
        let asked = directory.read(reads::seq);
        match tokio::time::timeout(Duration::from_secs(2), asked).await {
            Ok(Ok(_)) => self.takes_writes(),
            Ok(Err(failure)) => Err(failure.into()),
            Err(_) => Err(Failure::Unavailable.into()),
        }
    }

    fn takes_writes(&self) -> Result<()> {
        let read_only = self.0.fleets.read_only();
        if read_only.is_empty() {
            return Ok(());
        }
        let named = read_only.iter().take(FLEETS_NAMED).map(ToString::to_string);
        let mut named = named.collect::<Vec<_>>().join(", ");
        if read_only.len() > FLEETS_NAMED {
            named += &format!(" and {} more", read_only.len() - FLEETS_NAMED);
        }
        let detail = format!("the journal takes no writes now for {named}; reads go on");
        Err(Problem::new(Code::ReadOnly, detail).retry_after(5_000))
    }

    /// Asks what lasts (sessions, streams, long polls) to end.
    pub fn stop(&self) {
        self.0.stop.send_replace(true);
    }

    /// Waits until sessions and streams have ended, for at most `grace`, and views are saved.
    pub async fn settled(&self, grace: Duration) {
        let ended = async {
            while self.0.load.open(Kind::Session) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(grace, ended).await.is_err() {
            tracing::warn!("some sessions did not end in time and are cut");
        }
        self.0.graphs.settled().await;
    }

    /// Becomes true when it is time to end.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.0.stop.subscribe()
    }
}

/// The wall clock: for the end of keys and the time of log lines only.
#[must_use]
pub fn wall_clock() -> Time {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Time(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Takes in the directory as it stands.
async fn load(keyring: &Keyring, directory: &Handle) -> std::result::Result<Seq, Failure> {
    let (seq, tenants) = directory
        .read(|state| (reads::seq(state), reads::directory(state)))
        .await?;
    keyring.load(seq, tenants);
    Ok(seq)
}

/// Keeps the keyring up with the directory's journal until the server stops.
async fn follow(
    keyring: Arc<Keyring>,
    directory: Handle,
    mut at: Seq,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let records = tokio::select! {
            records = directory.records_after(at, 1_000) => records,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        let taken = match records {
            Ok(records) => {
                keyring.apply(&records);
                Ok(records.last().map_or(at, |record| record.seq))
            }
            Err(Failure::Pruned(_)) => load(&keyring, &directory).await,
            Err(failure) => Err(failure),
        };
        match taken {
            Ok(seq) => at = seq,
            Err(failure) => {
                tracing::warn!(%failure, "failed to follow the directory's journal; trying again");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}
