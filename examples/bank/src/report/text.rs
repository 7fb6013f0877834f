//! The report as text: a table of both modes, then what is to be said of the latest run.
use super::{Report, Run, Transfers};
use crate::ledger::Kind;
use crate::ledger::audit::Findings;
use crate::options::Mode;
use fleet_types::conflict::Kind as Conflict;
use std::fmt;

/// A row of the table: its name, and how to read it from a run.
type Row = (&'static str, fn(&Run) -> String);

/// What was done.
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
    ("  had to wait first", |run| {
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

/// Large payments that somebody was asked about.
const APPROVALS: [Row; 4] = [
    ("asked", |run| of_permits(run, run.desks.approvals.asked)),
    ("approved", |run| {
        of_permits(run, run.desks.approvals.approved)
    }),
    ("rejected", |run| {
        of_permits(run, run.desks.approvals.rejected)
    }),
    ("nobody answered in time", |run| {
        of_permits(run, run.desks.approvals.timed_out)
    }),
];

/// Transfers between two databases.
const TRANSFERS: [Row; 5] = [
    ("done", |run| of_transfers(run, |it| it.done)),
    ("not done, at neither bank", |run| {
        of_transfers(run, |it| it.undone)
    }),
    ("databases killed", |run| of_transfers(run, |it| it.kills)),
    ("money lost or made (cents)", |run| {
        of_transfers(run, |it| it.difference.unsigned_abs())
    }),
    ("left half-way in a database", |run| {
        of_transfers(run, |it| it.half_way)
    }),
];

/// Payments abroad.
const ABROAD: [Row; 3] = [
    ("completed", |run| thousands(run.desks.abroad.completed)),
    ("undone after a refusal", |run| {
        thousands(run.desks.abroad.compensated)
    }),
    ("left half done", |run| {
        thousands(run.desks.abroad.half_done)
    }),
];

/// Requests that ran into something, by kind.
const CONFLICTS: [Row; 4] = [
    ("resource: another holds it", |run| {
        of_kind(run, Conflict::Resource)
    }),
    ("temporal: again too soon", |run| {
        of_kind(run, Conflict::Temporal)
    }),
    ("data: changed since it was read", |run| {
        of_kind(run, Conflict::Data)
    }),
    ("business: the opposite is done", |run| {
        of_kind(run, Conflict::Business)
    }),
];

/// The parts of the table besides what the audit of the ledger found, each with its heading.
const PARTS: [(&str, &[Row]); 4] = [
    ("Approvals of payments over 6,000", &APPROVALS),
    ("Transfers between two databases", &TRANSFERS),
    ("Payments abroad, in four steps", &ABROAD),
    ("Conflicts avoided, by kind", &CONFLICTS),
];

fn of_kind(run: &Run, kind: Conflict) -> String {
    of_permits(run, run.desks.conflicts.get(&kind).copied().unwrap_or(0))
}

fn of_transfers(run: &Run, read: fn(&Transfers) -> u64) -> String {
    let transfers = run.desks.transfers.as_ref();
    transfers.map_or("-".to_owned(), |it| thousands(read(it)))
}

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

fn cells(runs: [&Option<Run>; 2], read: fn(&Run) -> String) -> [String; 2] {
    runs.map(|run| run.as_ref().map_or(String::new(), read))
}

fn heading(line: &mut impl FnMut(&str, [String; 2]) -> fmt::Result, name: &str) -> fmt::Result {
    line(name, [String::new(), String::new()])
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = [&self.uncoordinated, &self.coordinated];
        let mut line = |name: &str, cells: [String; 2]| {
            let text = format!("{name:<40}{:>16}{:>16}", cells[0], cells[1]);
            writeln!(f, "{}", text.trim_end())
        };
        line("Work", ["without permits".into(), "with permits".into()])?;
        for (name, read) in WORK {
            line(&format!("  {name}"), cells(runs, read))?;
        }
        heading(&mut line, "What the audit found wrong")?;
        let found = |findings: &Findings| -> Vec<(&'static str, u64)> {
            let all = findings.violations().into_iter();
            all.chain(findings.forbidden()).collect()
        };
        for (index, (name, _)) in found(&Findings::default()).into_iter().enumerate() {
            let cell = |run: &Option<Run>| {
                let count = run.as_ref().map(|run| found(&run.findings)[index].1);
                count.map_or(String::new(), thousands)
            };
            line(&format!("  {name}"), runs.map(cell))?;
        }
        let refused: Row = ("stale writes refused by the ledger", |run| {
            of_permits(run, run.findings.stale_writes_refused)
        });
        line(&format!("  {}", refused.0), cells(runs, refused.1))?;
        for (name, rows) in PARTS {
            heading(&mut line, name)?;
            for (name, read) in rows {
                line(&format!("  {name}"), cells(runs, *read))?;
            }
        }
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
        if let Some(why) = &self.desks.no_transfers {
            writeln!(f, "No transfers between databases: {why}.")?;
        }
        if let Some(why) = &self.desks.uncounted {
            writeln!(
                f,
                "Transfers between databases could not be counted: {why}."
            )?;
        }
        for complaint in &events.complaints {
            writeln!(f, "  {complaint}")?;
        }
        let verdict = match (self.mode, self.clean) {
            (Mode::Coordinated, true) => {
                "Nothing lost, nothing paid twice, nothing forbidden, nothing half done.\nEvery total is exact."
            }
            (Mode::Coordinated, false) => "FAILED: a coordinated run must leave nothing wrong.",
            (Mode::Uncoordinated, true) => "Nothing went wrong this time; run longer.",
            (Mode::Uncoordinated, false) => "This is what happens without permits.",
        };
        writeln!(f, "{verdict}")
    }
}
