//! The report as text: a table of both modes, then what is to be said of the latest run.
use super::{Report, Run};
use crate::ledger::Kind;
use crate::ledger::audit::Findings;
use crate::options::Mode;
use std::fmt;

/// A row of the table: its name, and how to read it from a run.
type Row = (&'static str, fn(&Run) -> String);

const WORK: [Row; 9] = [
    ("seconds", |run| tenths(run.millis / 100)),
    ("steps carried out", |run| thousands(run.steps)),
    ("ledger entries", |run| thousands(run.findings.entries)),
    ("  per second", |run| {
        thousands(run.findings.entries * 1_000 / run.millis.max(1))
    }),
    ("  payments", |run| {
        thousands(run.entries.get(&Kind::Payment).copied().unwrap_or(0))
    }),
    ("permits granted", |run| {
        of_permits(run, run.permits.granted)
    }),
    ("  had to wait: conflicts avoided", |run| {
        of_permits(run, run.permits.queued)
    }),
    ("  denied", |run| {
        of_permits(run, run.permits.denied.values().sum())
    }),
    ("  wait p50 / p99, ms", |run| match run.mode {
        Mode::Uncoordinated => "-".to_owned(),
        Mode::Coordinated => format!(
            "{} / {}",
            tenths(run.permits.wait_p50_us / 100),
            tenths(run.permits.wait_p99_us / 100)
        ),
    }),
];

fn of_permits(run: &Run, count: u64) -> String {
    match run.mode {
        Mode::Uncoordinated => "-".to_owned(),
        Mode::Coordinated => thousands(count),
    }
}

/// `1234567` as `1,234,567`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `123` tenths as `12.3`.
fn tenths(number: u64) -> String {
    format!("{}.{}", thousands(number / 10), number % 10)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = [&self.uncoordinated, &self.coordinated];
        let mut line = |name: &str, cells: [String; 2]| {
            writeln!(f, "  {name:<34}{:>16}{:>16}", cells[0], cells[1])
        };
        line("", ["without permits".into(), "with permits".into()])?;
        for (name, read) in WORK {
            let cell = |run: &Option<Run>| run.as_ref().map_or(String::new(), read);
            line(name, runs.map(cell))?;
        }
        let names = Findings::default().violations();
        for (index, (name, _)) in names.iter().enumerate() {
            let cell = |run: &Option<Run>| {
                let findings = run.as_ref().map(|run| run.findings.violations()[index].1);
                findings.map_or(String::new(), thousands)
            };
            line(name, runs.map(cell))?;
        }
        let refused = |run: &Option<Run>| match run {
            Some(run) => of_permits(run, run.findings.stale_writes_refused),
            None => String::new(),
        };
        line("stale writes refused by the ledger", runs.map(refused))?;
        if let Some(run) = self.run() {
            write!(f, "\n{run}")?;
        }
        Ok(())
    }
}

/// What the table does not say of the run: its input, its mishaps, its verdict.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (input, events) = (&self.input, &self.events);
        if input.rows + input.bad_count > 0 {
            writeln!(
                f,
                "Input: {} transfers used, {} rows not.",
                thousands(input.rows),
                thousands(input.bad_count)
            )?;
            for bad in input.bad.iter().take(20) {
                writeln!(f, "  line {}: {}", bad.line, bad.reason)?;
            }
            if input.bad_count > 20 {
                writeln!(f, "  and {} more", thousands(input.bad_count - 20))?;
            }
        }
        if events.killed + events.paused + events.stalled + events.failed > 0 {
            writeln!(
                f,
                "Agents killed: {}, stopped beyond their lease: {}, stalled beyond it: {}, failed and started again: {}.",
                events.killed, events.paused, events.stalled, events.failed
            )?;
        }
        for halt in &events.halts {
            writeln!(
                f,
                "Halt after {} s for {} s; {} ledger entries while it was in force.",
                tenths(halt.at_ms / 100),
                tenths(halt.lasted_ms / 100),
                halt.entries
            )?;
        }
        for complaint in &events.complaints {
            writeln!(f, "  {complaint}")?;
        }
        let verdict = match (self.mode, self.clean) {
            (Mode::Coordinated, true) => "Nothing lost, nothing paid twice, the total is exact.",
            (Mode::Coordinated, false) => "FAILED: a coordinated run must leave nothing wrong.",
            (Mode::Uncoordinated, true) => "Nothing went wrong this time; run longer.",
            (Mode::Uncoordinated, false) => "This is what happens without permits.",
        };
        writeln!(f, "{verdict}")
    }
}
