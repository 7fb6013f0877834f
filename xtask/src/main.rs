//! The project's own tools, run as `cargo xtask NAME`.
//!
//! - `tidy` holds the lines that rustc and clippy do not know: layers, purity of the core, sizes, documents.
//! - `ci` runs what a change must pass, as `make test` does.
//! - `test-long` fuzzes every decoder for a while and runs every test, ignored ones too, optimised.
//! - `bench` measures; the benchmarks are in `bench/`.
//!
//! No dependencies, so that it builds in seconds before anything else does.

mod ci;
mod long;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask NAME
  tidy        check the rules of this repository; names each breach and what to do
  ci          everything a change must pass: format, tidy, lints, tests
  test-long   every fuzz target for a minute; every test, ignored ones too, in a release build
  bench NAME  measures one thing, or \"all\" of them; --json for machines
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    // The manifest lies one below the root; cargo sets the variable at build time.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository's root");

    let result = match args.as_slice() {
        ["tidy"] => tidy::run(root),
        ["ci"] => ci::check(root),
        ["test-long"] => long::test_long(root),
        ["bench", rest @ ..] => bench(root, rest),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        other => Err(format!(
            "no such tool: {:?}\n\n{USAGE}",
            other.first().unwrap_or(&"")
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{}", message.trim_end());
            ExitCode::FAILURE
        }
    }
}

/// Runs a benchmark in the release profile: `cargo xtask bench core --json`.
fn bench(root: &Path, args: &[&str]) -> Result<(), String> {
    let args = if args.is_empty() { &["--help"] } else { args };
    let status = std::process::Command::new("cargo")
        .args([
            "run",
            "--release",
            "--quiet",
            "--locked",
            "-p",
            "fleet-bench",
            "--",
        ])
        .args(args)
        .current_dir(root)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the benchmark ended with {status}")),
        Err(error) => Err(format!("failed to start cargo: {error}")),
    }
}
