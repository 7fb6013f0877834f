//! The language of definitions as tables: which fields there are, what each takes, and what it says.
//!
//! Everything that must agree is made of them: the reader's checks ([`check`]), the published JSON Schema ([`schema`]) and
//! the reference in the documentation ([`reference`]). The types in `definition` are read from what has passed.
mod check;
mod kinds;
mod parts;
mod reference;
mod schema;

pub(crate) use check::check;
pub(crate) use kinds::{COMMON, KINDS, kind};
pub(crate) use parts::WORKFLOW;
pub use reference::reference;
pub use schema::schema;

use fleet_types::Invalid;

/// A map with known fields.
#[derive(Debug)]
pub(crate) struct Shape {
    /// In the schema and the reference.
    pub name: &'static str,
    pub doc: &'static str,
    pub fields: &'static [Field],
}

/// One field of it.
#[derive(Debug)]
pub(crate) struct Field {
    pub name: &'static str,
    pub required: bool,
    pub takes: Takes,
    pub doc: &'static str,
}

/// A kind of nodes.
#[derive(Debug)]
pub(crate) struct Kind {
    pub name: &'static str,
    pub doc: &'static str,
    pub fields: &'static [Field],
    /// What its outputs are, where it does not declare them.
    pub gives: &'static str,
}

/// One of several words.
#[derive(Debug)]
pub(crate) struct Choice {
    pub word: &'static str,
    pub doc: &'static str,
}

/// A name that something else gives.
pub(crate) struct Id {
    pub what: &'static str,
    pub check: fn(&str) -> Result<(), Invalid>,
    pub pattern: &'static str,
}

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.what)
    }
}

/// What a field takes.
#[derive(Debug)]
pub(crate) enum Takes {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Count { min: u64, max: u64 },
    /// A number.
    Number { min: f64, max: f64 },
    /// Text for people, at most 1,024 bytes.
    Text,
    /// A name that something else gives.
    Id(&'static Id),
    /// `250ms`, `30s`, `5m`, `2h`, `3d`.
    Span,
    /// One of some words.
    Choice(&'static [Choice]),
    /// Any value, taken as it is.
    Literal,
    /// Any value, with holes in its texts.
    Template,
    /// Text with holes.
    TextTemplate,
    /// JavaScript.
    Expression,
    /// A JSON Schema.
    Schema,
    /// A list.
    List {
        of: &'static Takes,
        min: usize,
        max: usize,
    },
    /// Names with values.
    Map {
        keys: &'static Id,
        of: &'static Takes,
        min: usize,
        max: usize,
    },
    /// A map with known fields.
    Shape(&'static Shape),
    /// Nodes by their names.
    Nodes,
    /// One of these: each is of another type in JSON.
    Either(&'static [Takes]),
}

/// How a field is written in a table.
macro_rules! fields {
    ($($need:ident $name:literal: $takes:expr, $doc:literal;)*) => {
        &[$($crate::shape::Field {
            name: $name,
            required: fields!(@ $need),
            takes: $takes,
            doc: $doc,
        }),*]
    };
    (@ must) => { true };
    (@ may) => { false };
}
use fields;
