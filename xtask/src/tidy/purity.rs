//! I1: the core has no clock, no IO, no async, no randomness, no unordered maps.
//!
//! `clippy.toml` in the core's crate resolves types and says the same; this check also reads code behind
//! features and in macros. Comments, strings and code for tests only are left out.

use super::Finding;
use super::rust::{Source, is_test_path, test_paths};
use super::tree::Tree;

/// The core, and the crate it uses to read workflows.
const PURE: [&str; 2] = ["crates/core/src/", "crates/workflow/src/"];

const ORDER: &str = "its order differs between runs: use BTreeMap, BTreeSet or IndexMap";
const CLOCK: &str = "time enters as `now` with the command";
const CHANCE: &str = "chance enters as data in the command";
const IO: &str =
    "the core only computes: let the runtime or an effect do this and send the result as a command";
const THREADS: &str = "the core runs on its caller's thread: concurrency belongs to the runtime";

/// Whole words, and what to do instead. A hasher is not among them: a map that iterates in insertion order
/// may hash as it likes, and so may a table that is only looked up in.
const BANNED: &[(&str, &str)] = &[
    ("HashMap", ORDER),
    ("HashSet", ORDER),
    ("AHashMap", ORDER),
    ("AHashSet", ORDER),
    ("SystemTime", CLOCK),
    ("Instant", CLOCK),
    ("Timestamp::now", CLOCK),
    ("Zoned::now", CLOCK),
    ("rand", CHANCE),
    ("getrandom", CHANCE),
    ("new_v4", CHANCE),
    ("now_v7", CHANCE),
    ("async", THREADS),
    ("await", THREADS),
    ("tokio", THREADS),
    ("std::thread", THREADS),
    ("std::fs", IO),
    ("std::net", IO),
    ("std::env", IO),
    ("std::process", IO),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let test_paths = test_paths(tree);
    let mut findings = Vec::new();
    for file in tree.with_ending(".rs") {
        let pure = PURE.iter().any(|folder| file.path.starts_with(folder));
        if !pure || is_test_path(file.path, &test_paths) {
            continue;
        }
        let source = Source::new(file.text);
        let groups = source.std_groups();
        for (word, to_do) in BANNED {
            let grouped = groups
                .iter()
                .filter(|(name, _)| word.strip_prefix("std::") == Some(name))
                .map(|(_, line)| *line);
            for line in source.lines_with(word).into_iter().chain(grouped) {
                findings.push(Finding {
                    path: file.path.to_owned(),
                    line,
                    what: format!("`{word}` in pure code (I1)"),
                    to_do: (*to_do).to_owned(),
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    fn purity(path: &str, text: &str) -> String {
        found(check, &[(path, text)])
    }

    #[test]
    fn pure_code_passes() {
        let text = "\
//! No HashMap, no Instant, no async.
use std::collections::BTreeMap;
use std::{fmt, time::Duration};
/* std::fs */
fn operand(brand: u8) -> &'static str { \"std::net, rand\" }
#[cfg(test)]
mod tests { use std::collections::HashSet; }
";
        assert_eq!(purity("crates/core/src/lib.rs", text), "");
    }

    #[test]
    fn every_banned_word_is_found() {
        for (word, to_do) in BANNED {
            assert_eq!(
                purity(
                    "crates/core/src/lock/mod.rs",
                    &format!("//! x\nuse {word};\n")
                ),
                format!("crates/core/src/lock/mod.rs:2: `{word}` in pure code (I1); {to_do}")
            );
        }
    }

    #[test]
    fn a_group_hides_nothing() {
        let found = purity(
            "crates/core/src/lib.rs",
            "use std::{\n    fmt,\n    fs,\n};\n",
        );
        assert!(
            found.starts_with("crates/core/src/lib.rs:3: `std::fs` in pure code (I1)"),
            "{found}"
        );
        assert_eq!(found.lines().count(), 1);
    }

    #[test]
    fn a_file_of_tests_may_use_what_the_core_may_not() {
        let files = [
            (
                "crates/core/src/lib.rs",
                "#[cfg(test)]\nmod tests;\nmod real;\n",
            ),
            ("crates/core/src/tests.rs", "use std::fs;\n"),
            ("crates/core/src/real.rs", "use std::fs;\n"),
        ];
        let found = found(check, &files);
        assert!(found.starts_with("crates/core/src/real.rs:1: "), "{found}");
        assert_eq!(found.lines().count(), 1);
    }

    #[test]
    fn other_crates_and_tests_may_read_clocks() {
        assert_eq!(
            purity("crates/runtime/src/lib.rs", "use std::time::Instant;"),
            ""
        );
        assert_eq!(purity("crates/core/tests/replay.rs", "use std::fs;"), "");
    }
}
