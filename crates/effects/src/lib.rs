//! Does outside what core says is due: tells the participants of transactions, and finds out how it went.
//!
//! - What is done here was durable before (I10); it is done at least once, with an id by which the receiver knows a repeat.
//! - One attempt is one call, bounded in time; when and how often it is made is core's to say.
//! - A credential is read where it is used. It is never in a log, an error or an answer.
//!
//! This crate knows neither `State` nor the journal: it gets a task and gives a finding. Whoever wires it up reports back.
pub mod postgres;
pub mod secret;
pub mod webhook;

pub use secret::{Secrets, Unusable};

use fleet_types::connector::{Connector, To};
use fleet_types::txn::{Order, Outcome};
use fleet_types::{FleetId, TenantId, Text};
use smol_str::SmolStr;
use std::sync::Arc;
use std::time::Duration;

/// How long one attempt may take when the connector does not say.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One thing to do.
#[derive(Clone, Debug)]
pub struct Task {
    /// What, for which branch.
    pub order: Order,
    /// By which way.
    pub connector: Arc<Connector>,
    /// The name of the prepared transaction, in a database.
    pub gid: Option<SmolStr>,
    /// By what the outcome can be found out, as an earlier finding said.
    pub evidence: Text,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it went.
    pub outcome: Outcome,
    /// Why, in words for people.
    pub reason: Text,
    /// By what it can be found out later.
    pub evidence: Text,
}

impl Finding {
    /// It is so.
    #[must_use]
    pub fn done() -> Self {
        Finding::of(Outcome::Done, "")
    }

    /// A finding, and why.
    #[must_use]
    pub fn of(outcome: Outcome, reason: &str) -> Self {
        Finding {
            outcome,
            reason: Text::clip(reason),
            evidence: Text::default(),
        }
    }

    /// Not now, or not known: to be tried again.
    #[must_use]
    pub fn failed(reason: impl AsRef<str>) -> Self {
        Finding::of(Outcome::Failed, reason.as_ref())
    }
}

/// All ways to the outside.
pub struct Executors {
    secrets: Secrets,
    postgres: postgres::Pools,
    webhook: webhook::Sender,
}

impl Executors {
    /// With credentials from here.
    ///
    /// # Errors
    /// When TLS cannot be set up, in words.
    pub fn new(secrets: Secrets) -> Result<Self, String> {
        // Another part of the program may have chosen the same one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Executors {
            secrets,
            postgres: postgres::Pools::new(),
            webhook: webhook::Sender::new()?,
        })
    }

    /// Makes one attempt.
    pub async fn carry_out(&self, tenant: &TenantId, fleet: &FleetId, task: &Task) -> Finding {
        let span = timeout_of(&task.connector);
        let attempt = async {
            match &task.connector.to {
                To::Postgres { url } => {
                    let url = self.secrets.read(tenant, url)?;
                    let pool = self.postgres.get(tenant, &url)?;
                    let Some(gid) = &task.gid else {
                        return Err("the branch has no name in the database".to_owned());
                    };
                    postgres::carry_out(&pool, task.order.phase, gid, task.evidence.as_str()).await
                }
                To::Webhook { url, secret } => {
                    let secret = self.secrets.read(tenant, secret)?;
                    self.webhook.send(fleet, &task.order, url, &secret).await
                }
            }
        };
        match tokio::time::timeout(span, attempt).await {
            Ok(Ok(finding)) => finding,
            Ok(Err(why)) => Finding::failed(why),
            Err(_) => Finding::failed(format!("no answer within {} ms", span.as_millis())),
        }
    }

    /// The prepared transactions that carry a connector's mark, with their ages.
    ///
    /// # Errors
    /// When the database cannot be asked, in words.
    pub async fn prepared(
        &self,
        tenant: &TenantId,
        connector: &Connector,
    ) -> Result<Vec<postgres::Prepared>, String> {
        let To::Postgres { url } = &connector.to else {
            return Ok(Vec::new());
        };
        let url = self.secrets.read(tenant, url)?;
        let pool = self.postgres.get(tenant, &url)?;
        let listing = postgres::prepared(&pool, connector.mark.as_str());
        in_time(connector, listing).await
    }

    /// Rolls back a prepared transaction that belongs to nobody any more.
    ///
    /// # Errors
    /// When the database refuses, in words.
    pub async fn roll_back(
        &self,
        tenant: &TenantId,
        connector: &Connector,
        gid: &str,
    ) -> Result<(), String> {
        let To::Postgres { url } = &connector.to else {
            return Ok(());
        };
        let url = self.secrets.read(tenant, url)?;
        let pool = self.postgres.get(tenant, &url)?;
        in_time(connector, postgres::roll_back(&pool, gid)).await
    }

    /// Whether a connector's outside can be reached now, with the credentials as they are.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn check(&self, tenant: &TenantId, connector: &Connector) -> Result<(), String> {
        match &connector.to {
            To::Postgres { url } => {
                let url = self.secrets.read(tenant, url)?;
                let pool = self.postgres.get(tenant, &url)?;
                in_time(connector, postgres::check(&pool)).await
            }
            To::Webhook { secret, .. } => {
                let secret = self.secrets.read(tenant, secret)?;
                webhook::key(&secret).map(drop)
            }
        }
    }
}

fn timeout_of(connector: &Connector) -> Duration {
    let millis = connector
        .timeout_ms
        .map(|span| Duration::from_millis(span.0));
    millis.unwrap_or(TIMEOUT)
}

async fn in_time<T>(
    connector: &Connector,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let span = timeout_of(connector);
    match tokio::time::timeout(span, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("no answer within {} ms", span.as_millis())),
    }
}
