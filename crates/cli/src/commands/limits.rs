//! `fleet limits`: how often, or how many at once.
use super::tell_change;
use crate::context::{Global, Watch};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Detail, Row};
use crate::{parse, show};
use clap::{Args, Subcommand, ValueEnum};
use fleet_types::limit::{Concurrency, Dynamic, Each, Limit, Measure, Rate, Reserved};
use fleet_types::selector::Selector;
use fleet_types::{GroupId, LimitId, Millis, Pattern, ScopePath, Text, view};
use serde::Serialize;

/// Limits
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet limits set payments --rate 10/s --burst 20 --action 'payment.*'
  fleet limits set per-agent --concurrency 3 --each agent
  fleet limits list --watch")]
pub enum Command {
    /// List limits and their use
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one limit
    Get {
        /// Which
        limit: LimitId,
    },
    /// Set a limit; what it has counted stands
    Set(Box<Set>),
    /// Remove a limit
    Remove {
        /// Which
        limit: LimitId,
    },
}

/// Which requests count.
#[derive(Args)]
pub struct Which {
    /// Of agents in this scope and below
    #[arg(long)]
    scope: Option<ScopePath>,
    /// Of agents whose id matches
    #[arg(long, value_name = "PATTERN")]
    agent: Option<Pattern>,
    /// Of members of this group
    #[arg(long)]
    group: Option<GroupId>,
    /// For actions that match
    #[arg(long, value_name = "PATTERN")]
    action: Option<Pattern>,
    /// That claim a resource that matches
    #[arg(long, value_name = "PATTERN")]
    resource: Option<Pattern>,
    /// That carry this label; may be given several times
    #[arg(short, long, value_parser = parse::label, value_name = "KEY=VALUE")]
    label: Vec<(String, String)>,
}

impl Which {
    /// As a selector.
    pub fn selector(self) -> Outcome<Selector> {
        Ok(Selector {
            scope: self.scope,
            agent: self.agent,
            group: self.group,
            action: self.action,
            resource: self.resource,
            labels: parse::labels(&self.label).map_err(Failure::usage)?,
        })
    }
}

/// Whether all share a count.
#[derive(Clone, Copy, ValueEnum)]
pub enum Share {
    /// All share one
    All,
    /// Each agent has its own
    Agent,
    /// Each resource has its own
    Resource,
    /// Each action has its own
    Action,
}

/// A limit.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("measure").required(true).args(["rate", "concurrency"]))]
pub struct Set {
    /// Its name
    limit: LimitId,
    /// So many per span of time: 10/s, 600/min, 3/250ms
    #[arg(long, value_parser = parse::rate, value_name = "COUNT/SPAN")]
    rate: Option<(u64, Millis)>,
    /// So many may come at once after a pause; absent: as many as the rate
    #[arg(long, requires = "rate", value_name = "COUNT")]
    burst: Option<u64>,
    /// So many at once
    #[arg(long, value_name = "COUNT")]
    concurrency: Option<u64>,
    /// Whether all share one count
    #[arg(long, value_enum, default_value_t = Share::All)]
    each: Share,
    /// Kept for priorities 9 and 10
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    reserve_critical: u64,
    /// Kept for priorities 7 and 8
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    reserve_high: u64,
    /// Kept for priorities 4 to 6
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    reserve_normal: u64,
    /// Kept for priorities 1 to 3
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    reserve_low: u64,
    /// Lets it move by measured latency and errors: never below this
    #[arg(long, requires_all = ["ceiling", "latency_target"], value_name = "COUNT")]
    floor: Option<u64>,
    /// … never above this
    #[arg(long, requires = "floor", value_name = "COUNT")]
    ceiling: Option<u64>,
    /// … and slower than this is congestion
    #[arg(long, requires = "floor", value_parser = parse::millis, value_name = "TIME")]
    latency_target: Option<Millis>,
    /// Why it exists
    #[arg(long, value_parser = parse::text, default_value = "")]
    description: Text,
    #[command(flatten)]
    which: Which,
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List { watch } => {
            let empty = "no limits yet: fleet limits set NAME --rate 10/s";
            let get = async || fleet.limits().await;
            watch.list(global.output, Shown, empty, get).await
        }
        Command::Get { limit } => output::detail(global.output, &Shown(fleet.limit(&limit).await?)),
        Command::Set(set) => {
            let limit = set.limit()?;
            let changed = fleet.put_limit(&limit).await?.changed;
            tell_change(changed, &format!("limit {}: {}", limit.id, measure(&limit)));
            Ok(())
        }
        Command::Remove { limit } => {
            fleet.remove_limit(&limit).await?;
            eprintln!("limit {limit} is removed");
            Ok(())
        }
    }
}

impl Set {
    fn limit(self) -> Outcome<Limit> {
        let measure = match (self.rate, self.concurrency) {
            (Some((permits, per_ms)), _) => Measure::Rate(Rate {
                permits,
                per_ms,
                burst: self.burst,
            }),
            (None, Some(max)) => Measure::Concurrency(Concurrency { max }),
            (None, None) => return Err(Failure::usage("say --rate or --concurrency")),
        };
        let dynamic = match (self.floor, self.ceiling, self.latency_target) {
            (Some(floor), Some(ceiling), Some(latency_ms_target)) => Some(Dynamic {
                floor,
                ceiling,
                latency_ms_target,
            }),
            _ => None,
        };
        Ok(Limit {
            id: self.limit,
            description: self.description,
            selector: self.which.selector()?,
            each: match self.each {
                Share::All => Each::All,
                Share::Agent => Each::Agent,
                Share::Resource => Each::Resource,
                Share::Action => Each::Action,
            },
            measure,
            reserved: Reserved {
                low: self.reserve_low,
                normal: self.reserve_normal,
                high: self.reserve_high,
                critical: self.reserve_critical,
            },
            dynamic,
        })
    }
}

/// `10 per 1s, burst 20`; `3 at once`.
pub fn measure(limit: &Limit) -> String {
    let each = match limit.each {
        Each::All => String::new(),
        each => format!(" for each {}", show::word(&each)),
    };
    match &limit.measure {
        Measure::Rate(rate) => {
            let burst = rate
                .burst
                .map(|burst| format!(", burst {burst}"))
                .unwrap_or_default();
            format!(
                "{} per {}{burst}{each}",
                show::number(rate.permits),
                show::span_ms(rate.per_ms.0)
            )
        }
        Measure::Concurrency(concurrency) => {
            format!("{} at once{each}", show::number(concurrency.max))
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(view::Limit);

impl Shown {
    fn used(&self) -> String {
        match self
            .0
            .counts
            .iter()
            .max_by_key(|count| count.used * 1_000 / count.max.max(1))
        {
            Some(count) => {
                let key = count
                    .key
                    .as_ref()
                    .map(|key| format!(" ({key})"))
                    .unwrap_or_default();
                format!(
                    "{} of {}{key}",
                    show::number(count.used),
                    show::number(count.max)
                )
            }
            None => "-".to_owned(),
        }
    }
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "LIMIT", "MEASURE", "FOR", "USED", "WAITING", "GRANTED", "STOPPED",
    ];
    fn cells(&self) -> Vec<String> {
        let sum =
            |of: fn(&view::LimitCount) -> u64| show::number(self.0.counts.iter().map(of).sum());
        vec![
            self.0.limit.id.to_string(),
            measure(&self.0.limit),
            show::selector(&self.0.limit.selector),
            self.used(),
            show::number(self.0.waiting),
            sum(|count| count.granted),
            sum(|count| count.stopped),
        ]
    }
    fn name(&self) -> String {
        self.0.limit.id.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let limit = &self.0.limit;
        let counts: Vec<String> = self
            .0
            .counts
            .iter()
            .map(|count| {
                let key = show::head(count.key.as_ref());
                format!(
                    "{key}{} of {}, {} granted, {} stopped",
                    count.used,
                    count.max,
                    show::number(count.granted),
                    show::number(count.stopped)
                )
            })
            .collect();
        let mut lines = vec![
            ("limit", limit.id.to_string()),
            ("measure", measure(limit)),
            ("for", show::selector(&limit.selector)),
        ];
        if !limit.description.is_empty() {
            lines.push(("description", limit.description.to_string()));
        }
        if !limit.reserved.is_empty() {
            let reserved = &limit.reserved;
            lines.push((
                "reserved",
                format!(
                    "critical {}, high {}, normal {}, low {}",
                    reserved.critical, reserved.high, reserved.normal, reserved.low
                ),
            ));
        }
        if let (Some(dynamic), Some(current)) = (&limit.dynamic, self.0.current) {
            lines.push((
                "moves",
                format!(
                    "{current} now, {} to {}, slower than {} is congestion",
                    dynamic.floor,
                    dynamic.ceiling,
                    show::span_ms(dynamic.latency_ms_target.0)
                ),
            ));
        }
        lines.push(("used", show::joined(&counts, "\n", "-")));
        lines.push(("waiting", show::number(self.0.waiting)));
        lines
    }
    fn name(&self) -> String {
        self.0.limit.id.to_string()
    }
}
