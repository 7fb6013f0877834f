//! `fleet rules check`: what is wrong with rules, alone and together.
use super::found;
use crate::commands::apply::rule_file::{RuleFile, read_all};
use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::{exit, output, show};
use clap::Args;
use fleet_types::finding::{Finding, Level};
use serde::Serialize;
use std::path::PathBuf;

/// Look for rules that can never pass or never mean anything, contradict each other, or say the same
///
/// Of files, without a server; without files, of the fleet's own rules. Exits with 2 when something is wrong, with 0 when there
/// are warnings only.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet rules check freeze-pay.yaml reviewed.yaml
  fleet rules check fleet.yaml -o json
  fleet rules check                        the rules that the fleet has now")]
pub struct Arguments {
    /// Files with one rule each, or declared fleets; they are looked at together
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Exit with 2 when there are warnings, too
    #[arg(long)]
    strict: bool,
}

/// A finding and where it stands.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Spot<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_at: Option<Spot<'a>>,
}

#[derive(Serialize)]
struct Spot<'a> {
    file: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Spot<'a> {
    fn of(files: &'a [RuleFile], (file, rule): (usize, usize), field: &str) -> Spot<'a> {
        let file = &files[file];
        let (line, column) = file.line_and_column(file.place_of_rule(rule, field).start);
        Spot {
            file: &file.name,
            line,
            column,
        }
    }
}

pub async fn run(global: &Global, arguments: Arguments) -> Outcome {
    if arguments.files.is_empty() {
        return of_fleet(global, arguments.strict).await;
    }
    let files = read_all(&arguments.files)?;
    let found = found::in_files(&files);
    if global.is_for_people() {
        found::show(&files, &found);
    } else {
        let rows: Vec<Shown<'_>> = found
            .iter()
            .map(|one| Shown {
                finding: &one.finding,
                at: Some(Spot::of(&files, one.rule, &one.finding.field)),
                other_at: one.other.map(|other| Spot::of(&files, other, "id")),
            })
            .collect();
        output::raw(global.output, &rows)?;
    }
    let rules = files.iter().map(|file| file.rules().len()).sum();
    let levels: Vec<Level> = found.iter().map(|one| one.finding.level).collect();
    end(rules, &levels, arguments.strict)
}

async fn of_fleet(global: &Global, strict: bool) -> Outcome {
    let rules = global.fleet()?.rules().await?;
    let rules: Vec<_> = rules.into_iter().map(|row| row.rule).collect();
    let found = fleet_core::check::all(&rules);
    if global.is_for_people() {
        for (_, _, finding) in &found {
            let level = show::word(&finding.level);
            output::write(&format!("{level}: {}\n", found::words(finding)))?;
        }
    } else {
        let rows: Vec<Shown<'_>> = found
            .iter()
            .map(|(_, _, finding)| Shown {
                finding,
                at: None,
                other_at: None,
            })
            .collect();
        output::raw(global.output, &rows)?;
    }
    let levels: Vec<Level> = found.iter().map(|(_, _, finding)| finding.level).collect();
    end(rules.len(), &levels, strict)
}

fn end(rules: usize, levels: &[Level], strict: bool) -> Outcome {
    let count = |level: Level| levels.iter().filter(|it| **it == level).count() as u64;
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    eprintln!(
        "{} looked at: {}, {}",
        show::count(rules as u64, "rule"),
        show::count(errors, "error"),
        show::count(warnings, "warning")
    );
    match errors > 0 || strict && warnings > 0 {
        true => Err(Failure::told(exit::USAGE)),
        false => Ok(()),
    }
}
