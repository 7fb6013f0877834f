//! `fleet versions`: of which version a resource is, and who wrote it last.
use crate::context::Global;
use crate::failure::Outcome;
use crate::output::{self, Detail};
use crate::show;
use clap::Subcommand;
use fleet_types::ResourcePath;
use fleet_types::version::View;
use serde::Serialize;

/// Versions
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet versions get ledger/eu/account-7
  fleet permits request account.update --agent ann -x ledger/eu/account-7 --if-version ledger/eu/account-7=42")]
pub enum Command {
    /// Show the version of a resource; its versions are kept from the first time on
    Get {
        /// The resource
        resource: ResourcePath,
    },
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::Get { resource } => {
            output::detail(global.output, &Shown(fleet.version(&resource).await?))
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(View);

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let written = self.0.written.as_ref().map(|by| {
            format!(
                "{} by {} ({}, token {}), as {}",
                show::relative(by.at),
                by.agent,
                by.permit,
                by.token,
                by.path
            )
        });
        let below: Vec<String> = self
            .0
            .below
            .iter()
            .map(|it| format!("{} {}", it.path, it.version))
            .collect();
        vec![
            ("resource", self.0.path.to_string()),
            ("version", self.0.version.to_string()),
            (
                "written",
                written.unwrap_or_else(|| "not since it is kept".to_owned()),
            ),
            ("below", show::joined(&below, "\n", "-")),
        ]
    }
    fn name(&self) -> String {
        self.0.version.to_string()
    }
}
