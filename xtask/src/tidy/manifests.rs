//! Members of the workspace take their lints, version, edition and licence from it.

use super::manifest::{entries, is_inherited};
use super::tree::Tree;
use super::{Exempt, Finding, without_exempt};

const INHERITED: [&str; 3] = ["version", "edition", "license"];

/// Paths of manifests.
const EXEMPT: &Exempt = &[];

pub fn check(tree: &Tree) -> Vec<Finding> {
    without_exempt(breaches(tree), EXEMPT, "xtask/src/tidy/manifests.rs")
}

fn breaches(tree: &Tree) -> Vec<(String, Finding)> {
    let mut breaches = Vec::new();
    for file in tree.with_ending("Cargo.toml") {
        let entries = entries(file.text);
        // The root itself, or a workspace of its own (a fuzzer's, say).
        if file.text.lines().any(|line| line.trim() == "[workspace]") {
            continue;
        }
        let mut missing: Vec<String> = INHERITED
            .iter()
            .filter(|key| !is_inherited(&entries, "package", key))
            .map(|key| format!("`{key}.workspace = true` under [package]"))
            .collect();
        let lints = entries.iter().any(|entry| {
            entry.section == "lints" && entry.key == "workspace" && entry.value == "true"
        });
        if !lints {
            missing.push("`workspace = true` under [lints]".to_owned());
        }
        for missing in missing {
            let finding = Finding {
                path: file.path.to_owned(),
                line: 1,
                what: format!("no {missing}"),
                to_do: "add it, so that one place decides".to_owned(),
            };
            breaches.push((file.path.to_owned(), finding));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    const GOOD: &str = "\
[package]
name = \"fleet-a\"
version.workspace = true
edition.workspace = true
license = { workspace = true }

[lints]
workspace = true
";

    fn manifests(text: &str) -> String {
        let bare = |tree: &Tree| {
            breaches(tree)
                .into_iter()
                .map(|(_, finding)| finding)
                .collect()
        };
        found(bare, &[("crates/a/Cargo.toml", text)])
    }

    #[test]
    fn a_member_that_inherits_passes() {
        assert_eq!(manifests(GOOD), "");
    }

    #[test]
    fn what_a_member_does_not_inherit_is_named() {
        for (line, named) in [
            (
                "version.workspace = true",
                "`version.workspace = true` under [package]",
            ),
            (
                "edition.workspace = true",
                "`edition.workspace = true` under [package]",
            ),
            (
                "license = { workspace = true }",
                "`license.workspace = true` under [package]",
            ),
            (
                "[lints]\nworkspace = true",
                "`workspace = true` under [lints]",
            ),
        ] {
            assert!(GOOD.contains(line), "{line}");
            assert_eq!(
                manifests(&GOOD.replace(line, "")),
                format!("crates/a/Cargo.toml:1: no {named}; add it, so that one place decides")
            );
        }
        let own = GOOD.replace("version.workspace = true", "version = \"0.2.0\"");
        assert_eq!(manifests(&own).lines().count(), 1);
    }

    #[test]
    fn the_root_and_other_workspaces_are_left_alone() {
        assert_eq!(
            manifests(
                "[workspace]\nmembers = [\"crates/*\"]\n[workspace.package]\nversion = \"1\"\n"
            ),
            ""
        );
        assert_eq!(manifests("[workspace]\n\n[package]\nname = \"fuzz\"\n"), "");
    }
}
