//! Why a module does not compile, and where.
use std::fmt;

/// Why a module does not compile, with the line it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong and what to do.
    pub message: String,
    /// In which line, counted from 1, if in one.
    pub line: Option<usize>,
    /// At which column, counted from 1.
    pub column: Option<usize>,
    /// That line.
    pub shown: Option<String>,
}

/// Longest line that is shown.
const SHOWN_MAX: usize = 160;

impl Fault {
    /// About the module as a whole.
    pub(crate) fn new(message: impl Into<String>) -> Fault {
        Fault {
            message: message.into(),
            line: None,
            column: None,
            shown: None,
        }
    }

    /// About a place in the text.
    pub(crate) fn at(message: impl Into<String>, text: &str, line: usize, column: usize) -> Fault {
        let shown = text.lines().nth(line.saturating_sub(1));
        let column = shown.map_or(column, |shown| letter(shown, column));
        Fault {
            message: message.into(),
            line: Some(line),
            column: Some(column),
            shown: shown.map(|shown| shown.chars().take(SHOWN_MAX).collect()),
        }
    }

    /// Reads the library's message, which tells the place in its head: `--> name:line:column`.
    pub(crate) fn of(error: &anyhow::Error, text: &str) -> Fault {
        let words = format!("{error:#}");
        let message = words
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("error: "))
            .map(|line| line.split(": \n").next().unwrap_or(line))
            .or_else(|| words.lines().find(|line| !line.trim().is_empty()))
            .unwrap_or("it is no Rego")
            .to_owned();
        let message = message
            .trim_start_matches("Compilation error: ")
            .replace("Unknown function: ", "unknown function ");
        let place = words.lines().find_map(|line| {
            let mut parts = line.trim().strip_prefix("--> ")?.rsplit(':');
            let column = parts.next()?.trim().parse().ok()?;
            let line = parts.next()?.parse().ok()?;
            Some((line, column))
        });
        match place {
            Some((line, column)) => Fault::at(message, text, line, column),
            None => Fault::new(message),
        }
    }
}

/// Which letter of a line stands at a column, counted from 1: to the library a tab is four columns wide.
fn letter(line: &str, column: usize) -> usize {
    let mut at = 1;
    let widths = line.chars().map(|c| if c == '\t' { 4 } else { 1 });
    let before = widths.take_while(|width| {
        let is_before = at < column;
        at += width;
        is_before
    });
    before.count() + 1
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)?;
        if let (Some(shown), Some(column)) = (&self.shown, self.column) {
            let before = shown.chars().take(column.saturating_sub(1));
            // A tab is as wide here as it is above.
            let before: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            write!(f, "\n  {shown}\n  {before}^")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
