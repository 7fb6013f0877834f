//! `fleet fleets`: the tenant's fleets.
use super::tell_change;
use crate::context::Global;
use crate::failure::Outcome;
use crate::output::{self, Row};
use clap::Subcommand;
use fleet_types::{FleetId, TenantId};
use serde::Serialize;

/// Fleets
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet fleets list
  fleet fleets create staging")]
pub enum Command {
    /// List the fleets that the key opens
    List,
    /// Add a fleet
    Create {
        /// Its name
        name: FleetId,
    },
    /// Add a tenant; for the server's own admin
    CreateTenant {
        /// Its name
        tenant: TenantId,
    },
}

#[derive(Serialize)]
struct Shown {
    tenant: TenantId,
    fleet: FleetId,
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &["FLEET", "TENANT"];
    fn cells(&self) -> Vec<String> {
        vec![self.fleet.to_string(), self.tenant.to_string()]
    }
    fn name(&self) -> String {
        self.fleet.to_string()
    }
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let http = global.http()?;
    match command {
        Command::List => {
            let list = http.fleets().await?;
            let rows: Vec<_> = list
                .fleets
                .into_iter()
                .map(|fleet| Shown {
                    tenant: list.tenant.clone(),
                    fleet,
                })
                .collect();
            output::list(
                global.output,
                &rows,
                "no fleets yet: fleet fleets create NAME",
            )
        }
        Command::Create { name } => {
            let changed = http.create_fleet(name.clone()).await?.changed;
            tell_change(
                changed,
                &format!("fleet {name} is there; name it with --fleet {name}"),
            );
            Ok(())
        }
        Command::CreateTenant { tenant } => {
            let changed = http.create_tenant(tenant.clone()).await?.changed;
            tell_change(
                changed,
                &format!(
                    "tenant {tenant} is there; issue its first key: fleet keys issue --tenant {tenant} --role admin"
                ),
            );
            Ok(())
        }
    }
}
