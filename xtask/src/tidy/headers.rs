//! Every Rust file opens by saying what it is for: `//!` on its first line.

use super::tree::Tree;
use super::{Exempt, Finding, without_exempt};

/// Generated files would stand here.
const EXEMPT: &Exempt = &[];

pub fn check(tree: &Tree) -> Vec<Finding> {
    without_exempt(breaches(tree), EXEMPT, "xtask/src/tidy/headers.rs")
}

fn breaches(tree: &Tree) -> Vec<(String, Finding)> {
    tree.with_ending(".rs")
        .iter()
        .filter(|file| !file.text.trim_start().starts_with("//!"))
        .map(|file| {
            let finding = Finding {
                path: file.path.to_owned(),
                line: 1,
                what: "no `//!` at the top".to_owned(),
                to_do: "open the file with its purpose, its invariants by number, and what it leaves to others".to_owned(),
            };
            (file.path.to_owned(), finding)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    fn headers(text: &str) -> String {
        let bare = |tree: &Tree| {
            breaches(tree)
                .into_iter()
                .map(|(_, finding)| finding)
                .collect()
        };
        found(bare, &[("crates/a/build.rs", text)])
    }

    #[test]
    fn a_file_that_says_its_purpose_passes() {
        assert_eq!(headers("//! Builds.\nfn main() {}\n"), "");
        assert_eq!(headers("\n//! Builds.\n"), "");
    }

    #[test]
    fn a_file_that_does_not_is_named() {
        let expected = "crates/a/build.rs:1: no `//!` at the top; \
            open the file with its purpose, its invariants by number, and what it leaves to others";
        assert_eq!(headers("fn main() {}\n//! Too late.\n"), expected);
        assert_eq!(
            headers("/// An item's, not the file's.\nfn main() {}\n"),
            expected
        );
        assert_eq!(headers(""), expected);
    }
}
