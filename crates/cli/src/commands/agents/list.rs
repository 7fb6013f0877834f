//! `fleet agents list`.
use super::shown::Shown;
use crate::context::{Global, Watch};
use crate::failure::Outcome;
use clap::{Args, ValueEnum};
use fleet_client::Fleet;
use fleet_client::http::AgentFilter;
use fleet_types::ScopePath;
use fleet_types::agent::Status;

/// Which agents.
#[derive(Args)]
pub struct List {
    /// In this scope and below
    #[arg(long)]
    scope: Option<ScopePath>,
    /// With this status
    #[arg(long, value_enum)]
    status: Option<Life>,
    /// With this skill
    #[arg(long)]
    skill: Option<String>,
    /// In this pool
    #[arg(long)]
    pool: Option<String>,
    /// Whose id, name or description holds this text
    #[arg(long)]
    text: Option<String>,
    #[command(flatten)]
    watch: Watch,
}

/// Where in its life.
#[derive(Clone, Copy, ValueEnum)]
pub enum Life {
    /// On trial
    Beta,
    /// In use
    Active,
    /// Use its replacement
    Deprecated,
    /// Asks for nothing
    Offline,
}

impl From<Life> for Status {
    fn from(life: Life) -> Self {
        match life {
            Life::Beta => Status::Beta,
            Life::Active => Status::Active,
            Life::Deprecated => Status::Deprecated,
            Life::Offline => Status::Offline,
        }
    }
}

pub async fn run(global: &Global, fleet: &Fleet, list: List) -> Outcome {
    let filter = AgentFilter {
        scope: list.scope,
        status: list.status.map(Into::into),
        skill: list.skill,
        pool: list.pool,
        text: list.text,
    };
    let empty = "no agents yet: fleet agents register AGENT, or fleet apply -f fleet.yaml";
    let get = async || fleet.agents(&filter).await;
    list.watch.list(global.output, Shown, empty, get).await
}
