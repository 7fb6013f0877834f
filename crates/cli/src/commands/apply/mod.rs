//! `fleet apply`: make a fleet as a file declares it.
//!
//! A section that the file does not have is left alone. A second run changes nothing.
mod declared;
mod document;
mod plan;
pub mod rule_file;
mod things;
mod tree;

pub use declared::Declared;
pub use document::Document;
pub use plan::{Plan, differences};

use crate::commands::rules::found;
use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Format};
use crate::{exit, paint, show};
use clap::Args;
use fleet_client::Fleet;
use plan::{Change, Verb};
use rule_file::RuleFile;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest file: ten thousand of everything, with room.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// So many changes that were not made are named.
const LEFT_NAMED: usize = 10;

/// Make a fleet as a file declares it
///
/// The file has the sections settings, scopes, actions, agents, groups, limits, rules, policies, tools, budgets, connectors and
/// graph, and may have tests of its rules, which `fleet rules test` carries out. What it does not mention is left alone, unless
/// --prune is given. Shows what it changes; a second run changes nothing. What would be more of a kind than a fleet may have is
/// refused before anything is changed.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet apply -f fleet.yaml --dry-run
  fleet apply -f fleet.yaml
  fleet apply -f fleet.yaml --prune        removes what the file's sections do not name")]
pub struct Arguments {
    /// The file, as YAML or JSON; - reads standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Remove what the file's sections do not name
    #[arg(long)]
    prune: bool,
}

pub async fn run(global: &Global, arguments: Arguments) -> Outcome {
    let file = RuleFile::read(&arguments.file)?;
    // Warnings are shown, and errors among its rules end it before anything is done.
    let found = found::in_files(std::slice::from_ref(&file));
    if found::show(std::slice::from_ref(&file), &found) > 0 {
        eprintln!(
            "{} rules of {} are in each other's way; nothing was changed",
            paint::error("error:"),
            file.name
        );
        return Err(wrong_file());
    }
    let document = file.document;
    let fleet = global.fleet()?;
    let plan = Plan::make(&fleet, document, folder(&file.name), arguments.prune).await?;
    show_plan(global, &plan)?;
    if arguments.dry_run {
        eprintln!(
            "{}; nothing was done (--dry-run)",
            summary(&plan, "would be ")
        );
        return Ok(());
    }
    carry_out(&fleet, &plan).await?;
    eprintln!("{}", summary(&plan, ""));
    Ok(())
}

/// Makes the fleet as this text declares it, without showing anything.
pub async fn quietly(fleet: &Fleet, text: &str, name: &str) -> Outcome {
    let document = Document::parse(text, name)?;
    let plan = Plan::make(fleet, document, folder(name), false).await?;
    carry_out(fleet, &plan).await
}

/// Where a declaration is: files that it names are told from there.
fn folder(name: &str) -> &Path {
    Path::new(name).parent().unwrap_or(Path::new(""))
}

/// Reads one definition from a file.
pub fn read_one<T: DeserializeOwned>(file: &Path) -> Outcome<T> {
    let (text, name) = read(file)?;
    document::parse_one(&text, &name)
}

fn read(file: &Path) -> Outcome<(String, String)> {
    let name = file.display().to_string();
    let mut text = String::new();
    let most = FILE_BYTES_MAX + 1;
    let read = if name == "-" {
        std::io::stdin().take(most).read_to_string(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(most).read_to_string(&mut text))
    };
    if text.len() as u64 >= most {
        let words = format!("{name} is longer than {FILE_BYTES_MAX} bytes; split it");
        return Err(Failure::usage(words));
    }
    match read.map(|_| text) {
        Ok(text) => Ok((text, name)),
        Err(error) => Err(Failure::usage(format!("cannot read {name}: {error}"))),
    }
}

async fn carry_out(fleet: &Fleet, plan: &Plan) -> Outcome {
    let changes: Vec<_> = plan
        .changes
        .iter()
        .filter(|change| change.verb != Verb::Unchanged)
        .collect();
    for (done, change) in changes.iter().enumerate() {
        if let Err(error) = change.step.carry_out(fleet).await {
            let failure = Failure::from(error).during(format!("{} {}", change.kind, change.name));
            return Err(match done {
                0 => failure.advise("nothing was changed"),
                _ => failure.advise(halfway(&changes, done)),
            });
        }
    }
    Ok(())
}

/// `2 of 5 changes were made, the last of them rule a; not made: tool b, tool c and 1 more; mend this and apply again`.
fn halfway(changes: &[&Change], done: usize) -> String {
    let name = |change: &Change| format!("{} {}", change.kind, change.name);
    let left = &changes[done..];
    let named: Vec<String> = left.iter().take(LEFT_NAMED).map(|it| name(it)).collect();
    let more = match left.len().saturating_sub(LEFT_NAMED) {
        0 => String::new(),
        more => format!(" and {} more", show::number(more as u64)),
    };
    format!(
        "{} of {} changes were made, the last of them {}; not made: {}{more}; mend this and apply again",
        show::number(done as u64),
        show::number(changes.len() as u64),
        name(changes[done - 1]),
        named.join(", ")
    )
}

fn show_plan(global: &Global, plan: &Plan) -> Outcome {
    match global.output {
        Format::Json | Format::Yaml => return output::raw(global.output, &plan.changes),
        Format::Name => {
            return plan
                .changes
                .iter()
                .filter(|change| change.verb != Verb::Unchanged)
                .try_for_each(|change| {
                    output::write(&format!("{}/{}\n", change.kind, change.name))
                });
        }
        Format::Table => {}
    }
    for change in &plan.changes {
        let what = format!("{} {}", change.kind, change.name);
        let line = match change.verb {
            Verb::Create => paint::good(&format!("+ {what}")),
            Verb::Update => paint::waiting(&format!("~ {what}")),
            Verb::Remove => paint::bad(&format!("- {what}")),
            Verb::Unchanged => continue,
        };
        output::write(&format!("{line}\n"))?;
        for difference in &change.differences {
            output::write(&format!("    {difference}\n"))?;
        }
    }
    Ok(())
}

fn summary(plan: &Plan, would: &str) -> String {
    let of = |verb: Verb| {
        show::number(
            plan.changes
                .iter()
                .filter(|change| change.verb == verb)
                .count() as u64,
        )
    };
    format!(
        "{} {would}created, {} {would}changed, {} {would}removed, {} as declared already",
        of(Verb::Create),
        of(Verb::Update),
        of(Verb::Remove),
        of(Verb::Unchanged)
    )
}

/// What is wrong with a file, all of it told already.
fn wrong_file() -> Failure {
    Failure::told(exit::USAGE)
}
