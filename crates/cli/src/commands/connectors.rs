//! `fleet connectors`: ways to the outside systems that take part in transactions.
use super::{apply, tell_change};
use crate::context::{Global, Watch};
use crate::failure::Outcome;
use crate::output::{self, Detail, Row};
use crate::show;
use clap::Subcommand;
use fleet_types::ConnectorId;
use fleet_types::connector::{Connector, Secret, To};
use serde::Serialize;
use std::path::PathBuf;

/// Connectors
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet connectors set -f bank-eu.yaml
  fleet connectors list
  fleet connectors get bank-eu
  fleet connectors remove bank-eu

A connector names its credential, which the server reads where it is used: a variable of its environment that begins with
CONNECTOR_, or a file in secrets/TENANT/ of its data directory.")]
pub enum Command {
    /// List connectors
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one connector
    Get {
        /// Which
        connector: ConnectorId,
    },
    /// Set a connector, as a file says
    ///
    /// The credential that it names must be there: a variable of the server's environment that begins with CONNECTOR_, or a file in
    /// secrets/TENANT/ of its data directory. Whether the system itself is there is seen when it is first asked.
    Set {
        /// The file, as YAML or JSON; - reads standard input
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Remove a connector that no transaction uses
    Remove {
        /// Which
        connector: ConnectorId,
    },
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List { watch } => {
            let empty = "no connectors yet: fleet connectors set -f FILE";
            let get = async || fleet.connectors().await;
            watch.list(global.output, Shown, empty, get).await
        }
        Command::Get { connector } => {
            output::detail(global.output, &Shown(fleet.connector(&connector).await?))
        }
        Command::Set { file } => {
            let connector: Connector = apply::read_one(&file)?;
            let changed = fleet.put_connector(&connector).await?.changed;
            tell_change(
                changed,
                &format!("connector {}: {}", connector.id, to(&connector.to)),
            );
            Ok(())
        }
        Command::Remove { connector } => {
            fleet.remove_connector(&connector).await?;
            eprintln!("connector {connector} is removed");
            Ok(())
        }
    }
}

/// `postgres by CONNECTOR_EU`.
fn to(to: &To) -> String {
    match to {
        To::Postgres { url } => format!("postgres by {}", secret(url)),
        To::Webhook { url, secret: key } => format!("webhook {url}, signed with {}", secret(key)),
    }
}

fn secret(secret: &Secret) -> String {
    match secret {
        Secret::Env(name) => name.to_string(),
        Secret::File(name) => format!("file {name}"),
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Connector);

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &["CONNECTOR", "TO", "TIMEOUT", "DESCRIPTION"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.0.id.to_string(),
            to(&self.0.to),
            timeout(&self.0),
            self.0.description.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.id.to_string()
    }
}

fn timeout(connector: &Connector) -> String {
    show::span_ms(connector.timeout_ms.map_or(10_000, |span| span.0))
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        vec![
            ("connector", self.0.id.to_string()),
            ("to", to(&self.0.to)),
            ("timeout", timeout(&self.0)),
            ("mark", self.0.mark.to_string()),
            ("description", self.0.description.to_string()),
        ]
    }
    fn name(&self) -> String {
        self.0.id.to_string()
    }
}
