//! Shows that the run is alive: one line that changes on a terminal, otherwise a plain line a second.
use crate::coordinate::Look;
use crate::ledger::audit::Findings;
use crate::options::{Mode, Progress};
use crate::process::Tally;
use crate::report::thousands;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::time::{Duration, Instant};

/// How often a plain line is written.
const PLAIN_EVERY: Duration = Duration::from_secs(1);

/// Where the run stands.
pub(super) struct Standing<'a> {
    pub mode: Mode,
    pub elapsed: Duration,
    pub totals: &'a Tally,
    pub findings: &'a Findings,
    pub look: &'a Look,
}

#[derive(Debug)]
pub(super) struct Display {
    bar: Option<ProgressBar>,
    plain: bool,
    written_at: Option<Instant>,
    /// When the rate was last measured, and the count then.
    rated: (Duration, u64),
    rate: u64,
}

impl Display {
    pub fn new(progress: Progress) -> Self {
        let bar = match progress {
            Progress::Auto => {
                let bar = ProgressBar::new_spinner();
                if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                    bar.set_style(style);
                }
                (!bar.is_hidden()).then_some(bar)
            }
            Progress::Plain | Progress::Silent => None,
        };
        Display {
            plain: bar.is_none() && progress != Progress::Silent,
            bar,
            written_at: None,
            rated: (Duration::ZERO, 0),
            rate: 0,
        }
    }

    pub fn show(&mut self, standing: &Standing<'_>) {
        let count = match standing.mode {
            Mode::Uncoordinated => standing.totals.steps,
            Mode::Coordinated => standing.totals.granted,
        };
        let (since, before) = self.rated;
        let span = standing.elapsed.saturating_sub(since).as_millis() as u64;
        if span >= 900 {
            self.rate = count.saturating_sub(before) * 1_000 / span;
            self.rated = (standing.elapsed, count);
        }
        if let Some(bar) = &self.bar {
            bar.set_message(line(standing, self.rate));
            bar.tick();
        } else if self.plain && self.written_at.is_none_or(|at| at.elapsed() >= PLAIN_EVERY) {
            self.written_at = Some(Instant::now());
            // Nobody reads it: no reason to stop.
            let _ = writeln!(std::io::stderr(), "{}", line(standing, self.rate));
        }
    }

    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(standing: &Standing<'_>, rate: u64) -> String {
    let Standing {
        mode,
        elapsed,
        totals,
        findings,
        look,
    } = standing;
    let seconds = elapsed.as_secs();
    let wrong = findings.violations().iter().map(|(_, count)| count).sum();
    let entries = thousands(findings.entries);
    match mode {
        Mode::Uncoordinated => format!(
            "{seconds:>3} s  {} steps/s  {entries} entries  lost updates {}  overdrafts {}  double payments {}",
            thousands(rate),
            thousands(findings.lost_updates),
            thousands(findings.overdrafts),
            thousands(findings.double_payments),
        ),
        Mode::Coordinated => {
            let budget = look.most_used().map_or(String::new(), |(name, share)| {
                format!("  budget {name} {}.{} %", share / 10, share % 10)
            });
            format!(
                "{seconds:>3} s  {} permits/s  {} waiting  {} conflicts avoided  {entries} entries  {} wrong{budget}",
                thousands(rate),
                thousands(look.waiting),
                thousands(totals.queued),
                thousands(wrong),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_matters() {
        let standing = Standing {
            mode: Mode::Coordinated,
            elapsed: Duration::from_secs(12),
            totals: &Tally {
                queued: 3_102,
                ..Tally::default()
            },
            findings: &Findings::default(),
            look: &Look::default(),
        };
        assert_eq!(
            line(&standing, 1_240),
            " 12 s  1,240 permits/s  0 waiting  3,102 conflicts avoided  0 entries  0 wrong"
        );
    }
}
