//! Reading: a connection of its own, read-only, that holds no transaction between calls, so that
//! it never keeps the log from starting over.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{FILE, fault, open, snapshots};
use crate::damage::{Damage, Place, What};
use crate::{Anchor, Error, FleetKey, Hash, Head, Reader, Row, SealedSnapshot};

/// Rows are handed out in portions of about this many stored bytes.
const ROWS_BYTES_MAX: usize = 8 << 20;

pub(crate) struct SqliteReader {
    conn: Connection,
    dir: PathBuf,
    path: PathBuf,
}

impl SqliteReader {
    /// Opens the journal in `dir` for reading, beside a server or without one.
    pub fn open(dir: &Path) -> Result<SqliteReader, Error> {
        open::check_version()?;
        let path = dir.join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let failed = |source| fault("open", &path, source);
        let conn = Connection::open_with_flags(&path, flags).map_err(failed)?;
        conn.busy_timeout(Duration::from_secs(10)).map_err(failed)?;
        conn.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0;")
            .map_err(failed)?;
        open::check_format(&conn, &path)?;
        Ok(SqliteReader {
            conn,
            dir: dir.to_owned(),
            path,
        })
    }

    fn failed(&self, fleet: &FleetKey, place: Place, source: rusqlite::Error) -> Error {
        match corruption(&source) {
            Some(what) => Damage {
                fleet: fleet.clone(),
                place,
                what,
            }
            .into(),
            None => fault("read", &self.path, source),
        }
    }

    fn select_rows(
        &self,
        fleet: &FleetKey,
        from_seq: u64,
        max_rows: usize,
    ) -> Result<Vec<Row>, rusqlite::Error> {
        let Some(id) = self.fleet_id(fleet)? else {
            return Ok(vec![]);
        };
        let mut statement = self.conn.prepare_cached(
            "SELECT first_seq, last_seq, epoch, at, prev_hash, hash, encoding, body FROM batch \
             WHERE fleet = ?1 AND first_seq >= \
               coalesce((SELECT max(first_seq) FROM batch WHERE fleet = ?1 AND first_seq <= ?2), 0) \
             AND (first_seq >= ?2 OR last_seq >= ?2) ORDER BY first_seq LIMIT ?3",
        )?;
        let from_seq = i64::try_from(from_seq).unwrap_or(i64::MAX);
        let limit = i64::try_from(max_rows).unwrap_or(i64::MAX);
        let mut found = statement.query(params![id, from_seq, limit])?;
        let mut rows: Vec<Row> = vec![];
        let mut bytes = 0;
        while bytes < ROWS_BYTES_MAX {
            match found
                .next()
                .and_then(|row| row.map(|row| decode(fleet, row)).transpose())
            {
                Ok(Some(row)) => {
                    bytes += row.body.len();
                    rows.push(row);
                }
                Ok(None) => break,
                // What came before it is sound; asked for by its own number, it is named by that.
                Err(error) if corruption(&error).is_some() && !rows.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(rows)
    }

    fn fleet_id(&self, fleet: &FleetKey) -> Result<Option<i64>, rusqlite::Error> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT id FROM head WHERE fleet = ?1")?;
        statement
            .query_row([fleet.as_str()], |row| row.get(0))
            .optional()
    }

    /// Rows whose fleet has no head are nobody's: a head was removed.
    fn orphan(&self) -> Result<Option<i64>, rusqlite::Error> {
        let mut next = self
            .conn
            .prepare_cached("SELECT min(fleet) FROM batch WHERE fleet > ?1")?;
        let mut known = self
            .conn
            .prepare_cached("SELECT 1 FROM head WHERE id = ?1")?;
        let mut id = i64::MIN;
        while let Some(fleet) = next.query_row([id], |row| row.get::<_, Option<i64>>(0))? {
            if !known.exists([fleet])? {
                return Ok(Some(fleet));
            }
            id = fleet;
        }
        Ok(None)
    }

    fn names(&self) -> Result<Vec<String>, rusqlite::Error> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT fleet FROM head ORDER BY fleet")?;
        statement.query_map([], |row| row.get(0))?.collect()
    }

    fn store_failed(&self, source: rusqlite::Error) -> Error {
        let path = self.path.clone();
        match corruption(&source) {
            Some(_) => Error::Corrupt {
                path,
                why: source.to_string(),
            },
            None => fault("read", &self.path, source),
        }
    }
}

fn decode(fleet: &FleetKey, row: &rusqlite::Row<'_>) -> Result<Row, rusqlite::Error> {
    Ok(Row {
        fleet: fleet.clone(),
        first_seq: number(row, 0)?,
        last_seq: number(row, 1)?,
        epoch: number(row, 2)?,
        at: number(row, 3)?,
        prev_hash: hash(row, 4)?,
        hash: hash(row, 5)?,
        encoding: row.get(6)?,
        body: row.get(7)?,
    })
}

/// What SQLite says of stored bytes that are not what was written.
fn corruption(error: &rusqlite::Error) -> Option<What> {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let why = error.to_string();
    match error {
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) => {
            Some(What::Undecodable { why })
        }
        _ => match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Some(What::Corrupt { why }),
            _ => None,
        },
    }
}

impl Reader for SqliteReader {
    fn fleets(&mut self) -> Result<Vec<FleetKey>, Error> {
        if let Some(id) = self.orphan().map_err(|source| self.store_failed(source))? {
            let why = format!("the head of fleet number {id} is missing, its batches are there");
            return Err(Error::Corrupt {
                path: self.path.clone(),
                why,
            });
        }
        let names = self.names().map_err(|source| self.store_failed(source))?;
        names.iter().map(|name| name.parse()).collect()
    }

    fn head(&mut self, fleet: &FleetKey) -> Result<Option<Head>, Error> {
        let select = || -> Result<Option<Head>, rusqlite::Error> {
            self.conn
                .prepare_cached("SELECT last_seq, hash, epoch, at FROM head WHERE fleet = ?1")?
                .query_row([fleet.as_str()], |row| {
                    Ok(Head {
                        last_seq: number(row, 0)?,
                        hash: hash(row, 1)?,
                        epoch: number(row, 2)?,
                        at: number(row, 3)?,
                    })
                })
                .optional()
        };
        select().map_err(|source| self.failed(fleet, Place::Head, source))
    }

    fn anchor(&mut self, fleet: &FleetKey) -> Result<Anchor, Error> {
        let select = || -> Result<Option<Anchor>, rusqlite::Error> {
            self.conn
                .prepare_cached("SELECT anchor_seq, anchor_hash FROM head WHERE fleet = ?1")?
                .query_row([fleet.as_str()], |row| {
                    Ok(Anchor {
                        seq: number(row, 0)?,
                        hash: hash(row, 1)?,
                    })
                })
                .optional()
        };
        let anchor = select().map_err(|source| self.failed(fleet, Place::Anchor, source))?;
        Ok(anchor.unwrap_or(Anchor {
            seq: 0,
            hash: crate::GENESIS,
        }))
    }

    fn rows(
        &mut self,
        fleet: &FleetKey,
        from_seq: u64,
        max_rows: usize,
    ) -> Result<Vec<Row>, Error> {
        self.select_rows(fleet, from_seq, max_rows)
            .map_err(|source| self.failed(fleet, Place::From { seq: from_seq }, source))
    }

    fn snapshots(&mut self, fleet: &FleetKey) -> Result<Vec<u64>, Error> {
        snapshots::list(&self.dir, fleet)
    }

    fn snapshot(&mut self, fleet: &FleetKey, seq: u64) -> Result<Option<SealedSnapshot>, Error> {
        snapshots::load(&self.dir, fleet, seq)
    }
}

pub(super) fn number(row: &rusqlite::Row<'_>, index: usize) -> Result<u64, rusqlite::Error> {
    row.get::<_, i64>(index)?.try_into().map_err(|_| {
        rusqlite::Error::InvalidColumnType(
            index,
            "a number below zero".to_owned(),
            rusqlite::types::Type::Integer,
        )
    })
}

pub(super) fn hash(row: &rusqlite::Row<'_>, index: usize) -> Result<Hash, rusqlite::Error> {
    let wrong = |value: ValueRef<'_>| {
        rusqlite::Error::InvalidColumnType(index, "not 32 bytes".to_owned(), value.data_type())
    };
    match row.get_ref(index)? {
        ValueRef::Blob(bytes) => bytes.try_into().map_err(|_| wrong(ValueRef::Blob(bytes))),
        value => Err(wrong(value)),
    }
}
