//! `fleet dev`: a server to try things out.
use super::server;
use crate::context::DataDir;
use crate::failure::Outcome;
use clap::Args;
use fleet_server::Config;
use fleet_server::config::{LISTEN_DEFAULT, Mode, Store};
use std::net::SocketAddr;

/// Start a server on this machine to try things out
///
/// It listens on loopback only, asks for no keys, registers agents when they first ask, and allows everything that
/// nothing forbids. Everything is kept in one directory; start it again and it goes on.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet dev
  fleet dev --listen 127.0.0.1:0 --data-dir /tmp/try     any free port; it is written to standard output
  fleet dev --memory                                     nothing is kept")]
pub struct Arguments {
    /// Where to listen; port 0: any free one
    #[arg(long, default_value_t = LISTEN_DEFAULT, value_name = "ADDRESS")]
    listen: SocketAddr,
    #[command(flatten)]
    data_dir: DataDir,
    /// Keep everything in memory only
    #[arg(long)]
    memory: bool,
    /// Which log lines: error, warn, info, debug
    #[arg(long, default_value = "warn", value_name = "FILTER")]
    log: String,
    /// Says nothing, and ends when standard input does: for whoever starts it as a part of something else
    #[arg(long, hide = true)]
    with_parent: bool,
}

pub async fn run(arguments: Arguments) -> Outcome {
    let config = Config {
        listen: arguments.listen,
        data: arguments.data_dir.path.clone(),
        mode: Mode::Dev,
        store: if arguments.memory {
            Store::Memory
        } else {
            Store::Sqlite
        },
        log_filter: arguments.log,
        ..Config::default()
    };
    let kept = if arguments.memory {
        "in memory only".to_owned()
    } else {
        let dir = std::path::absolute(&arguments.data_dir.path).unwrap_or(arguments.data_dir.path);
        format!("in {}", dir.display())
    };
    let with_parent = arguments.with_parent;
    server::serve(config, with_parent, |running| {
        if with_parent {
            return Ok(());
        }
        let url = format!("http://{}", running.addr);
        let flag = if url == crate::context::SERVER_DEFAULT { String::new() } else { format!(" --server {url}") };
        eprintln!(
            "FleetCommand is ready at {url}, open to this machine; everything is kept {kept}.\n\
             In another terminal:\n  \
             fleet{flag} permits request payment.send --agent pay-1 --exclusive ledger/account-7\n  \
             fleet{flag} status\n  \
             fleet{flag} events --follow\n\
             Ctrl-C stops it."
        );
        Ok(())
    })
    .await
}
