//! A file with a definition: read, and its mistakes drawn where they stand.
use crate::failure::{Failure, Outcome};
use crate::{exit, paint};
use fleet_expression::Checks;
use fleet_types::tool::Schema;
use fleet_workflow::{Checker, Faults, Flaw, Workflow};
use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report};
use serde_json::Value;
use std::cell::RefCell;
use std::path::Path;

/// A longer line is of a program's making, and is not drawn.
const LINE_BYTES_MAX: usize = 10_000;

/// Asks the engine of expressions, and the compiler of schemas.
#[derive(Default)]
struct Engines {
    checks: RefCell<Checks>,
}

impl Checker for Engines {
    fn expression(&self, source: &str) -> Result<(), Flaw> {
        self.checks.borrow_mut().check(source).map_err(|flaw| Flaw {
            what: match source.lines().count() {
                1 => flaw.what,
                _ => flaw.to_string(),
            },
        })
    }

    fn schema(&self, schema: &Value) -> Result<(), Flaw> {
        let schema = serde_json::from_value::<Schema>(schema.clone());
        let schema = schema.map_err(|error| Flaw {
            what: error.to_string(),
        })?;
        match fleet_schema::compile(&schema) {
            Ok(_) => Ok(()),
            Err(fault) if fault.argument.is_empty() => Err(Flaw {
                what: fault.wanted.to_string(),
            }),
            Err(fault) => Err(Flaw {
                what: format!("{}: {}", fault.argument, fault.wanted),
            }),
        }
    }
}

/// The text of a file.
pub fn text(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

/// The workflow that a text holds.
pub fn parse(text: &str) -> Result<Workflow, Faults> {
    fleet_workflow::read(text, &Engines::default())
}

/// The workflow in a file; shows every mistake.
pub fn read(path: &Path) -> Outcome<Workflow> {
    let text = text(path)?;
    parse(&text).map_err(|faults| {
        show(&faults, &text, &path.display().to_string());
        Failure::told(exit::USAGE)
    })
}

/// Draws every mistake on standard error.
pub fn show(faults: &Faults, text: &str, name: &str) {
    let draw = text.lines().all(|line| line.len() <= LINE_BYTES_MAX);
    for fault in &faults.faults {
        if !draw {
            eprintln!("{name}:{fault}");
            continue;
        }
        let words = match fault.path.as_str() {
            "" => fault.what.clone(),
            path => format!("{path}: {}", fault.what),
        };
        let mut diagnostic =
            MietteDiagnostic::new(words).with_label(LabeledSpan::at(fault.range.clone(), "here"));
        if !fault.to_do.is_empty() {
            diagnostic = diagnostic.with_help(fault.to_do.clone());
        }
        let report =
            Report::new(diagnostic).with_source_code(NamedSource::new(name, text.to_owned()));
        eprint!("{report:?}");
    }
    if faults.more > 0 {
        eprintln!("… and {} more", faults.more);
    }
    let count = faults.faults.len() + faults.more;
    let things = if count == 1 {
        "one thing is"
    } else {
        "some things are"
    };
    eprintln!(
        "{} {things} not right in {name} ({count})",
        paint::error("error:")
    );
}
