//! `fleet workflow`: definitions of workflows, checked and planned on this machine.
mod changes;
mod file;
mod planned;

use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::{exit, output};
use clap::{Args, Subcommand};
use fleet_types::AgentId;
use fleet_workflow::version;
use serde::Serialize;
use std::path::PathBuf;

/// Workflows. None of these needs a server
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet workflow validate rfp.yaml onboarding.yaml
  fleet workflow plan rfp.yaml
  fleet workflow plan rfp.yaml --without lawyer-1 --profiles measured.json
  fleet workflow diff rfp-old.yaml rfp.yaml
  fleet workflow schema > workflow-v1.json

Templates to begin with lie in templates/.")]
pub enum Command {
    /// Look for what is wrong with definitions: everything at once, each in its place
    Validate(Validate),
    /// What can happen at the same time, which way is the longest, how long it takes and what it costs
    Plan(Plan),
    /// What changed from one definition to another, and who has to follow
    Diff(Diff),
    /// Write the JSON Schema of definitions, for editors
    Schema,
}

/// Exits with 2 when something is wrong.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet workflow validate rfp.yaml
  fleet workflow validate templates/*.yaml -o json")]
pub struct Validate {
    /// Definitions, as YAML or JSON
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Estimates go by what was measured, else by what the definition says, else by the kind of each node.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet workflow plan rfp.yaml
  fleet workflow plan rfp.yaml --without lawyer-1 --without writer-1
  fleet workflow plan rfp.yaml --profiles measured.json -o json

Profiles are JSON or YAML: what was measured of nodes (by path), agents, tools and workflows, such as
  agents: { writer-1: { runs: 120, duration_ms: 45000, cost: { tokens: 8000 } } }")]
pub struct Plan {
    /// The definition
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What was measured
    #[arg(long, value_name = "FILE")]
    profiles: Option<PathBuf>,
    /// As if this agent were missing
    #[arg(long, value_name = "AGENT")]
    without: Vec<AgentId>,
}

/// Compared is what they mean, not how they are written.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet workflow diff rfp-old.yaml rfp.yaml
  fleet workflow diff rfp-old.yaml rfp.yaml -o json")]
pub struct Diff {
    /// The old definition
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The new one
    #[arg(value_name = "NEW")]
    new: PathBuf,
}

/// What is told of a file that was looked at.
#[derive(Serialize)]
struct Looked {
    file: String,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<usize>,
    faults: Vec<fleet_workflow::Fault>,
    more: usize,
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    match command {
        Command::Validate(arguments) => validate(global, &arguments.files),
        Command::Plan(arguments) => planned::run(global, &arguments),
        Command::Diff(arguments) => {
            let (old, new) = (file::read(&arguments.old)?, file::read(&arguments.new)?);
            let diff = version::diff(&old.definition, &new.definition);
            match global.is_for_people() {
                true => changes::show(&diff),
                false => output::raw(global.output, &diff),
            }
        }
        Command::Schema => output::raw(global.output, &fleet_workflow::schema()),
    }
}

fn validate(global: &Global, files: &[PathBuf]) -> Outcome {
    let mut looked = Vec::new();
    for path in files {
        let text = file::text(path)?;
        let name = path.display().to_string();
        looked.push(match file::parse(&text) {
            Ok(workflow) => {
                if global.is_for_people() {
                    let nodes = crate::show::count(workflow.graph.nodes.len() as u64, "node");
                    output::write(&format!(
                        "{name}: {} is right, {nodes}\n",
                        workflow.definition.name
                    ))?;
                }
                Looked {
                    file: name,
                    valid: true,
                    workflow: Some(workflow.definition.name.to_string()),
                    hash: Some(workflow.graph.hash.to_string()),
                    nodes: Some(workflow.graph.nodes.len()),
                    faults: Vec::new(),
                    more: 0,
                }
            }
            Err(faults) => {
                if global.is_for_people() {
                    file::show(&faults, &text, &name);
                }
                Looked {
                    file: name,
                    valid: false,
                    workflow: None,
                    hash: None,
                    nodes: None,
                    faults: faults.faults,
                    more: faults.more,
                }
            }
        });
    }
    if !global.is_for_people() {
        output::raw(global.output, &looked)?;
    }
    match looked.iter().all(|looked| looked.valid) {
        true => Ok(()),
        false => Err(Failure::told(exit::USAGE)),
    }
}
