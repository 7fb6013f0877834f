//! `fleet agents`: the registry, and an agent's brakes.
mod brake;
mod deprecate;
mod list;
mod register;
mod shown;

use crate::context::Global;
use crate::failure::Outcome;
use crate::output;
use brake::Brake;
use clap::Subcommand;
use fleet_types::AgentId;
use fleet_types::halt::Mode;

/// Agents
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet agents register pay-1 --scope emea/payments --allow-action 'payment.*' --allow-resource 'ledger/**'
  fleet agents register -f agent.yaml
  fleet agents list --scope emea --watch
  fleet agents pause pay-1 --reason \"odd transfers\"
  fleet agents resume pay-1")]
pub enum Command {
    /// List agents
    List(list::List),
    /// Show one agent
    Get {
        /// Which
        agent: AgentId,
    },
    /// Register an agent, or a version of it
    ///
    /// A version that is registered already is replaced as a whole: what is not given again is gone.
    Register(Box<register::Register>),
    /// Say that another agent should be used instead
    Deprecate(deprecate::Deprecate),
    /// Let it finish what it holds, and give it nothing new
    Drain(Brake),
    /// Let its new requests wait
    Pause(Brake),
    /// Release what pauses or drains it
    Resume(Brake),
    /// Remove an agent that holds nothing
    Remove {
        /// Which
        agent: AgentId,
    },
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List(list) => list::run(global, &fleet, list).await,
        Command::Get { agent } => {
            let agent = shown::Shown(fleet.agent(&agent).await?);
            output::detail(global.output, &agent)
        }
        Command::Register(register) => register::run(&fleet, *register).await,
        Command::Deprecate(deprecate) => deprecate::run(&fleet, deprecate).await,
        Command::Drain(brake) => brake::stop(&fleet, brake, Mode::Graceful).await,
        Command::Pause(brake) => brake::stop(&fleet, brake, Mode::Pause).await,
        Command::Resume(brake) => brake::resume(&fleet, brake).await,
        Command::Remove { agent } => {
            fleet.remove_agent(&agent).await?;
            eprintln!("agent {agent} is removed");
            Ok(())
        }
    }
}
