//! Pruning: archive, then remove rows and move the anchor in one transaction.

use rusqlite::params;

use super::{Sqlite, SqliteReader};
use crate::{Anchor, Error, FleetKey, Pruned, Reader, archive, prune};

impl Sqlite {
    pub(super) fn prune_fleet(&mut self, fleet: &FleetKey, upto_seq: u64) -> Result<Pruned, Error> {
        self.poisoned()?;
        let mut reader = SqliteReader::open(&self.dir)?;
        let plan = prune::plan(&mut reader, fleet, upto_seq, self.options.prune_batches_max)?;
        let Some(last) = plan.rows.last() else {
            let anchor = reader.anchor(fleet)?;
            return Ok(Pruned {
                batches: 0,
                events: 0,
                anchor,
                archive: None,
            });
        };
        let anchor = Anchor {
            seq: last.last_seq,
            hash: last.hash,
        };
        let archive = match &self.options.archive {
            None => None,
            Some(root) => Some(archive::write(root, &plan.rows)?),
        };
        if let Err(source) = self.remove(fleet, anchor) {
            if !self.conn.is_autocommit()
                && let Err(source) = self.conn.execute_batch("ROLLBACK")
            {
                self.poison.get_or_insert_with(|| source.to_string());
            }
            return Err(self.write_fault("prune", source));
        }
        // Rows removed leave pages changed in the log; about as many as they filled.
        let bytes: usize = plan.rows.iter().map(|row| row.body.len() + 160).sum();
        self.logged_pages += 4 + bytes as u64 / 4096;
        Ok(Pruned {
            batches: plan.rows.len() as u64,
            events: plan.events,
            anchor,
            archive,
        })
    }

    fn remove(&self, fleet: &FleetKey, anchor: Anchor) -> Result<(), rusqlite::Error> {
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        let id: i64 = self
            .conn
            .prepare_cached("SELECT id FROM head WHERE fleet = ?1")?
            .query_row([fleet.as_str()], |row| row.get(0))?;
        self.conn
            .prepare_cached("DELETE FROM batch WHERE fleet = ?1 AND first_seq <= ?2")?
            .execute(params![id, anchor.seq as i64])?;
        self.conn
            .prepare_cached("UPDATE head SET anchor_seq = ?2, anchor_hash = ?3 WHERE id = ?1")?
            .execute(params![id, anchor.seq as i64, anchor.hash])?;
        self.conn.execute_batch("COMMIT")
    }
}
