//! Reading a journal: what a store must give, and what follows from it for every store alike.
//!
//! A store gives rows as they lie on disk; decoding and checking happens here and in `verify`.

use crate::damage::{Damage, Place, What};
use crate::{Anchor, Batch, Error, FleetKey, Head, Row, SealedSnapshot, Snapshot};

/// An independent view of what is durable.
pub trait Reader: Send {
    /// Every fleet that has a journal, in order.
    fn fleets(&mut self) -> Result<Vec<FleetKey>, Error>;

    /// Where the fleet's journal ends; `None` when it has none.
    fn head(&mut self, fleet: &FleetKey) -> Result<Option<Head>, Error>;

    /// Where its kept part begins.
    fn anchor(&mut self, fleet: &FleetKey) -> Result<Anchor, Error>;

    /// Rows as stored, unchecked, in order of `first_seq`, beginning with the one that contains
    /// `from_seq` (or the next). At most `max_rows`, fewer when they are large, none at the end.
    fn rows(&mut self, fleet: &FleetKey, from_seq: u64, max_rows: usize) -> Result<Vec<Row>, Error>;

    /// The sequence numbers of the kept snapshots, oldest first.
    fn snapshots(&mut self, fleet: &FleetKey) -> Result<Vec<u64>, Error>;

    /// One snapshot as stored, unchecked; `None` when it is not there (any more).
    fn snapshot(&mut self, fleet: &FleetKey, seq: u64) -> Result<Option<SealedSnapshot>, Error>;

    /// Batches from the one that contains `from_seq`, each checked against its hash, its number and
    /// its predecessor. At most `max_batches`, fewer when they are large, none at the end.
    fn read(&mut self, fleet: &FleetKey, from_seq: u64, max_batches: usize) -> Result<Vec<Batch>, Error> {
        let rows = self.rows(fleet, from_seq, max_batches)?;
        let mut batches: Vec<Batch> = Vec::with_capacity(rows.len());
        let mut before = None;
        for row in rows {
            let place = Place::Batch { first_seq: row.first_seq, last_seq: row.last_seq };
            let expected = before.map_or(from_seq.max(1), |(last_seq, _)| last_seq + 1);
            let follows = match before {
                None => row.first_seq <= expected,
                Some(_) => row.first_seq == expected,
            };
            if !follows {
                let what = What::Gap { expected, found: row.first_seq };
                return Err(Damage { fleet: fleet.clone(), place, what }.into());
            }
            if let Some((_, hash)) = before
                && row.prev_hash != hash
            {
                let what = What::BrokenLink { named: row.prev_hash, found: hash };
                return Err(Damage { fleet: fleet.clone(), place, what }.into());
            }
            before = Some((row.last_seq, row.hash));
            batches.push(row.open()?);
        }
        Ok(batches)
    }

    /// The batch that contains `seq`.
    fn find(&mut self, fleet: &FleetKey, seq: u64) -> Result<Option<Batch>, Error> {
        match self.rows(fleet, seq, 1)?.pop() {
            Some(row) if (row.first_seq..=row.last_seq).contains(&seq) => Ok(Some(row.open()?)),
            Some(_) | None => Ok(None),
        }
    }

    /// The newest sound snapshot. A damaged one is passed over with a warning in the log for the one
    /// before; an error only when none is left and the batches alone no longer suffice.
    fn latest_snapshot(&mut self, fleet: &FleetKey) -> Result<Option<Snapshot>, Error> {
        let mut newest_damage = None;
        for seq in self.snapshots(fleet)?.into_iter().rev() {
            let opened = match self.snapshot(fleet, seq) {
                Ok(None) => continue, // Dropped for a newer one meanwhile.
                Ok(Some(sealed)) => sealed.open(),
                Err(Error::Damaged(damage)) => Err(*damage),
                Err(error) => return Err(error),
            };
            match opened {
                Ok(snapshot) => return Ok(Some(snapshot)),
                Err(damage) => {
                    tracing::warn!(%fleet, seq, %damage, "snapshot is damaged; falling back to the one before");
                    newest_damage.get_or_insert(damage);
                }
            }
        }
        match newest_damage {
            Some(damage) if self.anchor(fleet)?.seq > 0 => Err(damage.into()),
            Some(_) | None => Ok(None),
        }
    }
}
