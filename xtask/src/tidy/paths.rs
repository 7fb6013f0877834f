//! No file names a folder of the machine it was written on.

use super::Finding;
use super::rust::line_at;
use super::tree::Tree;

/// Folders at the root of a file system in which people work.
const FOLDERS: [&str; 3] = ["work", "root", "home"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        for folder in FOLDERS {
            let path = format!("/{folder}/");
            for (offset, _) in file.text.match_indices(&path) {
                if !starts_a_path(&file.text[..offset]) {
                    continue;
                }
                findings.push(Finding {
                    path: file.path.to_owned(),
                    line: line_at(file.text, offset),
                    what: format!("the absolute path `{path}` of one machine"),
                    to_do: "write it from the repository's root, or take it from the environment"
                        .to_owned(),
                });
            }
        }
    }
    findings
}

/// Whether a `/` after this text begins a path, and is not inside one (`docs/…`, `host/…`, `$DIR/…`).
fn starts_a_path(before: &str) -> bool {
    !before.chars().next_back().is_some_and(|c| {
        c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '*' | '}' | ')' | '>')
    })
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    fn paths(text: &str) -> String {
        found(check, &[("scripts/a.sh", text)])
    }

    #[test]
    fn relative_paths_and_addresses_pass() {
        assert_eq!(
            paths(
                "docs/work/a ./home/b $DIR/root/c ${DIR}/home/d https://example.org/home/e /homes/f /work"
            ),
            ""
        );
    }

    #[test]
    fn paths_of_one_machine_are_named() {
        for folder in FOLDERS {
            for before in ["", "cd ", "\"", "=", "file://", ":"] {
                let found = paths(&format!("ok\n{before}/{folder}/x\n"));
                assert_eq!(
                    found,
                    format!(
                        "scripts/a.sh:2: the absolute path `/{folder}/` of one machine; \
                         write it from the repository's root, or take it from the environment"
                    ),
                    "after {before:?}"
                );
            }
        }
    }
}
