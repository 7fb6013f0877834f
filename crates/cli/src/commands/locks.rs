//! `fleet locks`: who holds what, who waits, and whether a fencing token stands.
use crate::context::{Global, Watch};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Format, Row};
use crate::{exit, paint, show};
use clap::Subcommand;
use fleet_types::view::Lock;
use fleet_types::{ResourcePath, Token};
use serde::Serialize;

/// Locks
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet locks list
  fleet locks list ledger/eu --watch
  fleet locks validate ledger/eu/account-7 --token 42     exits with 5 when it does not stand")]
pub enum Command {
    /// List resources that are held or waited for
    List {
        /// This one and those below it
        under: Option<ResourcePath>,
        #[command(flatten)]
        watch: Watch,
    },
    /// Say whether a fencing token still stands for its resource
    Validate {
        /// The resource
        resource: ResourcePath,
        /// The token that came with the write
        #[arg(long)]
        token: u64,
    },
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List { under, watch } => {
            let empty = "nothing is held: a permit holds what it names with --exclusive, --shared or --commuting";
            let get = async || fleet.locks(under.as_ref()).await;
            watch.list(global.output, Shown, empty, get).await
        }
        Command::Validate { resource, token } => {
            let validity = fleet.validate(resource, Token(token)).await?;
            match global.output {
                Format::Table | Format::Name => {
                    let word = if validity.valid {
                        paint::good("valid")
                    } else {
                        paint::bad("stale")
                    };
                    output::write(&format!("{word}\n"))?;
                }
                Format::Json | Format::Yaml => output::raw(global.output, &validity)?,
            }
            if validity.valid {
                Ok(())
            } else {
                Err(Failure::told(exit::CONFLICT))
            }
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Lock);

impl Row for Shown {
    const COLUMNS: &'static [&'static str] =
        &["RESOURCE", "MODE", "HELD BY", "TOKEN", "UNTIL", "WAITING"];
    fn cells(&self) -> Vec<String> {
        let holders = &self.0.holders;
        let waiting: Vec<String> = self
            .0
            .waiters
            .iter()
            .map(|waiter| format!("{} ({})", waiter.agent, waiter.permit))
            .collect();
        let names: Vec<String> = holders
            .iter()
            .map(|holder| format!("{} ({})", holder.agent, holder.permit))
            .collect();
        vec![
            self.0.path.to_string(),
            holders
                .first()
                .map_or("-".to_owned(), |holder| show::word(&holder.mode)),
            show::joined(&names, ", ", "-"),
            holders
                .iter()
                .map(|holder| holder.token)
                .max()
                .map_or("-".to_owned(), |token| token.to_string()),
            holders
                .iter()
                .map(|holder| holder.until)
                .max()
                .map_or("-".to_owned(), show::relative),
            show::joined(&waiting, ", ", "-"),
        ]
    }
    fn name(&self) -> String {
        self.0.path.to_string()
    }
}
