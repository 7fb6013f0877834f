//! What came of a run, and both modes side by side: as text and as JSON.
mod text;

pub use text::thousands;

pub use crate::desks::{Approvals, DeskReport, Transfers};
use crate::error::Error;
use crate::input::csv::BadRow;
use crate::ledger::audit::Findings;
use crate::ledger::{Kind, State};
use crate::options::{Mode, Options};
use fleet_types::Code;
use fleet_types::budget::Cost;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What came of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// With permits or without.
    pub mode: Mode,
    /// What the input followed from.
    pub seed: u64,
    /// How long the agents worked.
    pub millis: u64,
    /// Customers' accounts.
    pub accounts: u64,
    /// Agents, each a process.
    pub agents: u64,
    /// The input file.
    pub input: InputSummary,
    /// Steps carried out by all agents, those that moved no money too.
    pub steps: u64,
    /// Entries of the ledger by kind.
    pub entries: BTreeMap<Kind, u64>,
    /// Instructions by state.
    pub instructions: BTreeMap<State, u64>,
    /// What the audit of the ledger found.
    pub findings: Findings,
    /// What was done beside the agents, and what it left behind.
    #[serde(default)]
    pub desks: DeskReport,
    /// Whether the audit found nothing wrong.
    pub clean: bool,
    /// Permits, as the agents saw them.
    pub permits: Permits,
    /// What was done to the run, and what happened to it.
    pub events: Events,
}

/// The input file, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputSummary {
    /// Rows that could be used; 0 when input is generated.
    pub rows: u64,
    /// Rows that could not.
    pub bad_count: u64,
    /// The first of them, with line and reason.
    pub bad: Vec<BadRow>,
    /// Accounts that were opened for the file.
    pub accounts_opened: u64,
}

/// Permits, as the agents saw them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permits {
    /// Granted.
    pub granted: u64,
    /// Had to wait first: conflicts avoided.
    pub queued: u64,
    /// Denied, by code.
    pub denied: BTreeMap<Code, u64>,
    /// The answer never came: the server was gone.
    pub lost: u64,
    /// Half of the granted ones waited no longer than this.
    pub wait_p50_us: u64,
    /// 99 of 100.
    pub wait_p99_us: u64,
    /// All.
    pub wait_max_us: u64,
    /// What they cost.
    pub cost: Cost,
}

/// What was done to the run, and what happened to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Agents killed on purpose.
    pub killed: u64,
    /// Agents that ended by themselves and were started again.
    pub failed: u64,
    /// Agents that were stopped for longer than their lease.
    pub paused: u64,
    /// Agents that were made to think for longer than their lease.
    pub stalled: u64,
    /// Halts.
    pub halts: Vec<HaltSeen>,
    /// Steps given up before writing, because of a halt or a server that was gone.
    pub steps_stopped: u64,
    /// What agents said when they failed; the first 20.
    pub complaints: Vec<String>,
}

/// A halt, and whether it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaltSeen {
    /// When it was in force, after the start.
    pub at_ms: u64,
    /// How long.
    pub lasted_ms: u64,
    /// Entries written while it was in force: by steps that were past their last look, and harmless as the fence
    /// stands; the words "in force" begin when the server has answered.
    pub entries: u64,
}

/// The last run of each mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The mode of the run that was just made.
    pub latest: Mode,
    /// The last run without permits.
    pub uncoordinated: Option<Run>,
    /// The last run with permits.
    pub coordinated: Option<Run>,
}

impl Report {
    /// Keeps this run for later reports, and puts it beside the last one of the other mode, if there is one.
    ///
    /// # Errors
    /// When the run cannot be kept.
    pub(crate) fn keep(options: &Options, run: Run) -> Result<Self, Error> {
        let path = |mode: Mode| options.folder().join(format!("last-{}.json", mode.name()));
        let json = serde_json::to_vec_pretty(&run).map_err(std::io::Error::other);
        let file = path(run.mode);
        json.and_then(|json| std::fs::write(&file, json))
            .map_err(Error::io(format!("writing {}", file.display())))?;
        // A file of an older release, or none, is no reason to fail: the table has one column less.
        let last = |mode| {
            let json = std::fs::read(path(mode)).ok()?;
            serde_json::from_slice(&json).ok()
        };
        Ok(match run.mode {
            Mode::Uncoordinated => Report {
                latest: run.mode,
                coordinated: last(Mode::Coordinated),
                uncoordinated: Some(run),
            },
            Mode::Coordinated => Report {
                latest: run.mode,
                uncoordinated: last(Mode::Uncoordinated),
                coordinated: Some(run),
            },
        })
    }

    /// The run that was just made.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        match self.latest {
            Mode::Uncoordinated => self.uncoordinated.as_ref(),
            Mode::Coordinated => self.coordinated.as_ref(),
        }
    }

    /// Whether a coordinated run left something wrong: then the product did not hold its word.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.latest == Mode::Coordinated && self.run().is_none_or(|run| !run.clean)
    }

    /// The report as JSON.
    ///
    /// # Errors
    /// Never, as far as is known: all keys are text.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(mode: Mode) -> Run {
        let findings = Findings {
            entries: 12_345,
            lost_updates: u64::from(mode == Mode::Uncoordinated) * 1_234,
            ..Findings::default()
        };
        Run {
            mode,
            seed: 1,
            millis: 10_000,
            accounts: 4_000,
            agents: 24,
            input: InputSummary::default(),
            steps: 20_000,
            entries: BTreeMap::from([(Kind::Payment, 9_000)]),
            instructions: BTreeMap::new(),
            clean: findings.is_clean(),
            findings,
            desks: DeskReport::default(),
            permits: Permits {
                granted: 20_100,
                queued: 512,
                wait_p50_us: 1_900,
                wait_p99_us: 12_345,
                ..Permits::default()
            },
            events: Events::default(),
        }
    }

    #[test]
    fn both_modes_stand_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(Mode::Coordinated, folder.path().to_owned());
        std::fs::create_dir_all(options.folder()).unwrap();
        let first = Report::keep(&options, run(Mode::Uncoordinated)).unwrap();
        assert!(first.coordinated.is_none() && !first.failed());
        let both = Report::keep(&options, run(Mode::Coordinated)).unwrap();
        let text = both.to_string();
        let cells = |name: &str| -> Vec<String> {
            let line = text
                .lines()
                .find(|line| line.trim_start().starts_with(name));
            let rest = line
                .unwrap_or_else(|| panic!("no {name} in {text}"))
                .trim_start();
            rest[name.len()..]
                .split_whitespace()
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(cells("lost updates"), ["1,234", "0"]);
        assert_eq!(cells("permits granted"), ["-", "20,100"]);
        assert_eq!(cells("per second"), ["1,234", "1,234"]);
        assert_eq!(cells("wait p50 / p99, ms"), ["-", "1.9", "/", "12.3"]);
        assert!(text.ends_with("Every total is exact.\n"), "{text}");
        let json: Report = serde_json::from_str(&both.to_json().unwrap()).unwrap();
        assert_eq!(json, both);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
