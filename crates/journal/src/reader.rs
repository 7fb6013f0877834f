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
    fn rows(&mut self, fleet: &FleetKey, from_seq: u64, max_rows: usize)
    -> Result<Vec<Row>, Error>;

    /// The sequence numbers of the kept snapshots, oldest first.
    fn snapshots(&mut self, fleet: &FleetKey) -> Result<Vec<u64>, Error>;

    /// One snapshot as stored, unchecked; `None` when it is not there (any more).
    fn snapshot(&mut self, fleet: &FleetKey, seq: u64) -> Result<Option<SealedSnapshot>, Error>;

    /// Batches from the one that contains `from_seq`, each checked against its hash, its number and
    /// its predecessor. At most `max_batches`, fewer when they are large, none at the end.
    fn read(
        &mut self,
        fleet: &FleetKey,
        from_seq: u64,
        max_batches: usize,
    ) -> Result<Vec<Batch>, Error> {
        let from_seq = from_seq.max(1);
        let rows = self.rows(fleet, from_seq, max_batches)?;
        if rows.first().is_none_or(|row| row.first_seq > from_seq) {
            self.explain_absence(fleet, from_seq)?;
        }
        let mut batches: Vec<Batch> = Vec::with_capacity(rows.len());
        let mut before = None;
        for row in rows {
            if let Some((last_seq, hash)) = before {
                let place = Place::Batch {
                    first_seq: row.first_seq,
                    last_seq: row.last_seq,
                };
                let what = if row.first_seq != last_seq + 1 {
                    Some(What::Gap {
                        expected: last_seq + 1,
                        found: row.first_seq,
                    })
                } else if row.prev_hash != hash {
                    Some(What::BrokenLink {
                        named: row.prev_hash,
                        found: hash,
                    })
                } else {
                    None
                };
                if let Some(what) = what {
                    return Err(Damage {
                        fleet: fleet.clone(),
                        place,
                        what,
                    }
                    .into());
                }
            }
            before = Some((row.last_seq, row.hash));
            batches.push(row.open()?);
        }
        Ok(batches)
    }

    /// Says why no row holds `seq`: pruned or damaged are errors; at or behind the end is fine.
    #[doc(hidden)]
    fn explain_absence(&mut self, fleet: &FleetKey, seq: u64) -> Result<(), Error> {
        let anchor = self.anchor(fleet)?;
        if seq <= anchor.seq {
            return Err(Error::Pruned {
                fleet: fleet.clone(),
                from_seq: seq,
                pruned_seq: anchor.seq,
            });
        }
        // The head first: a row that was appended after it is no proof of a hole.
        let head = self.head(fleet)?.map_or(0, |head| head.last_seq);
        let found = self.rows(fleet, seq, 1)?.first().map(|row| row.first_seq);
        let what = match found {
            Some(found) if found > seq => What::Gap {
                expected: seq,
                found,
            },
            None if seq <= head => What::HeadCut {
                reached: head,
                found: seq - 1,
            },
            Some(_) | None => return Ok(()),
        };
        Err(Damage {
            fleet: fleet.clone(),
            place: Place::From { seq },
            what,
        }
        .into())
    }

    /// The batch that contains `seq`.
    fn find(&mut self, fleet: &FleetKey, seq: u64) -> Result<Option<Batch>, Error> {
        match self.rows(fleet, seq, 1)?.pop() {
            Some(row) if (row.first_seq..=row.last_seq).contains(&seq) => Ok(Some(row.open()?)),
            Some(_) | None => Ok(None),
        }
    }

    /// The newest sound snapshot. A damaged one is passed over with a warning in the log for the one
    /// before; an error only when none is left and the batches alone no longer suffice, or when one
    /// reaches further than the journal.
    fn latest_snapshot(&mut self, fleet: &FleetKey) -> Result<Option<Snapshot>, Error> {
        let mut newest_damage = None;
        for seq in self.snapshots(fleet)?.into_iter().rev() {
            match self.open_snapshot(fleet, seq) {
                Ok(Some(snapshot)) => return Ok(Some(snapshot)),
                Ok(None) => {} // Dropped for a newer one meanwhile.
                Err(Error::Damaged(damage)) if !matches!(damage.what, What::HeadCut { .. }) => {
                    tracing::warn!(%fleet, seq, %damage, "snapshot is damaged; falling back to the one before");
                    newest_damage.get_or_insert(damage);
                }
                Err(error) => return Err(error),
            }
        }
        match newest_damage {
            Some(damage) if self.anchor(fleet)?.seq > 0 => Err(Error::Damaged(damage)),
            Some(_) | None => Ok(None),
        }
    }

    /// One snapshot, checked against its hash and against the journal it belongs to.
    #[doc(hidden)]
    fn open_snapshot(&mut self, fleet: &FleetKey, seq: u64) -> Result<Option<Snapshot>, Error> {
        let Some(sealed) = self.snapshot(fleet, seq)? else {
            return Ok(None);
        };
        let named = sealed.chain;
        let damage = |what| {
            Error::from(Damage {
                fleet: fleet.clone(),
                place: Place::Snapshot { seq },
                what,
            })
        };
        let snapshot = sealed.open()?;
        let found = match self.rows(fleet, seq, 1)?.pop() {
            Some(row) if (row.first_seq..=row.last_seq).contains(&seq) => row.hash,
            Some(_) | None => {
                let anchor = self.anchor(fleet)?;
                if anchor.seq != seq {
                    let reached = self.head(fleet)?.map_or(0, |head| head.last_seq);
                    return Err(damage(What::HeadCut {
                        reached: seq,
                        found: reached,
                    }));
                }
                anchor.hash
            }
        };
        match found == named {
            true => Ok(Some(snapshot)),
            false => Err(damage(What::BrokenLink { named, found })),
        }
    }
}
