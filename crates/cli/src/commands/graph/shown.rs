//! Rows of the graph and of what it shows, as people see them.
use crate::failure::Outcome;
use crate::output::{self, Format, Row};
use crate::show;
use fleet_types::graph::view::{
    Analysis, Because, Blast, Bottleneck, Bridge, Contention, Cycle, Edge, Pair, Point, Reached,
};
use serde::Serialize;

/// An edge.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Shown(pub Edge);

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "FROM",
        "NEEDS",
        "KNOWN BY",
        "ASKED",
        "LAST DAY",
        "FAILED",
        "WAITED",
        "IN FLIGHT",
        "LAST",
    ];
    fn cells(&self) -> Vec<String> {
        let edge = &self.0;
        let known = match (edge.declared, &edge.traffic) {
            (true, Some(_)) => "both",
            (true, None) => "declared",
            (false, _) => "traffic",
        };
        let to = match edge.rolled_up {
            true => format!("{} and below", edge.to),
            false => edge.to.to_string(),
        };
        let mut cells = vec![edge.from.to_string(), to, known.to_owned()];
        cells.extend(match &edge.traffic {
            Some(traffic) => vec![
                traffic.asked.to_string(),
                traffic.last_day.to_string(),
                traffic.failed.to_string(),
                waited(traffic.waits, traffic.wait_us),
                (traffic.holding + traffic.waiting).to_string(),
                show::relative(traffic.last),
            ],
            None => vec!["-".to_owned(); 6],
        });
        cells
    }
    fn name(&self) -> String {
        format!("{} {}", self.0.from, self.0.to)
    }
}

/// `3 times, 1.2s`; `-` where nobody waited.
fn waited(waits: u64, us: u64) -> String {
    match waits {
        0 => "-".to_owned(),
        waits => format!("{waits}×, {}", show::span_ms(us / 1_000)),
    }
}

/// A row of an analysis.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Lines<T>(T);

impl<T> Lines<T> {
    pub fn of(rows: Vec<T>) -> Vec<Lines<T>> {
        rows.into_iter().map(Lines).collect()
    }
}

impl Row for Lines<Cycle> {
    const COLUMNS: &'static [&'static str] = &["NODES", "DECLARED", "SHORTEST CIRCLE"];
    fn cells(&self) -> Vec<String> {
        let round = self.0.shortest.iter().chain(self.0.shortest.first());
        let round: Vec<String> = round.map(ToString::to_string).collect();
        let declared = if self.0.declared { "yes" } else { "no" };
        vec![
            self.0.size.to_string(),
            declared.to_owned(),
            round.join(" → "),
        ]
    }
    fn name(&self) -> String {
        let nodes: Vec<String> = self.0.shortest.iter().map(ToString::to_string).collect();
        nodes.join(" ")
    }
}

impl Row for Lines<Point> {
    const COLUMNS: &'static [&'static str] = &["WITHOUT", "CUT OFF", "PARTS"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.0.node.to_string(),
            self.0.cuts_off.to_string(),
            self.0.parts.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.node.to_string()
    }
}

impl Row for Lines<Bridge> {
    const COLUMNS: &'static [&'static str] = &["WITHOUT THE EDGE FROM", "TO", "CUT OFF"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.0.from.to_string(),
            self.0.to.to_string(),
            self.0.cuts_off.to_string(),
        ]
    }
    fn name(&self) -> String {
        format!("{} {}", self.0.from, self.0.to)
    }
}

impl Row for Lines<Contention> {
    const COLUMNS: &'static [&'static str] = &[
        "RESOURCE", "WAITED", "DENIED", "AGENTS", "ALONE", "WAIT NOW",
    ];
    fn cells(&self) -> Vec<String> {
        let row = &self.0;
        vec![
            row.resource.to_string(),
            waited(row.waits, row.wait_us),
            row.denied.to_string(),
            row.agents.to_string(),
            row.exclusive_agents.to_string(),
            row.waiting.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.resource.to_string()
    }
}

impl Row for Lines<Pair> {
    const COLUMNS: &'static [&'static str] = &[
        "AGENT", "AND", "AT", "MET", "CLASHED", "WAITED", "LAST DAY", "LAST",
    ];
    fn cells(&self) -> Vec<String> {
        let row = &self.0;
        vec![
            row.one.to_string(),
            row.other.to_string(),
            row.resource.to_string(),
            row.met.to_string(),
            row.clashed.to_string(),
            waited(row.waits, row.wait_us),
            row.last_day.to_string(),
            show::relative(row.last),
        ]
    }
    fn name(&self) -> String {
        format!("{} {} {}", self.0.one, self.0.other, self.0.resource)
    }
}

impl Row for Lines<Bottleneck> {
    const COLUMNS: &'static [&'static str] = &["NODE", "SHARE OF WAYS"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.0.node.to_string(),
            format!("{:.1} %", self.0.share * 100.0),
        ]
    }
    fn name(&self) -> String {
        self.0.node.to_string()
    }
}

impl Row for Lines<Reached> {
    const COLUMNS: &'static [&'static str] = &["HOPS", "REACHED", "BECAUSE", "LAST DAY", "HOLDS"];
    fn cells(&self) -> Vec<String> {
        let row = &self.0;
        let because = match row.because {
            Because::Declared => format!("it needs {}, as declared", row.via),
            Because::Uses => format!("it uses {}", row.via),
            Because::WrittenBy => format!("{} writes it", row.via),
            Because::Within => format!("it is part of {}, or {} of it", row.via, row.via),
        };
        vec![
            row.hops.to_string(),
            row.node.to_string(),
            because,
            row.traffic_last_day.to_string(),
            row.holding.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.node.to_string()
    }
}

/// Single points of failure, for programs.
#[derive(Serialize)]
pub struct Cuts {
    points: Vec<Point>,
    bridges: Vec<Bridge>,
}

impl Cuts {
    pub fn of(found: Analysis) -> Cuts {
        Cuts {
            points: found.points,
            bridges: found.bridges,
        }
    }
}

/// Contention, for programs.
#[derive(Serialize)]
pub struct Contended {
    contention: Vec<Contention>,
    pairs: Vec<Pair>,
}

impl Contended {
    pub fn of(found: Analysis) -> Contended {
        Contended {
            contention: found.contention,
            pairs: found.pairs,
        }
    }
}

/// What hangs on a node.
pub fn blast(format: Format, blast: Blast) -> Outcome {
    match format {
        Format::Json | Format::Yaml => return output::raw(format, &blast),
        Format::Table | Format::Name => {}
    }
    let words = format!(
        "{} reaches {}, {} and {}; {} in the last day, {} held now",
        blast.of,
        show::count(blast.agents, "agent"),
        show::count(blast.actions, "action"),
        show::count(blast.resources, "resource"),
        show::count(blast.traffic_last_day, "request"),
        show::count(blast.holding, "claim"),
    );
    let empty = format!("nobody needs {}, and nothing is written by it", blast.of);
    if format == Format::Table && !blast.reached.is_empty() {
        eprintln!("{words}");
    }
    output::list(format, &Lines::of(blast.reached), &empty)
}
