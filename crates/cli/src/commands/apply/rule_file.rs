//! Files that rules stand in: one rule by itself, or a declared fleet with its rules and their tests.
use super::document::{self, Document};
use super::read;
use super::tree::{self, Place, Step};
use crate::failure::{Failure, Outcome};
use fleet_types::rule::Rule;
use std::ops::Range;
use std::path::Path;

/// A file, what it declares, and where in it everything stands.
pub struct RuleFile {
    /// As it was named.
    pub name: String,
    /// All of it.
    pub text: String,
    /// What it declares; a rule by itself is a fleet with that rule.
    pub document: Document,
    tree: Option<Place>,
    /// The way to its rules: none for a rule by itself.
    is_alone: bool,
}

impl RuleFile {
    /// Reads a file; shows every mistake.
    ///
    /// # Errors
    /// When there is one, or it cannot be read.
    pub fn read(file: &Path) -> Outcome<RuleFile> {
        let (text, name) = read(file)?;
        RuleFile::parse(text, name)
    }

    /// Of a text.
    ///
    /// # Errors
    /// When there is a mistake in it.
    pub fn parse(text: String, name: String) -> Outcome<RuleFile> {
        let tree = tree::parse(&text).ok();
        let is_alone = tree.as_ref().is_some_and(|tree| tree::has(tree, "form"));
        let document = match is_alone {
            true => Document {
                rules: Some(vec![document::parse_one::<Rule>(&text, &name)?]),
                ..Document::default()
            },
            false => Document::parse(&text, &name)?,
        };
        Ok(RuleFile {
            name,
            text,
            document,
            tree,
            is_alone,
        })
    }

    /// Its rules, in order.
    pub fn rules(&self) -> &[Rule] {
        self.document.rules.as_deref().unwrap_or_default()
    }

    /// The bytes that a field of a rule stands in, such as `form.quota.max`, or the rule itself.
    pub fn place_of_rule(&self, number: usize, field: &str) -> Range<usize> {
        let mut way = match self.is_alone {
            true => Vec::new(),
            false => vec![Step::Of("rules".into()), Step::At(number)],
        };
        // A pointer in a field's path has dots and slashes of its own; what is before it is near enough.
        let field = if field.is_empty() { "id" } else { field };
        let steps = field.split('.').filter(|step| !step.is_empty());
        way.extend(steps.map(|step| Step::Of(step.to_owned())));
        self.place(&way)
    }

    /// The bytes that a part of a test stands in.
    pub fn place_of_test(&self, number: usize, part: &str) -> Range<usize> {
        self.place(&[
            Step::Of("tests".into()),
            Step::At(number),
            Step::Of(part.into()),
        ])
    }

    fn place(&self, way: &[Step]) -> Range<usize> {
        match &self.tree {
            Some(tree) => tree::range(&self.text, tree::find(tree, way, false)),
            None => 0..0,
        }
    }

    /// Line and column of a byte, counted from 1.
    pub fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..at.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

/// Reads files that together declare rules: no rule stands in two of them.
///
/// # Errors
/// When one cannot be read, has a mistake, or repeats what another declares.
pub fn read_all(files: &[impl AsRef<Path>]) -> Outcome<Vec<RuleFile>> {
    let mut all: Vec<RuleFile> = Vec::new();
    for file in files {
        let file = RuleFile::read(file.as_ref())?;
        for rule in file.rules() {
            let known = all
                .iter()
                .find(|other| other.rules().iter().any(|known| known.id == rule.id));
            if let Some(known) = known {
                let words = format!(
                    "rule {} is declared in {} and in {}; keep one of them",
                    rule.id, known.name, file.name
                );
                return Err(Failure::usage(words));
            }
        }
        all.push(file);
    }
    Ok(all)
}

/// All rules of some files.
pub fn rules_of(files: &[RuleFile]) -> Vec<Rule> {
    files.iter().flat_map(RuleFile::rules).cloned().collect()
}
