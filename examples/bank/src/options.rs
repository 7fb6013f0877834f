//! What a run, and one agent's process, are told.
use crate::random::Skew;
use crate::roles::Seat;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Whether the agents ask for permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They do not.
    Uncoordinated,
    /// They do, and show the ledger their fencing tokens.
    Coordinated,
}

impl Mode {
    /// As it is called in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Uncoordinated => "uncoordinated",
            Mode::Coordinated => "coordinated",
        }
    }
}

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Such as `http://127.0.0.1:7077`.
    pub base_url: String,
    /// The bank's fleet.
    pub fleet: String,
    /// A key that may act for all of the bank's agents; None where the server asks for none.
    pub key: Option<String>,
}

/// What is done to the run on purpose. Nothing, by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chaos {
    /// Kills a random agent (SIGKILL) this often; it is started again.
    pub kill_agents_every: Option<Duration>,
    /// Stops a random agent (SIGSTOP) this often, and lets it go on after [`Chaos::pause_for`].
    pub pause_agents_every: Option<Duration>,
    /// Lets a random agent think for [`Chaos::pause_for`] this often, as when a model is slow to answer.
    pub stall_agents_every: Option<Duration>,
    /// Kills one of the two banks' databases (SIGKILL) this often; it is started again.
    pub kill_banks_every: Option<Duration>,
    /// How long a stopped or stalled agent stands still: longer than its lease, so that it goes on without its permit.
    pub pause_for: Duration,
    /// Throws a halt over the whole bank this long after the start.
    pub halt_at: Option<Duration>,
    /// How long the halt lasts.
    pub halt_for: Duration,
}

impl Default for Chaos {
    fn default() -> Self {
        Chaos {
            kill_agents_every: None,
            pause_agents_every: None,
            stall_agents_every: None,
            kill_banks_every: None,
            pause_for: Duration::from_secs(4),
            halt_at: None,
            halt_for: Duration::from_secs(2),
        }
    }
}

/// How an agent's process is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// What stands before the agent's name on its command line.
    pub arguments: Vec<String>,
}

impl Launch {
    /// This program again: `… demo bank-agent NAME`.
    ///
    /// # Errors
    /// When the system does not say which program this is.
    pub fn this_program() -> std::io::Result<Self> {
        Ok(Launch {
            program: std::env::current_exe()?,
            arguments: vec!["demo".into(), "bank-agent".into()],
        })
    }
}

/// How a run shows that it is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// One line that changes, on a terminal; otherwise plain lines.
    #[default]
    Auto,
    /// Plain lines.
    Plain,
    /// Nothing.
    Silent,
}

/// What the desks need that the agents do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeskOptions {
    /// Where the server reads the credentials of the default tenant's connectors; None: it is not ours, and no money
    /// moves between databases.
    pub secrets_dir: Option<PathBuf>,
    /// A key of an admin, for halts and connectors; None where the server asks for none.
    pub admin_key: Option<String>,
    /// The officer's own key, of the role `operator`; None where the server asks for none.
    pub officer_key: Option<String>,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Options {
    /// With permits or without.
    pub mode: Mode,
    /// Where the ledger and the last results are kept. Each mode has a ledger of its own, new for every run.
    pub data_dir: PathBuf,
    /// Everything that is generated follows from it.
    pub seed: u64,
    /// Customers' accounts, when input is generated.
    pub accounts: u32,
    /// How access is spread over them.
    pub skew: Skew,
    /// When to stop; None: when told to, or when the input file is done.
    pub duration: Option<Duration>,
    /// Transfers to carry out, as CSV; None: they are generated without end.
    pub input: Option<PathBuf>,
    /// How many of 100 instructions are delivered twice.
    pub duplicates_percent: u8,
    /// Overrides how long agents think, in microseconds, from and to.
    pub think_us: Option<(u64, u64)>,
    /// Lease of a permit.
    pub lease: Duration,
    /// How long an agent waits for its turn.
    pub wait: Duration,
    /// The server; needed for a coordinated run.
    pub server: Option<Server>,
    /// What the desks need.
    pub desks: DeskOptions,
    /// How agents are started; None: as [`Launch::this_program`] says.
    pub launch: Option<Launch>,
    /// Mischief.
    pub chaos: Chaos,
    /// How progress is shown.
    pub progress: Progress,
}

impl Options {
    /// A run with every default.
    #[must_use]
    pub fn new(mode: Mode, data_dir: PathBuf) -> Self {
        Options {
            mode,
            data_dir,
            seed: 1,
            accounts: 4_000,
            skew: Skew::Zipf,
            duration: None,
            input: None,
            duplicates_percent: 5,
            think_us: None,
            lease: Duration::from_secs(2),
            wait: Duration::from_secs(10),
            server: None,
            desks: DeskOptions::default(),
            launch: None,
            chaos: Chaos::default(),
            progress: Progress::Auto,
        }
    }

    /// The ledger of this run.
    #[must_use]
    pub fn ledger_path(&self) -> PathBuf {
        self.folder().join(format!("{}.db", self.mode.name()))
    }

    /// Where the bank keeps its files.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.data_dir.join("bank")
    }
}

/// One agent's process. Handed over in the environment, so that a key never shows in a list of processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentOptions {
    /// Who it is.
    pub seat: Seat,
    /// With permits or without.
    pub mode: Mode,
    /// The ledger.
    pub ledger: PathBuf,
    /// Chance follows from it, and from `life`.
    pub seed: u64,
    /// How often it was started before.
    pub life: u64,
    /// How access is spread over accounts.
    pub skew: Skew,
    /// Overrides the role's thinking.
    pub think_us: Option<(u64, u64)>,
    /// Lease of a permit.
    pub lease_ms: u64,
    /// How long it waits for its turn.
    pub wait_ms: u64,
    /// The server.
    pub server: Option<Server>,
}

/// The variable that hands [`AgentOptions`] over, as JSON.
pub const AGENT_VARIABLE: &str = "FLEET_BANK_AGENT";

impl AgentOptions {
    /// What the orchestrator handed over; None outside of a run.
    ///
    /// # Errors
    /// When it is not what this release hands over.
    pub fn from_environment() -> Result<Option<Self>, serde_json::Error> {
        std::env::var(AGENT_VARIABLE)
            .ok()
            .map(|json| serde_json::from_str(&json))
            .transpose()
    }
}
