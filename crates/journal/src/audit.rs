//! The offline audit: everything verified, nothing changed, beside a running server or without one.

use std::path::Path;

use crate::sqlite::SqliteReader;
use crate::{Error, Extent, Report, archive, verify};

/// Verifies the whole journal in a data directory and names the first damage of each fleet.
///
/// It opens the files for reading only and takes no lock. Without a server it leaves at most an
/// empty `journal.db-wal` and `-shm` behind.
pub fn audit(dir: &Path) -> Result<Report, Error> {
    verify(&mut SqliteReader::open(dir)?, Extent::Whole)
}

/// Verifies the archives of a directory, file by file and as one chain per fleet.
///
/// With the data directory they were pruned from, the last archive of a fleet must end at its anchor.
pub fn audit_archives(archives: &Path, dir: Option<&Path>) -> Result<Vec<archive::Report>, Error> {
    let mut reader = dir.map(SqliteReader::open).transpose()?;
    archive::verify_all(archives, reader.as_mut().map(|reader| reader as _))
}
