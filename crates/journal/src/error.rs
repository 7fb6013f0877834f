//! What can fail, in words that read after "failed to" and say what to do.
//!
//! These are faults (disk, lock, foreign bytes) and refusals of the journal; whether an append may
//! have been written is said by [`crate::Outcome`], not by the error.

use std::path::{Path, PathBuf};

use crate::{Damage, FleetKey};

/// Why the journal could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A fleet key is malformed.
    #[error("read fleet key {text:?}: {why}; write tenant/fleet")]
    Key {
        /// As given.
        text: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A batch is malformed: a bug of the caller, refused before it becomes damage.
    #[error("append batch {first_seq} of {fleet}: {why}")]
    Batch {
        /// Whose journal.
        fleet: FleetKey,
        /// Its first number.
        first_seq: u64,
        /// What is wrong.
        why: String,
    },
    /// The batch does not continue the journal: another writer has been here.
    #[error(
        "append batch {first_seq} of epoch {epoch} to {fleet}: the journal is at {head_seq} of epoch {head_epoch}; \
         this writer is stale: stop it and recover from the journal"
    )]
    Fenced {
        /// Whose journal.
        fleet: FleetKey,
        /// The batch's first number.
        first_seq: u64,
        /// The batch's epoch.
        epoch: u64,
        /// The journal's last number, 0 when it is empty.
        head_seq: u64,
        /// The journal's epoch, 0 when it is empty.
        head_epoch: u64,
    },
    /// There is no room. Nothing was written; reads go on.
    #[error("write {}: no space left; free some or raise the limit, then try again", path.display())]
    Full {
        /// What was being written.
        path: PathBuf,
    },
    /// An earlier append ended in `Unknown`, so this instance knows no longer what is on disk.
    #[error("append to {}: an earlier write failed ({cause}); open the journal anew to find out what is on disk", store.display())]
    Poisoned {
        /// Which journal.
        store: PathBuf,
        /// What happened.
        cause: String,
    },
    /// Another server serves this directory.
    #[error("lock {}: {holder} serves this directory; stop it or choose another directory", dir.display())]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// Who, as far as the lock file tells.
        holder: String,
    },
    /// The SQLite linked in has known bugs that lose data.
    #[error(
        "use SQLite {found}: versions before {needed} can corrupt a journal; rebuild with the bundled one"
    )]
    OldSqlite {
        /// The version linked in.
        found: String,
        /// The oldest that is safe.
        needed: &'static str,
    },
    /// The file is not a journal, or one of another version.
    #[error("open {}: {why}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// The log could not be written back at start; serving could lose acknowledged work.
    #[error("write back the log of {}: {why}", path.display())]
    Checkpoint {
        /// The journal file.
        path: PathBuf,
        /// What is in the way.
        why: String,
    },
    /// Stored bytes of a fleet are not what was written.
    #[error("trust {0}; restore the data directory from a backup, and keep this one for study")]
    Damaged(#[source] Box<Damage>),
    /// The store as a whole is not what was written.
    #[error("trust {}: {why}; restore the data directory from a backup, and keep this one for study", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// How one can tell.
        why: String,
    },
    /// A snapshot that does not belong to the journal as it is.
    #[error("save snapshot {seq} of {fleet}: {why}")]
    Snapshot {
        /// Whose.
        fleet: FleetKey,
        /// The event it was taken after.
        seq: u64,
        /// What is wrong.
        why: String,
    },
    /// The events asked for were pruned.
    #[error(
        "read {fleet} from {from_seq}: events up to {pruned_seq} were pruned; start from a snapshot or look in the archive"
    )]
    Pruned {
        /// Whose journal.
        fleet: FleetKey,
        /// As asked.
        from_seq: u64,
        /// The last that is gone.
        pruned_seq: u64,
    },
    /// Pruning would remove what nothing else holds.
    #[error("prune {fleet} up to {upto_seq}: {why}")]
    Prune {
        /// Whose journal.
        fleet: FleetKey,
        /// As asked.
        upto_seq: u64,
        /// What is in the way.
        why: String,
    },
    /// The file system refused.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done: "create", "sync".
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("{doing} {}", path.display())]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// In which file.
        path: PathBuf,
        /// SQLite's answer.
        #[source]
        source: rusqlite::Error,
    },
    /// An archive file is not what was written.
    #[error("trust archive {}: {why}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// How one can tell.
        why: String,
    },
    /// A fault of the simulated disk.
    #[error("{doing} the simulated disk: {why}")]
    Simulated {
        /// What was being done.
        doing: &'static str,
        /// Which fault.
        why: &'static str,
    },
}

impl Error {
    /// The error and its causes on one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = match self {
            Error::Damaged(_) => None, // It shows its source already,
            Error::Sqlite { source, .. } => {
                text += &format!(": {source}"); // and so does SQLite's.
                None
            }
            _ => std::error::Error::source(self),
        };
        while let Some(cause) = next {
            text += &format!(": {cause}");
            next = cause.source();
        }
        text
    }

    /// A file system's refusal; a full disk has its own name.
    pub fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Error {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let path = path.to_owned();
        match source.kind() {
            StorageFull | QuotaExceeded => Error::Full { path },
            _ => Error::Io {
                doing,
                path,
                source,
            },
        }
    }
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Error {
        Error::Damaged(Box::new(damage))
    }
}
