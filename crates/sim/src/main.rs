//! The world of one seed, or of many.
use fleet_sim::{Config, Planted, run};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo run -p fleet-sim -- [--seed N] [--seeds COUNT] [--steps N] [--planted MISTAKE]
  --seed N           the first seed; 1 when absent
  --seeds COUNT      so many seeds from there on; 1 when absent
  --steps N          steps until the faults stop; 2000 when absent
  --planted MISTAKE  with a mistake that must be noticed: ack-without-sync, open-without-write-back, release-early,
                     token-not-advanced, memory-lost, halts-lost, answers-lost
Ends with 1 when a seed fails, after trying all of them, and says how to replay each.
";

struct Wanted {
    seed: u64,
    seeds: u64,
    steps: u64,
    planted: Option<Planted>,
}

/// What the arguments ask for; `None`: help.
fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Option<Wanted>, String> {
    let mut wanted = Wanted {
        seed: 1,
        seeds: 1,
        steps: 2_000,
        planted: None,
    };
    while let Some(name) = arguments.next() {
        if matches!(name.as_str(), "--help" | "-h") {
            return Ok(None);
        }
        let value = arguments.next();
        let value = value.ok_or_else(|| format!("{name:?} is not known or lacks its value"))?;
        let number = || {
            value
                .parse()
                .map_err(|_| format!("{name} {value:?} is no number"))
        };
        match name.as_str() {
            "--seed" => wanted.seed = number()?,
            "--seeds" => wanted.seeds = number()?,
            "--steps" => wanted.steps = number()?,
            "--planted" => {
                let known = Planted::ALL.iter().find(|(known, _)| *known == value);
                let (_, planted) = known.ok_or_else(|| format!("no mistake {value:?}"))?;
                wanted.planted = Some(*planted);
            }
            _ => return Err(format!("{name:?} is not known")),
        }
    }
    Ok(Some(wanted))
}

fn main() -> ExitCode {
    let wanted = match wanted(std::env::args().skip(1)) {
        Ok(Some(wanted)) => wanted,
        Ok(None) => {
            eprint!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprint!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut failed = Vec::new();
    let (mut records, mut lives, mut seconds) = (0, 0, 0);
    for seed in wanted.seed..wanted.seed.saturating_add(wanted.seeds) {
        let config = Config::of(seed, wanted.steps);
        let config = match wanted.planted {
            Some(planted) => config.with(planted),
            None => config,
        };
        if wanted.seeds == 1 {
            eprintln!("{config:?}");
        }
        let replay = config.replay();
        match catch_unwind(AssertUnwindSafe(|| run(config))) {
            Ok(report) => {
                if wanted.seeds == 1 {
                    eprintln!("{report:#?}");
                }
                records += report.records;
                lives += report.lives;
                seconds += report.simulated_us / 1_000_000;
            }
            Err(_) => {
                eprintln!("seed {seed} failed; replay with: {replay}");
                failed.push(replay);
            }
        }
    }
    eprintln!(
        "{} seeds, {} failed; {records} records, {lives} lives, {seconds} simulated seconds",
        wanted.seeds,
        failed.len()
    );
    for replay in &failed {
        eprintln!("  {replay}");
    }
    match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
