//! Rules of this repository that rustc and clippy do not know.
//!
//! Every check is a function from a [`Tree`] to [`Finding`]s and lives in a file of its own, tests beside it:
//! texts in, lines out. To add one: write the file, add it to [`CHECKS`].
//!
//! What a rule cannot hold for stands in that check's `EXEMPT` list, with the reason. An entry that exempts
//! nothing is itself a finding, so the lists shrink again.

mod error_pages;
mod headers;
mod layers;
mod links;
mod manifest;
mod manifests;
mod paths;
mod purity;
mod rust;
mod sizes;
mod tree;
mod words;

use std::fmt;
use std::path::Path;

use tree::Tree;

type Check = fn(&Tree) -> Vec<Finding>;

const CHECKS: &[(&str, Check)] = &[
    ("headers", headers::check),
    ("sizes", sizes::check),
    ("purity", purity::check),
    ("layers", layers::check),
    ("words", words::check),
    ("paths", paths::check),
    ("error pages", error_pages::check),
    ("links", links::check),
    ("manifests", manifests::check),
];

/// One breach of a rule, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// From 1.
    line: usize,
    what: String,
    to_do: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding {
            path,
            line,
            what,
            to_do,
        } = self;
        write!(f, "{path}:{line}: {what}; {to_do}")
    }
}

/// Places a rule does not hold for, each with the reason: `(subject, reason)`.
/// A subject is a path, or `path#function` where the rule is about functions.
type Exempt = [(&'static str, &'static str)];

/// Drops the findings whose subject is exempt, and reports the entries that exempt nothing.
fn without_exempt(
    findings: Vec<(String, Finding)>,
    exempt: &Exempt,
    list_path: &str,
) -> Vec<Finding> {
    let stale = exempt
        .iter()
        .filter(|(exempt, _)| findings.iter().all(|(subject, _)| subject != exempt))
        .map(|(subject, _)| Finding {
            path: list_path.to_owned(),
            line: 1,
            what: format!("`{subject}` is exempt but keeps the rule"),
            to_do: "take it off the list EXEMPT".to_owned(),
        });
    let stale: Vec<Finding> = stale.collect();
    findings
        .into_iter()
        .filter(|(subject, _)| exempt.iter().all(|(exempt, _)| subject != exempt))
        .map(|(_, finding)| finding)
        .chain(stale)
        .collect()
}

pub fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|(_, check)| check(&tree)).collect();
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!(
            "    {} checks over {} text files ({})",
            CHECKS.len(),
            tree.files().len(),
            tree.origin()
        );
        Ok(())
    } else {
        Err(format!("tidy: {} to mend", findings.len()))
    }
}

/// The findings of `check` on `files`, one a line: what every check's tests compare.
#[cfg(test)]
fn found(check: impl Fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> String {
    let lines: Vec<String> = check(&Tree::of(files))
        .iter()
        .map(Finding::to_string)
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(path: &str) -> (String, Finding) {
        let finding = Finding {
            path: path.to_owned(),
            line: 3,
            what: "bad".to_owned(),
            to_do: "mend it".to_owned(),
        };
        (path.to_owned(), finding)
    }

    fn left(exempt: &Exempt) -> Vec<String> {
        without_exempt(
            vec![finding("a.rs"), finding("b.rs")],
            exempt,
            "xtask/list.rs",
        )
        .iter()
        .map(Finding::to_string)
        .collect()
    }

    #[test]
    fn an_exemption_drops_its_own_subject_only() {
        assert_eq!(left(&[("a.rs", "generated")]), ["b.rs:3: bad; mend it"]);
    }

    #[test]
    fn an_exemption_nobody_needs_is_a_finding() {
        assert_eq!(
            left(&[("a.rs", ""), ("b.rs", ""), ("gone.rs", "")]),
            [
                "xtask/list.rs:1: `gone.rs` is exempt but keeps the rule; take it off the list EXEMPT"
            ]
        );
    }
}
