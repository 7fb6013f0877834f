//! `fleet graph`: who needs whom and what, as declared and as traffic shows.
mod shown;

use super::tell_change;
use crate::context::Global;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::{parse, show};
use clap::{Args, Subcommand, ValueEnum};
use fleet_types::graph::view::{Analysis, Filter, Source};
use fleet_types::graph::{Edge, Ends, Kind, Node};
use fleet_types::{ScopePath, Text, Time};
use shown::{Lines, Shown};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The dependency graph
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet graph declare agent:pay-1 agent:quotes-1 --description \"asks it for prices\"
  fleet graph undeclare agent:pay-1 agent:quotes-1
  fleet graph show --since 1h
  fleet graph blast agent:quotes-1
  fleet graph cycles
  fleet graph spof
  fleet graph bottlenecks
  fleet graph contention
  fleet graph export --format dot | dot -Tsvg > fleet.svg

A node is agent:NAME, action:NAME or resource:PATH. An edge says that the first needs the second.")]
pub enum Command {
    /// Show edges and what went over them
    Show {
        #[command(flatten)]
        part: Part,
    },
    /// Declare that one needs another
    Declare {
        /// Who or what needs the other: agent:NAME, action:NAME or resource:PATH
        from: Node,
        /// Who or what is needed
        to: Node,
        /// What for
        #[arg(long, value_parser = parse::text, default_value = "")]
        description: Text,
    },
    /// Take a declared edge back
    Undeclare {
        /// Who or what needs the other
        from: Node,
        /// Who or what is needed
        to: Node,
    },
    /// Nodes that need each other in a circle
    Cycles(Analysed),
    /// Single points of failure: nodes and edges that alone hold the fleet together
    Spof(Analysed),
    /// Who and what feels it when a node fails, stops or does wrong
    Blast {
        /// Which node: agent:NAME, action:NAME or resource:PATH
        of: Node,
        /// How far to look; absent: all the way
        #[arg(long)]
        hops: Option<u32>,
        /// Most nodes named; all are counted
        #[arg(long, default_value_t = 100)]
        count: usize,
    },
    /// Resources that agents wait for, and agents that get into each other's way
    Contention(Analysed),
    /// Nodes that most shortest ways lead through
    Bottlenecks(Analysed),
    /// Write the graph for another tool, to standard output
    Export {
        /// For which tool
        #[arg(long, value_enum, default_value_t = Form::Dot)]
        format: Form,
        #[command(flatten)]
        part: Part,
    },
}

/// Which part of it.
#[derive(Args)]
pub struct Part {
    /// Edges of agents in this scope and below
    #[arg(long)]
    scope: Option<ScopePath>,
    /// Edges with a node of this kind
    #[arg(long, value_enum)]
    kind: Option<KindOf>,
    /// Only declared edges
    #[arg(long, conflicts_with = "discovered")]
    declared: bool,
    /// Only edges that traffic shows
    #[arg(long)]
    discovered: bool,
    /// Declared edges, and those with traffic in the last 10m, 1h, 7d
    #[arg(long, value_parser = parse::duration, value_name = "SPAN")]
    since: Option<Duration>,
    /// Declared edges, and those that were asked for so often at least
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    min: u64,
}

/// Which part, and how much of it is shown.
#[derive(Args)]
pub struct Analysed {
    /// Most rows
    #[arg(long, default_value_t = 20)]
    count: usize,
    #[command(flatten)]
    part: Part,
}

/// What a node is.
#[derive(Clone, Copy, ValueEnum)]
enum KindOf {
    Agent,
    Action,
    Resource,
}

/// A form of an export.
#[derive(Clone, Copy, ValueEnum)]
pub enum Form {
    /// Graphviz
    Dot,
    /// Graph editors: yEd, Gephi
    Graphml,
    /// Neo4j
    Cypher,
    /// Programs
    Json,
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Form::Dot => "dot",
            Form::Graphml => "graphml",
            Form::Cypher => "cypher",
            Form::Json => "json",
        }
    }
}

impl Part {
    fn filter(&self) -> Filter {
        Filter {
            scope: self.scope.clone(),
            kind: self.kind.map(|kind| match kind {
                KindOf::Agent => Kind::Agent,
                KindOf::Action => Kind::Action,
                KindOf::Resource => Kind::Resource,
            }),
            source: match (self.declared, self.discovered) {
                (true, _) => Some(Source::Declared),
                (_, true) => Some(Source::Discovered),
                (false, false) => None,
            },
            since: self.since.map(ago),
            asked_min: self.min,
        }
    }
}

/// So long before now, by this machine's clock.
fn ago(span: Duration) -> Time {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Time(u64::try_from(now.saturating_sub(span).as_micros()).unwrap_or(0))
}

const NO_TRAFFIC: &str = "no edges yet: traffic shows them by itself (fleet permits request ACTION --agent NAME --exclusive PATH), or fleet graph declare agent:A agent:B";

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    let format = global.output;
    let analyse = async |analysed: &Analysed| -> Outcome<Analysis> {
        let filter = analysed.part.filter();
        Ok(fleet.graph_analysis(&filter, Some(analysed.count)).await?)
    };
    match command {
        Command::Show { part } => {
            let rows = fleet.graph(&part.filter()).await?;
            let rows: Vec<_> = rows.into_iter().map(Shown).collect();
            output::list(format, &rows, NO_TRAFFIC)
        }
        Command::Declare {
            from,
            to,
            description,
        } => {
            let edge = Edge {
                from,
                to,
                description,
            };
            let changed = fleet.declare_edge(&edge).await?.changed;
            tell_change(changed, &format!("{} needs {}", edge.from, edge.to));
            Ok(())
        }
        Command::Undeclare { from, to } => {
            let ends = Ends { from, to };
            fleet.undeclare_edge(&ends).await?;
            eprintln!(
                "it is not declared any more that {} needs {}",
                ends.from, ends.to
            );
            Ok(())
        }
        Command::Cycles(analysed) => {
            let found = analyse(&analysed).await?;
            let empty = format!("no circles among {}", show::count(found.edges, "edge"));
            output::list(format, &Lines::of(found.cycles), &empty)
        }
        Command::Spof(analysed) => {
            let found = analyse(&analysed).await?;
            let empty = format!(
                "no single point of failure among {}",
                show::count(found.nodes, "node")
            );
            if format != Format::Table {
                return output::raw(format, &shown::Cuts::of(found));
            }
            output::list(format, &Lines::of(found.points), &empty)?;
            if !found.bridges.is_empty() {
                output::write("\n")?;
                output::list(format, &Lines::of(found.bridges), "")?;
            }
            Ok(())
        }
        Command::Blast { of, hops, count } => {
            let blast = fleet.blast(&of, hops, Some(count)).await?;
            shown::blast(format, blast)
        }
        Command::Contention(analysed) => {
            let found = analyse(&analysed).await?;
            if format != Format::Table {
                return output::raw(format, &shown::Contended::of(found));
            }
            let empty = "no contention: nobody waited for, or was denied, what another holds";
            output::list(format, &Lines::of(found.contention), empty)?;
            if !found.pairs.is_empty() {
                output::write("\n")?;
                output::list(format, &Lines::of(found.pairs), "")?;
            }
            Ok(())
        }
        Command::Bottlenecks(analysed) => {
            let found = analyse(&analysed).await?.bottlenecks;
            if format == Format::Table && found.error > 0.0 {
                eprintln!(
                    "followed from {} nodes; a share may be off by {}",
                    found.sources, found.error
                );
            }
            let empty = "no bottlenecks: no way between two nodes leads through a third";
            output::list(format, &Lines::of(found.nodes), empty)
        }
        Command::Export { format, part } => {
            let text = fleet.graph_export(format.name(), &part.filter()).await?;
            output::write(&text)
        }
    }
}
