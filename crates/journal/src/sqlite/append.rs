//! Appending, and checkpoints.
//!
//! Order: check continuity, insert rows, move heads, COMMIT (which writes the log and syncs it),
//! answer. SQLite shows a commit to readers only after its sync.

use rusqlite::{Connection, OptionalExtension, params};

use super::read::{self, number};
use super::{Sqlite, is_harmless};
use crate::{Batch, Error, FleetKey, GENESIS, Hash, Outcome, row};

/// Where a fleet stands within the transaction.
struct Cursor<'a> {
    id: i64,
    fleet: &'a FleetKey,
    last_seq: u64,
    epoch: u64,
    at: u64,
    hash: Hash,
}

/// How a transaction was refused.
enum Refusal {
    /// By us: a malformed or stale batch.
    Batch(Error),
    /// By SQLite.
    Store(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Refusal {
        Refusal::Store(error)
    }
}

impl Sqlite {
    pub(super) fn append_batches(&mut self, batches: &[Batch]) -> Outcome {
        if let Err(error) = self.poisoned() {
            return Outcome::Failed(error);
        }
        if batches.is_empty() {
            return Outcome::Committed;
        }
        if self.logged_pages >= self.options.log_pages
            && let Err(error) = self.checkpoint()
            && self.poison.is_some()
        {
            return Outcome::Failed(error); // Nothing of these batches was written.
        }
        match write(&self.conn, batches) {
            Ok(pages) => {
                self.logged_pages += pages;
                Outcome::Committed
            }
            Err(refusal) => self.give_up(refusal),
        }
    }

    /// Rolls back and says what is certain.
    fn give_up(&mut self, refusal: Refusal) -> Outcome {
        // A failed COMMIT has rolled back by itself.
        let rolled_back = match self.conn.is_autocommit() {
            true => Ok(()),
            false => self.conn.execute_batch("ROLLBACK"),
        };
        let (harmless, error) = match refusal {
            Refusal::Batch(error) => (true, error),
            Refusal::Store(source) => (is_harmless(&source), self.fault("append to", source)),
        };
        if harmless && rolled_back.is_ok() {
            return Outcome::Failed(error);
        }
        self.poison = Some(error.chain());
        Outcome::Unknown(error)
    }

    /// Writes the log back into the file as far as readers allow, so that the log starts over.
    ///
    /// No room, or a reader in the way, is no fault: the log grows and the next one tries again.
    pub(super) fn checkpoint(&mut self) -> Result<(), Error> {
        let checkpoint = self
            .conn
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        match checkpoint {
            Ok(()) => {
                self.logged_pages = 0;
                Ok(())
            }
            Err(source) => {
                self.logged_pages = self.options.tend_pages / 2;
                Err(self.write_fault("write back the log of", source))
            }
        }
    }
}

/// One transaction. Returns about how many pages it wrote to the log.
fn write(conn: &Connection, batches: &[Batch]) -> Result<u64, Refusal> {
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut cursors: Vec<Cursor<'_>> = vec![];
    let mut pages = 1;
    for batch in batches {
        let cursor = match cursors
            .iter()
            .position(|cursor| *cursor.fleet == batch.fleet)
        {
            Some(index) => &mut cursors[index],
            None => {
                cursors.push(cursor(conn, batch)?);
                let last = cursors.len() - 1;
                &mut cursors[last]
            }
        };
        check_follows(cursor, batch).map_err(Refusal::Batch)?;
        let seal = row::seal(batch, &cursor.hash).map_err(Refusal::Batch)?;
        conn.prepare_cached(
            "INSERT INTO batch (fleet, first_seq, last_seq, epoch, at, prev_hash, hash, encoding, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            cursor.id,
            batch.first_seq as i64, // `check` in `seal` keeps these within 63 bits.
            batch.last_seq as i64,
            batch.epoch as i64,
            batch.at as i64,
            cursor.hash,
            seal.hash,
            seal.encoding,
            &*seal.body
        ])?;
        pages += 2 + seal.body.len() as u64 / 4096;
        cursor.last_seq = batch.last_seq;
        cursor.epoch = batch.epoch;
        cursor.at = batch.at;
        cursor.hash = seal.hash;
    }
    for Cursor {
        id,
        last_seq,
        epoch,
        at,
        hash,
        ..
    } in &cursors
    {
        conn.prepare_cached(
            "UPDATE head SET last_seq = ?2, hash = ?3, epoch = ?4, at = ?5 WHERE id = ?1",
        )?
        .execute(params![
            id,
            *last_seq as i64,
            hash,
            *epoch as i64,
            *at as i64
        ])?;
    }
    conn.prepare_cached("COMMIT")?.execute([])?;
    Ok(pages)
}

/// The fleet's head, made if there is none.
fn cursor<'a>(conn: &Connection, batch: &'a Batch) -> Result<Cursor<'a>, rusqlite::Error> {
    let fleet = &batch.fleet;
    let head = conn
        .prepare_cached("SELECT id, last_seq, epoch, hash FROM head WHERE fleet = ?1")?
        .query_row([fleet.as_str()], |row| {
            Ok(Cursor {
                id: row.get(0)?,
                fleet,
                last_seq: number(row, 1)?,
                epoch: number(row, 2)?,
                at: 0,
                hash: read::hash(row, 3)?,
            })
        })
        .optional()?;
    if let Some(head) = head {
        return Ok(head);
    }
    conn.prepare_cached("INSERT INTO head (fleet, last_seq, hash, epoch, at, anchor_seq, anchor_hash) VALUES (?1, 0, ?2, 0, 0, 0, ?2)")?
        .execute(params![fleet.as_str(), GENESIS])?;
    Ok(Cursor {
        id: conn.last_insert_rowid(),
        fleet,
        last_seq: 0,
        epoch: 0,
        at: 0,
        hash: GENESIS,
    })
}

fn check_follows(cursor: &Cursor<'_>, batch: &Batch) -> Result<(), Error> {
    if batch.first_seq == cursor.last_seq + 1 && batch.epoch >= cursor.epoch {
        return Ok(());
    }
    Err(Error::Fenced {
        fleet: batch.fleet.clone(),
        first_seq: batch.first_seq,
        epoch: batch.epoch,
        head_seq: cursor.last_seq,
        head_epoch: cursor.epoch,
    })
}
