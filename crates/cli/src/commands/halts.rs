//! `fleet halts`: those in force, and how far the word of each has spread.
use super::halt::spread;
use crate::context::{Global, Watch};
use crate::failure::Outcome;
use crate::output::{self, Detail, Row};
use crate::{paint, show};
use clap::Subcommand;
use fleet_types::HaltId;
use fleet_types::view::Halt;
use serde::Serialize;

/// Halts
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet halts list
  fleet halts list --all
  fleet halts get h42 --watch")]
pub enum Command {
    /// List halts in force
    List {
        /// Released ones too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one halt: who has acknowledged, how fast, and who has not
    Get {
        /// Which
        halt: HaltId,
        #[command(flatten)]
        watch: Watch,
    },
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List { all, watch } => {
            let empty = if all {
                "no halt was ever ordered here"
            } else {
                "no halt is in force"
            };
            let get = async || fleet.halts(!all).await;
            watch.list(global.output, Shown, empty, get).await
        }
        Command::Get { halt, watch } => {
            watch
                .each(async || output::detail(global.output, &Shown(fleet.halt_of(halt).await?)))
                .await
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Halt);

impl Shown {
    fn state(&self) -> String {
        match (self.0.released_at, &self.0.release_requested_by) {
            (Some(at), _) => format!("released {}", show::relative(at)),
            (None, Some(by)) => paint::bad(&format!(
                "in force; {} asked for its release",
                show::actor(by)
            )),
            (None, None) => paint::bad("in force"),
        }
    }
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "HALT",
        "STATE",
        "TARGET",
        "MODE",
        "ORDERED",
        "BY",
        "ACKNOWLEDGED",
        "REASON",
    ];
    fn cells(&self) -> Vec<String> {
        let halt = &self.0;
        vec![
            halt.id.to_string(),
            self.state(),
            show::target(&halt.order.target),
            show::word(&halt.mode),
            show::relative(halt.at),
            show::actor(&halt.by),
            format!(
                "{}/{}",
                halt.propagation.acknowledged, halt.propagation.reach
            ),
            halt.order.reason.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.id.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let halt = &self.0;
        let mut lines = vec![
            ("halt", halt.id.to_string()),
            ("state", self.state()),
            ("target", show::target(&halt.order.target)),
            (
                "mode",
                format!("{}: {}", show::word(&halt.mode), show::effect(halt.mode)),
            ),
            ("reason", halt.order.reason.to_string()),
            (
                "ordered",
                format!("{} by {}", show::absolute(halt.at), show::actor(&halt.by)),
            ),
            ("taken back", show::count(halt.revoked, "permit")),
            ("word", spread(&halt.propagation)),
        ];
        let missing = &halt.propagation.unacknowledged;
        if !missing.is_empty() {
            let mut names: Vec<String> = missing
                .iter()
                .take(20)
                .map(|key| format!("{} {}", key.agent, key.instance))
                .collect();
            if missing.len() > names.len() {
                names.push(format!("and {} more", missing.len() - names.len()));
            }
            lines.push(("not yet", names.join("\n")));
        }
        if halt.release_by_two {
            lines.push(("release", "takes two persons".to_owned()));
        }
        lines
    }
    fn name(&self) -> String {
        self.0.id.to_string()
    }
}
