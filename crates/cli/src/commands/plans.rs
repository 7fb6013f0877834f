//! `fleet plans`: what agents intend, and what it would run into.
use super::apply;
use crate::context::{Global, Watch};
use crate::failure::Outcome;
use crate::output::{self, Detail, Row};
use crate::{paint, show};
use clap::Subcommand;
use fleet_types::plan::{Ahead, Plan, Slot, View, With};
use fleet_types::{AgentId, PlanId};
use serde::Serialize;
use std::path::PathBuf;

/// Plans
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet plans declare -f plan.yaml
  fleet plans list --agent ann
  fleet plans show n42
  fleet plans withdraw n42")]
pub enum Command {
    /// Say what an agent intends, and hear what it would run into
    Declare {
        /// The file, as YAML or JSON; - reads standard input
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
    },
    /// List plans that stand
    List {
        /// Of this agent
        #[arg(long)]
        agent: Option<AgentId>,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one plan, and what it runs into now
    Show {
        /// Which
        plan: PlanId,
    },
    /// Withdraw a plan
    Withdraw {
        /// Which
        plan: PlanId,
    },
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::Declare { file } => {
            let plan: Plan = apply::read_one(&file)?;
            output::detail(global.output, &Shown(fleet.declare_plan(&plan).await?))
        }
        Command::List { agent, watch } => {
            let empty = "no plans: fleet plans declare -f FILE";
            let get = async || fleet.plans(agent.as_ref()).await;
            watch.list(global.output, Shown, empty, get).await
        }
        Command::Show { plan } => output::detail(global.output, &Shown(fleet.plan(plan).await?)),
        Command::Withdraw { plan } => {
            fleet.withdraw_plan(plan).await?;
            eprintln!("plan {plan} is withdrawn");
            Ok(())
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(View);

fn collision(ahead: &Ahead) -> String {
    let with = match &ahead.with {
        With::Plan {
            plan,
            agent,
            step,
            resource,
        } => format!("step {step} of {plan} of {agent} on {resource}"),
        With::Permit {
            permit,
            agent,
            resource,
        } => format!("{permit} of {agent}, which holds {resource}"),
        With::Rule { rule, key, reason } => match show::thing(key).as_str() {
            "" => format!("rule {rule}: {reason}"),
            thing => format!("rule {rule} on {thing}: {reason}"),
        },
        With::Limit { limit } => format!("limit {limit}, which is used up then"),
        With::Likely {
            agent,
            resource,
            permille,
        } => format!(
            "{agent}, which likely comes to {resource} ({} %)",
            permille / 10
        ),
    };
    let until = ahead
        .until
        .map(|until| format!(" until {}", show::relative(until)));
    format!(
        "step {} {}{}: {with}",
        ahead.step,
        show::relative(ahead.from),
        until.unwrap_or_default()
    )
}

fn slot(slot: &Slot) -> String {
    let late = if slot.late {
        paint::bad(", too late")
    } else {
        String::new()
    };
    let (plan, agent, step) = (slot.plan, &slot.agent, slot.step);
    format!(
        "{} step {step} of {plan} ({agent}){late}",
        show::relative(slot.begins_at)
    )
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &["PLAN", "AGENT", "STEPS", "DECLARED", "EXPIRES"];
    fn cells(&self) -> Vec<String> {
        let steps: Vec<&str> = self
            .0
            .declared
            .steps
            .iter()
            .map(|step| step.action.as_str())
            .collect();
        vec![
            self.0.plan.to_string(),
            self.0.declared.agent.to_string(),
            show::list(steps),
            show::relative(self.0.declared_at),
            show::relative(self.0.expires_at),
        ]
    }
    fn name(&self) -> String {
        self.0.plan.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let it = &self.0;
        let steps: Vec<&str> = it
            .declared
            .steps
            .iter()
            .map(|step| step.action.as_str())
            .collect();
        let ahead: Vec<String> = it.collisions.iter().map(collision).collect();
        let order: Vec<String> = it.order.iter().map(slot).collect();
        vec![
            ("plan", it.plan.to_string()),
            ("agent", it.declared.agent.to_string()),
            ("steps", show::list(steps)),
            ("expires", show::relative(it.expires_at)),
            ("collisions", show::joined(&ahead, "\n", "none ahead")),
            ("order", show::joined(&order, "\n", "-")),
        ]
    }
    fn name(&self) -> String {
        self.0.plan.to_string()
    }
}
