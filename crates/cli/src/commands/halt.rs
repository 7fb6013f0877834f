//! `fleet halt`: stop. Says whom it would reach before it asks.
use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Format};
use crate::{paint, parse, show};
use clap::{Args, ValueEnum};
use fleet_client::Fleet;
use fleet_client::http::AgentFilter;
use fleet_types::halt::{Mode, Order, Target};
use fleet_types::view::{Agent, Propagation};
use fleet_types::{AgentId, GroupId, HaltId, Labels, ScopePath, Text};
use std::io::{BufRead, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Stop agents, at once or gently
///
/// When this returns, the halt is durable: no permit in its reach is granted until it is released. An agent's own key
/// cannot release it.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet halt --all --reason \"something is wrong\"
  fleet halt --scope emea/treasury --mode graceful --reason \"books are being closed\" --yes
  fleet halt --selector vendor=acme --reason \"the model misbehaves\"
  fleet halts get h42                       who has heard, and who has not")]
#[command(group = clap::ArgGroup::new("target").required(true).args(["all", "scope", "group", "selector", "agent"]))]
pub struct Arguments {
    /// Every agent of the fleet
    #[arg(long)]
    all: bool,
    /// Agents in this scope and below
    #[arg(long)]
    scope: Option<ScopePath>,
    /// Members of this group
    #[arg(long)]
    group: Option<GroupId>,
    /// Agents with these labels
    #[arg(long, value_parser = parse::selector, value_name = "KEY=VALUE,…")]
    selector: Option<Labels>,
    /// One agent
    #[arg(long)]
    agent: Option<AgentId>,
    /// How hard
    #[arg(long, value_enum, default_value_t = How::Immediate)]
    mode: How,
    /// Why; people will read it
    #[arg(long, value_parser = parse::text)]
    reason: Text,
    /// Its release takes two persons
    #[arg(long)]
    release_by_two: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// How long to wait for acknowledgements before returning
    #[arg(long, value_parser = parse::duration, default_value = "2s", value_name = "TIME")]
    wait: Duration,
}

/// How hard a halt stops.
#[derive(Clone, Copy, ValueEnum)]
pub enum How {
    /// Nothing new; permits and locks are taken back at once
    Immediate,
    /// Nothing new; what runs may finish
    Graceful,
    /// New requests wait; what runs goes on
    Pause,
    /// Nothing new but what reduces risk; what runs goes on
    RiskReducingOnly,
}

impl From<How> for Mode {
    fn from(how: How) -> Self {
        match how {
            How::Immediate => Mode::Immediate,
            How::Graceful => Mode::Graceful,
            How::Pause => Mode::Pause,
            How::RiskReducingOnly => Mode::RiskReducingOnly,
        }
    }
}

pub async fn run(global: &Global, arguments: Arguments) -> Outcome {
    let fleet = global.fleet()?;
    let target = match arguments {
        Arguments { all: true, .. } => Target::All,
        Arguments {
            scope: Some(scope), ..
        } => Target::Scope(scope),
        Arguments {
            group: Some(group), ..
        } => Target::Group(group),
        Arguments {
            selector: Some(labels),
            ..
        } => Target::Selector(labels),
        Arguments {
            agent: Some(agent), ..
        } => Target::Agent(agent),
        _ => {
            return Err(Failure::usage(
                "say whom: --all, --scope, --group, --selector or --agent",
            ));
        }
    };
    let mode = arguments.mode.into();
    if !arguments.yes {
        blast_radius(&fleet, &target, mode).await?;
        ask(&target)?;
    }
    let order = Order {
        target,
        mode,
        reason: arguments.reason,
        release_by_two: arguments.release_by_two.then_some(true),
    };
    let halted = fleet.halt(&order).await?;
    match global.output {
        Format::Table => output::write(&format!(
            "{} {}: {}; {} in reach, {} taken back or denied\n",
            halted.halt,
            paint::bad("halted"),
            show::target(&order.target),
            show::count(halted.reach, "instance"),
            show::count(halted.revoked, "permit"),
        ))?,
        Format::Name => output::write(&format!("{}\n", halted.halt))?,
        Format::Json | Format::Yaml => output::raw(global.output, &halted)?,
    }
    if halted.reach > 0 {
        let heard = wait(&fleet, halted.halt, arguments.wait).await?;
        eprintln!("{}", spread(&heard));
    }
    eprintln!("let go with: fleet release {}", halted.halt);
    Ok(())
}

/// Says on standard error whom a halt would reach.
async fn blast_radius(fleet: &Fleet, target: &Target, mode: Mode) -> Outcome {
    let agents = reached(fleet, target).await?;
    let sum = |of: fn(&Agent) -> u64| agents.iter().map(of).sum::<u64>();
    let held = sum(|agent| agent.permits_granted);
    let waiting = sum(|agent| agent.permits_waiting);
    eprintln!(
        "{} {}: {}.",
        paint::warning("halt"),
        show::target(target),
        show::effect(mode)
    );
    eprintln!(
        "It reaches {} with {}, {} held and {} that wait.",
        show::count(agents.len() as u64, "agent"),
        show::count(sum(|agent| agent.instances.len() as u64), "live instance"),
        show::count(held, "permit"),
        show::number(waiting),
    );
    let names: Vec<&str> = agents
        .iter()
        .take(8)
        .map(|agent| agent.definition.id.as_str())
        .collect();
    if !names.is_empty() {
        let rest = agents.len().saturating_sub(names.len());
        let more = if rest > 0 {
            format!(" and {rest} more")
        } else {
            String::new()
        };
        eprintln!("  {}{more}", names.join(", "));
    }
    Ok(())
}

async fn reached(fleet: &Fleet, target: &Target) -> Outcome<Vec<Agent>> {
    let mut filter = AgentFilter::default();
    match target {
        Target::Scope(scope) => filter.scope = Some(scope.clone()),
        Target::Agent(agent) => return Ok(vec![fleet.agent(agent).await?]),
        Target::All | Target::Group(_) | Target::Selector(_) => {}
    }
    let mut agents = fleet.agents(&filter).await?;
    match target {
        Target::Group(group) => {
            let group = fleet.group(group).await?;
            agents.retain(|agent| group.members.contains(&agent.definition.id));
        }
        Target::Selector(labels) => agents.retain(|agent| agent.definition.labels.contain(labels)),
        Target::All | Target::Scope(_) | Target::Agent(_) => {}
    }
    Ok(agents)
}

/// Asks for the target to be typed.
fn ask(target: &Target) -> Outcome {
    let word = match target {
        Target::All => "all".to_owned(),
        Target::Scope(scope) => scope.to_string(),
        Target::Group(group) => group.to_string(),
        Target::Selector(labels) => show::labels(labels),
        Target::Agent(agent) => agent.to_string(),
    };
    let mut stdin = std::io::stdin().lock();
    if !std::io::stdin().is_terminal() {
        return Err(
            Failure::usage("nobody is there to ask").advise("give --yes to halt without asking")
        );
    }
    eprint!("Type {word} to halt: ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    stdin.read_line(&mut line)?;
    if line.trim() == word {
        Ok(())
    } else {
        Err(Failure::usage("not halted: something else was typed"))
    }
}

/// Waits until all in reach have acknowledged, or for so long.
async fn wait(fleet: &Fleet, halt: HaltId, most: Duration) -> Outcome<Propagation> {
    let until = Instant::now() + most;
    loop {
        let heard = fleet.halt_of(halt).await?.propagation;
        if heard.acknowledged >= heard.reach || Instant::now() >= until {
            return Ok(heard);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How far the word has spread, in one line.
pub fn spread(heard: &Propagation) -> String {
    let times = match (heard.p50_us, heard.p99_us, heard.max_us) {
        (Some(p50), Some(p99), Some(max)) => format!(
            " (p50 {}, p99 {}, slowest {})",
            show::span_us(p50),
            show::span_us(p99),
            show::span_us(max)
        ),
        _ => String::new(),
    };
    format!(
        "acknowledged by {} of {}{times}; {} still in work",
        show::number(heard.acknowledged),
        show::count(heard.reach, "instance"),
        show::count(heard.in_flight, "permit"),
    )
}
