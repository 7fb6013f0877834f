//! What is wrong with rules, shown in the files that they stand in, or in words where they stand in none.
use crate::commands::apply::rule_file::RuleFile;
use crate::paint;
use fleet_types::finding::{Finding, Level};
use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report, Severity};

/// A longer line is of a program's making, and is not drawn.
const LINE_BYTES_MAX: usize = 10_000;

/// A finding, and where in some files the rules stand that it is about.
pub struct Found {
    pub finding: Finding,
    /// A file and a rule in it.
    pub rule: (usize, usize),
    pub other: Option<(usize, usize)>,
}

/// What is wrong with the rules of some files together.
pub fn in_files(files: &[RuleFile]) -> Vec<Found> {
    let mut places = Vec::new();
    let mut rules = Vec::new();
    for (file, of) in files.iter().enumerate() {
        for (number, rule) in of.rules().iter().enumerate() {
            places.push((file, number));
            rules.push(rule.clone());
        }
    }
    let found = fleet_core::check::all(&rules).into_iter();
    found
        .map(|(rule, other, finding)| Found {
            finding,
            rule: places[rule],
            other: other.map(|other| places[other]),
        })
        .collect()
}

/// Shows findings on standard error; returns how many are errors.
pub fn show(files: &[RuleFile], found: &[Found]) -> usize {
    for one in found {
        let finding = &one.finding;
        let (file, number) = (&files[one.rule.0], one.rule.1);
        let words = words(finding);
        let place = file.place_of_rule(number, &finding.field);
        if file.text.lines().any(|line| line.len() > LINE_BYTES_MAX) {
            let (line, column) = file.line_and_column(place.start);
            eprintln!("{}:{line}:{column}: {words}", file.name);
            continue;
        }
        let mut labels = vec![LabeledSpan::new_primary_with_span(
            Some("here".to_owned()),
            place,
        )];
        let mut elsewhere = None;
        if let Some((other_file, other)) = one.other {
            let other = files[other_file].place_of_rule(other, "id");
            if other_file == one.rule.0 {
                labels.push(LabeledSpan::at(other, "and here"));
            } else {
                let (line, column) = files[other_file].line_and_column(other.start);
                elsewhere = Some(format!(
                    "the other one stands in {}:{line}:{column}",
                    files[other_file].name
                ));
            }
        }
        let mut diagnostic = MietteDiagnostic::new(words)
            .with_labels(labels)
            .with_severity(match finding.level {
                Level::Error => Severity::Error,
                Level::Warning => Severity::Warning,
            });
        if let Some(elsewhere) = elsewhere {
            diagnostic = diagnostic.with_help(elsewhere);
        }
        let source = NamedSource::new(&file.name, file.text.clone());
        eprint!("{:?}", Report::new(diagnostic).with_source_code(source));
    }
    let errors = found.iter().filter(|one| one.finding.level == Level::Error);
    errors.count()
}

/// `rule a: form.sequence.after is itself judged by …`.
pub fn words(finding: &Finding) -> String {
    match finding.field.as_str() {
        "" => format!("rule {} {}", finding.rule, finding.words),
        field => format!("rule {}: {field}: {}", finding.rule, finding.words),
    }
}

/// Tells what was noticed of a rule that was set.
pub fn tell(findings: &[Finding]) {
    for finding in findings {
        eprintln!("{} {}", paint::warning("warning:"), words(finding));
    }
}
