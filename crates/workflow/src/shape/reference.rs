//! The reference of all fields for the documentation, made of the tables.
use super::{COMMON, Field, KINDS, Shape, Takes, WORKFLOW};
use std::fmt::Write;

/// The reference in Markdown: the part of `docs/workflows.md` from its heading on.
#[must_use]
pub fn reference() -> String {
    let mut text = String::new();
    let mut shapes: Vec<&'static Shape> = Vec::new();
    text.push_str("### The whole\n\n");
    table(&mut text, WORKFLOW.fields, &mut shapes);
    text.push_str("\n### Every node\n\n`kind`, and:\n\n");
    table(&mut text, COMMON, &mut shapes);
    for kind in KINDS {
        let _ = write!(
            text,
            "\n### {}\n\n{} Gives: {}.\n\n",
            kind.name, kind.doc, kind.gives
        );
        table(&mut text, kind.fields, &mut shapes);
    }
    text.push_str("\n### Parts\n");
    let mut at = 0;
    while let Some(shape) = shapes.get(at).copied() {
        let _ = write!(text, "\n#### {}\n\n{}\n\n", shape.name, shape.doc);
        table(&mut text, shape.fields, &mut shapes);
        at += 1;
    }
    text
}

fn table(text: &mut String, fields: &'static [Field], shapes: &mut Vec<&'static Shape>) {
    text.push_str("| field | takes | |\n|---|---|---|\n");
    for field in fields {
        let name = match field.required {
            true => format!("**`{}`**", field.name),
            false => format!("`{}`", field.name),
        };
        let takes = words(&field.takes, shapes);
        let _ = writeln!(
            text,
            "| {name} | {takes} | {} |",
            field.doc.replace('|', "\\|")
        );
    }
}

fn words(takes: &'static Takes, shapes: &mut Vec<&'static Shape>) -> String {
    match takes {
        Takes::Flag => "true, false".to_owned(),
        Takes::Count { min, max } if *max >= 1_000_000_000 => format!("a number from {min}"),
        Takes::Count { min, max } => format!("{min} to {max}"),
        Takes::Number { min, max } => format!("{min} to {max}"),
        Takes::Text => "text".to_owned(),
        Takes::Id(id) => id.what.to_owned(),
        Takes::Span => "a span".to_owned(),
        Takes::Choice(choices) => {
            let words: Vec<String> = choices
                .iter()
                .map(|choice| format!("`{}`: {}", choice.word, choice.doc))
                .collect();
            words.join("; ")
        }
        Takes::Literal => "a value".to_owned(),
        Takes::Template => "a template".to_owned(),
        Takes::TextTemplate => "a text template".to_owned(),
        Takes::Expression => "an expression".to_owned(),
        Takes::Schema => "a JSON Schema".to_owned(),
        Takes::List { of, .. } => format!("a list: {}", words(of, shapes)),
        Takes::Map { of, .. } => format!("names with {}", words(of, shapes)),
        Takes::Shape(shape) => {
            if shapes.iter().all(|known| known.name != shape.name) {
                shapes.push(shape);
            }
            format!("[{}](#{})", shape.name, shape.name.to_lowercase())
        }
        Takes::Nodes => "nodes".to_owned(),
        Takes::Either(ways) => {
            let ways: Vec<String> = ways.iter().map(|way| words(way, shapes)).collect();
            ways.join(", or ")
        }
    }
}
