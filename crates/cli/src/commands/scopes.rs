//! `fleet scopes`: the tree.
use super::tell_change;
use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Detail, Row};
use crate::{parse, show};
use clap::Subcommand;
use fleet_types::scope::Scope;
use fleet_types::{ScopePath, Text, view};
use serde::Serialize;

/// Scopes
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet scopes set emea/treasury --description \"Treasury, EMEA\"
  fleet scopes list")]
pub enum Command {
    /// List the nodes of the tree
    List,
    /// Show one node
    Get {
        /// Which
        path: ScopePath,
    },
    /// Declare a node
    Set {
        /// Where
        path: ScopePath,
        /// What it is
        #[arg(long, value_parser = parse::text, default_value = "")]
        description: Text,
        /// A label; may be given several times
        #[arg(short, long, value_parser = parse::label, value_name = "KEY=VALUE")]
        label: Vec<(String, String)>,
    },
    /// Remove a declared node in which no agent stands
    Remove {
        /// Which
        path: ScopePath,
    },
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List => {
            let rows: Vec<_> = fleet.scopes().await?.into_iter().map(Shown).collect();
            output::list(
                global.output,
                &rows,
                "no scopes yet: fleet scopes set PATH, or fleet agents register AGENT --scope PATH",
            )
        }
        Command::Get { path } => output::detail(global.output, &Shown(fleet.scope(&path).await?)),
        Command::Set {
            path,
            description,
            label,
        } => {
            let labels = parse::labels(&label).map_err(Failure::usage)?;
            let scope = Scope {
                path,
                description,
                labels,
            };
            let changed = fleet.put_scope(&scope).await?.changed;
            tell_change(changed, &format!("scope {} is declared", scope.path));
            Ok(())
        }
        Command::Remove { path } => {
            fleet.remove_scope(&path).await?;
            eprintln!("scope {path} is removed");
            Ok(())
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(view::Scope);

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "SCOPE",
        "AGENTS",
        "LIMITS",
        "RULES",
        "BUDGETS",
        "DESCRIPTION",
    ];
    fn cells(&self) -> Vec<String> {
        vec![
            self.0.path.to_string(),
            show::number(self.0.agents),
            show::list(&self.0.limits),
            show::list(&self.0.rules),
            show::list(&self.0.budgets),
            self.0.description.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.path.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        vec![
            ("scope", self.0.path.to_string()),
            ("description", self.0.description.to_string()),
            ("labels", show::labels(&self.0.labels)),
            (
                "agents",
                format!("{} in it and below", show::number(self.0.agents)),
            ),
            ("limits", show::list(&self.0.limits)),
            ("rules", show::list(&self.0.rules)),
            ("budgets", show::list(&self.0.budgets)),
        ]
    }
    fn name(&self) -> String {
        self.0.path.to_string()
    }
}
