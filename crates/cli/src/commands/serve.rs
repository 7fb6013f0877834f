//! `fleet serve`: a server with keys.
use super::server;
use crate::failure::Outcome;
use clap::Args;
use fleet_server::config::{Config, LogFormat, Overrides};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Start a server with keys
///
/// Settings come from the file, then the environment (FLEET_LISTEN, FLEET_DATA, FLEET_LIMITS__REQUESTS_MAX, …), then
/// the flags; the later one wins.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet keys bootstrap --data-dir /var/lib/fleet         the first admin key; once
  fleet serve --data-dir /var/lib/fleet --listen 0.0.0.0:7700
  fleet serve --config /etc/fleet.toml")]
pub struct Arguments {
    /// The configuration, as TOML
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where everything is kept
    #[arg(long, alias = "data", value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// Log lines as JSON
    #[arg(long)]
    log_json: bool,
    /// Ends when standard input does: for whoever starts it as a part of something else
    #[arg(long, hide = true)]
    with_parent: bool,
}

pub async fn run(arguments: Arguments) -> Outcome {
    let overrides = Overrides {
        listen: arguments.listen,
        data: arguments.data_dir,
        log: arguments.log_json.then_some(LogFormat::Json),
        ..Overrides::default()
    };
    let config = Config::load(arguments.config.as_deref(), overrides)?;
    server::serve(config, arguments.with_parent, |_| Ok(())).await
}
