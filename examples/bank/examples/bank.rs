//! The bank by itself: `cargo run -p fleet-bank --example bank -- --seconds 10`. Without permits, as there is no
//! server here; `fleet demo bank` is the whole of it.
use clap::Parser;
use fleet_bank::{AgentOptions, Launch, Mode, Options, Server, Skew};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A bank of agents.
#[derive(Parser)]
struct Arguments {
    /// Where the ledger is kept.
    #[arg(long, default_value = "fleet-data")]
    data_dir: PathBuf,
    /// When to stop.
    #[arg(long)]
    seconds: Option<u64>,
    /// Everything generated follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Customers' accounts.
    #[arg(long, default_value_t = 4_000)]
    accounts: u32,
    /// Every account alike, instead of a few hot ones.
    #[arg(long)]
    uniform: bool,
    /// Transfers as CSV.
    #[arg(long)]
    input: Option<PathBuf>,
    /// A server to ask for permits.
    #[arg(long)]
    server: Option<String>,
    /// The report as JSON.
    #[arg(long)]
    json: bool,
    /// The name of an agent: set by the orchestrator.
    #[arg(hide = true)]
    agent: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match AgentOptions::from_environment() {
        Ok(Some(options)) => return fleet_bank::agent_main(options).await.into(),
        Ok(None) => {}
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(fleet_bank::process::EXIT_UNUSABLE);
        }
    }
    let arguments = Arguments::parse();
    let mode = match arguments.server {
        Some(_) => Mode::Coordinated,
        None => Mode::Uncoordinated,
    };
    let mut options = Options::new(mode, arguments.data_dir);
    options.duration = arguments.seconds.map(Duration::from_secs);
    options.seed = arguments.seed;
    options.accounts = arguments.accounts;
    if arguments.uniform {
        options.skew = Skew::Uniform;
    }
    options.input = arguments.input;
    options.server = arguments.server.map(|base_url| Server {
        base_url,
        fleet: "bank".into(),
        key: std::env::var("FLEET_KEY").ok(),
    });
    options.launch = std::env::current_exe().ok().map(|program| Launch {
        program,
        arguments: Vec::new(),
    });
    match fleet_bank::run(options).await {
        Ok(report) if arguments.json => match report.to_json() {
            Ok(json) => println!("{json}"),
            Err(error) => eprintln!("{error}"),
        },
        Ok(report) => print!("{report}"),
        Err(error) => {
            eprintln!("failed: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
