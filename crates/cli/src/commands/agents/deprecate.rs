//! `fleet agents deprecate`.
use crate::commands::tell_change;
use crate::failure::Outcome;
use clap::Args;
use fleet_client::Fleet;
use fleet_client::http::bodies::NewStatus;
use fleet_types::agent::Status;
use fleet_types::{AgentId, Version};

/// Which agent, and what comes after it.
#[derive(Args)]
pub struct Deprecate {
    /// Which
    agent: AgentId,
    /// Its successor
    #[arg(long)]
    replaced_by: Option<AgentId>,
    /// Only this version
    #[arg(long)]
    version: Option<Version>,
}

pub async fn run(fleet: &Fleet, deprecate: Deprecate) -> Outcome {
    let status = NewStatus {
        version: deprecate.version,
        status: Status::Deprecated,
        replaced_by: deprecate.replaced_by,
    };
    let agent = deprecate.agent;
    let changed = fleet.set_agent_status(&agent, &status).await?.changed;
    tell_change(changed, &format!("agent {agent} is deprecated"));
    Ok(())
}
