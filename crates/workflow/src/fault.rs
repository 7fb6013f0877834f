//! What is wrong with a definition: where it stands, what it is and what to do.
use crate::limits::FAULTS_MAX;
use crate::tree::{Place, Spot};
use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// One step of a way through a definition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into a list, from 0.
    At(usize),
    /// Into a map.
    Of(String),
}

/// A way through a definition: `nodes.review.after[1]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way(pub Vec<Step>);

impl Way {
    /// This way and then into a map.
    #[must_use]
    pub fn of(&self, name: &str) -> Way {
        let mut way = self.clone();
        way.0.push(Step::Of(name.to_owned()));
        way
    }

    /// This way and then into a list.
    #[must_use]
    pub fn at(&self, index: usize) -> Way {
        let mut way = self.clone();
        way.0.push(Step::At(index));
        way
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::At(index) => write!(f, "[{index}]")?,
                Step::Of(name) if is_plain(name) && number == 0 => f.write_str(name)?,
                Step::Of(name) if is_plain(name) => write!(f, ".{name}")?,
                Step::Of(name) => write!(f, "[{:?}]", clip(name))?,
            }
        }
        Ok(())
    }
}

/// Whether a name can stand behind a dot.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= 128 && name.bytes().all(|c| is_letter(c) || c == b'-')
}

pub(crate) const fn is_letter(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'$')
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The way to it: `nodes.review.after[1]`; empty: the whole definition.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Its bytes in the text.
    #[serde(skip)]
    pub range: Range<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do; empty where that is plain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub to_do: String,
}

impl Fault {
    pub(crate) fn new(way: &Way, spot: Spot, what: String, to_do: String) -> Fault {
        Fault {
            path: way.to_string(),
            line: spot.line,
            column: spot.column,
            range: spot.range,
            what,
            to_do,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)?;
        if self.to_do.is_empty() {
            return Ok(());
        }
        write!(f, "; {}", self.to_do)
    }
}

/// Everything that is wrong with a definition, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// At most [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// How many there are besides.
    pub more: usize,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        match self.more {
            0 => Ok(()),
            more => writeln!(f, "… and {more} more"),
        }
    }
}

impl std::error::Error for Faults {}

/// Something wrong whose place in the text is not looked up yet.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub way: Way,
    /// It is about the name at the end of the way, and not about its value.
    pub of_name: bool,
    /// Where it stands, where the way does not tell.
    pub spot: Option<Spot>,
    pub what: String,
    pub to_do: String,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub notes: Vec<Note>,
    pub more: usize,
}

impl Notes {
    /// Notes something about a value.
    pub fn push(&mut self, way: &Way, what: impl Into<String>, to_do: impl Into<String>) {
        self.add(way, false, None, what.into(), to_do.into());
    }

    /// Notes something about a name.
    pub fn push_name(&mut self, way: &Way, what: impl Into<String>, to_do: impl Into<String>) {
        self.add(way, true, None, what.into(), to_do.into());
    }

    /// Notes something that stands elsewhere than its way leads.
    pub fn push_spot(
        &mut self,
        way: &Way,
        spot: Spot,
        what: impl Into<String>,
        to_do: impl Into<String>,
    ) {
        self.add(way, true, Some(spot), what.into(), to_do.into());
    }

    fn add(&mut self, way: &Way, of_name: bool, spot: Option<Spot>, what: String, to_do: String) {
        if self.notes.len() >= FAULTS_MAX {
            self.more += 1;
            return;
        }
        self.notes.push(Note {
            way: way.clone(),
            of_name,
            spot,
            what,
            to_do,
        });
    }

    /// Whether what is noted from now on is only counted: it need not be worked out in full.
    pub fn is_full(&self) -> bool {
        self.notes.len() >= FAULTS_MAX
    }

    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// With each in its place, in the order of the text.
    pub fn locate(self, tree: &Place) -> Faults {
        let mut faults: Vec<Fault> = self
            .notes
            .into_iter()
            .map(|note| {
                let spot = note
                    .spot
                    .unwrap_or_else(|| tree.find(&note.way, note.of_name));
                Fault::new(&note.way, spot, note.what, note.to_do)
            })
            .collect();
        faults.sort_by(|a, b| (a.range.start, &a.path).cmp(&(b.range.start, &b.path)));
        faults.dedup();
        Faults {
            faults,
            more: self.more,
        }
    }
}

/// `did you mean "review"?`, where a name is near enough; else which there are.
pub(crate) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    match near(wrong, names.clone()) {
        Some(name) => format!("did you mean {name:?}?"),
        None => known(names),
    }
}

/// Names that are looked at for the one that was meant.
const LOOKED_AT_MAX: usize = 1_000;

/// The name that was probably meant.
pub(crate) fn near<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.len() > 128 {
        return None;
    }
    let far = |name: &str| strsim::damerau_levenshtein(wrong, name);
    let near = names
        .take(LOOKED_AT_MAX)
        .filter(|name| name.len().abs_diff(wrong.len()) <= 1 + wrong.len() / 2)
        .map(|name| (far(name), name))
        .min()?;
    let most = (wrong.len().max(near.1.len()) / 3).max(1);
    (near.0 <= most).then_some(near.1)
}

/// `there are a, b and c`.
pub(crate) fn known<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    const SHOWN_MAX: usize = 24;
    let count = names.clone().count();
    let shown: Vec<&str> = names.take(SHOWN_MAX).collect();
    match (count, shown.as_slice()) {
        (0, _) => "there are none".to_owned(),
        (1, [one]) => format!("there is only {one}"),
        (count, shown) if count > SHOWN_MAX => {
            format!(
                "there are {} and {} more",
                shown.join(", "),
                count - SHOWN_MAX
            )
        }
        (_, [first @ .., last]) => format!("there are {} and {last}", first.join(", ")),
        (_, []) => String::new(),
    }
}

/// The beginning of a text, for messages.
pub(crate) fn clip(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    match text.char_indices().nth(SHOWN_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_probably_meant() {
        let names = ["review", "summary", "publish"];
        assert_eq!(
            nearest("reveiw", names.into_iter()),
            "did you mean \"review\"?"
        );
        assert_eq!(
            nearest("zzz", names.into_iter()),
            "there are review, summary and publish"
        );
        assert_eq!(nearest("x", ["only"].into_iter()), "there is only only");
        assert_eq!(nearest("x", std::iter::empty()), "there are none");
    }

    #[test]
    fn ways_read_like_paths() {
        let way = Way::default().of("nodes").of("a b").of("after").at(1);
        assert_eq!(way.to_string(), "nodes[\"a b\"].after[1]");
    }
}
