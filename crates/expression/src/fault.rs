//! Why an expression gives no value.

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Flaw {
    /// What is wrong with it.
    pub what: String,
    /// From 1, within the expression.
    pub line: usize,
}

/// Why an expression gives no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is none.
    #[error("it is no expression: {0}")]
    Flawed(Flaw),
    /// It took more steps, or more time, than it may.
    #[error("it takes too long")]
    TooLong,
    /// It needed more memory than it may.
    #[error("it needs too much memory")]
    TooMuchMemory,
    /// It threw.
    #[error("it threw {name}: {message}")]
    Threw {
        /// The error's name, such as `TypeError`.
        name: String,
        /// What it says, at most 1,024 bytes.
        message: String,
    },
    /// What it gives has no JSON form, such as a function or what contains itself.
    #[error("what it gives is no JSON: {0}")]
    NotJson(String),
}
