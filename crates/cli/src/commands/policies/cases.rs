//! `fleet policies test`: the test cases beside a module, run here.
use crate::failure::{Failure, Outcome};
use crate::{exit, output, paint};
use fleet_policy::{Fault, run_cases};
use std::path::{Path, PathBuf};

/// Runs the cases of `NAME_test.rego`, and of every `NAME_…_test.rego`, against `NAME.rego`.
pub fn run(file: &Path) -> Outcome {
    let module = read(file)?;
    let mut tests = Vec::new();
    for path in beside(file)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        tests.push((name.into_owned(), read(&path)?));
    }
    let cases = run_cases(&module, &tests).map_err(|(name, fault)| match name {
        Some(name) => wrong(&file.with_file_name(name), &fault),
        None => wrong(file, &fault),
    })?;
    if cases.is_empty() {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let file = file.display();
        eprintln!(
            "{file} compiles; it has no test cases: write rules test_… into {stem}_test.rego"
        );
        return Ok(());
    }
    let mut failed = 0;
    for case in &cases {
        let what = format!("{} {}", case.file, case.name);
        output::write(&match &case.failure {
            None => format!("{} {what}\n", paint::good("ok  ")),
            Some(why) => {
                failed += 1;
                format!("{} {what}: {why}\n", paint::bad("FAIL"))
            }
        })?;
    }
    eprintln!("{} of {} hold", cases.len() - failed, cases.len());
    match failed {
        0 => Ok(()),
        _ => Err(Failure::told(exit::FAILED)),
    }
}

/// The files of cases beside a module, in order.
fn beside(file: &Path) -> Outcome<Vec<PathBuf>> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let is_of = |name: &str| {
        let rest = name.strip_prefix(stem.as_ref());
        rest.is_some_and(|rest| rest.starts_with('_') && rest.ends_with("_test.rego"))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(is_of)
        {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The text of a file.
pub fn read(file: &Path) -> Outcome<String> {
    let shown = file.display();
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))
}

/// What is wrong in a file, with its place.
pub fn wrong(file: &Path, fault: &Fault) -> Failure {
    let mut place = file.display().to_string();
    for part in [fault.line, fault.column].into_iter().flatten() {
        place += &format!(":{part}");
    }
    let mut failure = Failure::usage(format!("{place}: {}", fault.message));
    let words = fault.to_string();
    // The line itself and the mark below it.
    for line in words.lines().skip(1) {
        failure = failure.advise(line);
    }
    failure
}
