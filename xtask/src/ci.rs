//! What a change must pass, step by step, each with the seconds it took.
//!
//! `make test`, `.ci/run` and `cargo xtask ci` all run this one list.
//! The tests come last, so that the last lines read are their summary.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::tidy;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// In this process: no second build, no second start.
    Tidy,
    Cargo {
        name: String,
        args: Vec<String>,
    },
}

#[derive(Clone, Copy, Debug)]
pub struct Machine {
    pub has_nextest: bool,
    pub is_ci: bool,
}

impl Machine {
    pub fn look() -> Machine {
        let has_nextest = cargo(&["nextest", "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        Machine {
            has_nextest,
            is_ci: std::env::var_os("CI").is_some(),
        }
    }
}

pub fn check(root: &Path) -> Result<(), String> {
    run_all(root, &check_steps(Machine::look()))
}

fn check_steps(machine: Machine) -> Vec<Step> {
    vec![
        step("format", &["fmt", "--all", "--check"]),
        Step::Tidy,
        step(
            "lints",
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ],
        ),
        step(
            "examples in the documentation",
            &["test", "--doc", "--workspace", "--locked"],
        ),
        // Programs that tests start are built with the tests, from the same parts; a test would build them alone.
        step(
            "programs and tests",
            &["build", "--workspace", "--bins", "--tests", "--locked"],
        ),
        match (machine.has_nextest, machine.is_ci) {
            (true, true) => step(
                "tests",
                &[
                    "nextest",
                    "run",
                    "--workspace",
                    "--locked",
                    "--profile",
                    "ci",
                ],
            ),
            (true, false) => step("tests", &["nextest", "run", "--workspace", "--locked"]),
            (false, true | false) => step("tests", &["test", "--workspace", "--locked", "--tests"]),
        },
    ]
}

pub fn step(name: &str, args: &[&str]) -> Step {
    Step::Cargo {
        name: name.to_owned(),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
    }
}

impl Step {
    fn name(&self) -> &str {
        match self {
            Step::Tidy => "tidy",
            Step::Cargo { name, .. } => name,
        }
    }

    /// As a person would type it.
    pub fn command(&self) -> String {
        match self {
            Step::Tidy => "cargo xtask tidy".to_owned(),
            Step::Cargo { args, .. } => format!("cargo {}", args.join(" ")),
        }
    }

    fn run(&self, root: &Path) -> Result<(), String> {
        match self {
            Step::Tidy => tidy::run(root),
            Step::Cargo { args, .. } => {
                let status = cargo(args)
                    .current_dir(root)
                    .status()
                    .map_err(|error| format!("failed to start cargo: {error}"))?;
                if status.success() {
                    Ok(())
                } else {
                    Err(status.to_string())
                }
            }
        }
    }
}

pub fn run_all(root: &Path, steps: &[Step]) -> Result<(), String> {
    let start = Instant::now();
    for (index, step) in steps.iter().enumerate() {
        let at = start.elapsed().as_secs();
        println!("==> [{at:>4} s] {}: {}", step.name(), step.command());
        let step_start = Instant::now();
        step.run(root).map_err(|error| {
            format!(
                "{error}\n==> {} failed after {} s. To run only this step: {}",
                step.name(),
                step_start.elapsed().as_secs(),
                step.command()
            )
        })?;
        // Nothing after the last: its own summary closes the output.
        if index + 1 < steps.len() {
            println!(
                "    {} passed in {} s",
                step.name(),
                step_start.elapsed().as_secs()
            );
        }
    }
    Ok(())
}

/// Cargo as the developer's shell would start it.
///
/// `cargo run` hands its child the variables of the package that runs. Build scripts watch some of them
/// (`CARGO_MANIFEST_DIR`, `CARGO_PKG_NAME`), and would run again each time a build from here follows one from a shell.
fn cargo<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(args);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_this_package) {
            command.env_remove(name);
        }
    }
    command
}

fn is_of_this_package(name: &str) -> bool {
    [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(has_nextest: bool, is_ci: bool) -> String {
        let machine = Machine { has_nextest, is_ci };
        let lines: Vec<String> = check_steps(machine).iter().map(Step::command).collect();
        lines.join("\n")
    }

    #[test]
    fn ci_runs_every_step_and_the_tests_last() {
        assert_eq!(
            commands(true, true),
            "\
cargo fmt --all --check
cargo xtask tidy
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo test --doc --workspace --locked
cargo build --workspace --bins --tests --locked
cargo nextest run --workspace --locked --profile ci"
        );
    }

    #[test]
    fn without_nextest_cargo_test_runs_the_same_tests() {
        assert_eq!(
            commands(false, false).lines().skip(5).collect::<Vec<_>>(),
            ["cargo test --workspace --locked --tests"]
        );
    }

    #[test]
    fn a_failed_step_ends_the_run_and_is_named() {
        // Neither step builds anything: cargo refuses the first at once, and the second must not be reached.
        let steps = [step("first", &["--no-such-flag"]), Step::Tidy];
        let error = run_all(Path::new("."), &steps).unwrap_err();
        assert!(error.contains("==> first failed after"), "{error}");
        assert!(
            error.contains("To run only this step: cargo --no-such-flag"),
            "{error}"
        );
        assert!(!error.contains("tidy"), "{error}");
    }

    #[test]
    fn only_the_variables_of_the_running_package_are_dropped() {
        assert!(is_of_this_package("CARGO_PKG_NAME"));
        assert!(is_of_this_package("CARGO_MANIFEST_DIR"));
        assert!(!is_of_this_package("CARGO_INCREMENTAL"));
        assert!(!is_of_this_package("CARGO_TARGET_DIR"));
        assert!(!is_of_this_package("PATH"));
    }
}
