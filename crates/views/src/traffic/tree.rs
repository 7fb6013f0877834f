//! How many resources are told apart below each path, and which paths stand for all below them because those were
//! too many.
use ahash::RandomState;
use smol_str::SmolStr;
use std::collections::{BTreeSet, HashMap};

/// The tree of resources that were seen.
#[derive(Debug, Default)]
pub struct Tree {
    branches: HashMap<SmolStr, Branch, RandomState>,
    /// In order, so that a snapshot of it is.
    pub rolled: BTreeSet<SmolStr>,
}

#[derive(Debug, Default)]
struct Branch {
    /// Whether the path itself was seen.
    own: bool,
    /// Paths one level below that were seen, or have such below them.
    children: usize,
}

impl Tree {
    /// The path that stands for this one: itself, or the highest above it that was rolled up.
    pub fn place<'p>(&self, path: &'p str) -> &'p str {
        if self.rolled.is_empty() {
            return path;
        }
        let ends = path.match_indices('/').map(|(end, _)| end);
        for end in ends {
            if self.rolled.contains(&path[..end]) {
                return &path[..end];
            }
        }
        path
    }

    /// A resource is seen for the first time. Returns the path above it that has too many now, if there is one.
    pub fn add(&mut self, path: &SmolStr, children_max: usize) -> Option<SmolStr> {
        let branch = self.branches.entry(path.clone()).or_default();
        let mut is_new = !branch.own && branch.children == 0;
        branch.own = true;
        let mut full = None;
        let mut rest = path.as_str();
        while is_new && let Some((parent, _)) = rest.rsplit_once('/') {
            let branch = self.branches.entry(parent.into()).or_default();
            is_new = !branch.own && branch.children == 0;
            branch.children += 1;
            if branch.children > children_max {
                full = Some(parent.into());
            }
            rest = parent;
        }
        full
    }

    /// A resource is no more.
    pub fn remove(&mut self, path: &str) {
        self.rolled.remove(path);
        let Some(branch) = self.branches.get_mut(path) else {
            return;
        };
        branch.own = false;
        let mut rest = path;
        while self
            .branches
            .get(rest)
            .is_some_and(|branch| !branch.own && branch.children == 0)
        {
            self.branches.remove(rest);
            let Some((parent, _)) = rest.rsplit_once('/') else {
                return;
            };
            if let Some(branch) = self.branches.get_mut(parent) {
                branch.children -= 1;
            }
            rest = parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_counted_once_and_go_again() {
        let mut tree = Tree::default();
        let full = ["a/b/c", "a/b/d", "a/b", "a/e/f", "a/e/g", "a/h"]
            .map(|path| tree.add(&path.into(), 2).map(|path| path.to_string()));
        assert_eq!(full, [None, None, None, None, None, Some("a".to_owned())]);
        for path in ["a/h", "a/b", "a/e/g", "a/b/c", "a/b/d", "a/e/f"] {
            tree.remove(path);
        }
        assert!(tree.branches.is_empty(), "{tree:?}");
    }

    #[test]
    fn the_highest_stands_for_all() {
        let mut tree = Tree::default();
        tree.rolled.extend(["a/b".into(), "a".into()]);
        let places = ["a", "a/b/c", "ab/c", "a/x"].map(|path| tree.place(path).to_owned());
        assert_eq!(places, ["a", "a", "ab/c", "a"]);
    }
}
