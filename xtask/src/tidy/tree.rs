//! The files the checks read: text in memory, so that a test can make its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Left out where git cannot tell what is ours: built, installed or recorded by a run.
const NOT_OURS: [&str; 5] = [".git", "target", "node_modules", "dist", "fleet-data"];

#[derive(Debug, Default)]
pub struct Tree {
    /// By path from the root, with `/`. Only files that are text.
    texts: BTreeMap<String, String>,
    /// Every file and folder, those of no text too.
    all: BTreeSet<String>,
    origin: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    pub path: &'a str,
    pub text: &'a str,
}

impl Tree {
    /// What git tracks, and what it would add: a finding should come before the commit.
    pub fn read(root: &Path) -> Result<Tree, String> {
        let (paths, origin) = match git_paths(root) {
            Some(paths) => (paths, "as git lists them"),
            None => {
                let mut paths = Vec::new();
                walk(root, "", &mut paths)?;
                (paths, "found without git")
            }
        };
        let mut tree = Tree {
            origin,
            ..Tree::default()
        };
        for path in paths {
            let on_disk = root.join(&path);
            // Tracked but removed from the work tree; and a link is checked where it points to.
            if !on_disk.is_file() || on_disk.is_symlink() {
                continue;
            }
            let bytes = std::fs::read(&on_disk)
                .map_err(|error| format!("failed to read {path}: {error}"))?;
            let text = if bytes.contains(&0) {
                None
            } else {
                String::from_utf8(bytes).ok()
            };
            tree.insert(path, text);
        }
        Ok(tree)
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.insert((*path).to_owned(), Some((*text).to_owned()));
        }
        tree
    }

    fn insert(&mut self, path: String, text: Option<String>) {
        for (index, _) in path.match_indices('/') {
            self.all.insert(path[..index].to_owned());
        }
        self.all.insert(path.clone());
        if let Some(text) = text {
            self.texts.insert(path, text);
        }
    }

    pub fn files(&self) -> Vec<File<'_>> {
        self.texts
            .iter()
            .map(|(path, text)| File { path, text })
            .collect()
    }

    pub fn with_ending(&self, ending: &str) -> Vec<File<'_>> {
        let mut files = self.files();
        files.retain(|file| file.path.ends_with(ending));
        files
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Whether there is a file or folder of this name. The root is "".
    pub fn has(&self, path: &str) -> bool {
        path.is_empty() || self.all.contains(path)
    }

    pub fn origin(&self) -> &'static str {
        self.origin
    }
}

/// None where there is no git, no repository, or one that git refuses to read (another owner's).
fn git_paths(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    let paths: Vec<String> = String::from_utf8(output.stdout)
        .ok()?
        .split_terminator('\0')
        .map(str::to_owned)
        .collect();
    // A copy inside another repository that ignores it: then git knows nothing of these files.
    if paths.is_empty() { None } else { Some(paths) }
}

fn walk(root: &Path, folder: &str, paths: &mut Vec<String>) -> Result<(), String> {
    let entries = std::fs::read_dir(root.join(folder))
        .map_err(|error| format!("failed to list {folder}: {error}"))?;
    for entry in entries {
        let entry = entry.map_err(|error| format!("failed to list {folder}: {error}"))?;
        let name = entry.file_name();
        // A name that is not text belongs to no file of ours.
        let Some(name) = name.to_str() else { continue };
        if NOT_OURS.contains(&name) {
            continue;
        }
        let path = if folder.is_empty() {
            name.to_owned()
        } else {
            format!("{folder}/{name}")
        };
        if entry.path().is_dir() && !entry.path().is_symlink() {
            walk(root, &path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_known_by_the_files_in_them() {
        let tree = Tree::of(&[("docs/errors/x.md", "")]);
        assert!(tree.has("docs/errors"));
        assert!(tree.has("docs/errors/x.md"));
        assert!(!tree.has("docs/err"));
    }

    #[test]
    fn without_git_the_walk_finds_what_git_lists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut walked = Vec::new();
        walk(root, "", &mut walked).unwrap();
        assert!(
            walked.contains(&"src/tidy/tree.rs".to_owned()),
            "{walked:?}"
        );

        let mut in_src = Vec::new();
        walk(root, "src", &mut in_src).unwrap();
        assert!(in_src.contains(&"src/main.rs".to_owned()), "{in_src:?}");
    }

    #[test]
    fn what_is_not_ours_is_left_out() {
        let root = std::env::temp_dir().join(format!("fleet-tidy-{}", std::process::id()));
        for folder in ["src", "target/debug", "web/node_modules/x"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            std::fs::write(root.join(folder).join("file.rs"), "").unwrap();
        }
        let mut walked = Vec::new();
        walk(&root, "", &mut walked).unwrap();
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(walked, ["src/file.rs"]);
    }
}
