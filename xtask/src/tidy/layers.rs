//! Dependencies between our crates point towards `types`: each crate may name only what its row says.
//!
//! Assumptions
//! - A dependency outside the row is a decision about the architecture: whoever adds it changes the row and says why.
//! - Tests may also stand on the simulator, the client and the server, which are above everything.

use super::Finding;
use super::manifest::{Kind, dependencies, entries};
use super::tree::Tree;

/// A crate, and those it may depend on. The order is that of the layers, lowest first.
const ROWS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("workflow", &["types"]),
    // Journal and effects never see the core's state.
    ("journal", &["types"]),
    ("policy", &["types"]),
    ("schema", &["types"]),
    // Knows an engine, and nothing of what its expressions are for.
    ("expression", &[]),
    ("connect", &["types"]),
    // Knows what stands on the wire, and nothing of how it is decided.
    ("client", &["types"]),
    ("core", &["types", "workflow"]),
    ("effects", &["types", "connect"]),
    // Asks policies in front of its queue.
    (
        "runtime",
        &["types", "workflow", "journal", "policy", "schema", "core"],
    ),
    ("views", &["types", "workflow", "journal", "core"]),
    ("insight", &["types", "views"]),
    // Lives through what a journal holds once more; drills and back-tests stand on it.
    ("replay", &["types", "journal", "core", "runtime"]),
    (
        "sim",
        &[
            "types", "workflow", "journal", "policy", "connect", "core", "effects", "runtime",
            "views", "insight",
        ],
    ),
    (
        "api",
        &[
            "types", "workflow", "journal", "policy", "schema", "core", "runtime", "views",
            "insight",
        ],
    ),
    (
        "server",
        &[
            "types", "workflow", "journal", "policy", "connect", "core", "effects", "runtime",
            "views", "insight", "sim", "api",
        ],
    ),
    // The demonstration in `examples/`: like any agent's program, it sees the client only.
    ("bank", &["types", "client"]),
    (
        "cli",
        &[
            "types",
            "workflow",
            "journal",
            "policy",
            "schema",
            "expression",
            "connect",
            "client",
            "core",
            "effects",
            "runtime",
            "views",
            "insight",
            "replay",
            "sim",
            "api",
            "server",
            "bank",
        ],
    ),
];

const FOR_TESTS: [&str; 3] = ["sim", "client", "server"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_ending("/Cargo.toml") {
        let parts: Vec<&str> = file.path.split('/').collect();
        let ["crates", from, "Cargo.toml"] = parts.as_slice() else {
            continue;
        };
        let Some((_, row)) = ROWS.iter().find(|(name, _)| name == from) else {
            findings.push(Finding {
                path: file.path.to_owned(),
                line: 1,
                what: format!("the crate `{from}` has no layer"),
                to_do: "give it a row in ROWS in xtask/src/tidy/layers.rs: what may it depend on?"
                    .to_owned(),
            });
            continue;
        };
        for dependency in dependencies(&entries(file.text)) {
            let Some(to) = our_crate(&dependency.package) else {
                continue;
            };
            let allowed = row.contains(&to)
                || dependency.kind == Kind::Dev && (to == *from || FOR_TESTS.contains(&to));
            if allowed {
                continue;
            }
            findings.push(Finding {
                path: file.path.to_owned(),
                line: dependency.line,
                what: format!("{from} -> {to} points the wrong way"),
                to_do: format!(
                    "move what is shared down, or hand it in from above ({from} may use: {})",
                    if row.is_empty() {
                        "none of ours".to_owned()
                    } else {
                        row.join(", ")
                    }
                ),
            });
        }
    }
    findings
}

/// The folder of a package of ours; the command's package may be called after its program.
fn our_crate(package: &str) -> Option<&str> {
    match package {
        "fleet" => Some("cli"),
        other => other.strip_prefix("fleet-"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    fn layers(from: &str, section: &str, package: &str) -> String {
        let path = format!("crates/{from}/Cargo.toml");
        let text = format!(
            "[package]\nname = \"fleet-{from}\"\n\n[{section}]\nserde = \"1\"\n{package}.workspace = true\n"
        );
        found(check, &[(&path, &text)])
    }

    #[test]
    fn the_chain_points_towards_types() {
        let chain = ["types", "core", "runtime", "api", "server", "cli"];
        for (index, lower) in chain.iter().enumerate() {
            for upper in &chain[index + 1..] {
                assert_eq!(layers(upper, "dependencies", &format!("fleet-{lower}")), "");
                let wrong = layers(lower, "dependencies", &format!("fleet-{upper}"));
                assert!(
                    wrong.starts_with(&format!(
                        "crates/{lower}/Cargo.toml:6: {lower} -> {upper} points the wrong way; "
                    )),
                    "{wrong}"
                );
            }
        }
    }

    #[test]
    fn rows_name_only_rows_above_them() {
        for (index, (name, row)) in ROWS.iter().enumerate() {
            for to in *row {
                let known = ROWS[..index].iter().any(|(lower, _)| lower == to);
                assert!(
                    known,
                    "{name} -> {to}: a row names only lower rows, so there can be no circle"
                );
            }
        }
    }

    #[test]
    fn journal_client_and_effects_never_see_the_core() {
        for from in ["journal", "client", "effects"] {
            for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
                assert_eq!(
                    layers(from, section, "fleet-core").lines().count(),
                    1,
                    "{from} {section}"
                );
            }
        }
        assert_eq!(
            layers("client", "dependencies", "fleet-journal")
                .lines()
                .count(),
            1
        );
        assert_eq!(
            layers("types", "dependencies", "fleet-core"),
            "crates/types/Cargo.toml:6: types -> core points the wrong way; \
             move what is shared down, or hand it in from above (types may use: none of ours)"
        );
    }

    #[test]
    fn tests_may_stand_on_the_simulator() {
        assert_eq!(layers("core", "dev-dependencies", "fleet-sim"), "");
        assert_eq!(
            layers("core", "dependencies", "fleet-sim").lines().count(),
            1
        );
    }

    #[test]
    fn the_command_may_be_called_after_its_program() {
        assert!(layers("server", "dependencies", "fleet").contains("server -> cli"));
    }

    #[test]
    fn a_new_crate_needs_a_row() {
        assert_eq!(
            layers("fresh", "dependencies", "fleet-types"),
            "crates/fresh/Cargo.toml:1: the crate `fresh` has no layer; \
             give it a row in ROWS in xtask/src/tidy/layers.rs: what may it depend on?"
        );
    }
}
