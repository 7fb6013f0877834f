//! As much of `Cargo.toml` as the checks need: sections, keys, and which crates a manifest names.
//!
//! Values that span lines are read to their closing bracket. What cargo would refuse is not noticed here: cargo does that.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `package`, `dependencies`, `target.'cfg(unix)'.dependencies`; "" above the first.
    pub section: String,
    pub key: String,
    pub value: String,
    pub line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Build,
    Dev,
    Normal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Of the package, where the manifest renames it.
    pub package: String,
    pub kind: Kind,
    pub line: usize,
}

pub fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = String::new();
    let mut open_count = 0;
    for (index, line) in text.lines().enumerate() {
        let content = without_comment(line).trim();
        if open_count > 0 {
            // Between the brackets of the entry above.
            open_count += brackets(content);
            if let Some(entry) = entries.last_mut() {
                entry.value.push_str(content);
            }
        } else if let Some(name) = content.strip_prefix('[') {
            section = name.trim_matches(['[', ']', ' ']).to_owned();
        } else if let Some((key, value)) = content.split_once('=') {
            open_count = brackets(value);
            entries.push(Entry {
                section: section.clone(),
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                line: index + 1,
            });
        }
    }
    entries
}

/// Whether `key` of `section` takes its value from the workspace, in either spelling.
pub fn is_inherited(entries: &[Entry], section: &str, key: &str) -> bool {
    entries.iter().any(|entry| {
        entry.section == section
            && (entry.key == format!("{key}.workspace") && entry.value == "true"
                || entry.key == key && compact(&entry.value).contains("workspace=true"))
    })
}

pub fn dependencies(entries: &[Entry]) -> Vec<Dependency> {
    let mut dependencies: Vec<Dependency> = Vec::new();
    for entry in entries {
        let Some((kind, name)) = table(&entry.section) else {
            continue;
        };
        let renamed_to = match name {
            // `[dependencies.x]`: its keys stand on lines of their own.
            Some(_) if entry.key == "package" => Some(entry.value.trim_matches('"').to_owned()),
            Some(_) => None,
            None => renamed(&entry.value),
        };
        let first_part = entry.key.split('.').next().unwrap_or(&entry.key);
        let package = renamed_to.unwrap_or_else(|| name.unwrap_or(first_part).to_owned());
        dependencies.push(Dependency {
            package: package.trim_matches('"').to_owned(),
            kind,
            line: entry.line,
        });
    }
    dependencies
}

/// Which table of dependencies a section is, and the one dependency it is about if it is about one.
fn table(section: &str) -> Option<(Kind, Option<&str>)> {
    for (name, kind) in [
        ("dependencies", Kind::Normal),
        ("dev-dependencies", Kind::Dev),
        ("build-dependencies", Kind::Build),
    ] {
        // The name of a platform may hold dots, so it is not split.
        let of_platform = section.starts_with("target.");
        if section == name || of_platform && section.ends_with(&format!(".{name}")) {
            return Some((kind, None));
        }
        if let Some(one) = section.strip_prefix(&format!("{name}.")) {
            return Some((kind, Some(one)));
        }
        if of_platform && let Some((_, one)) = section.split_once(&format!(".{name}.")) {
            return Some((kind, Some(one)));
        }
    }
    None
}

fn renamed(value: &str) -> Option<String> {
    let (_, after) = value.split_once("package")?;
    let after = after.trim_start().strip_prefix('=')?;
    let mut quoted = after.split('"');
    quoted.next()?;
    Some(quoted.next()?.to_owned())
}

fn without_comment(line: &str) -> &str {
    let mut in_string = false;
    for (index, character) in line.char_indices() {
        match character {
            '"' => in_string = !in_string,
            '#' if !in_string => return &line[..index],
            _ => {}
        }
    }
    line
}

/// Opened less closed, outside strings.
fn brackets(text: &str) -> i32 {
    let mut count = 0;
    for outside in text.split('"').step_by(2) {
        for character in outside.chars() {
            match character {
                '[' | '{' => count += 1,
                ']' | '}' => count -= 1,
                _ => {}
            }
        }
    }
    count
}

fn compact(value: &str) -> String {
    value.chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
[package]
name = \"fleet-a\" # a comment
version.workspace = true
edition = { workspace = true }

[dependencies]
fleet-types.workspace = true
core = { path = \"../#core\", package = \"fleet-core\" }
tokio = { version = \"1\", features = [
  \"net\",
  \"fleet-api = 1\",
] }

[dependencies.fleet-journal]
path = \"../journal\"

[dependencies.api]
package = \"fleet-api\"

[target.'cfg(target_os = \"linux\")'.dependencies]
fleet-connect = \"1\"

[dev-dependencies]
fleet-sim = { workspace = true }

[build-dependencies]
fleet-views = \"1\"
";

    #[test]
    fn dependencies_are_read_in_every_spelling() {
        let found: Vec<_> = dependencies(&entries(TEXT))
            .into_iter()
            .map(|dependency| (dependency.package, dependency.kind, dependency.line))
            .collect();
        let expected = [
            ("fleet-types", Kind::Normal, 7),
            ("fleet-core", Kind::Normal, 8),
            ("tokio", Kind::Normal, 9),
            ("fleet-journal", Kind::Normal, 15),
            ("fleet-api", Kind::Normal, 18),
            ("fleet-connect", Kind::Normal, 21),
            ("fleet-sim", Kind::Dev, 24),
            ("fleet-views", Kind::Build, 27),
        ];
        assert_eq!(
            found,
            expected.map(|(package, kind, line)| (package.to_owned(), kind, line))
        );
    }

    #[test]
    fn inheritance_is_seen_in_either_spelling() {
        let entries = entries(TEXT);
        assert!(is_inherited(&entries, "package", "version"));
        assert!(is_inherited(&entries, "package", "edition"));
        assert!(!is_inherited(&entries, "package", "name"));
        assert!(!is_inherited(&entries, "package", "license"));
    }
}
