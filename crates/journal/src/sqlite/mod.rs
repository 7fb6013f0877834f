//! The journal in one SQLite file: WAL, `synchronous=FULL`, one connection that writes and
//! checkpoints.
//!
//! Assumptions
//! - The directory is on a local disk whose fsync tells the truth.
//! - One server serves it: an OS lock on the file `lock` sees to that, and the system releases it
//!   however the server ends.
//! - Any IO error that SQLite reports while writing leaves unknown what is on disk, so the instance
//!   is poisoned (I4); opening anew checkpoints with TRUNCATE and verifies before it serves. Why
//!   that and nothing less: a sync that failed once reports success the next time, though the pages
//!   were never written.
//! - Checkpoints run in [`Journal::tend`], when nobody waits, and inside `append` only when nobody
//!   tended for long.

mod append;
mod lock;
mod open;
mod prune;
mod read;
mod schema;
mod snapshots;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::{Batch, Error, FleetKey, Journal, Outcome, Pruned, Reader, SnapshotSaver};

pub(crate) use read::SqliteReader;
pub use schema::SCHEMA;

/// The journal's file in a data directory.
pub const FILE: &str = "journal.db";

/// How to open a [`Sqlite`] journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How much is verified before serving.
    pub verify: VerifyAtStart,
    /// Snapshots kept per fleet.
    pub snapshots_kept: usize,
    /// Where prune archives what it removes; `None` removes it for good.
    pub archive: Option<PathBuf>,
    /// The most batches one call of prune removes, so that appends are not held up for long.
    pub prune_batches_max: usize,
    /// `tend` checkpoints from this many pages (4 KiB) in the log.
    pub tend_pages: u64,
    /// `append` checkpoints from this many, because nobody tended. Also how far the log file is
    /// extended at start: a sync that need not grow the file is cheaper.
    pub log_pages: u64,
    /// The largest the file may grow, in pages of 4 KiB; further appends are refused as on a full disk.
    pub pages_max: Option<u32>,
}

/// How much [`Sqlite::open`] verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyAtStart {
    /// Everything while the file is small (64 MiB), else from the newest snapshot on.
    Auto,
    /// From the newest snapshot on: what is about to be replayed.
    Tail,
    /// Everything.
    Whole,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            verify: VerifyAtStart::Auto,
            snapshots_kept: 2,
            archive: None,
            prune_batches_max: 4096,
            tend_pages: 1000,
            log_pages: 4000,
            pages_max: None,
        }
    }
}

/// A journal in a SQLite file, and the lock on its directory.
pub struct Sqlite {
    conn: Connection,
    dir: PathBuf,
    path: PathBuf,
    options: Options,
    /// What made this instance unusable, once something did.
    poison: Option<String>,
    /// Pages written to the log since the last checkpoint, estimated.
    logged_pages: u64,
    /// Released when all else is closed: fields drop in order.
    _lock: lock::Lock,
}

/// Opens the journal in `dir` for reading only, beside a server or without one: it takes no lock and holds no transaction
/// between calls.
///
/// # Errors
/// When there is none, or it is of a format that this build does not read.
pub fn reader(dir: &Path) -> Result<Box<dyn Reader>, Error> {
    Ok(Box::new(SqliteReader::open(dir)?))
}

impl Sqlite {
    /// Opens the journal in `dir`, creating it if there is none: locks, writes back the log,
    /// verifies, and only then returns.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Sqlite, Error> {
        open::open(dir.as_ref(), options)
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Names what SQLite was doing when it refused.
    fn fault(&self, doing: &'static str, source: rusqlite::Error) -> Error {
        fault(doing, &self.path, source)
    }

    /// A refusal while writing outside `append`. What is not known to be harmless poisons.
    fn write_fault(&mut self, doing: &'static str, source: rusqlite::Error) -> Error {
        let harmless = is_harmless(&source);
        let error = self.fault(doing, source);
        if !harmless {
            self.poison.get_or_insert_with(|| error.chain());
        }
        error
    }

    fn poisoned(&self) -> Result<(), Error> {
        match &self.poison {
            None => Ok(()),
            Some(cause) => Err(Error::Poisoned {
                store: self.path.clone(),
                cause: cause.clone(),
            }),
        }
    }
}

/// Names what SQLite was doing when it refused; a full disk has its own name.
fn fault(doing: &'static str, path: &Path, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Error::Full { path },
        _ => Error::Sqlite {
            doing,
            path,
            source,
        },
    }
}

/// Refusals after which, once rolled back, the file certainly holds what it held before and the
/// disk is not in doubt. Everything else stops the writer.
fn is_harmless(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, TooBig};
    matches!(
        error.sqlite_error_code(),
        Some(DiskFull | DatabaseBusy | DatabaseLocked | OutOfMemory | TooBig)
    )
}

impl Journal for Sqlite {
    fn append(&mut self, batches: &[Batch]) -> Outcome {
        self.append_batches(batches)
    }

    fn snapshot_saver(&self) -> Result<Box<dyn SnapshotSaver>, Error> {
        self.poisoned()?;
        let reader = SqliteReader::open(&self.dir)?;
        Ok(Box::new(snapshots::Saver::new(
            reader,
            &self.dir,
            self.options.snapshots_kept,
        )))
    }

    fn prune(&mut self, fleet: &FleetKey, upto_seq: u64) -> Result<Pruned, Error> {
        self.prune_fleet(fleet, upto_seq)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(SqliteReader::open(&self.dir)?))
    }

    fn dir(&self) -> Option<&Path> {
        Some(&self.dir)
    }

    fn tend(&mut self) -> Result<(), Error> {
        self.poisoned()?;
        match self.logged_pages >= self.options.tend_pages {
            true => self.checkpoint(),
            false => Ok(()),
        }
    }
}
