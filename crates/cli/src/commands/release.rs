//! `fleet release`: let go again.
use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::{exit, parse, show};
use clap::Args;
use fleet_types::{HaltId, Text};

/// Release a halt
#[derive(Args)]
#[command(after_help = "Examples:
  fleet release h42 --reason \"checked, all well\"
  fleet release --all")]
pub struct Arguments {
    /// Which
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    halt: Vec<HaltId>,
    /// Every halt in force
    #[arg(long)]
    all: bool,
    /// Why; people will read it
    #[arg(long, value_parser = parse::text, default_value = "")]
    reason: Text,
}

pub async fn run(global: &Global, arguments: Arguments) -> Outcome {
    let fleet = global.fleet()?;
    let halts = if arguments.all {
        fleet
            .halts(true)
            .await?
            .into_iter()
            .map(|halt| halt.id)
            .collect()
    } else {
        arguments.halt
    };
    if halts.is_empty() {
        eprintln!("nothing to do: no halt is in force");
    }
    let mut asked = 0;
    for halt in halts {
        if fleet
            .release(halt, arguments.reason.clone())
            .await?
            .released
        {
            eprintln!("{halt} is released");
        } else {
            eprintln!("{halt}: your wish is noted; a second person must release it too");
            asked += 1;
        }
    }
    if asked > 0 {
        return Err(Failure::new(
            exit::CONFLICT,
            format!("{} still in force", show::count(asked, "halt")),
        )
        .advise("a second person runs the same command with their own key"));
    }
    Ok(())
}
