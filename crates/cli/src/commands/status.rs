//! `fleet status`: the fleet at a glance.
use crate::context::{Global, Watch};
use crate::failure::Outcome;
use crate::output::{self, Detail};
use crate::{paint, parse, show};
use clap::Args;
use fleet_client::Kind;
use fleet_types::Code;
use fleet_types::instance::InstanceState;
use fleet_types::view::Status;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Show the fleet at a glance
#[derive(Args)]
#[command(after_help = "Examples:
  fleet status
  fleet status --watch 1s
  fleet status --wait                 first waits until the server is ready, such as after `fleet dev &`
  fleet status -o json | jq .permits_waiting")]
pub struct Arguments {
    /// Wait until the server is there and ready, so long at most
    #[arg(long, num_args = 0..=1, default_missing_value = "30s", value_parser = parse::duration, value_name = "TIME")]
    wait: Option<Duration>,
    #[command(flatten)]
    watch: Watch,
}

/// How often a server is asked whether it is ready.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Waits until the server is ready.
async fn ready(global: &Global, within: Duration) -> Outcome {
    let http = global.http()?;
    let since = Instant::now();
    while let Err(error) = http.is_ready().await {
        let may_come = matches!(error.kind(), Kind::Unreachable | Kind::Lost)
            || matches!(error.code(), Some(Code::Unavailable | Code::ReadOnly));
        if !may_come || since.elapsed() >= within {
            return Err(error.into());
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
    Ok(())
}

pub async fn run(global: &Global, arguments: Arguments) -> Outcome {
    if let Some(within) = arguments.wait {
        ready(global, within).await?;
    }
    let fleet = global.fleet()?;
    arguments
        .watch
        .each(async || {
            let status = fleet.status().await?;
            let shown = Shown {
                status,
                fleet: fleet.id().to_string(),
            };
            output::detail(global.output, &shown)?;
            if global.is_for_people() {
                hint(&shown.status);
            }
            Ok(())
        })
        .await
}

/// What could be done next, where there is nothing yet or something needs a person.
fn hint(status: &Status) {
    if status.halts > 0 {
        eprintln!("\nhalts are in force: `fleet halts list`; `fleet release HALT` lets go");
    } else if status.policies_broken > 0 {
        eprintln!("\npolicies that cannot be asked deny what they look at: `fleet policies list`");
    } else if status.transactions_stuck > 0 {
        eprintln!("\ntransactions wait for a person: `fleet txn list`; `fleet txn resolve --help`");
    } else if status.conflicts_escalated > 0 {
        eprintln!("\nconflicts wait for a person: `fleet conflicts list`");
    } else if status.agents == 0 {
        eprintln!("\nno agents yet: `fleet agents register AGENT`, or `fleet apply -f fleet.yaml`");
    }
}

/// `12, 3 need a person`.
fn of_which(all: u64, worse: u64, words: &str) -> String {
    match worse {
        0 => show::number(all),
        worse => format!(
            "{}, {}",
            show::number(all),
            paint::bad(&format!("{} {words}", show::number(worse)))
        ),
    }
}

/// `2 idle, 1 halted`.
fn instances(states: &BTreeMap<InstanceState, u64>) -> String {
    let shown: Vec<String> = states
        .iter()
        .map(|(state, count)| {
            let text = format!("{count} {}", show::word(state));
            match state {
                InstanceState::Halted | InstanceState::Failed => paint::bad(&text),
                InstanceState::Draining | InstanceState::Recovering => paint::waiting(&text),
                InstanceState::Idle | InstanceState::Active | InstanceState::Busy => text,
            }
        })
        .collect();
    show::joined(&shown, ", ", "none connected")
}

#[derive(Serialize)]
struct Shown {
    #[serde(skip)]
    fleet: String,
    #[serde(flatten)]
    status: Status,
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let Status {
            seq,
            at,
            agents,
            instances,
            permits_granted,
            permits_waiting,
            locks_held,
            halts,
            approvals_open,
            conflicts,
            conflicts_escalated,
            transactions,
            transactions_stuck,
            policies_broken,
            totals,
            ..
        } = &self.status;
        let denied: u64 = totals.denied.values().sum();
        let why: Vec<String> = totals
            .denied
            .iter()
            .map(|(code, count)| format!("{count} {code}"))
            .collect();
        let halts = match halts {
            0 => "none".to_owned(),
            count => paint::bad(&format!("{} in force", show::count(*count, "halt"))),
        };
        let waiting = match permits_waiting {
            0 => "0 waiting".to_owned(),
            count => paint::waiting(&format!("{} waiting", show::number(*count))),
        };
        let mut lines = vec![
            ("fleet", self.fleet.clone()),
            (
                "as of",
                format!("event {}, {}", show::number(seq.0), show::absolute(*at)),
            ),
            ("halts", halts),
            ("agents", show::number(*agents)),
            ("instances", self::instances(instances)),
            (
                "permits",
                format!("{} held, {waiting}", show::number(*permits_granted)),
            ),
            ("locks", format!("{} held", show::number(*locks_held))),
            (
                "approvals",
                match approvals_open {
                    0 => "none to answer".to_owned(),
                    open => paint::waiting(&format!("{} to answer", show::number(*open))),
                },
            ),
            (
                "conflicts",
                of_which(*conflicts, *conflicts_escalated, "before a person"),
            ),
            (
                "txns",
                of_which(*transactions, *transactions_stuck, "need a person"),
            ),
            (
                "so far",
                format!(
                    "{} granted, {} had to wait, {} denied, {} completed, {} failed, {} cancelled, {} expired, {} taken back",
                    show::number(totals.granted),
                    show::number(totals.queued),
                    show::number(denied),
                    show::number(totals.completed),
                    show::number(totals.failed),
                    show::number(totals.cancelled),
                    show::number(totals.expired),
                    show::number(totals.revoked),
                ),
            ),
            ("denied", show::joined(&why, ", ", "none")),
        ];
        if *policies_broken > 0 {
            let words = format!("{} cannot be asked", show::number(*policies_broken));
            lines.push(("policies", paint::bad(&words)));
        }
        lines
    }

    fn name(&self) -> String {
        self.fleet.clone()
    }
}
