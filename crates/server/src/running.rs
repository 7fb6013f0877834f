//! A running server: start, wait, stop.
//!
//! The order of a stop: nothing new is accepted; sessions and streams are told to come back; requests in work end, for at
//! most [`Config::stop_ms`]; then every fleet finishes what it took and is closed. What was acknowledged is durable
//! before that already (I3), so an abrupt end loses nothing either; it only takes longer to start again.
use crate::config::{Config, Mode as ConfigMode};
use crate::desk::{self, Desks};
use crate::error::Error;
use crate::{listen, logging, wiring};
use fleet_api::{App, Mode, router};
use fleet_runtime::Fleets;
use fleet_types::Actor;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long sessions may take to hear that they should come back.
const SESSIONS_GRACE: Duration = Duration::from_secs(3);

/// A server that listens. Dropped, it ends abruptly; [`Running::stop`] ends it in order.
pub struct Running {
    /// Where it listens; the real port where 0 was asked for.
    pub addr: SocketAddr,
    app: App,
    fleets: Fleets,
    desks: Desks,
    stopping: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// Starts a server.
///
/// # Errors
/// When the configuration is unsafe, the journal cannot be opened, or the address is taken.
pub async fn start(config: Config) -> Result<Running, Error> {
    let mode = match config.mode {
        ConfigMode::Dev => Mode::open(config.listen)?,
        ConfigMode::Serve => Mode::keys(),
    };
    let opening = config.clone();
    let (opened, announcements) = desk::announcements();
    let fleets = tokio::task::spawn_blocking(move || wiring::open(&opening, Some(opened)))
        .await
        .map_err(|error| Error::Journal(error.to_string()))??;
    match listening(&config, mode, &fleets).await {
        Ok((listener, app)) => run_on(&config, listener, app, fleets, announcements),
        Err(error) => {
            fleets.stop().await;
            Err(error)
        }
    }
}

async fn listening(
    config: &Config,
    mode: Mode,
    fleets: &Fleets,
) -> Result<(TcpListener, App), Error> {
    if mode.is_open() {
        wiring::furnish(fleets, &Actor::Local).await?;
        wiring::loosen(fleets).await?;
    }
    let app = App::start(fleets.clone(), mode, config.limits.limits())
        .await
        .map_err(|failure| Error::Fleet {
            doing: "read the directory",
            why: failure.to_string(),
        })?;
    if !mode.is_open() && app.keyring().is_empty() {
        return Err(Error::NoKeys {
            address: config.listen,
            data: config.data.clone(),
        });
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| Error::Listen {
            address: config.listen,
            source,
        })?;
    Ok((listener, app))
}

fn run_on(
    config: &Config,
    listener: TcpListener,
    app: App,
    fleets: Fleets,
    announcements: desk::Announcements,
) -> Result<Running, Error> {
    let (default, _) = wiring::default_names();
    let outside = config.outside.clone();
    let secrets = desk::secrets(&outside, &config.data, &default);
    app.check_connectors(Box::new(move |tenant, connector| {
        let found = secrets.check(tenant, connector);
        found.map_err(|why| (why.field, why.words))
    }));
    let desks = Desks::start(announcements, &fleets, &config.data, outside, &default);
    let desks = desks.map_err(|why| Error::Fleet {
        doing: "set up the ways to outside systems",
        why,
    })?;
    let addr = listener.local_addr().map_err(|source| Error::Io {
        doing: "read the listener's address",
        source,
    })?;
    let (stopping, stop) = watch::channel(false);
    let grace = Duration::from_millis(config.stop_ms);
    let serving = listen::serve(listener, router(app.clone()), config.limits, stop, grace);
    let serving = tokio::spawn(serving);
    banner(config, addr);
    Ok(Running {
        addr,
        app,
        fleets,
        desks,
        stopping,
        serving,
    })
}

fn banner(config: &Config, addr: SocketAddr) {
    let version = env!("CARGO_PKG_VERSION");
    match config.mode {
        ConfigMode::Dev => tracing::info!(
            %addr, version, data = %config.data.display(), store = ?config.store,
            "FleetCommand listens, open to whoever is on this machine; no keys, everything allowed that nothing forbids"
        ),
        ConfigMode::Serve => tracing::info!(
            %addr, version, data = %config.data.display(), store = ?config.store,
            "FleetCommand listens; every request needs a key"
        ),
    }
    tracing::info!(
        "try: curl http://{addr}/healthz; the API is described at http://{addr}/openapi.json"
    );
}

impl Running {
    /// Its fleets, for whoever embeds the server.
    #[must_use]
    pub fn fleets(&self) -> &Fleets {
        &self.fleets
    }

    /// Waits until the server must end because its journal cannot be trusted any more.
    pub async fn failed(&self) -> Error {
        Error::Fatal(self.fleets.fatal().await)
    }

    /// Ends it in order.
    pub async fn stop(self) {
        tracing::info!("stopping: finishing what is in work");
        self.app.stop();
        self.stopping.send_replace(true);
        if self.serving.await.is_err() {
            tracing::error!("the listener had ended before");
        }
        self.app.settled(SESSIONS_GRACE).await;
        self.desks.stop().await;
        self.fleets.stop().await;
        tracing::info!("stopped; everything acknowledged is durable");
    }
}

/// Starts logging and serves until SIGTERM, SIGINT or a failure that only a new start mends.
///
/// # Errors
/// As [`start`], and when it had to end.
pub async fn run(config: Config) -> Result<(), Error> {
    logging::start(&config);
    let running = start(config).await?;
    let asked = asked_to_end()?;
    let failure = tokio::select! {
        () = asked => None,
        failure = running.failed() => Some(failure),
    };
    running.stop().await;
    failure.map_or(Ok(()), Err)
}

/// Ends when the process is asked to.
fn asked_to_end() -> Result<impl Future<Output = ()>, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| {
        signal(kind).map_err(|source| Error::Io {
            doing: "listen for signals",
            source,
        })
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to end by SIGTERM"),
            _ = interrupt.recv() => tracing::info!("asked to end by SIGINT"),
        }
    })
}
