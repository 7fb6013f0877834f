//! Libraries hold no notes for later, no left-over debugging, and do not write to standard output:
//! the program that uses them does.

use super::Finding;
use super::rust::{Source, is_test_path, line_at, test_paths, word_offsets};
use super::tree::Tree;

/// Not a library: its standard output is what a person asked for.
const PROGRAMS: [&str; 1] = ["crates/cli/"];

/// Anywhere in the file, comments and tests included.
const NOTES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// In code. A test may print its seed, but `dbg!` is never meant to stay.
const MACROS: [(&str, &str); 3] = [
    ("dbg!", "take it out"),
    (
        "println!",
        "use `tracing`, or return the text to the caller",
    ),
    ("print!", "use `tracing`, or return the text to the caller"),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let test_paths = test_paths(tree);
    let mut findings = Vec::new();
    for file in tree.with_ending(".rs") {
        if !is_library_source(file.path) {
            continue;
        }
        for word in NOTES {
            for offset in word_offsets(file.text, word) {
                findings.push(Finding {
                    path: file.path.to_owned(),
                    line: line_at(file.text, offset),
                    what: format!("`{word}` in a library"),
                    to_do: "do it, or file it and say here only what holds today".to_owned(),
                });
            }
        }
        if is_test_path(file.path, &test_paths) {
            continue;
        }
        let source = Source::new(file.text);
        for (word, to_do) in MACROS {
            for line in source.lines_with(word) {
                findings.push(Finding {
                    path: file.path.to_owned(),
                    line,
                    what: format!("`{word}` in a library"),
                    to_do: to_do.to_owned(),
                });
            }
        }
    }
    findings
}

fn is_library_source(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts.as_slice(), ["crates", _, "src", ..])
        && !PROGRAMS.iter().any(|program| path.starts_with(program))
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    fn words(path: &str, text: &str) -> String {
        found(check, &[(path, text)])
    }

    #[test]
    fn a_clean_library_passes() {
        let text = "//! No println! here.\nfn todo_list() { eprintln!(\"println!\") }\n#[test]\nfn t() { println!(\"seed\") }\n";
        assert_eq!(words("crates/core/src/lib.rs", text), "");
    }

    #[test]
    fn notes_and_left_overs_are_named() {
        let text = format!(
            "// {}: later\nfn f() {{\n    println!(\"a\");\n    dbg!(1); // {}\n    print!(\"b\");\n}}\n",
            NOTES[0], NOTES[1]
        );
        let found = words("crates/core/src/lib.rs", &text);
        let starts: Vec<&str> = found
            .lines()
            .filter_map(|line| line.split(" in a library").next())
            .collect();
        assert_eq!(
            starts,
            [
                format!("crates/core/src/lib.rs:1: `{}`", NOTES[0]),
                format!("crates/core/src/lib.rs:4: `{}`", NOTES[1]),
                "crates/core/src/lib.rs:4: `dbg!`".to_owned(),
                "crates/core/src/lib.rs:3: `println!`".to_owned(),
                "crates/core/src/lib.rs:5: `print!`".to_owned(),
            ]
        );
    }

    #[test]
    fn programs_examples_and_tests_may_print() {
        for path in [
            "crates/cli/src/main.rs",
            "crates/core/examples/a.rs",
            "crates/core/tests/a.rs",
            "xtask/src/main.rs",
            "bench/src/main.rs",
        ] {
            assert_eq!(words(path, "fn f() { println!() }"), "", "{path}");
        }
    }
}
