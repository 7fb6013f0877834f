//! As much of Rust's grammar as the checks need: what is code, what is only compiled for tests, where functions end.
//!
//! A scan, not a parser. It reads well-formed code as rustfmt leaves it; on anything else it may miss a breach
//! or name one too many, never fail.

use std::ops::Range;

use super::tree::Tree;

/// A Rust file with all that is not code blanked out, byte for byte, so that offsets and lines stay those of the file.
#[derive(Debug)]
pub struct Source {
    code: String,
    /// Compiled only for tests.
    tests: Vec<Range<usize>>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub line_count: usize,
}

impl Source {
    pub fn new(text: &str) -> Source {
        let code = blank(text);
        let tests = test_regions(&code);
        Source { code, tests }
    }

    /// Where `word` stands in code, not inside a longer word, and not in code for tests only.
    pub fn lines_with(&self, word: &str) -> Vec<usize> {
        word_offsets(&self.code, word)
            .filter(|offset| !self.is_test(*offset))
            .map(|offset| line_at(&self.code, offset))
            .collect()
    }

    /// First names inside `std::{..}`: `use std::{fs, time::Duration}` gives `fs` and `time`.
    pub fn std_groups(&self) -> Vec<(String, usize)> {
        let mut names = Vec::new();
        for (start, opening) in self.code.match_indices("std::{") {
            if self.is_test(start) {
                continue;
            }
            let inside = start + opening.len();
            let end = closing(&self.code, inside - 1).unwrap_or(self.code.len());
            let mut depth = 0_usize;
            let mut at_start = true;
            for (index, character) in self.code[inside..end].char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' => depth = depth.saturating_sub(1),
                    ',' if depth == 0 => at_start = true,
                    _ if at_start && is_word(character) => {
                        let rest = &self.code[inside + index..end];
                        let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
                        names.push((name, line_at(&self.code, inside + index)));
                        at_start = false;
                    }
                    _ => {}
                }
            }
        }
        names
    }

    /// Functions with a body, outside code for tests only.
    pub fn functions(&self) -> Vec<Function> {
        word_offsets(&self.code, "fn")
            .filter(|offset| !self.is_test(*offset))
            .filter_map(|offset| {
                let after = self.code[offset + 2..].trim_start();
                let name: String = after.chars().take_while(|c| is_word(*c)).collect();
                if name.is_empty() {
                    return None; // The type of a function: `fn(u8)`.
                }
                let end = item_end(&self.code, offset);
                if !self.code[..end].ends_with('}') {
                    return None; // Declared in a trait, without a body.
                }
                let line = line_at(&self.code, offset);
                let line_count = line_at(&self.code, end - 1) - line + 1;
                Some(Function {
                    name,
                    line,
                    line_count,
                })
            })
            .collect()
    }

    fn is_test(&self, offset: usize) -> bool {
        self.tests.iter().any(|region| region.contains(&offset))
    }

    /// Names of modules in files of their own that are declared for tests only: `#[cfg(test)] mod tests;`.
    fn test_modules(&self) -> Vec<String> {
        self.tests
            .iter()
            .filter_map(|region| {
                let item = self.code[region.clone()].strip_suffix(';')?;
                let (_, name) = item.rsplit_once("mod ")?;
                name.chars().all(is_word).then(|| name.to_owned())
            })
            .collect()
    }
}

/// Files and folders (with a `/` at the end) that are compiled only for tests.
pub fn test_paths(tree: &Tree) -> Vec<String> {
    let mut paths = Vec::new();
    for file in tree.with_ending(".rs") {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", file.path));
        let base = match name {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => format!("{folder}/{}", name.trim_end_matches(".rs")),
        };
        for module in Source::new(file.text).test_modules() {
            paths.push(format!("{base}/{module}.rs"));
            paths.push(format!("{base}/{module}/"));
        }
    }
    paths
}

/// Whether the whole file serves tests or measurements: by its folder, or by a module declared for tests only.
pub fn is_test_path(path: &str, test_paths: &[String]) -> bool {
    path.split('/')
        .any(|part| matches!(part, "tests" | "benches"))
        || test_paths
            .iter()
            .any(|test| path == test || (test.ends_with('/') && path.starts_with(test.as_str())))
}

pub fn line_at(text: &str, offset: usize) -> usize {
    text[..offset].bytes().filter(|byte| *byte == b'\n').count() + 1
}

/// Where `word` stands in `text` with no letter, digit or `_` on either side.
pub fn word_offsets<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).filter_map(move |(offset, _)| {
        let before = text[..offset].chars().next_back();
        let after = text[offset + word.len()..].chars().next();
        let joined = before.is_some_and(is_word) || after.is_some_and(is_word);
        (!joined).then_some(offset)
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Comments and the insides of strings and character literals become spaces; lines stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let end = if rest.starts_with("//") {
            at + rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            at + comment_length(rest)
        } else if rest.starts_with('"') {
            at + string_length(rest)
        } else if rest.starts_with('\'') {
            at + char_length(rest)
        } else {
            let first = rest.chars().next().map_or(1, char::len_utf8);
            let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            if word == 0 {
                at += first;
                continue;
            }
            let raw = if matches!(&rest[..word], "r" | "br" | "cr") {
                raw_length(&rest[word..])
            } else {
                0
            };
            at += word;
            at + raw
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    // Only whole characters were replaced, each byte by a space.
    String::from_utf8(out).expect("blanking keeps UTF-8")
}

/// Comments nest.
fn comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    let bytes = rest.as_bytes();
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => {
                depth += 1;
                at += 2;
            }
            Some(b"*/") => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal, or the one byte of a lifetime's mark.
fn char_length(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        // Past the escaped character, which may be the quote itself.
        Some((_, '\\')) => match rest.get(3..).and_then(|after| after.find('\'')) {
            Some(closing) => 3 + closing + 1,
            None => rest.len(),
        },
        Some(_) => match characters.next() {
            Some((index, '\'')) => index + 1,
            _ => 1,
        },
        None => 1,
    }
}

/// Of `#*"..."#*`; 0 when this is no raw string (`r#name`).
fn raw_length(rest: &str) -> usize {
    let hashes = rest.bytes().take_while(|byte| *byte == b'#').count();
    if rest.as_bytes().get(hashes) != Some(&b'"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    let inside = hashes + 1;
    match rest[inside..].find(&closing) {
        Some(length) => inside + length + closing.len(),
        None => rest.len(),
    }
}

/// The bracket that closes the one at `opening`.
fn closing(code: &str, opening: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, byte) in code.bytes().enumerate().skip(opening) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

/// One past the end of the item that starts at `start`: its `;`, or the brace that closes its body.
fn item_end(code: &str, start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = code.as_bytes().get(at) {
        match byte {
            b';' => return at + 1,
            b'{' => return closing(code, at).map_or(code.len(), |end| end + 1),
            b'(' | b'[' => match closing(code, at) {
                Some(end) => at = end,
                None => return code.len(),
            },
            // The end of what the item stands in: a field, an arm or a parameter with an attribute.
            b'}' | b')' | b']' => return at,
            _ => {}
        }
        at += 1;
    }
    code.len()
}

fn test_regions(code: &str) -> Vec<Range<usize>> {
    let mut regions: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices('#') {
        if regions.iter().any(|region| region.contains(&start)) {
            continue;
        }
        let inner = code[start..].starts_with("#![");
        if !inner && !code[start..].starts_with("#[") {
            continue;
        }
        let opening = start + if inner { 2 } else { 1 };
        let Some(end) = closing(code, opening) else {
            continue;
        };
        if !is_for_tests(&code[opening + 1..end]) {
            continue;
        }
        if inner {
            regions.push(0..code.len());
        } else {
            regions.push(start..item_end(code, after_attributes(code, end + 1)));
        }
    }
    regions
}

/// Past further attributes, to where the item itself starts.
fn after_attributes(code: &str, mut at: usize) -> usize {
    loop {
        at += code[at..].len() - code[at..].trim_start().len();
        if !code[at..].starts_with("#[") {
            return at;
        }
        match closing(code, at + 1) {
            Some(end) => at = end + 1,
            None => return code.len(),
        }
    }
}

/// `cfg(test)`, `cfg(all(test, ..))`, `test`, `tokio::test`; not `cfg(any(test, ..))`, which other builds may have too.
fn is_for_tests(attribute: &str) -> bool {
    let attribute = attribute.trim();
    if attribute.starts_with("cfg(") {
        let elsewhere = attribute.contains("not(test") || attribute.contains("any(");
        return !elsewhere && word_offsets(attribute, "test").next().is_some();
    }
    let name = attribute.split('(').next().unwrap_or("").trim();
    name == "test" || name.ends_with("::test")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_code_is_blanked_and_offsets_stay() {
        let text = "let a = \"x { \\\" é\"; // é {\nlet b = r#\"{ \" \"#; /* { /* é */ } */ let c = '{';\n";
        let code = blank(text);
        assert_eq!(code.len(), text.len());
        assert_eq!(
            code.split_whitespace().collect::<Vec<_>>().join(" "),
            "let a = ; let b = r ; let c = ;"
        );
    }

    #[test]
    fn lifetimes_raw_names_and_escapes_are_told_apart() {
        let code =
            blank("fn f<'a>(x: &'a str) { r#fn; b'\\''; '\\u{7b}'; 'é'; b\"{\"; br#\"\" {\"# }");
        assert_eq!(
            code.split_whitespace().collect::<Vec<_>>().join(" "),
            "fn f< a>(x: & a str) { r#fn; b ; ; ; b ; br }"
        );
    }

    #[test]
    fn words_are_found_whole_and_outside_tests() {
        let source = Source::new(
            "use a::Instant;\nstruct InstantNoodles; // Instant\n#[cfg(test)]\nmod tests {\n    use a::Instant;\n}\nfn f(_: Instant) {}\n",
        );
        assert_eq!(source.lines_with("Instant"), [1, 7]);
    }

    #[test]
    fn code_for_other_builds_than_tests_counts() {
        let source = Source::new(
            "#[cfg(not(test))]\nuse a::Instant;\n#[cfg(any(test, unix))]\nuse b::Instant;\n#[test]\nfn t() { Instant }\n",
        );
        assert_eq!(source.lines_with("Instant"), [2, 4]);
    }

    #[test]
    fn a_file_for_tests_only_has_no_other_code() {
        let source = Source::new("//! x\n#![cfg(test)]\nfn f() { Instant }\n");
        assert_eq!(source.lines_with("Instant"), [0; 0]);
    }

    #[test]
    fn an_attribute_on_a_field_ends_with_what_holds_it() {
        let source =
            Source::new("struct S {\n    #[cfg(test)]\n    a: u8,\n}\nfn f() { Instant }\n");
        assert_eq!(source.lines_with("Instant"), [5]);
    }

    #[test]
    fn names_in_a_group_are_the_first_of_each_path() {
        let source = Source::new("use std::{\n    collections::{fs, BTreeMap},\n    net,\n};\n");
        assert_eq!(
            source.std_groups(),
            [("collections".to_owned(), 2), ("net".to_owned(), 3)]
        );
    }

    #[test]
    fn functions_have_their_lines() {
        let source = Source::new(
            "trait T {\n    fn declared(&self) -> [u8; 4];\n}\nfn one() {}\nasync fn three(f: fn(u8)) {\n    f(1)\n}\n#[test]\nfn tested() {\n}\n",
        );
        let functions: Vec<_> = source
            .functions()
            .into_iter()
            .map(|function| (function.name, function.line, function.line_count))
            .collect();
        assert_eq!(
            functions,
            [("one".to_owned(), 4, 1), ("three".to_owned(), 5, 3)]
        );
    }

    #[test]
    fn a_module_declared_for_tests_is_a_test_with_all_below() {
        let tree = Tree::of(&[
            (
                "crates/a/src/lib.rs",
                "#[cfg(test)]\nmod checks;\nmod real;\n",
            ),
            ("crates/a/src/real.rs", "#[cfg(test)]\nmod inner;\n"),
        ]);
        let paths = test_paths(&tree);
        for test in [
            "crates/a/src/checks.rs",
            "crates/a/src/checks/deep.rs",
            "crates/a/src/real/inner.rs",
            "crates/a/tests/it.rs",
        ] {
            assert!(is_test_path(test, &paths), "{test}");
        }
        for real in ["crates/a/src/real.rs", "crates/a/src/checks_real.rs"] {
            assert!(!is_test_path(real, &paths), "{real}");
        }
    }
}
