//! `fleet demo bank`: a bank's agents, each a process, on one real ledger, without permits and with.
//!
//! The server is a process of its own, so that it can be killed like any other.
use super::apply;
use crate::context::Global;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Format};
use crate::{parse, show};
use clap::{Args, Subcommand};
use fleet_bank::{AgentOptions, Chaos, DeskOptions, Mode, Options, Progress, Report, Server, Skew};
use fleet_client::Http;
use fleet_client::http::bodies::NewKey;
use fleet_types::actor::Role;
use fleet_types::{FleetId, Text};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command as Process};

/// Demonstrations
#[derive(Subcommand)]
pub enum Command {
    /// A bank: 24 agents in processes of their own on one ledger; what races do to it, and what permits prevent
    Bank(Box<Bank>),
    /// One of the bank's agents; started by the demonstration
    #[command(hide = true)]
    BankAgent {
        /// Its name, for lists of processes
        name: Option<String>,
    },
}

/// A bank
#[derive(Args)]
#[command(after_help = "Examples:
  fleet demo bank                              until Ctrl-C, with permits
  fleet demo bank --compare                    10 s without permits, then 10 s with; the damage side by side
  fleet demo bank --chaos --seconds 30         agents and the server are killed, a halt is thrown; nothing may break
  fleet demo bank --input transfers.csv")]
pub struct Bank {
    /// Without permits: see what happens
    #[arg(long, conflicts_with = "compare")]
    uncoordinated: bool,
    /// First without permits, then with
    #[arg(long)]
    compare: bool,
    /// Stop after so many seconds; absent: at Ctrl-C (10 each with --compare)
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Transfers to carry out, as CSV; absent: they are generated
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Everything that is generated follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Customers' accounts, when transfers are generated
    #[arg(long, default_value_t = 4_000, value_name = "COUNT")]
    accounts: u32,
    /// Every account alike, instead of a few hot ones
    #[arg(long)]
    uniform: bool,
    /// The report as JSON
    #[arg(long)]
    json: bool,
    /// Where ledgers, results and the demonstration's own server are kept
    #[arg(
        long,
        alias = "data",
        default_value = "fleet-data/demo",
        value_name = "DIRECTORY"
    )]
    data_dir: PathBuf,
    /// A server that runs already, instead of one of its own
    #[arg(long, value_name = "URL", conflicts_with_all = ["chaos", "kill_server_every"])]
    on: Option<String>,
    #[command(flatten)]
    mischief: Mischief,
}

/// What is done to it on purpose.
#[derive(Args)]
#[command(next_help_heading = "Chaos")]
pub struct Mischief {
    /// All of it: agents killed every second, a bank's database every 3 s, the server every 5 s, a halt after a third of the
    /// time
    #[arg(long)]
    chaos: bool,
    /// Kill an agent this often
    #[arg(long, value_parser = parse::duration, value_name = "TIME")]
    kill_agents_every: Option<Duration>,
    /// Kill one of the two banks' databases (SIGKILL) this often, and start it again
    #[arg(long, value_parser = parse::duration, value_name = "TIME")]
    kill_banks_every: Option<Duration>,
    /// Stop an agent this often, for longer than its lease
    #[arg(long, value_parser = parse::duration, value_name = "TIME")]
    pause_agents_every: Option<Duration>,
    /// Let an agent think for longer than its lease this often
    #[arg(long, value_parser = parse::duration, value_name = "TIME")]
    stall_agents_every: Option<Duration>,
    /// How long a stopped or stalled agent stands still
    #[arg(long, value_parser = parse::duration, default_value = "4s", value_name = "TIME")]
    pause_for: Duration,
    /// Throw a halt over the whole bank after this time
    #[arg(long, value_parser = parse::duration, value_name = "TIME")]
    halt_at: Option<Duration>,
    /// How long the halt lasts
    #[arg(long, value_parser = parse::duration, default_value = "2s", value_name = "TIME")]
    halt_for: Duration,
    /// Kill the server (SIGKILL) this often, and start it again
    #[arg(long, value_parser = parse::duration, value_name = "TIME")]
    kill_server_every: Option<Duration>,
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    match command {
        Command::Bank(bank) => self::bank(global, *bank).await,
        Command::BankAgent { .. } => agent().await,
    }
}

/// One agent's whole life.
async fn agent() -> Outcome {
    let options = AgentOptions::from_environment()
        .map_err(|error| Failure::new(fleet_bank::process::EXIT_UNUSABLE, error.to_string()))?
        .ok_or_else(|| Failure::usage("this is started by `fleet demo bank`"))?;
    match fleet_bank::agent_main(options).await {
        fleet_bank::process::EXIT_STOPPED => Ok(()),
        code => Err(Failure::told(code)),
    }
}

async fn bank(global: &Global, bank: Bank) -> Outcome {
    let seconds = bank.seconds.or(bank.compare.then_some(10));
    let json = bank.json || global.output == Format::Json;
    if seconds.is_none() && bank.input.is_none() && !json {
        eprintln!("The bank is open; Ctrl-C closes it and shows what came of the day.");
    }
    let mut last = None;
    if bank.uncoordinated || bank.compare {
        let options = options(&bank, Mode::Uncoordinated, seconds, None);
        last = Some(fleet_bank::run(options).await.map_err(failed)?);
    }
    if !bank.uncoordinated {
        last = Some(coordinated(global, &bank, seconds).await?);
    }
    let Some(report) = last else { return Ok(()) };
    if json {
        output::write(&format!("{}\n", report.to_json()?))?;
    } else {
        output::write(&report.to_string())?;
    }
    if report.failed() {
        return Err(Failure::new(
            exit::FAILED,
            "the ledger was damaged in spite of permits; keep the data directory and report this",
        ));
    }
    Ok(())
}

fn failed(error: fleet_bank::Error) -> Failure {
    let exit = match error {
        fleet_bank::Error::Input { .. } | fleet_bank::Error::NoInput(_) => exit::USAGE,
        _ => exit::FAILED,
    };
    Failure::new(exit, error.to_string())
}

async fn coordinated(global: &Global, bank: &Bank, seconds: Option<u64>) -> Outcome<Report> {
    let every = bank
        .mischief
        .kill_server_every
        .or(bank.mischief.chaos.then_some(Duration::from_secs(5)));
    let mut own = None;
    let (url, admin_key) = match &bank.on {
        Some(url) => (url.clone(), global.key.clone()),
        None => {
            let server = OwnServer::start(&bank.data_dir.join("server")).await?;
            let (url, key) = (server.url.clone(), server.admin_key.clone());
            own = Some(server);
            (url, Some(key))
        }
    };
    declare(&url, admin_key.as_deref()).await?;
    let server = Server {
        key: issue(&url, admin_key.as_deref(), Role::Agent, "the bank's agents").await?,
        base_url: url.clone(),
        fleet: fleet_bank::fleet::FLEET.to_owned(),
    };
    let mut options = options(bank, Mode::Coordinated, seconds, Some(server));
    options.desks = DeskOptions {
        officer_key: issue(&url, admin_key.as_deref(), Role::Operator, "the officer").await?,
        secrets_dir: own.as_ref().map(OwnServer::secrets_dir),
        admin_key,
    };
    let run = fleet_bank::run(options);
    let report = match (&mut own, every) {
        (Some(own), Some(every)) => tokio::select! {
            report = run => report,
            failure = own.kill_again_and_again(every) => return Err(failure),
        },
        _ => run.await,
    };
    if let Some(own) = own {
        if own.killed > 0 {
            eprintln!(
                "the server was killed {} times and came back each time",
                show::number(own.killed)
            );
        }
        own.stop().await;
    }
    report.map_err(failed)
}

/// A key of this role for the bank's fleet; None where the server asks for none.
async fn issue(
    url: &str,
    admin_key: Option<&str>,
    role: Role,
    description: &str,
) -> Outcome<Option<String>> {
    if admin_key.is_none() {
        return Ok(None);
    }
    let mut key = NewKey::new(role);
    key.fleet = Some(FleetId::parse(fleet_bank::fleet::FLEET)?);
    key.description = Text::clip(description);
    let issued = Http::new(url, admin_key)?.issue_key(&key).await?;
    Ok(Some(issued.token))
}

/// Makes the bank's fleet as it is declared.
async fn declare(url: &str, key: Option<&str>) -> Outcome {
    let http = Http::new(url, key)?;
    let fleet = FleetId::parse(fleet_bank::fleet::FLEET)?;
    http.create_fleet(fleet.clone()).await?;
    apply::quietly(
        &http.fleet(fleet),
        fleet_bank::fleet::FLEET_YAML,
        "the bank's fleet.yaml",
    )
    .await
}

fn options(bank: &Bank, mode: Mode, seconds: Option<u64>, server: Option<Server>) -> Options {
    let mischief = &bank.mischief;
    let all = mischief.chaos;
    let third = Duration::from_secs(seconds.unwrap_or(30) / 3);
    let mut options = Options::new(mode, bank.data_dir.clone());
    options.seed = bank.seed;
    options.accounts = bank.accounts;
    options.skew = if bank.uniform {
        Skew::Uniform
    } else {
        Skew::Zipf
    };
    options.duration = seconds.map(Duration::from_secs);
    options.input.clone_from(&bank.input);
    options.server = server;
    options.progress = if bank.json {
        Progress::Silent
    } else {
        Progress::Auto
    };
    options.chaos = Chaos {
        kill_agents_every: mischief
            .kill_agents_every
            .or(all.then_some(Duration::from_secs(1))),
        pause_agents_every: mischief
            .pause_agents_every
            .or(all.then_some(Duration::from_secs(3))),
        stall_agents_every: mischief
            .stall_agents_every
            .or(all.then_some(Duration::from_secs(3))),
        kill_banks_every: mischief
            .kill_banks_every
            .or(all.then_some(Duration::from_secs(3))),
        pause_for: mischief.pause_for,
        // Nobody can halt agents that nobody coordinates.
        halt_at: mischief
            .halt_at
            .or(all.then_some(third))
            .filter(|_| mode == Mode::Coordinated),
        halt_for: mischief.halt_for,
    };
    options
}

/// The demonstration's own server: a process, on a free port of this machine.
struct OwnServer {
    url: String,
    admin_key: String,
    data_dir: PathBuf,
    child: Child,
    killed: u64,
}

impl OwnServer {
    async fn start(data_dir: &Path) -> Outcome<OwnServer> {
        // Each run has a key of its own: nothing is kept in a file that somebody could read.
        let admin_key = fleet_server::bootstrap_key(data_dir, true).await?;
        let (child, url) = launch("127.0.0.1:0", data_dir).await?;
        Ok(OwnServer {
            url,
            admin_key,
            data_dir: data_dir.to_owned(),
            child,
            killed: 0,
        })
    }

    /// Where it reads the credentials of its tenant's connectors.
    fn secrets_dir(&self) -> PathBuf {
        self.data_dir.join("secrets/default")
    }

    /// Ends only when it does not come back.
    async fn kill_again_and_again(&mut self, every: Duration) -> Failure {
        loop {
            tokio::time::sleep(every).await;
            if let Err(error) = self.child.kill().await {
                return error.into();
            }
            self.killed += 1;
            let address = self.url.trim_start_matches("http://").to_owned();
            match launch(&address, &self.data_dir).await {
                Ok((child, _)) => self.child = child,
                Err(failure) => return failure,
            }
        }
    }

    async fn stop(mut self) {
        // Its standard input ends, and so does it.
        drop(self.child.stdin.take());
        if tokio::time::timeout(Duration::from_secs(10), self.child.wait())
            .await
            .is_err()
        {
            let _ = self.child.kill().await;
        }
    }
}

/// Starts a server that ends with this process; gives its address once it listens.
async fn launch(listen: &str, data_dir: &Path) -> Outcome<(Child, String)> {
    let program = std::env::current_exe()?;
    let mut command = Process::new(program);
    // What the environment says is for another server.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FLEET_") {
            command.env_remove(name);
        }
    }
    let mut child = command
        // It warns of databases that are away, and here they are killed on purpose.
        .env("FLEET_LOG_FILTER", "error")
        .args(["serve", "--with-parent", "--listen", listen, "--data-dir"])
        .arg(data_dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        // Ctrl-C is for the orchestrator, which ends the agents first.
        .process_group(0)
        .spawn()?;
    let stdout = child
        .stdout
        .take()
        .ok_or_else(|| Failure::new(exit::FAILED, "the server's output is lost"))?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await?;
    let url = line.trim();
    if url.is_empty() {
        return Err(Failure::new(
            exit::FAILED,
            "the demonstration's server did not start; what it said stands above",
        ));
    }
    Ok((child, url.to_owned()))
}
