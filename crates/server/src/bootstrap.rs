//! The first key of a server: written straight into its directory, while it is stopped.
use crate::config::{Config, Store};
use crate::error::Error;
use crate::wiring;
use fleet_api::auth::secret;
use fleet_core::read;
use fleet_runtime::{Clock, Fleets, WallClock};
use fleet_types::directory::{Command as Directory, Key};
use fleet_types::{Actor, KeyId, Role, Text};
use std::path::Path;

/// Makes an admin key of the default tenant and tells its token, once. Where an admin key opens already, it is made only
/// as `another`.
///
/// # Errors
/// When the data directory cannot be opened, as when the server runs, and when there is an admin key already.
pub async fn bootstrap_key(data: &Path, another: bool) -> Result<String, Error> {
    let config = Config {
        data: data.to_owned(),
        store: Store::Sqlite,
        ..Config::default()
    };
    let fleets = tokio::task::spawn_blocking(move || wiring::open(&config, None))
        .await
        .map_err(|error| Error::Journal(error.to_string()))??;
    let issued = match admin_keys(&fleets).await {
        Ok(known) if !known.is_empty() && !another => Err(Error::KeyExists {
            known,
            data: data.to_owned(),
        }),
        Ok(_) => issue(&fleets).await,
        Err(error) => Err(error),
    };
    fleets.stop().await;
    issued
}

/// The admin keys of the default tenant that open now.
async fn admin_keys(fleets: &Fleets) -> Result<Vec<KeyId>, Error> {
    let (default, _) = wiring::default_names();
    let directory = fleets.directory().read(read::directory).await;
    let tenants = directory.map_err(|failure| Error::Fleet {
        doing: "read the directory",
        why: failure.to_string(),
    })?;
    let now = WallClock.now();
    let opens = |key: &Key| {
        key.role == Role::Admin && key.expires_at.is_none_or(|expires_at| now < expires_at)
    };
    let keys = tenants
        .into_iter()
        .filter(|(tenant, ..)| *tenant == default)
        .flat_map(|(.., keys)| keys);
    Ok(keys.filter(opens).map(|key| key.id).collect())
}

async fn issue(fleets: &Fleets) -> Result<String, Error> {
    wiring::furnish(fleets, &Actor::Local).await?;
    let fresh = secret::generate().map_err(|error| Error::Fleet {
        doing: "make a secret",
        why: error.to_string(),
    })?;
    let key = Key {
        id: fresh.id,
        tenant: wiring::default_names().0,
        fleet: None,
        scope: None,
        agent: None,
        role: Role::Admin,
        hash: fresh.hash,
        description: Text::clip("first admin key, by `fleet keys bootstrap`"),
        expires_at: None,
    };
    let command = Directory::IssueKey(Box::new(key));
    wiring::direct(&fleets.directory(), &Actor::Local, command).await?;
    Ok(fresh.token)
}
