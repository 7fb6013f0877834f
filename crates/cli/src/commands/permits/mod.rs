//! `fleet permits`: ask, look, end.
mod end;
mod explain;
mod get;
mod list;
mod renew;
mod request;
mod shown;
mod wanted;
mod withdraw;

use crate::context::Global;
use crate::failure::Outcome;
use clap::Subcommand;
use end::End;
use fleet_types::permit::Ending;
pub use wanted::Wanted;

/// Permits
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet permits request payment.send --agent pay-1 --exclusive ledger/account-7 --wait 10s
  fleet permits complete p42 --agent pay-1
  fleet permits explain payment.send --agent pay-1 --exclusive ledger/account-7
  fleet permits list --state queued --watch")]
pub enum Command {
    /// List permits that wait or hold
    List(list::List),
    /// Show one permit
    Get(get::Get),
    /// Ask for a permit; exits with 6 when it is denied
    Request(Box<Wanted>),
    /// Say what every gate would answer; nothing is changed
    Explain(Box<Wanted>),
    /// Say that the action was done
    Complete(End),
    /// Say that the action was tried and failed
    Fail(End),
    /// Say that the action was not begun; withdraws one that waits
    Cancel(End),
    /// Hold a permit longer
    Renew(renew::Renew),
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List(list) => list::run(global, &fleet, list).await,
        Command::Get(get) => get::run(global, &fleet, get).await,
        Command::Request(wanted) => request::run(global, &fleet, *wanted).await,
        Command::Explain(wanted) => explain::run(global, &fleet, *wanted).await,
        Command::Complete(end) => end::run(global, &fleet, end, Ending::Completed).await,
        Command::Fail(end) => end::run(global, &fleet, end, Ending::Failed).await,
        Command::Cancel(end) => end::run(global, &fleet, end, Ending::Cancelled).await,
        Command::Renew(renew) => renew::run(global, &fleet, renew).await,
    }
}
