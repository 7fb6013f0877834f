//! `fleet agents register`.
use crate::commands::{apply, tell_change};
use crate::failure::{Failure, Outcome};
use crate::parse;
use clap::Args;
use fleet_client::Fleet;
use fleet_types::agent::{Definition, Priority, Weight, Word};
use fleet_types::{AgentId, Pattern, ScopePath, Text, Version};
use std::path::PathBuf;

/// An agent's definition.
#[derive(Args)]
pub struct Register {
    /// The agent
    #[arg(required_unless_present = "file")]
    agent: Option<AgentId>,
    /// The whole definition, as YAML or JSON; - reads standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["scope", "allow_action", "allow_resource"])]
    file: Option<PathBuf>,
    /// A name for people
    #[arg(long, value_parser = parse::text, default_value = "")]
    name: Text,
    /// What it does
    #[arg(long, value_parser = parse::text, default_value = "")]
    description: Text,
    /// The version
    #[arg(long)]
    version: Option<Version>,
    /// Where it stands in the tree
    #[arg(long)]
    scope: Option<ScopePath>,
    /// An action it may take, such as 'payment.*'; may be given several times
    #[arg(long, value_name = "PATTERN")]
    allow_action: Vec<Pattern>,
    /// A resource it may touch, such as 'ledger/eu/**'; may be given several times
    #[arg(long, value_name = "PATTERN")]
    allow_resource: Vec<Pattern>,
    /// Most permits in flight at once
    #[arg(long, value_name = "COUNT")]
    concurrency: Option<u32>,
    /// 1 (least) to 10 (most urgent)
    #[arg(long, value_parser = parse::priority)]
    priority: Option<Priority>,
    /// Its share beside others, 1 to 1000
    #[arg(long, value_parser = parse::weight)]
    weight: Option<Weight>,
    /// Who answers for it
    #[arg(long, value_parser = parse::text, default_value = "")]
    owner: Text,
    /// Its pool's type
    #[arg(long, value_parser = parse::word)]
    pool: Option<Word>,
    /// What it is good at; may be given several times
    #[arg(long, value_parser = parse::word)]
    skill: Vec<Word>,
    /// A label; may be given several times
    #[arg(short, long, value_parser = parse::label, value_name = "KEY=VALUE")]
    label: Vec<(String, String)>,
}

pub async fn run(fleet: &Fleet, register: Register) -> Outcome {
    let definition = register.definition()?;
    let changed = fleet.put_agent(&definition).await?.changed;
    tell_change(
        changed,
        &format!(
            "agent {} version {} is registered",
            definition.id, definition.version
        ),
    );
    Ok(())
}

impl Register {
    fn definition(self) -> Outcome<Definition> {
        if let Some(file) = &self.file {
            let definition: Definition = apply::read_one(file)?;
            return match self.agent {
                Some(agent) if agent != definition.id => Err(Failure::usage(format!(
                    "{} defines agent {}, not {agent}",
                    file.display(),
                    definition.id
                ))),
                _ => Ok(definition),
            };
        }
        let Some(agent) = self.agent else {
            return Err(Failure::usage("say which agent, or give a file"));
        };
        let mut definition = Definition::new(agent);
        definition.name = self.name;
        definition.description = self.description;
        definition.scope = self.scope;
        definition.allow.actions = self.allow_action;
        definition.allow.resources = self.allow_resource;
        definition.config.concurrency_max = self.concurrency;
        definition.owner = self.owner;
        definition.pool = self.pool;
        definition.capabilities.skills = self.skill;
        definition.labels = parse::labels(&self.label).map_err(Failure::usage)?;
        definition.version = self.version.unwrap_or(definition.version);
        definition.priority = self.priority.unwrap_or(definition.priority);
        definition.weight = self.weight.unwrap_or(definition.weight);
        Ok(definition)
    }
}
