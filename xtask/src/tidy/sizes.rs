//! Files and functions stay small enough to be read at a sitting.
//!
//! Files: 600 lines, tests included. Functions: 100 lines from `fn` to the closing brace, tests left out.

use super::rust::{Source, is_test_path, test_paths};
use super::tree::Tree;
use super::{Exempt, Finding, without_exempt};

const FILE_LINE_COUNT_MAX: usize = 600;
const FUNCTION_LINE_COUNT_MAX: usize = 100;
const SOURCES: [&str; 4] = [".rs", ".ts", ".tsx", ".py"];

/// `path` for a file, `path#function` for a function.
const EXEMPT: &Exempt = &[
    (
        "crates/core/src/tests/model/reference.rs",
        "the reference model is read as a whole, beside the machine it judges",
    ),
    (
        "crates/cli/src/commands/agents/shown.rs#lines",
        "a table: one line for each field of an agent that is shown",
    ),
    (
        "crates/cli/src/commands/events.rs#words",
        "a table: one arm for each event",
    ),
    (
        "crates/replay/src/lane/mod.rs#take",
        "a list: one arm for each event, and what is asked where the record answers with it",
    ),
    (
        "crates/core/src/reply.rs#of",
        "a table: one arm for each event that answers somebody",
    ),
    (
        "crates/core/src/tests/model/command.rs",
        "a table: what each random operation asks of the fleet",
    ),
    (
        "crates/types/src/event.rs",
        "a list: one type for each event of the nouns that have no file of their own for them",
    ),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut breaches = long_files(tree);
    breaches.extend(long_functions(tree));
    without_exempt(breaches, EXEMPT, "xtask/src/tidy/sizes.rs")
}

fn long_files(tree: &Tree) -> Vec<(String, Finding)> {
    let mut breaches = Vec::new();
    for file in tree.files() {
        let line_count = file.text.lines().count();
        if !SOURCES.iter().any(|ending| file.path.ends_with(ending))
            || line_count <= FILE_LINE_COUNT_MAX
        {
            continue;
        }
        let finding = Finding {
            path: file.path.to_owned(),
            line: FILE_LINE_COUNT_MAX + 1,
            what: format!("the file has {line_count} lines, more than {FILE_LINE_COUNT_MAX}"),
            to_do: "split it at its seam, or add its path with the reason to EXEMPT in xtask/src/tidy/sizes.rs".to_owned(),
        };
        breaches.push((file.path.to_owned(), finding));
    }
    breaches
}

fn long_functions(tree: &Tree) -> Vec<(String, Finding)> {
    let test_paths = test_paths(tree);
    let mut breaches = Vec::new();
    for file in tree.with_ending(".rs") {
        if is_test_path(file.path, &test_paths) {
            continue;
        }
        for function in Source::new(file.text).functions() {
            let (name, line_count) = (&function.name, function.line_count);
            if line_count <= FUNCTION_LINE_COUNT_MAX {
                continue;
            }
            let subject = format!("{}#{name}", file.path);
            let finding = Finding {
                path: file.path.to_owned(),
                line: function.line,
                what: format!(
                    "`{name}` has {line_count} lines, more than {FUNCTION_LINE_COUNT_MAX}"
                ),
                to_do: format!(
                    "move its leaves into functions of their own, or add `{subject}` with the reason to EXEMPT in xtask/src/tidy/sizes.rs"
                ),
            };
            breaches.push((subject, finding));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    /// Path and line and the first words: the advice is not what these tests are about.
    fn sizes(path: &str, text: &str) -> String {
        let both = |tree: &Tree| {
            let mut breaches = long_files(tree);
            breaches.extend(long_functions(tree));
            breaches.into_iter().map(|(_, finding)| finding).collect()
        };
        let found = found(both, &[(path, text)]);
        let lines: Vec<&str> = found
            .lines()
            .filter_map(|line| line.split(';').next())
            .collect();
        lines.join("\n")
    }

    fn function(line_count: usize) -> String {
        format!("fn f() {{\n{}}}\n", "    g();\n".repeat(line_count - 2))
    }

    #[test]
    fn a_file_may_have_as_many_lines_as_the_limit() {
        assert_eq!(sizes("a/src/lib.rs", &"\n".repeat(600)), "");
        assert_eq!(
            sizes("a/src/lib.rs", &"\n".repeat(601)),
            "a/src/lib.rs:601: the file has 601 lines, more than 600"
        );
        assert_eq!(sizes("a/tests/it.rs", &"\n".repeat(601)).lines().count(), 1);
        assert_eq!(sizes("notes.md", &"\n".repeat(601)), "");
    }

    #[test]
    fn a_function_may_have_as_many_lines_as_the_limit() {
        assert_eq!(sizes("a/src/lib.rs", &function(100)), "");
        assert_eq!(
            sizes("a/src/lib.rs", &function(101)),
            "a/src/lib.rs:1: `f` has 101 lines, more than 100"
        );
    }

    #[test]
    fn tests_may_be_long() {
        let test = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(101));
        assert_eq!(sizes("a/src/lib.rs", &test), "");
        assert_eq!(sizes("a/tests/it.rs", &function(101)), "");
    }
}
