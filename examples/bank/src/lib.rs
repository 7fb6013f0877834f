//! The bank: 24 agents in processes of their own on one real ledger, with FleetCommand and without.
//!
//! ```text
//! orchestrate ── starts, feeds, kills, stops ──> process (one agent: plan, ask, read, think, write, finish)
//!      │                                            │ agents/    what each kind does
//!      │                                            │ coordinate/ asks the server, or nobody
//!      └── audits ──> ledger <── reads, writes ─────┘            (a database file of its own)
//! ```
//!
//! Without permits the agents' races do real damage on the real ledger; the audit measures it. With permits, and with
//! the fencing tokens checked inside the ledger's own transactions, there must be none, whatever is killed meanwhile.
//!
//! Callers use two functions: [`run`] is the orchestrator, [`agent_main`] is the process of one agent, which the
//! orchestrator starts from the same program (see [`options::Launch`]).
mod agents;
pub mod coordinate;
mod desks;
pub mod error;
pub mod fleet;
pub mod input;
pub mod ledger;
pub mod options;
mod orchestrate;
mod postgres;
pub mod process;
pub mod random;
pub mod report;
pub mod roles;

pub use error::Error;
pub use options::{AgentOptions, Chaos, DeskOptions, Launch, Mode, Options, Progress, Server};
pub use orchestrate::{run, run_with};
pub use postgres::Postgres;
pub use process::{agent_main, agent_main_with};
pub use random::Skew;
pub use report::{Report, Run};
