//! PostgreSQL as a participant: it votes, commits and rolls back by its own prepared transactions.
//!
//! The agent does its SQL itself and prepares it under the branch's name; here it is only looked for, committed or rolled back.
//! A vote keeps the transaction's number as evidence: when the name is gone later, the database itself says whether that number
//! was committed, so nothing is guessed.
use crate::Finding;
use crate::secret::Credential;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use fleet_types::txn::{Outcome, Phase};
use fleet_types::{TenantId, Text};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

/// Connections to one database: more would only wait for the same disk.
const CONNECTIONS_MAX: usize = 16;
/// Databases that are kept open.
const POOLS_MAX: usize = 256;

/// A prepared transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Its name.
    pub gid: String,
    /// For how long it has been so, by the database's clock.
    pub age: Duration,
}

/// Open connections, by tenant and connection string.
pub struct Pools {
    pools: Mutex<HashMap<(TenantId, String), Pool>>,
}

impl Pools {
    pub(crate) fn new() -> Self {
        Pools {
            pools: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, tenant: &TenantId, url: &Credential) -> Result<Pool, String> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (tenant.clone(), url.expose().to_owned());
        if let Some(pool) = pools.get(&key) {
            return Ok(pool.clone());
        }
        if pools.len() >= POOLS_MAX {
            pools.clear(); // Those in use live on until they are given back.
        }
        let pool = open(url)?;
        pools.insert(key, pool.clone());
        Ok(pool)
    }
}

/// What a connection string says. What is wrong with it is not said: that would quote it.
pub(crate) fn parse(url: &Credential) -> Result<Config, String> {
    let read = url.expose().parse();
    read.map_err(|_| "the connection string cannot be read".to_owned())
}

fn open(url: &Credential) -> Result<Pool, String> {
    let mut config = parse(url)?;
    config.application_name("fleetcommand");
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = match config.get_ssl_mode() {
        SslMode::Disable | SslMode::Prefer => Manager::from_config(config, NoTls, recycling),
        _ => Manager::from_config(config, tls()?, recycling),
    };
    let pool = Pool::builder(manager).max_size(CONNECTIONS_MAX).build();
    pool.map_err(|error| error.to_string())
}

/// Who asks for TLS gets it with the certificate verified.
fn tls() -> Result<tokio_postgres_rustls::MakeRustlsConnect, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be read proves nothing; the others may.
        let _ = roots.add(certificate);
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tokio_postgres_rustls::MakeRustlsConnect::new(config))
}

/// Votes, commits or rolls back.
pub(crate) async fn carry_out(
    pool: &Pool,
    phase: Phase,
    gid: &str,
    evidence: &str,
) -> Result<Finding, String> {
    let client = connect(pool).await?;
    match phase {
        Phase::Prepare => vote(&client, gid).await,
        Phase::Commit | Phase::Abort => finish(&client, phase, gid, evidence).await,
        Phase::Do | Phase::Undo => Ok(Finding::of(
            Outcome::Refused,
            "a database does no steps of a saga",
        )),
    }
}

async fn connect(pool: &Pool) -> Result<Object, String> {
    pool.get().await.map_err(|error| match error {
        deadpool_postgres::PoolError::Backend(error) => words(&error),
        other => other.to_string(),
    })
}

/// Prepared, in this database, and ours to commit: all of it must be so before we say yes, as there is no way back.
async fn vote(client: &Object, gid: &str) -> Result<Finding, String> {
    const LOOK: &str = "SELECT p.transaction::text, p.database = current_database(), \
        p.owner = current_user OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), \
        pg_snapshot_xmax(pg_current_snapshot())::text, current_user::text, p.owner::text, p.database::text \
        FROM pg_prepared_xacts p WHERE p.gid = $1";
    let look = client.prepare_cached(LOOK).await.map_err(|e| words(&e))?;
    let Some(row) = client
        .query_opt(&look, &[&gid])
        .await
        .map_err(|e| words(&e))?
    else {
        let why = format!("nothing is prepared as {gid}");
        return Ok(Finding::of(Outcome::Refused, &why));
    };
    let text = |at: usize| row.get::<_, String>(at);
    if !row.get::<_, bool>(1) {
        let why = format!(
            "it is prepared in database {}, to which this connector does not lead",
            text(6)
        );
        return Ok(Finding::of(Outcome::Refused, &why));
    }
    if !row.get::<_, bool>(2) {
        let why = format!(
            "{} may not commit what {} has prepared; let both be the same",
            text(4),
            text(5)
        );
        return Ok(Finding::of(Outcome::Refused, &why));
    }
    let (Ok(short), Ok(newest)) = (text(0).parse::<u32>(), text(3).parse::<u64>()) else {
        return Err("the database gave a transaction no number".to_owned());
    };
    Ok(Finding {
        evidence: Text::clip(&long(short, newest).to_string()),
        ..Finding::done()
    })
}

/// The number with its epoch: the one of these 32 bits that is nearest to a snapshot's end.
///
/// It may lie past that end, which follows the newest transaction that is *over*: of two that are prepared at the same time
/// the second does. It is never 2^31 away: the database stops before its own numbers come round to those in use.
fn long(short: u32, end: u64) -> u64 {
    let ahead = short.wrapping_sub(end as u32).cast_signed();
    end.saturating_add_signed(i64::from(ahead))
}

async fn finish(
    client: &Object,
    phase: Phase,
    gid: &str,
    evidence: &str,
) -> Result<Finding, String> {
    let verb = match phase {
        Phase::Commit => "COMMIT",
        _ => "ROLLBACK",
    };
    let sql = format!("{verb} PREPARED '{}'", gid.replace('\'', "''"));
    match client.batch_execute(&sql).await {
        Ok(()) => Ok(Finding::done()),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => {
            gone(client, phase, evidence).await
        }
        Err(error) => Err(words(&error)),
    }
}

/// Nothing has this name any more: an earlier attempt did it whose answer was lost, or somebody else did something.
async fn gone(client: &Object, phase: Phase, evidence: &str) -> Result<Finding, String> {
    if evidence.is_empty() {
        return Ok(match phase {
            Phase::Abort => Finding::of(Outcome::Done, "nothing was prepared"),
            _ => Finding::of(Outcome::Lost, "it is gone, and nobody saw it prepared"),
        });
    }
    const ASK: &str = "SELECT pg_xact_status($1::text::xid8)";
    let ask = client.prepare_cached(ASK).await.map_err(|e| words(&e))?;
    let status = match client.query_one(&ask, &[&evidence]).await {
        Ok(row) => row.get::<_, Option<String>>(0),
        // A number that the database has not given yet: it was set back behind this transaction.
        Err(error) if error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) => None,
        Err(error) => return Err(words(&error)),
    };
    let was = format!("it is gone; the database says of transaction {evidence}: ");
    Ok(match (phase, status.as_deref()) {
        (Phase::Commit, Some("committed")) | (Phase::Abort, Some("aborted")) => Finding::done(),
        (_, Some("committed")) => Finding::of(Outcome::Committed, &(was + "committed")),
        (_, Some("aborted")) => Finding::of(Outcome::RolledBack, &(was + "aborted")),
        (_, Some(status)) => Finding::failed(was + status),
        (_, None) => Finding::of(Outcome::Lost, &(was + "nothing")),
    })
}

/// Those whose names begin with this mark.
pub(crate) async fn prepared(pool: &Pool, mark: &str) -> Result<Vec<Prepared>, String> {
    const LIST: &str = "SELECT gid::text, GREATEST(0, EXTRACT(epoch FROM clock_timestamp() - prepared) * 1000)::int8 \
        FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, $1) ORDER BY gid";
    let client = connect(pool).await?;
    let list = client.prepare_cached(LIST).await.map_err(|e| words(&e))?;
    let rows = client.query(&list, &[&format!("{mark}:")]).await;
    let of = |row: &tokio_postgres::Row| Prepared {
        gid: row.get(0),
        age: Duration::from_millis(u64::try_from(row.get::<_, i64>(1)).unwrap_or(0)),
    };
    Ok(rows.map_err(|e| words(&e))?.iter().map(of).collect())
}

pub(crate) async fn roll_back(pool: &Pool, gid: &str) -> Result<(), String> {
    let client = connect(pool).await?;
    finish(&client, Phase::Abort, gid, "").await.map(drop)
}

/// Reachable, and able to keep prepared transactions.
pub(crate) async fn check(pool: &Pool) -> Result<(), String> {
    let client = connect(pool).await?;
    let row = client.query_one(
        "SELECT current_setting('max_prepared_transactions')::int4",
        &[],
    );
    match row.await.map_err(|e| words(&e))?.get::<_, i32>(0) {
        0 => Err("max_prepared_transactions is 0: set it, and start the database again".to_owned()),
        _ => Ok(()),
    }
}

/// An error with its causes, without what was sent.
fn words(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{}: {}", error.code().code(), error.message());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += ": ";
        text += &error.to_string();
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_number_is_the_one_nearest_to_the_end_of_the_snapshot() {
        assert_eq!(long(700, 800), 700);
        assert_eq!(long(701, 700), 701, "an older one is prepared, too");
        assert_eq!(long(700, (3 << 32) + 800), (3 << 32) + 700);
        assert_eq!(long(900, (3 << 32) + 800), (3 << 32) + 900);
        assert_eq!(long(u32::MAX, (3 << 32) + 800), (3 << 32) - 1);
        assert_eq!(long(5, (3 << 32) - 10), (3 << 32) + 5);
    }

    #[test]
    fn a_bad_connection_string_is_not_quoted() {
        let why = open(&Credential::example("host=h pasword=geheim"))
            .err()
            .unwrap();
        assert!(!why.contains("geheim") && !why.contains("pasword"), "{why}");
    }
}
