//! `fleet actions`: the catalogue.
use super::tell_change;
use crate::context::Global;
use crate::failure::Outcome;
use crate::output::{self, Detail, Row};
use crate::parse;
use clap::Subcommand;
use fleet_types::action::Action;
use fleet_types::{Pattern, Text};
use serde::Serialize;

/// Actions
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet actions set 'position.reduce.**' --risk-reducing
  fleet actions list")]
pub enum Command {
    /// List the catalogue
    List,
    /// Show one entry
    Get {
        /// Which
        pattern: Pattern,
    },
    /// Set an entry
    Set {
        /// Which actions, such as 'payment.*'
        pattern: Pattern,
        /// What they do
        #[arg(long, value_parser = parse::text, default_value = "")]
        description: Text,
        /// They pass a halt of mode risk-reducing-only
        #[arg(long)]
        risk_reducing: bool,
    },
    /// Remove an entry
    Remove {
        /// Which
        pattern: Pattern,
    },
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List => {
            let rows: Vec<_> = fleet.actions().await?.into_iter().map(Shown).collect();
            output::list(
                global.output,
                &rows,
                "the catalogue is empty: fleet actions set PATTERN --description TEXT",
            )
        }
        Command::Get { pattern } => {
            output::detail(global.output, &Shown(fleet.action(&pattern).await?))
        }
        Command::Set {
            pattern,
            description,
            risk_reducing,
        } => {
            let action = Action {
                pattern,
                description,
                risk_reducing,
            };
            let changed = fleet.put_action(&action).await?.changed;
            tell_change(changed, &format!("action {} is set", action.pattern));
            Ok(())
        }
        Command::Remove { pattern } => {
            fleet.remove_action(&pattern).await?;
            eprintln!("action {pattern} is removed");
            Ok(())
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Action);

fn risk(action: &Action) -> String {
    if action.risk_reducing {
        "reduces it"
    } else {
        "-"
    }
    .to_owned()
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &["ACTION", "RISK", "DESCRIPTION"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.0.pattern.to_string(),
            risk(&self.0),
            self.0.description.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.pattern.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        vec![
            ("action", self.0.pattern.to_string()),
            ("risk", risk(&self.0)),
            ("description", self.0.description.to_string()),
        ]
    }
    fn name(&self) -> String {
        self.0.pattern.to_string()
    }
}
