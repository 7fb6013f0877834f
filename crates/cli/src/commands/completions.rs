//! `fleet completions`: for the shell.
use crate::failure::Outcome;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Write a shell's completions to standard output
#[derive(Args)]
#[command(after_help = "Examples:
  fleet completions bash > ~/.local/share/bash-completion/completions/fleet
  fleet completions zsh > \"${fpath[1]}/_fleet\"
  fleet completions fish > ~/.config/fish/completions/fleet.fish")]
pub struct Arguments {
    /// Which shell
    shell: Shell,
}

pub fn run(arguments: Arguments) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut crate::help::dressed(crate::Cli::command()),
        "fleet",
        &mut text,
    );
    crate::output::write(&String::from_utf8_lossy(&text))
}
