//! Colour, where there is a terminal and `NO_COLOR` is not set. Never the only sign of anything.
use std::io::IsTerminal;

fn is_wanted(is_terminal: bool) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    is_terminal && !refused && !dumb
}

fn paint(text: &str, code: &str, wanted: bool) -> String {
    if wanted {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

fn out(text: &str, code: &str) -> String {
    paint(text, code, is_wanted(std::io::stdout().is_terminal()))
}

/// The word before an error, on standard error.
pub fn error(text: &str) -> String {
    paint(text, "1;31", is_wanted(std::io::stderr().is_terminal()))
}

/// The word before a warning, on standard error.
pub fn warning(text: &str) -> String {
    paint(text, "1;33", is_wanted(std::io::stderr().is_terminal()))
}

/// A head line.
pub fn bold(text: &str) -> String {
    out(text, "1")
}

/// Something good.
pub fn good(text: &str) -> String {
    out(text, "32")
}

/// Something that needs a person.
pub fn bad(text: &str) -> String {
    out(text, "31")
}

/// Something that waits.
pub fn waiting(text: &str) -> String {
    out(text, "33")
}
