//! The first key of a server: written straight into its directory, while it is stopped.
use crate::config::{Config, Store};
use crate::error::Error;
use crate::wiring;
use fleet_api::auth::secret;
use fleet_types::directory::{Command as Directory, Key};
use fleet_types::{Actor, Role, Text};
use std::path::Path;

/// Makes an admin key of the default tenant and tells its token, once.
///
/// # Errors
/// When the data directory cannot be opened, as when the server runs.
pub async fn bootstrap_key(data: &Path) -> Result<String, Error> {
    let config = Config {
        data: data.to_owned(),
        store: Store::Sqlite,
        ..Config::default()
    };
    let fleets = tokio::task::spawn_blocking(move || wiring::open(&config))
        .await
        .map_err(|error| Error::Journal(error.to_string()))??;
    let issued = issue(&fleets).await;
    fleets.stop().await;
    issued
}

async fn issue(fleets: &fleet_runtime::Fleets) -> Result<String, Error> {
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
