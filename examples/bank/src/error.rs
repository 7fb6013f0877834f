//! Why a run did not come about, or did not come to its end.
use crate::ledger;
use std::path::PathBuf;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// A file or a process.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// How it failed.
        source: std::io::Error,
    },
    /// The input file has no transfer that can be carried out.
    #[error("no usable transfer in {}", .0.display())]
    NoInput(PathBuf),
    /// The input file cannot be read as CSV at all.
    #[error("input {}: {why}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A coordinated run needs a server.
    #[error("a coordinated run needs a server")]
    NoServer,
    /// An agent cannot work at all; starting it again would not help.
    #[error("agent {agent} cannot work: {why}")]
    Agent {
        /// Which.
        agent: String,
        /// What it said last.
        why: String,
    },
    /// The coordinator cannot be used.
    #[error("coordination: {0}")]
    Coordination(#[from] crate::coordinate::Lost),
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Error::Io { what, source }
    }
}
