//! What goes to standard output: a table for people, JSON or YAML as the server gave it, or bare names for `xargs`.
use crate::failure::Outcome;
use crate::paint;
use clap::ValueEnum;
use serde::Serialize;
use std::io::Write;

/// The form of what is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// As the server gave it.
    Json,
    /// As the server gave it.
    Yaml,
    /// Bare names, one a line.
    Name,
}

/// A row of a table, and its name.
pub trait Row: Serialize {
    /// Heads of the columns.
    const COLUMNS: &'static [&'static str];
    /// One cell for each column.
    fn cells(&self) -> Vec<String>;
    /// What it is called.
    fn name(&self) -> String;
}

/// Something shown by itself.
pub trait Detail: Serialize {
    /// Lines of name and value.
    fn lines(&self) -> Vec<(&'static str, String)>;
    /// What it is called.
    fn name(&self) -> String;
}

/// Writes one thing.
pub fn detail(format: Format, thing: &impl Detail) -> Outcome {
    match format {
        Format::Table => {
            let lines = thing.lines();
            let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, value) in lines {
                let mut rest = value.lines();
                write(&format!(
                    "{} {}\n",
                    paint::bold(&format!("{name:width$}")),
                    rest.next().unwrap_or("")
                ))?;
                for line in rest {
                    write(&format!("{:width$} {line}\n", ""))?;
                }
            }
            Ok(())
        }
        Format::Name => write(&format!("{}\n", thing.name())),
        Format::Json | Format::Yaml => raw(format, thing),
    }
}

/// Writes a list; where there is nothing, says on standard error what would put something there.
pub fn list<R: Row>(format: Format, rows: &[R], when_empty: &str) -> Outcome {
    match format {
        Format::Table if rows.is_empty() => {
            eprintln!("{when_empty}");
            Ok(())
        }
        Format::Table => table(R::COLUMNS, &rows.iter().map(Row::cells).collect::<Vec<_>>()),
        Format::Name => rows
            .iter()
            .try_for_each(|row| write(&format!("{}\n", row.name()))),
        Format::Json | Format::Yaml => raw(format, &rows),
    }
}

/// Writes a value as JSON or YAML; JSON where the form is for people.
pub fn raw(format: Format, value: &(impl Serialize + ?Sized)) -> Outcome {
    match format {
        Format::Yaml => {
            // Through JSON, so that both show the same names.
            let value = serde_json::to_value(value)?;
            let yaml = serde_saphyr::to_string(&value).map_err(std::io::Error::other)?;
            write(&format!("{}\n", yaml.trim_end()))
        }
        Format::Json | Format::Table | Format::Name => {
            write(&format!("{}\n", serde_json::to_string_pretty(value)?))
        }
    }
}

/// Writes a table: columns as wide as they must be, two spaces between them.
pub fn table(columns: &[&str], rows: &[Vec<String>]) -> Outcome {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells
            .map(|cell| plain_width(cell))
            .max()
            .unwrap_or(0)
            .max(columns[at].len())
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: &[String], head: bool| {
        let mut out = String::new();
        for (at, cell) in cells.iter().enumerate() {
            let pad = widths[at].saturating_sub(plain_width(cell));
            out.push_str(&if head {
                paint::bold(cell)
            } else {
                cell.clone()
            });
            if at + 1 < cells.len() {
                out.push_str(&" ".repeat(pad + 2));
            }
        }
        text.push_str(out.trim_end());
        text.push('\n');
    };
    let heads: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
    line(&heads, true);
    for row in rows {
        line(row, false);
    }
    write(&text)
}

/// Characters seen: colour is not.
fn plain_width(text: &str) -> usize {
    let mut count = 0;
    let mut coloured = false;
    for c in text.chars() {
        match (coloured, c) {
            (false, '\x1b') => coloured = true,
            (true, 'm') => coloured = false,
            (true, _) => {}
            (false, _) => count += 1,
        }
    }
    count
}

/// Writes to standard output. A reader that is gone (`| head`) ends the program quietly.
pub fn write(text: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_takes_no_room() {
        assert_eq!(plain_width("\x1b[31mred\x1b[0m"), 3);
        assert_eq!(plain_width("ä→"), 2);
    }
}
