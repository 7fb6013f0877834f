//! Opening: lock, write back the log, verify, and only then serve.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{
    FILE, Options, Sqlite, VerifyAtStart, fault, lock, read::SqliteReader, schema, snapshots,
};
use crate::verify::check_before_serving;
use crate::{Error, Extent, fs as files};

/// Versions before it can corrupt a database in WAL mode when a log is reset.
const VERSION_MIN: (i32, &str) = (3_051_003, "3.51.3");

/// How long to wait for a reader of another process (an audit) to let go of the log.
const BUSY: Duration = Duration::from_secs(10);

/// Up to this size, verifying everything costs about as much as starting does anyway.
const CHEAP_BYTES: u64 = 64 << 20;

/// How many frames of the log the first block (32 KiB) of SQLite's index of it covers.
const INDEX_FRAMES: u64 = 4_062;

/// A frame of the log: a page of 4096 bytes and its header.
const FRAME_BYTES: u64 = 4096 + 24;

pub(super) fn open(dir: &Path, options: Options) -> Result<Sqlite, Error> {
    check_version()?;
    files::create_dir(dir)?;
    let lock = lock::Lock::take(dir)?;
    let path = dir.join(FILE);
    let conn = connect(&path, &options)?;
    // Before anything else is written: what a failed sync left in the system's cache must reach
    // the disk now, or work acknowledged later is lost with it.
    write_back(&conn, &path)?;
    files::sync_dir(dir)?;
    snapshots::remove_leftovers(dir)?;
    check(dir, &path, options.verify)?;
    extend_log(&path, &options);
    files::sync_dir(dir)?;
    Ok(Sqlite {
        conn,
        dir: dir.to_owned(),
        path,
        options,
        poison: None,
        logged_pages: 0,
        _lock: lock,
    })
}

pub(super) fn check_version() -> Result<(), Error> {
    let (needed_number, needed) = VERSION_MIN;
    if rusqlite::version_number() < needed_number {
        return Err(Error::OldSqlite {
            found: rusqlite::version().to_owned(),
            needed,
        });
    }
    Ok(())
}

fn connect(path: &Path, options: &Options) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |source| fault("open", path, source);
    let conn = Connection::open_with_flags(path, flags).map_err(failed)?;
    conn.busy_timeout(BUSY).map_err(failed)?;
    // mmap_size: an IO error must come back as an error, not as a signal.
    conn.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -16384; \
         PRAGMA temp_store = MEMORY;",
    )
    .map_err(failed)?;
    let is_new = !has_tables(&conn).map_err(failed)?;
    if !is_new {
        check_format(&conn, path)?;
    }
    let mode: String = conn
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(failed)?;
    if mode != "wal" {
        let why = format!("its journal mode stays {mode}; put the data directory on a local disk");
        return Err(Error::Foreign {
            path: path.to_owned(),
            why,
        });
    }
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")
        .map_err(failed)?;
    if let Some(pages_max) = options.pages_max {
        let set = |conn: &Connection| {
            conn.query_row(&format!("PRAGMA max_page_count = {pages_max}"), [], |_| {
                Ok(())
            })
        };
        set(&conn).map_err(failed)?;
    }
    if is_new {
        let (id, version) = (schema::APPLICATION_ID, schema::VERSION);
        let create = format!(
            "BEGIN IMMEDIATE; {} PRAGMA application_id = {id}; PRAGMA user_version = {version}; COMMIT;",
            schema::SCHEMA
        );
        conn.execute_batch(&create)
            .map_err(|source| fault("create", path, source))?;
    }
    conn.set_prepared_statement_cache_capacity(32);
    Ok(conn)
}

fn has_tables(conn: &Connection) -> Result<bool, rusqlite::Error> {
    conn.query_row("SELECT count(*) > 0 FROM sqlite_schema", [], |row| {
        row.get(0)
    })
}

pub(super) fn check_format(conn: &Connection, path: &Path) -> Result<(), Error> {
    let pragma =
        |name: &str| conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
    let failed = |source| fault("open", path, source);
    let foreign = |why: String| {
        Err(Error::Foreign {
            path: path.to_owned(),
            why,
        })
    };
    if pragma("application_id").map_err(failed)? != schema::APPLICATION_ID {
        return foreign("it is not a journal; choose another directory".to_owned());
    }
    match pragma("user_version").map_err(failed)? {
        schema::VERSION => Ok(()),
        found => foreign(format!(
            "it has format {found} and this program reads {}; use the release that wrote it",
            schema::VERSION
        )),
    }
}

fn write_back(conn: &Connection, path: &Path) -> Result<(), Error> {
    let checkpoint = |why: String| Error::Checkpoint {
        path: path.to_owned(),
        why,
    };
    let busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, i32>(0)
    });
    match busy {
        Ok(0) => Ok(()),
        Ok(_) => Err(checkpoint(
            "another process is reading it; wait until it has ended".to_owned(),
        )),
        Err(source) => match fault("write back", path, source) {
            error @ Error::Full { .. } => Err(error),
            error => Err(checkpoint(error.chain())),
        },
    }
}

fn check(dir: &Path, path: &Path, extent: VerifyAtStart) -> Result<(), Error> {
    let extent = match extent {
        VerifyAtStart::Whole => Extent::Whole,
        VerifyAtStart::Tail => Extent::Tail,
        VerifyAtStart::Auto => {
            let bytes = fs::metadata(path)
                .map_err(|error| Error::io("inspect", path, error))?
                .len();
            if bytes <= CHEAP_BYTES {
                Extent::Whole
            } else {
                Extent::Tail
            }
        }
    };
    check_before_serving(&mut SqliteReader::open(dir)?, extent)
}

/// Fills the log file with zeros, which SQLite takes for an empty log, so that later syncs do not
/// have to grow the file. Without room it stays short: slower, not wrong.
fn extend_log(path: &Path, options: &Options) {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let extend = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(&log)?;
        if file.metadata()?.len() > 0 {
            return Ok(()); // Something is in it already.
        }
        let zeros = vec![0; 1 << 16];
        // A quarter more than the threshold, since pages are estimated; no more than the first block of SQLite's index
        // of the log covers: on a full disk the log must be what is refused, before anything is written.
        let mut left = (options.log_pages * 5 / 4).min(INDEX_FRAMES) * FRAME_BYTES;
        while left > 0 {
            let count = left.min(zeros.len() as u64);
            file.write_all(&zeros[..count as usize])?;
            left -= count;
        }
        file.sync_all()
    };
    if let Err(error) = extend() {
        tracing::warn!(%error, "log file not extended; commits will be slower");
    }
}
