//! What changed between two definitions, for people.
use crate::failure::Outcome;
use crate::{output, paint};
use fleet_workflow::version::{Change, Diff};
use serde_json::Value;
use std::fmt::Write;

/// Longest value that is shown.
const SHOWN_MAX: usize = 60;

/// Writes a difference: `+` new, `-` gone, `~` another.
pub fn show(diff: &Diff) -> Outcome {
    if diff.is_empty() {
        eprintln!("nothing changed: both mean the same");
        return Ok(());
    }
    let mut text = String::new();
    for change in &diff.workflow {
        let _ = writeln!(text, "{}", line(change));
    }
    for path in &diff.removed {
        let _ = writeln!(text, "{}", paint::bad(&format!("- nodes {path}")));
    }
    for path in &diff.added {
        let _ = writeln!(text, "{}", paint::good(&format!("+ nodes {path}")));
    }
    for (path, changes) in &diff.changed {
        let _ = writeln!(text, "~ nodes {path}");
        for change in changes {
            let _ = writeln!(text, "    {}", line(change));
        }
    }
    if !diff.breaking.is_empty() {
        let _ = writeln!(text, "\n{}", paint::bold("Others have to follow:"));
        for one in &diff.breaking {
            let _ = writeln!(text, "  {} {}", one.path, one.what);
        }
    }
    output::write(&text)
}

fn line(change: &Change) -> String {
    let field = &change.field;
    match (&change.old, &change.new) {
        (None, Some(new)) => paint::good(&format!("+ {field}: {}", short(new))),
        (Some(old), None) => paint::bad(&format!("- {field}: {}", short(old))),
        (Some(old), Some(new)) => format!("~ {field}: {} → {}", short(old), short(new)),
        (None, None) => format!("~ {field}"),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
