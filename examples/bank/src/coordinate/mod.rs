//! How agents coordinate: they ask for a permit before each step, and stop while they are told to.
//!
//! An agent's work does not know which of the two implementations it uses: [`Uncoordinated`] grants everything at
//! once and gives no tokens, [`Session`] asks the server. Heartbeats, reconnecting and resuming are the session's
//! own business; an agent sees only its [`Standing`].
mod session;
mod uncoordinated;

pub use session::{ServerControl, Session};
pub use uncoordinated::{NoControl, Uncoordinated};

use fleet_types::permit::{Decision, Finish, Request};
use fleet_types::{HaltId, halt, view};
use std::future::Future;

/// The coordinator cannot be reached, or the answer is not known. Whoever meets this does not act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

/// Whether an agent may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The server is there. Without it nothing is done.
    pub connected: bool,
    /// A halt is in force over the agent. The session has acknowledged it.
    pub halted: bool,
}

impl Standing {
    /// Nothing in the way.
    pub const FREE: Standing = Standing {
        connected: true,
        halted: false,
    };

    /// Whether a new step may begin, or one that has begun be written.
    #[must_use]
    pub const fn may_act(self) -> bool {
        self.connected && !self.halted
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Granted or denied: waiting is over.
    pub decision: Decision,
    /// It had to wait: a conflict that did not happen.
    pub queued: bool,
}

/// One agent's side of coordination.
pub trait Coordinator: Send {
    /// Asks, and waits for the turn if need be.
    fn permit(&mut self, request: Request) -> impl Future<Output = Result<Turn, Lost>> + Send;

    /// Says how it ended. Losing this loses nothing: the lease runs out.
    fn finish(&mut self, finish: Finish) -> impl Future<Output = Result<(), Lost>> + Send;

    /// Whether the agent may go on, as last heard.
    fn standing(&self) -> Standing;

    /// Waits until the standing is another one.
    fn changed(&mut self) -> impl Future<Output = ()> + Send;

    /// Says good-bye: what it held is given back.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// What the orchestrator asks of the server.
pub trait Control: Send + Sync + 'static {
    /// Orders a halt; in force when this returns.
    fn halt(&self, order: halt::Order) -> impl Future<Output = Result<HaltId, Lost>> + Send;

    /// Releases it.
    fn release(&self, halt: HaltId) -> impl Future<Output = Result<(), Lost>> + Send;

    /// How things stand, for the progress line.
    fn look(&self) -> impl Future<Output = Result<Look, Lost>> + Send;
}

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Requests that wait.
    pub waiting: u64,
    /// The budgets.
    pub budgets: Vec<view::Budget>,
}

impl Look {
    /// The budget that is used most, and how much of it, in thousandths.
    #[must_use]
    pub fn most_used(&self) -> Option<(&str, u64)> {
        let used = self.budgets.iter().flat_map(|budget| {
            let accounts = budget.accounts.iter();
            accounts.map(|account| {
                let used = u128::from(account.spent) + u128::from(account.reserved);
                let share = used * 1_000 / u128::from(account.hard.max(1));
                (budget.budget.id.as_str(), share as u64)
            })
        });
        used.max_by_key(|(_, share)| *share)
    }
}
