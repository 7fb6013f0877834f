//! `fleet agents`: the registry, and an agent's brakes.
use super::tell_change;
use crate::context::{Global, Watch};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Detail, Row};
use crate::{exit, paint, parse, show};
use clap::{Args, Subcommand, ValueEnum};
use fleet_client::Fleet;
use fleet_client::http::AgentFilter;
use fleet_client::http::bodies::NewStatus;
use fleet_types::agent::{Definition, Priority, Status, Weight, Word};
use fleet_types::halt::{Mode, Order, Target};
use fleet_types::view::Agent;
use fleet_types::{AgentId, Pattern, ScopePath, Text, Version};
use serde::Serialize;
use std::path::PathBuf;

/// Agents
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet agents register pay-1 --scope emea/payments --allow-action 'payment.*' --allow-resource 'ledger/**'
  fleet agents register -f agent.yaml
  fleet agents list --scope emea --watch
  fleet agents pause pay-1 --reason \"odd transfers\"
  fleet agents resume pay-1")]
pub enum Command {
    /// List agents
    List {
        /// In this scope and below
        #[arg(long)]
        scope: Option<ScopePath>,
        /// With this status
        #[arg(long, value_enum)]
        status: Option<Life>,
        /// With this skill
        #[arg(long)]
        skill: Option<String>,
        /// In this pool
        #[arg(long)]
        pool: Option<String>,
        /// Whose id, name or description holds this text
        #[arg(long)]
        text: Option<String>,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one agent
    Get {
        /// Which
        agent: AgentId,
    },
    /// Register an agent, or a version of it
    Register(Box<Register>),
    /// Say that another agent should be used instead
    Deprecate {
        /// Which
        agent: AgentId,
        /// Its successor
        #[arg(long)]
        replaced_by: Option<AgentId>,
        /// Only this version
        #[arg(long)]
        version: Option<Version>,
    },
    /// Let it finish what it holds, and give it nothing new
    Drain(Brake),
    /// Let its new requests wait
    Pause(Brake),
    /// Release what pauses or drains it
    Resume(Brake),
    /// Remove an agent that holds nothing
    Remove {
        /// Which
        agent: AgentId,
    },
}

/// Where in its life.
#[derive(Clone, Copy, ValueEnum)]
pub enum Life {
    /// On trial
    Beta,
    /// In use
    Active,
    /// Use its replacement
    Deprecated,
    /// Asks for nothing
    Offline,
}

impl From<Life> for Status {
    fn from(life: Life) -> Self {
        match life {
            Life::Beta => Status::Beta,
            Life::Active => Status::Active,
            Life::Deprecated => Status::Deprecated,
            Life::Offline => Status::Offline,
        }
    }
}

/// Which agent, and why.
#[derive(Args)]
pub struct Brake {
    /// Which
    agent: AgentId,
    /// Why; people will read it
    #[arg(long, value_parser = parse::text, default_value = "by the command line")]
    reason: Text,
}

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

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List {
            scope,
            status,
            skill,
            pool,
            text,
            watch,
        } => {
            let filter = AgentFilter {
                scope,
                status: status.map(Into::into),
                skill,
                pool,
                text,
            };
            let empty = "no agents yet: fleet agents register AGENT, or fleet apply -f fleet.yaml";
            watch
                .each(async || {
                    let rows: Vec<_> = fleet
                        .agents(&filter)
                        .await?
                        .into_iter()
                        .map(Shown)
                        .collect();
                    output::list(global.output, &rows, empty)
                })
                .await
        }
        Command::Get { agent } => output::detail(global.output, &Shown(fleet.agent(&agent).await?)),
        Command::Register(register) => {
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
        Command::Deprecate {
            agent,
            replaced_by,
            version,
        } => {
            let status = NewStatus {
                version,
                status: Status::Deprecated,
                replaced_by,
            };
            let changed = fleet.set_agent_status(&agent, &status).await?.changed;
            tell_change(changed, &format!("agent {agent} is deprecated"));
            Ok(())
        }
        Command::Drain(brake) => stop(&fleet, brake, Mode::Graceful).await,
        Command::Pause(brake) => stop(&fleet, brake, Mode::Pause).await,
        Command::Resume(brake) => resume(&fleet, brake).await,
        Command::Remove { agent } => {
            fleet.remove_agent(&agent).await?;
            eprintln!("agent {agent} is removed");
            Ok(())
        }
    }
}

impl Register {
    fn definition(self) -> Outcome<Definition> {
        if let Some(file) = &self.file {
            let definition: Definition = super::apply::read_one(file)?;
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

async fn stop(fleet: &Fleet, brake: Brake, mode: Mode) -> Outcome {
    let order = Order {
        target: Target::Agent(brake.agent.clone()),
        mode,
        reason: brake.reason,
        release_by_two: None,
    };
    let halted = fleet.halt(&order).await?;
    eprintln!(
        "agent {}: {} (halt {}); `fleet agents resume {}` lets go",
        brake.agent,
        show::effect(mode),
        halted.halt,
        brake.agent
    );
    Ok(())
}

/// Releases the halts that pause or drain this agent alone; wider ones, and immediate ones, are left to `fleet release`.
async fn resume(fleet: &Fleet, brake: Brake) -> Outcome {
    let own = Target::Agent(brake.agent.clone());
    let mut released = 0;
    let mut others = Vec::new();
    for halt in fleet.agent(&brake.agent).await?.halts {
        let halt = fleet.halt_of(halt).await?;
        if halt.order.target == own && matches!(halt.mode, Mode::Pause | Mode::Graceful) {
            if fleet.release(halt.id, brake.reason.clone()).await?.released {
                released += 1;
            } else {
                eprintln!("halt {} waits for a second person to release it", halt.id);
            }
        } else {
            others.push(halt.id);
        }
    }
    if released > 0 {
        eprintln!(
            "agent {} goes on; released: {}",
            brake.agent,
            show::count(released, "halt")
        );
    }
    if !others.is_empty() {
        let names: Vec<String> = others.iter().map(ToString::to_string).collect();
        return Err(Failure::new(
            exit::CONFLICT,
            format!("agent {} stays under {}", brake.agent, names.join(", ")),
        )
        .advise("look with `fleet halts list`, release with `fleet release HALT`"));
    }
    if released == 0 {
        eprintln!("nothing to do: no halt is over agent {}", brake.agent);
    }
    Ok(())
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Agent);

impl Shown {
    fn status(&self) -> String {
        let word = show::word(&self.0.definition.status);
        match self.0.definition.status {
            _ if !self.0.halts.is_empty() => paint::bad(&format!("{word}, halted")),
            Status::Active => paint::good(&word),
            Status::Beta | Status::Deprecated => paint::waiting(&word),
            Status::Offline => paint::bad(&word),
        }
    }
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() {
        "-".to_owned()
    } else {
        items.join(", ")
    }
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "AGENT",
        "STATUS",
        "SCOPE",
        "VERSION",
        "INSTANCES",
        "HOLDS",
        "WAITS",
        "GRANTED",
        "DENIED",
        "ACTIVE",
    ];
    fn cells(&self) -> Vec<String> {
        let agent = &self.0;
        vec![
            agent.definition.id.to_string(),
            self.status(),
            agent
                .definition
                .scope
                .as_ref()
                .map_or("-".to_owned(), ToString::to_string),
            agent.definition.version.to_string(),
            agent.instances.len().to_string(),
            show::number(agent.permits_granted),
            show::number(agent.permits_waiting),
            show::number(agent.usage.granted),
            show::number(agent.usage.denied),
            show::relative(agent.usage.last_active_at),
        ]
    }
    fn name(&self) -> String {
        self.0.definition.id.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let agent = &self.0;
        let definition = &agent.definition;
        let versions = agent
            .versions
            .iter()
            .map(|(version, status)| format!("{version} ({})", show::word(status)));
        let instances: Vec<String> = agent
            .instances
            .iter()
            .map(|instance| {
                format!(
                    "{} {}, {}, since {}",
                    instance.id,
                    show::word(&instance.state),
                    show::count(instance.permits, "permit"),
                    show::relative(instance.connected_at)
                )
            })
            .collect();
        let usage = &agent.usage;
        let mut lines = vec![
            ("agent", definition.id.to_string()),
            ("status", self.status()),
        ];
        let mut some = |name: &'static str, value: String| {
            if !value.is_empty() && value != "-" {
                lines.push((name, value));
            }
        };
        some("name", definition.name.to_string());
        some("description", definition.description.to_string());
        some(
            "scope",
            definition
                .scope
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        );
        some("versions", list(versions));
        some(
            "replaced by",
            agent
                .replaced_by
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        );
        some("groups", list(&agent.groups));
        some("may do", list(&definition.allow.actions));
        some("may touch", list(&definition.allow.resources));
        some(
            "skills",
            list(
                definition
                    .capabilities
                    .skills
                    .iter()
                    .map(|word| word.as_str()),
            ),
        );
        some(
            "pool",
            definition
                .pool
                .as_ref()
                .map(|pool| pool.as_str().to_owned())
                .unwrap_or_default(),
        );
        some("owner", definition.owner.to_string());
        some("labels", show::labels(&definition.labels));
        some(
            "at once",
            definition
                .config
                .concurrency_max
                .map(|max| format!("at most {max}"))
                .unwrap_or_default(),
        );
        some(
            "priority",
            format!(
                "{}, weight {}",
                definition.priority.get(),
                definition.weight.get()
            ),
        );
        some("halts", list(&agent.halts));
        some(
            "instances",
            if instances.is_empty() {
                "none connected".to_owned()
            } else {
                instances.join("\n")
            },
        );
        some(
            "permits",
            format!(
                "{} held, {} waiting",
                agent.permits_granted, agent.permits_waiting
            ),
        );
        some(
            "so far",
            format!(
                "{} granted, {} denied, {} completed, {} failed, {} expired",
                show::number(usage.granted),
                show::number(usage.denied),
                show::number(usage.completed),
                show::number(usage.failed),
                show::number(usage.expired)
            ),
        );
        some(
            "spent",
            format!(
                "{} and {} tokens",
                show::money(usage.money_micros),
                show::number(usage.tokens)
            ),
        );
        some("active", show::relative(usage.last_active_at));
        some("registered", show::absolute(agent.registered_at));
        lines
    }
    fn name(&self) -> String {
        self.0.definition.id.to_string()
    }
}
