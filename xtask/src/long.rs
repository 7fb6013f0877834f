//! What takes minutes: every fuzz target for a while, then every test in a release build, the ignored ones too.
//!
//! `FLEET_FUZZ_SECONDS` says for how long each target is fuzzed (60), `FLEET_SIM_SECONDS` how long the simulator goes on
//! (300), `FLEET_SEED` where it begins.

use std::path::Path;

use crate::ci::{Machine, Step, run_all, step};

/// Where libFuzzer keeps what it found interesting, and where the seeds are written.
const CORPUS: &str = "target/fuzz/corpus";
const SEEDS: &str = "target/fuzz/seeds";

pub fn test_long(root: &Path) -> Result<(), String> {
    let targets = targets(root)?;
    for target in &targets {
        let corpus = root.join(CORPUS).join(target);
        std::fs::create_dir_all(&corpus)
            .map_err(|error| format!("failed to make {}: {error}", corpus.display()))?;
    }
    let seconds = std::env::var("FLEET_FUZZ_SECONDS").unwrap_or_else(|_| "60".to_owned());
    run_all(root, &steps(Machine::look(), &targets, &seconds))
}

/// The fuzz targets: one file each.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(&folder)
        .map_err(|error| format!("failed to read {}: {error}", folder.display()))?;
    let names = files.filter_map(|file| {
        let name = file.ok()?.file_name().into_string().ok()?;
        Some(name.strip_suffix(".rs")?.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// Fuzzing first: its figures would else stand behind the summary of the tests.
fn steps(machine: Machine, targets: &[String], seconds: &str) -> Vec<Step> {
    let write_seeds = [
        "run",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "fleet-fuzz",
        "--example",
        "files",
        "--",
        "seeds",
        SEEDS,
    ];
    let mut steps = vec![step("seeds for fuzzing", &write_seeds)];
    steps.extend(targets.iter().map(|target| fuzz(target, seconds)));
    let build = [
        "build",
        "--workspace",
        "--bins",
        "--tests",
        "--locked",
        "--release",
    ];
    steps.push(step("programs and tests", &build));
    steps.push(tests(machine));
    steps
}

fn fuzz(target: &str, seconds: &str) -> Step {
    let corpus = format!("{CORPUS}/{target}");
    let seeds = format!("{SEEDS}/{target}");
    let time = format!("-max_total_time={seconds}");
    // Without a sanitizer: our code is safe Rust, and a stable compiler will do.
    let mut args = vec![
        "fuzz",
        "run",
        "--fuzz-dir",
        "fuzz",
        "--sanitizer",
        "none",
        "--features",
        "libfuzzer",
        target,
        &corpus,
        &seeds,
        "--",
        &time,
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ];
    if target == "manifest" {
        // It draws every mistake that it finds.
        args.push("-close_fd_mask=2");
    }
    step(&format!("fuzz {target}"), &args)
}

fn tests(machine: Machine) -> Step {
    if machine.has_nextest {
        let args = [
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--release",
            "--profile",
            "long",
            "--run-ignored",
            "all",
        ];
        step("long tests", &args)
    } else {
        let args = [
            "test",
            "--workspace",
            "--locked",
            "--release",
            "--tests",
            "--",
            "--include-ignored",
        ];
        step("long tests", &args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzzing_comes_first_and_the_tests_last() {
        let machine = Machine {
            has_nextest: true,
            is_ci: false,
        };
        let steps = steps(machine, &["rows".to_owned()], "5");
        let lines: Vec<String> = steps.iter().map(Step::command).collect();
        assert_eq!(
            lines,
            [
                "cargo run --quiet --release --locked --package fleet-fuzz --example files -- seeds target/fuzz/seeds",
                "cargo fuzz run --fuzz-dir fuzz --sanitizer none --features libfuzzer rows target/fuzz/corpus/rows \
                 target/fuzz/seeds/rows -- -max_total_time=5 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1",
                "cargo build --workspace --bins --tests --locked --release",
                "cargo nextest run --workspace --locked --release --profile long --run-ignored all",
            ]
        );
    }
}
