//! `fleet tools`: actions with arguments, guards, resources and costs of their own.
mod guard;

use super::rules::{Why, case};
use super::{apply, tell_change};
use crate::context::{Global, Watch};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Detail, Row};
use crate::{exit, paint, show};
use clap::{Args, Subcommand};
use fleet_core::derive;
use fleet_types::budget::Cost;
use fleet_types::lock::Claim;
use fleet_types::tool::{Fault, Guard, Tool};
use fleet_types::{ActionName, Text, view};
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::PathBuf;

pub(super) use guard::warn;

/// Tools
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet tools check -f pay.yaml --parameters '{\"account\": \"4711\", \"amount\": 900}'
  fleet tools set -f pay.yaml --reason \"ticket 4711\"
  fleet tools list
  fleet tools show ledger.pay
  fleet tools remove ledger.pay")]
pub enum Command {
    /// List registered tools
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one tool
    Show {
        /// Which
        tool: ActionName,
    },
    /// Register a tool, or its next version, as a file says
    Set {
        /// The file, as YAML or JSON; - reads standard input
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        why: Why,
    },
    /// Remove a tool: its action is an action like any other then
    Remove {
        /// Which
        tool: ActionName,
        #[command(flatten)]
        why: Why,
    },
    /// What a tool would make of arguments: which are wrong, what its guard says, what it touches, what it costs
    Check(Check),
}

/// What a tool would make of arguments: which are wrong, what its guard says, what it touches, what it costs
///
/// With --file it needs no server, unless --agent is given. Exits with 6 where the arguments are wrong or the guard forbids.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
#[command(after_help = "Examples:
  fleet tools check -f pay.yaml
  fleet tools check -f pay.yaml --parameters '{\"account\": \"4711\", \"amount\": 900}'
  fleet tools check ledger.pay --parameters '{\"account\": \"4711\"}' --agent ann --label desk=risk")]
pub struct Check {
    /// A registered tool
    #[arg(group = "which")]
    tool: Option<ActionName>,
    /// A file of a tool, as YAML or JSON; - reads standard input
    #[arg(short, long, value_name = "FILE", group = "which")]
    file: Option<PathBuf>,
    /// The arguments, as a JSON object; absent: only the tool itself is looked at
    #[arg(long, value_name = "JSON")]
    parameters: Option<String>,
    #[command(flatten)]
    caller: guard::Caller,
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    match command {
        Command::List { watch } => {
            let fleet = global.fleet()?;
            let empty = "no tools yet: fleet tools set -f FILE";
            let get = async || fleet.tools().await;
            watch.list(global.output, Shown, empty, get).await
        }
        Command::Show { tool } => {
            let found = global.fleet()?.tool(&tool).await?;
            output::detail(global.output, &Shown(found))
        }
        Command::Set { file, why } => {
            let tool: Tool = apply::read_one(&file)?;
            is_right(&tool)?;
            warn(&tool);
            let changed = global.fleet()?.put_tool_because(&tool, &why.reason).await?;
            let words = format!(
                "tool {} is registered: {}",
                tool.id,
                guards(&tool).join(", ")
            );
            tell_change(changed.changed, &words);
            Ok(())
        }
        Command::Remove { tool, why } => {
            let fleet = global.fleet()?;
            fleet.remove_tool_because(&tool, &why.reason).await?;
            eprintln!("tool {tool} is removed");
            Ok(())
        }
        Command::Check(wanted) => check(global, wanted).await,
    }
}

/// What a tool makes of arguments.
#[derive(Serialize)]
struct Checked {
    tool: ActionName,
    /// Arguments that are not what it takes.
    faults: Vec<Fault>,
    /// What the guard says: the last, unless the condition of one before it holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    guard: Vec<guard::Says>,
    /// What follows from them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Claim>,
    #[serde(skip_serializing_if = "Cost::is_zero")]
    cost: Cost,
}

async fn check(global: &Global, wanted: Check) -> Outcome {
    let tool: Tool = match (wanted.tool, wanted.file) {
        (Some(id), _) => global.fleet()?.tool(&id).await?.tool,
        (None, Some(file)) => apply::read_one(&file)?,
        (None, None) => return Err(Failure::usage("say which tool, or --file")),
    };
    let schema = is_right(&tool)?;
    warn(&tool);
    let Some(parameters) = wanted.parameters else {
        eprintln!("tool {} is right: {}", tool.id, guards(&tool).join(", "));
        return Ok(());
    };
    let parameters: Map<String, Value> = serde_json::from_str(&parameters)
        .map_err(|error| Failure::usage(format!("--parameters is no JSON object: {error}")))?;
    let mut checked = Checked {
        tool: tool.id.clone(),
        faults: schema.map_or_else(Vec::new, |schema| schema.check(&parameters)),
        guard: Vec::new(),
        resources: Vec::new(),
        cost: Cost::ZERO,
    };
    if checked.faults.is_empty() {
        match derive(&tool, Some(&parameters)) {
            Ok(derived) => (checked.resources, checked.cost) = (derived.claims, derived.cost),
            Err(faults) => checked.faults = faults,
        }
    }
    if checked.faults.is_empty() {
        let claims = &checked.resources;
        checked.guard = guard::says(global, &tool, &parameters, claims, wanted.caller).await?;
    }
    let is_refused = checked.guard.last().is_none_or(guard::Says::forbids);
    output::detail(global.output, &checked)?;
    match is_refused {
        true => Err(Failure::told(exit::DENIED)),
        false => Ok(()),
    }
}

/// Whether a tool makes sense; the schema of its arguments, if it has one. Looked at here, before anything is done.
pub(super) fn is_right(tool: &Tool) -> Outcome<Option<fleet_schema::Compiled>> {
    fleet_core::check_tool(tool)
        .map_err(|wrong| Failure::usage(format!("tool {}: {}", tool.id, wrong.message)))?;
    let Some(schema) = &tool.arguments else {
        return Ok(None);
    };
    fleet_schema::compile(schema).map(Some).map_err(|fault| {
        Failure::usage(format!(
            "tool {}: arguments is no schema that tools may have: at {:?}: {}",
            tool.id, fault.argument, fault.wanted
        ))
    })
}

/// Where no case decides, then each case.
fn guards(tool: &Tool) -> Vec<String> {
    let mut parts = vec![show::word(&tool.guard)];
    let cases = tool.cases.iter();
    parts.extend(cases.map(|own| format!("{} for {}", show::word(&own.guard), case(&own.when))));
    parts
}

/// `ledger/{account} exclusive`.
fn resources(tool: &Tool) -> String {
    let resources = tool.resources.iter();
    let lines: Vec<String> = resources
        .map(|template| format!("{} {}", template.path, show::word(&template.mode)))
        .collect();
    show::joined(&lines, "\n", "-")
}

fn costs(tool: &Tool) -> String {
    let mut parts = vec![show::cost(&tool.cost.fixed)];
    let per = tool.cost.per.iter();
    parts.extend(per.map(|rate| format!("{} for each {}", show::cost(&rate.unit), rate.argument)));
    parts.join("\n")
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(view::Tool);

impl Row for Shown {
    const COLUMNS: &'static [&'static str] =
        &["TOOL", "VERSION", "GUARD", "RESOURCES", "DESCRIPTION"];
    fn cells(&self) -> Vec<String> {
        let tool = &self.0.tool;
        let shown = guards(tool).join(", ");
        let shown = match tool.guard {
            Guard::Automatic => shown,
            Guard::Approval => paint::waiting(&shown),
            Guard::Forbidden => paint::bad(&shown),
        };
        vec![
            tool.id.to_string(),
            self.0.version.to_string(),
            shown,
            resources(tool).replace('\n', ", "),
            tool.description.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.tool.id.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let tool = &self.0.tool;
        let mut lines = vec![
            ("tool", tool.id.to_string()),
            ("version", self.0.version.to_string()),
            ("guard", guards(tool).join("\n")),
        ];
        if !tool.description.is_empty() {
            lines.push(("description", tool.description.to_string()));
        }
        if let Some(terms) = &tool.approval {
            lines.push(("asks", show::asked_of(&terms.assignees, terms.needed)));
        }
        lines.push(("resources", resources(tool)));
        lines.push(("cost", costs(tool)));
        if let Some(schema) = &tool.arguments {
            let text = serde_json::to_string_pretty(schema.value()).unwrap_or_default();
            lines.push(("arguments", text));
        }
        lines
    }
    fn name(&self) -> String {
        self.0.tool.id.to_string()
    }
}

impl Detail for Checked {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("tool", self.tool.to_string())];
        let wrong = self.faults.iter().map(|fault| {
            let at = match fault.argument.as_str() {
                "" => "all",
                argument => argument,
            };
            format!("{at}: {}", wanted(&fault.wanted))
        });
        let wrong: Vec<String> = wrong.collect();
        if !wrong.is_empty() {
            lines.push(("wrong", show::joined(&wrong, "\n", "-")));
            return lines;
        }
        lines.push(("guard", guard::lines(&self.guard)));
        let claims = self.resources.iter();
        let claims: Vec<String> = claims
            .map(|claim| format!("{} {}", claim.path, show::word(&claim.mode)))
            .collect();
        lines.push(("resources", show::joined(&claims, "\n", "-")));
        lines.push(("cost", show::cost(&self.cost)));
        lines
    }
    fn name(&self) -> String {
        self.tool.to_string()
    }
}

fn wanted(words: &Text) -> String {
    paint::bad(words.as_str())
}
