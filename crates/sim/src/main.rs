//! `cargo run -p fleet-sim -- --seed N --steps M`: the world of one seed, or of many with `--seeds COUNT`.
use fleet_sim::{Config, Planted, run};
use std::process::ExitCode;

const USAGE: &str = "fleet-sim [--seed N] [--steps M] [--seeds COUNT] [--planted ack-without-sync|open-without-write-back|release-early|token-not-advanced|memory-lost]";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut seed, mut steps, mut seeds, mut planted) = (1u64, 2_000u64, 1u64, None);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let number = value.parse();
        match (name.as_str(), number) {
            ("--seed", Ok(number)) => seed = number,
            ("--steps", Ok(number)) => steps = number,
            ("--seeds", Ok(number)) => seeds = number,
            ("--planted", _) => {
                planted = match value.as_str() {
                    "ack-without-sync" => Some(Planted::AckWithoutSync),
                    "open-without-write-back" => Some(Planted::OpenWithoutWriteBack),
                    "release-early" => Some(Planted::ReleaseEarly),
                    "token-not-advanced" => Some(Planted::TokenNotAdvanced),
                    "memory-lost" => Some(Planted::MemoryLost),
                    _ => {
                        eprintln!("{USAGE}");
                        return ExitCode::from(2);
                    }
                };
            }
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    for seed in seed..seed.saturating_add(seeds) {
        let mut config = Config::of(seed, steps);
        config.planted = planted;
        eprintln!(
            "replay with: cargo run -p fleet-sim -- --seed {seed} --steps {steps}\n{config:?}"
        );
        let report = run(config);
        eprintln!("{report:?}");
    }
    ExitCode::SUCCESS
}
