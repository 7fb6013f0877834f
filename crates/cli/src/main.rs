//! `fleet`: the command line of FleetCommand.
//!
//! Data goes to standard output, words for people to standard error. Exit codes stand in `exit.rs`, one file for each
//! command in `commands/`.
mod commands;
mod context;
mod exit;
mod failure;
mod help;
mod output;
mod paint;
mod parse;
mod show;
mod stop;

use clap::{CommandFactory, FromArgMatches, Parser};
use commands::Command;
use context::Global;
use std::process::ExitCode;

/// Permits are many small values that live shortly. Version 2: version 3 takes a slow path for sizes that are no power of
/// two, which cost the core a tenth of its speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Air traffic control for AI agents: they ask for a permit before they act.
///
/// Try it:
///   fleet dev                                         a server on this machine, no keys
///   fleet permits request payment.send --agent pay-1 --exclusive ledger/account-7
///   fleet status
///   fleet halt --all --reason "something is wrong"    nothing happens any more, at once
///   fleet demo bank --compare                         a bank's agents, without permits and with
#[derive(Parser)]
#[command(name = "fleet", version, verbatim_doc_comment, after_help = exit::HELP, arg_required_else_help = true, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let cli = Cli::from_arg_matches(&help::dressed(Cli::command()).get_matches());
    let cli = cli.unwrap_or_else(|error| error.format(&mut Cli::command()).exit());
    let mut builder = if cli.command.is_server() {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!(
                "{} the system gives no runtime: {error}",
                paint::error("error:")
            );
            return ExitCode::from(exit::FAILED);
        }
    };
    let outcome = runtime.block_on(cli.command.run(&cli.global));
    // A thread that still reads standard input must not hold the end up.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::from(exit::OK),
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure.exit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        help::dressed(Cli::command()).debug_assert();
    }
}
