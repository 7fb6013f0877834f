//! `fleet permits list`.
use super::shown::Shown;
use crate::context::{Global, Watch};
use crate::failure::Outcome;
use clap::{Args, ValueEnum};
use fleet_client::Fleet;
use fleet_client::http::PermitFilter;
use fleet_types::AgentId;
use fleet_types::permit::ViewState;

/// Which permits.
#[derive(Args)]
pub struct List {
    /// Of this agent
    #[arg(long)]
    agent: Option<AgentId>,
    /// In this state
    #[arg(long, value_enum)]
    state: Option<State>,
    #[command(flatten)]
    watch: Watch,
}

/// A permit's state.
#[derive(Clone, Copy, ValueEnum)]
pub enum State {
    /// Waits
    Queued,
    /// Waits for somebody to approve it
    AwaitingApproval,
    /// Holds
    Granted,
    /// Holds, and waits for more
    Extending,
}

pub async fn run(global: &Global, fleet: &Fleet, list: List) -> Outcome {
    let state = list.state.map(|state| match state {
        State::Queued => ViewState::Queued,
        State::AwaitingApproval => ViewState::AwaitingApproval,
        State::Granted => ViewState::Granted,
        State::Extending => ViewState::Extending,
    });
    let agent = list.agent;
    let filter = PermitFilter { agent, state };
    let empty = match (&filter.agent, filter.state) {
        (None, None) => {
            "no permits are held or waited for: fleet permits request ACTION --agent AGENT"
        }
        _ => "no such permits: without --agent and --state, all are listed",
    };
    let get = async || fleet.permits(&filter).await;
    list.watch.list(global.output, Shown, empty, get).await
}
