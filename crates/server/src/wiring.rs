//! Journal, runtime and directory, put together.
use crate::config::{Config, Store};
use crate::error::Error;
use fleet_api::auth::caller::TENANT_DEFAULT;
use fleet_journal::{Journal, Memory, Sqlite, sqlite};
use fleet_runtime::fleets::Opened;
use fleet_runtime::{Fleets, Handle, Options};
use fleet_types::directory::Command as Directory;
use fleet_types::settings::{DefaultDecision, Settings};
use fleet_types::{Actor, Command, Envelope, FleetId, Reply, TenantId};

/// The fleet that every server has.
pub const FLEET_DEFAULT: &str = "main";

/// Opens the journal and starts its fleets; `opened` hears of each.
pub fn open(config: &Config, opened: Option<Opened>) -> Result<Fleets, Error> {
    let journal: Box<dyn Journal> = match config.store {
        Store::Memory => Box::new(Memory::default()),
        Store::Sqlite => {
            let options = sqlite::Options {
                archive: config.archive.clone(),
                ..sqlite::Options::default()
            };
            let opened = Sqlite::open(&config.data, options);
            Box::new(opened.map_err(|error| Error::Journal(error.chain()))?)
        }
    };
    let options = Options {
        snapshot_every: config.snapshot_every,
        keep_events: config.keep_events,
        opened,
        ..Options::default()
    };
    Fleets::start(journal, options).map_err(Error::Journal)
}

/// The tenant and the fleet that every server has.
pub fn default_names() -> (TenantId, FleetId) {
    let tenant = TenantId::parse(TENANT_DEFAULT).expect("it is a name");
    let fleet = FleetId::parse(FLEET_DEFAULT).expect("it is a name");
    (tenant, fleet)
}

/// Makes the default tenant and its fleet where they are missing.
pub async fn furnish(fleets: &Fleets, by: &Actor) -> Result<(), Error> {
    let (tenant, fleet) = default_names();
    let directory = fleets.directory();
    let create = Directory::CreateTenant {
        tenant: tenant.clone(),
    };
    direct(&directory, by, create).await?;
    direct(&directory, by, Directory::CreateFleet { tenant, fleet }).await?;
    Ok(())
}

/// Lets everything happen that nothing forbids, in a default fleet that is as good as new.
pub async fn loosen(fleets: &Fleets) -> Result<(), Error> {
    let doing = "set up the fleet for trying things out";
    let failed = |why: String| Error::Fleet { doing, why };
    let (tenant, fleet) = default_names();
    let main = fleets
        .get(&tenant, &fleet)
        .await
        .map_err(|failure| failed(failure.to_string()))?
        .ok_or_else(|| failed("it is not there".to_owned()))?;
    if main.durable().0 > 0 {
        return Ok(());
    }
    let settings = Settings {
        default_decision: DefaultDecision::Allow,
        auto_register: true,
        ..Settings::default()
    };
    call(
        &main,
        &Actor::Local,
        Command::Configure(Box::new(settings)),
        doing,
    )
    .await?;
    Ok(())
}

/// Changes the directory.
pub async fn direct(directory: &Handle, by: &Actor, command: Directory) -> Result<Reply, Error> {
    call(
        directory,
        by,
        Command::Directory(command),
        "change the directory",
    )
    .await
}

async fn call(
    handle: &Handle,
    by: &Actor,
    command: Command,
    doing: &'static str,
) -> Result<Reply, Error> {
    let failed = |why: String| Error::Fleet { doing, why };
    handle
        .call(Envelope {
            by: by.clone(),
            command,
        })
        .await
        .map_err(|failure| failed(failure.to_string()))?
        .map_err(|rejection| failed(rejection.message.to_string()))
}
