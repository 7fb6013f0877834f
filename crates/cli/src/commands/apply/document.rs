//! What a file declares, read with every mistake in it found at once and shown in its place.
//!
//! A file without mistakes is read straight into its types. One with mistakes is read again as a tree, and each entry
//! of it is tried by itself: what is wrong is noted, taken out, and the rest is tried again.
use super::declared::Declared;
use super::tree::{self, Node, Place, Step};
use super::wrong_file;
use crate::failure::{Failure, Outcome};
use crate::paint;
use fleet_types::action::Action;
use fleet_types::agent::Definition;
use fleet_types::budget::Budget;
use fleet_types::connector::Connector;
use fleet_types::graph::Edge;
use fleet_types::group::Group;
use fleet_types::limit::Limit;
use fleet_types::rule::Rule;
use fleet_types::scope::Scope;
use fleet_types::settings::Settings;
use fleet_types::tool::Tool;
use fleet_types::trial::Test;
use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Range;

/// Mistakes noted of one entry; more of them help nobody.
const MISTAKES_MAX: usize = 20;
/// Mistakes shown of one file; the others are counted.
const SHOWN_MAX: usize = 50;
/// A longer line is of a program's making, and is not drawn.
const LINE_BYTES_MAX: usize = 10_000;

/// The sections: what stands in each, and by what nothing may stand there twice.
macro_rules! sections {
    ($($(#[$doc:meta])* $section:ident: $type:ty, $name:expr;)*) => {
        /// What a file declares. A section that is absent is left alone.
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Document {
            /// The fleet's own settings; what is left out of them takes its default.
            pub settings: Option<Settings>,
            $($(#[$doc])* pub $section: Option<Vec<$type>>,)*
        }

        const SECTIONS: &[&str] = &["settings", $(stringify!($section)),*];

        impl Document {
            /// Sections with the names in them.
            fn names(&self) -> Vec<(&'static str, Vec<String>)> {
                vec![$({
                    let name: fn(&$type) -> String = $name;
                    let named = self.$section.iter().flatten().map(name);
                    (stringify!($section), named.collect())
                }),*]
            }
        }

        /// Tries an entry of a section that is a list.
        fn try_entry_of(section: &str, tree: &Place, entry: &Place, way: &[Step], text: &str, notes: &mut Vec<Mistake>) {
            match section {
                $(stringify!($section) => try_entry::<$type>(tree, entry, way, text, notes),)*
                _ => {} // It has been noted that there is none such.
            }
        }
    };
}

sections! {
    /// Nodes of the tree.
    scopes: Scope, |it| it.path.to_string();
    /// The catalogue of actions.
    actions: Action, |it| it.pattern.to_string();
    /// Agents, each version by itself.
    agents: Definition, |it| format!("{} version {}", it.id, it.version);
    /// Groups across scopes.
    groups: Group, |it| it.id.to_string();
    /// Limits.
    limits: Limit, |it| it.id.to_string();
    /// Rules.
    rules: Rule, |it| it.id.to_string();
    /// Policies.
    policies: Declared, |it| it.id.to_string();
    /// Tools.
    tools: Tool, |it| it.id.to_string();
    /// Budgets.
    budgets: Budget, |it| it.id.to_string();
    /// Ways to outside systems that take part in transactions.
    connectors: Connector, |it| it.id.to_string();
    /// Declared edges of the dependency graph.
    graph: Edge, |it| format!("{} needs {}", it.from, it.to);
    /// Tests of the rules: not part of the fleet, and for `fleet rules test` only.
    tests: Test, |it| it.name.to_string();
}

/// Something wrong, and where.
#[derive(Debug)]
struct Mistake {
    range: Range<usize>,
    words: String,
}

impl Document {
    /// Reads a file; shows every mistake.
    ///
    /// # Errors
    /// When there is one.
    pub fn parse(text: &str, name: &str) -> Outcome<Document> {
        match Self::try_parse(text) {
            Ok(document) => Ok(document),
            Err(Wrong::Yaml(error)) => Err(show_yaml(&error, text, name)),
            Err(Wrong::Mistakes(mistakes)) => Err(show(&mistakes, text, name)),
        }
    }

    fn try_parse(text: &str) -> Result<Document, Wrong> {
        let read = serde_saphyr::from_str::<Document>(text);
        let tree = match serde_saphyr::from_str::<Place>(text) {
            Ok(tree) => tree,
            // Nothing but comments: an empty declaration.
            Err(_) if read.is_ok() => return Ok(read.unwrap_or_default()),
            Err(error) => return Err(Wrong::Yaml(Box::new(error))),
        };
        let mistakes = match &read {
            Ok(document) => document.repeats(&tree, text),
            Err(_) => mistakes(&tree, text),
        };
        match read {
            Ok(document) if mistakes.is_empty() => Ok(document),
            Err(error) if mistakes.is_empty() => Err(Wrong::Yaml(Box::new(error))),
            _ => Err(Wrong::Mistakes(mistakes)),
        }
    }

    /// Names that are declared twice.
    fn repeats(&self, tree: &Place, text: &str) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (section, names) in self.names() {
            let mut seen = BTreeSet::new();
            for (at, name) in names.into_iter().enumerate() {
                if !seen.insert(name.clone()) {
                    let way = [Step::Of(section.to_owned()), Step::At(at)];
                    mistakes.push(Mistake {
                        range: tree::range(text, tree::find(tree, &way, false)),
                        words: format!(
                            "{section}[{at}]: {name} is declared twice; keep one of them"
                        ),
                    });
                }
            }
        }
        mistakes
    }
}

enum Wrong {
    Yaml(Box<serde_saphyr::Error>),
    Mistakes(Vec<Mistake>),
}

/// Reads one thing; shows every mistake.
pub fn parse_one<T: DeserializeOwned>(text: &str, name: &str) -> Outcome<T> {
    let error = match serde_saphyr::from_str::<T>(text) {
        Ok(thing) => return Ok(thing),
        Err(error) => error,
    };
    let mut mistakes = Vec::new();
    if let Ok(tree) = serde_saphyr::from_str::<Place>(text) {
        try_entry::<T>(&tree, &tree, &[], text, &mut mistakes);
    }
    if mistakes.is_empty() {
        return Err(show_yaml(&error, text, name));
    }
    Err(show(&mistakes, text, name))
}

/// Everything that is wrong in a file that is YAML.
fn mistakes(tree: &Place, text: &str) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let at = |location, words: String| Mistake {
        range: tree::range(text, location),
        words,
    };
    let Node::Map(sections) = &tree.value else {
        return vec![at(
            tree.referenced,
            format!("a declaration has the sections {}", SECTIONS.join(", ")),
        )];
    };
    for (name, section) in sections {
        let way = [Step::Of(name.value.clone())];
        match (name.value.as_str(), &section.value) {
            (unknown, _) if !SECTIONS.contains(&unknown) => {
                mistakes.push(at(
                    name.referenced,
                    format!(
                        "there is no section {unknown:?}; there are {}",
                        SECTIONS.join(", ")
                    ),
                ));
            }
            ("settings", _) => try_entry::<Settings>(tree, section, &way, text, &mut mistakes),
            (_, Node::List(entries)) => {
                for (at, entry) in entries.iter().enumerate() {
                    let way = [Step::Of(name.value.clone()), Step::At(at)];
                    try_entry_of(&name.value, tree, entry, &way, text, &mut mistakes);
                }
            }
            (_, Node::Scalar(Value::Null)) => {}
            (section, _) => mistakes.push(at(
                name.referenced,
                format!("{section} is a list: begin each entry with a dash"),
            )),
        }
    }
    mistakes
}

/// Tries an entry until nothing is wrong with what is left of it.
fn try_entry<T: DeserializeOwned>(
    tree: &Place,
    entry: &Place,
    way: &[Step],
    text: &str,
    notes: &mut Vec<Mistake>,
) {
    let mut value = tree::value(&entry.value);
    let mut taken: Vec<Vec<Step>> = Vec::new();
    for _ in 0..MISTAKES_MAX {
        let error = match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(_) => return,
            Err(error) => error,
        };
        let mut inner = steps(error.path());
        let words = error.inner().to_string();
        let unknown = quoted(&words, "unknown field `");
        if let Some(field) = &unknown
            && inner.last() != Some(&Step::Of(field.clone()))
        {
            inner.push(Step::Of(field.clone()));
        }
        // A number or a truth value where a word is wanted: YAML reads 1 as a number, we as what is written.
        let location = tree::find(entry, &inner, false);
        if words.contains("expected a string")
            && let Some(scalar) = tree::get_mut(&mut value, &inner)
            && matches!(scalar, Value::Number(_) | Value::Bool(_))
        {
            *scalar = Value::from(text[tree::range(text, location)].trim());
            continue;
        }
        // What is missing because it was taken out has been noted.
        if let Some(field) = quoted(&words, "missing field `") {
            let mut of = inner.clone();
            of.push(Step::Of(field));
            if taken.contains(&of) {
                return;
            }
        }
        let full: Vec<Step> = way.iter().chain(&inner).cloned().collect();
        let location = tree::find(tree, &full, unknown.is_some());
        notes.push(Mistake {
            range: tree::range(text, location),
            words: format!("{}: {}", path(&full), plain(&words)),
        });
        if inner.is_empty() || !tree::remove(&mut value, &inner) {
            return;
        }
        taken.push(inner);
    }
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    let mut steps = Vec::new();
    for segment in path.iter() {
        match segment {
            serde_path_to_error::Segment::Seq { index } => steps.push(Step::At(*index)),
            serde_path_to_error::Segment::Map { key } => steps.push(Step::Of(key.clone())),
            serde_path_to_error::Segment::Enum { variant } => steps.push(Step::Of(variant.clone())),
            serde_path_to_error::Segment::Unknown => {}
        }
    }
    steps
}

fn path(way: &[Step]) -> String {
    let mut text = String::new();
    for step in way {
        match step {
            Step::At(at) => text.push_str(&format!("[{at}]")),
            Step::Of(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
        }
    }
    text
}

fn quoted(words: &str, before: &str) -> Option<String> {
    let rest = &words[words.find(before)? + before.len()..];
    Some(rest.split('`').next()?.to_owned())
}

/// The reader's words, freed of its marks.
fn plain(words: &str) -> String {
    words.replace('`', "")
}

/// Whether lines are short enough to be drawn with a mark below; drawing breaks where a column passes 65,535.
fn can_be_drawn(text: &str) -> bool {
    text.lines().all(|line| line.len() <= LINE_BYTES_MAX)
}

fn show(mistakes: &[Mistake], text: &str, name: &str) -> Failure {
    let draw = can_be_drawn(text);
    for mistake in mistakes.iter().take(SHOWN_MAX) {
        if !draw {
            eprintln!("{name}: {}", mistake.words);
            continue;
        }
        let label = LabeledSpan::at(mistake.range.clone(), "here");
        let diagnostic = MietteDiagnostic::new(mistake.words.clone()).with_label(label);
        let report =
            Report::new(diagnostic).with_source_code(NamedSource::new(name, text.to_owned()));
        eprint!("{report:?}");
    }
    let count = mistakes.len();
    if count > SHOWN_MAX {
        eprintln!("… and {} more", count - SHOWN_MAX);
    }
    let things = if count == 1 {
        "one thing is"
    } else {
        "some things are"
    };
    eprintln!(
        "{} {things} not right in {name} ({count}); nothing was changed",
        paint::error("error:")
    );
    wrong_file()
}

fn show_yaml(error: &serde_saphyr::Error, text: &str, name: &str) -> Failure {
    if can_be_drawn(text) {
        let report = serde_saphyr::miette::to_miette_report(error, text, name);
        eprint!("{report:?}");
    } else {
        eprintln!("{name}: {error}");
    }
    eprintln!(
        "{} {name} cannot be read; nothing was changed",
        paint::error("error:")
    );
    wrong_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        match Document::try_parse(text) {
            Ok(_) => "ok".to_owned(),
            Err(Wrong::Yaml(error)) => format!("yaml: {error}"),
            Err(Wrong::Mistakes(mistakes)) => {
                let lines = mistakes.iter().map(|mistake| {
                    let line = text[..mistake.range.start].matches('\n').count() + 1;
                    let column = text[..mistake.range.start]
                        .rsplit('\n')
                        .next()
                        .unwrap_or("")
                        .chars()
                        .count()
                        + 1;
                    format!("{line}:{column} {}", mistake.words)
                });
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }

    #[test]
    fn the_examples_are_right() {
        assert_eq!(check(fleet_bank::fleet::FLEET_YAML), "ok");
        assert_eq!(
            check(include_str!("../../../../../examples/fleet.yaml")),
            "ok"
        );
        assert_eq!(check("# nothing\n"), "ok");
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let text = "\
settings:
  heartbeat: 5
  auto_register: maybe
agents:
  - id: pay-1
    version: 1
    scope: a//b
    priority: 11
    config: { concurrency_max: -1, colour: red }
  - name: nobody
  - id: pay-2
    allow: { actions: [\"ok\", \"a b\"] }
agent: []
";
        let found = check(text);
        let expected = [
            "2:3 settings.heartbeat: unknown field heartbeat",
            "3:18 settings.auto_register: invalid type: string \"maybe\", expected a boolean",
            "7:12 agents[0].scope: scope \"a//b\" has an empty segment",
            "8:15 agents[0].priority: priority 11 is not 1–10",
            "9:32 agents[0].config.concurrency_max: invalid value: integer -1",
            "9:36 agents[0].config.colour: unknown field colour",
            "10:5 agents[1]: missing field id",
            "12:30 agents[2].allow.actions[1]: pattern \"a b\" holds ' '",
            "13:1 there is no section \"agent\"",
        ];
        let lines: Vec<&str> = found.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{found}");
        for words in expected {
            let (place, words) = words.split_once(' ').unwrap();
            let hit = lines.iter().any(|line| {
                line.starts_with(&format!("{}:", place.split(':').next().unwrap()))
                    && line.contains(words)
            });
            assert!(hit, "no {place} {words} in\n{found}");
        }
    }

    #[test]
    fn what_is_declared_twice_is_refused() {
        let found = check("groups:\n  - {id: a, members: []}\n  - {id: a, members: [x]}\n");
        assert!(
            found.starts_with("3:") && found.contains("a is declared twice"),
            "{found}"
        );
    }
}
