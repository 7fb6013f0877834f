//! Walks chains and says what is sound (I14).
//!
//! It may run beside a server. What moves meanwhile is no damage: batches appended after the head
//! was read are left alone, and when an anchor or a snapshot has moved, the fleet is walked again.

use crate::batch::count_elements;
use crate::damage::{Damage, Place, What};
use crate::{Anchor, Error, FleetKey, FleetReport, GENESIS, Hash, Head, Reader, Report, Row};

/// How much to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// From the anchor to the head, and every snapshot.
    Whole,
    /// From the newest sound snapshot to the head: what a restart is about to replay.
    Tail,
}

/// Rows fetched at a time; the store lowers it when they are large.
const ROWS_MAX: usize = 512;

/// Walks the chain of every fleet and reports, per fleet, the first damage.
///
/// An error means that verification could not be done, not that something is damaged.
pub fn verify(reader: &mut dyn Reader, extent: Extent) -> Result<Report, Error> {
    let mut report = Report::default();
    for fleet in reader.fleets()? {
        report.fleets.push(verify_fleet(reader, &fleet, extent)?);
    }
    Ok(report)
}

fn verify_fleet(
    reader: &mut dyn Reader,
    fleet: &FleetKey,
    extent: Extent,
) -> Result<FleetReport, Error> {
    loop {
        let before = (reader.anchor(fleet), reader.snapshots(fleet)?);
        let mut walk = Walk::new(fleet);
        let damage = match walk.run(reader, extent) {
            Ok(()) => None,
            Err(Error::Damaged(damage)) => Some(*damage),
            Err(error) => return Err(error),
        };
        let mut moved = || -> Result<bool, Error> {
            Ok(match (&before.0, reader.anchor(fleet)) {
                (Ok(old), Ok(new)) => *old != new || before.1 != reader.snapshots(fleet)?,
                _ => false,
            })
        };
        if damage.is_none() || !moved()? {
            walk.report.damage = damage;
            return Ok(walk.report);
        }
    }
}

/// One pass over one fleet.
struct Walk<'a> {
    fleet: &'a FleetKey,
    report: FleetReport,
    /// Snapshots not yet passed, and for those passed the hash of the row that holds their event.
    snapshots: Vec<(u64, Option<Hash>)>,
}

impl<'a> Walk<'a> {
    fn new(fleet: &'a FleetKey) -> Walk<'a> {
        let report = FleetReport {
            fleet: fleet.clone(),
            batches: 0,
            events: 0,
            first_seq: 0,
            last_seq: 0,
            head_hash: GENESIS,
            snapshots: vec![],
            damage: None,
        };
        Walk {
            fleet,
            report,
            snapshots: vec![],
        }
    }

    fn damage(&self, place: Place, what: What) -> Error {
        Damage {
            fleet: self.fleet.clone(),
            place,
            what,
        }
        .into()
    }

    fn run(&mut self, reader: &mut dyn Reader, extent: Extent) -> Result<(), Error> {
        // Snapshots before the head: one saved meanwhile must not look as if the head were cut.
        let snapshots = reader.snapshots(self.fleet)?;
        let anchor = reader.anchor(self.fleet)?;
        let Some(head) = reader.head(self.fleet)? else {
            return Err(self.damage(
                Place::Head,
                What::Undecodable {
                    why: "it is missing".to_owned(),
                },
            ));
        };
        let start = match extent {
            Extent::Whole => None,
            Extent::Tail => reader
                .latest_snapshot(self.fleet)?
                .map(|snapshot| snapshot.seq),
        };
        self.snapshots = snapshots
            .into_iter()
            .filter(|seq| start.is_none_or(|start| *seq >= start))
            .map(|seq| (seq, None))
            .collect();
        self.report.head_hash = anchor.hash;
        self.walk_rows(
            reader,
            anchor,
            start.filter(|start| *start > anchor.seq),
            &head,
        )?;
        self.check_snapshots(reader, anchor, &head)
    }

    /// From the anchor, or from the row that holds event `start`, to the head.
    fn walk_rows(
        &mut self,
        reader: &mut dyn Reader,
        anchor: Anchor,
        start: Option<u64>,
        head: &Head,
    ) -> Result<(), Error> {
        let mut expected = start.unwrap_or(anchor.seq + 1);
        // Without a start the first row must link to the anchor; with one, `chain` of its snapshot
        // vouches for it instead.
        let mut prev_hash = start.is_none().then_some(anchor.hash);
        self.note(anchor.seq..=anchor.seq, anchor.hash);
        while expected <= head.last_seq {
            let rows = reader.rows(self.fleet, expected, ROWS_MAX)?;
            if rows.is_empty() {
                let what = What::HeadCut {
                    reached: head.last_seq,
                    found: expected - 1,
                };
                return Err(self.damage(Place::From { seq: expected }, what));
            }
            for row in rows {
                if expected > head.last_seq {
                    break;
                }
                if prev_hash.is_none() && row.first_seq < expected {
                    expected = row.first_seq; // The snapshot was taken within this batch.
                }
                (expected, prev_hash) = self.check_row(row, expected, prev_hash)?;
            }
        }
        if expected != head.last_seq + 1 || prev_hash.is_some_and(|hash| hash != head.hash) {
            let computed = prev_hash.unwrap_or(GENESIS);
            return Err(self.damage(
                Place::Head,
                What::HashMismatch {
                    stored: head.hash,
                    computed,
                },
            ));
        }
        self.check_end(reader, head)
    }

    /// Returns the number to come next and the hash it must name.
    fn check_row(
        &mut self,
        row: Row,
        expected: u64,
        prev_hash: Option<Hash>,
    ) -> Result<(u64, Option<Hash>), Error> {
        let (first_seq, last_seq, hash) = (row.first_seq, row.last_seq, row.hash);
        let place = Place::Batch {
            first_seq,
            last_seq,
        };
        if first_seq != expected {
            return Err(self.damage(
                place,
                What::Gap {
                    expected,
                    found: first_seq,
                },
            ));
        }
        let named = row.prev_hash;
        // The row against itself before its link: of a damaged row and its sound successor, the
        // damaged one is to be named.
        let batch = row.open()?;
        if let Some(found) = prev_hash
            && named != found
        {
            return Err(self.damage(place, What::BrokenLink { named, found }));
        }
        match count_elements(&batch.events) {
            Ok(counted) if counted == batch.count() => {}
            Ok(counted) => {
                return Err(self.damage(
                    place,
                    What::CountMismatch {
                        numbered: batch.count(),
                        counted,
                    },
                ));
            }
            Err(why) => return Err(self.damage(place, What::Undecodable { why })),
        }
        self.note(first_seq..=last_seq, hash);
        if self.report.batches == 0 {
            self.report.first_seq = first_seq;
        }
        self.report.batches += 1;
        self.report.events += batch.count();
        self.report.last_seq = last_seq;
        self.report.head_hash = hash;
        Ok((last_seq + 1, Some(hash)))
    }

    fn note(&mut self, seqs: std::ops::RangeInclusive<u64>, hash: Hash) {
        let passed = self
            .snapshots
            .iter_mut()
            .filter(|(seq, _)| seqs.contains(seq));
        passed.for_each(|(_, chain)| *chain = Some(hash));
    }

    /// Nothing may lie behind the head, unless the head has moved on.
    fn check_end(&mut self, reader: &mut dyn Reader, head: &Head) -> Result<(), Error> {
        let beyond = reader.rows(self.fleet, head.last_seq + 1, 1)?;
        let Some(row) = beyond.first() else {
            return Ok(());
        };
        let head_now = reader.head(self.fleet)?.map_or(0, |head| head.last_seq);
        if head_now >= row.last_seq {
            return Ok(());
        }
        let place = Place::Batch {
            first_seq: row.first_seq,
            last_seq: row.last_seq,
        };
        Err(self.damage(place, What::BeyondHead { head: head_now }))
    }

    /// Notes every sound snapshot, then reports the first that is not.
    fn check_snapshots(
        &mut self,
        reader: &mut dyn Reader,
        anchor: Anchor,
        head: &Head,
    ) -> Result<(), Error> {
        let mut first_damage = None;
        for (seq, chain) in std::mem::take(&mut self.snapshots) {
            match self.check_snapshot(reader, seq, chain, head) {
                Ok(true) => self.report.snapshots.push(seq),
                Ok(false) => {}
                Err(Error::Damaged(damage)) => drop(first_damage.get_or_insert(damage)),
                Err(error) => return Err(error),
            }
        }
        if let Some(damage) = first_damage {
            return Err(Error::Damaged(damage));
        }
        if anchor.seq > 0
            && self
                .report
                .snapshots
                .last()
                .is_none_or(|newest| *newest < anchor.seq)
        {
            return Err(self.damage(
                Place::Anchor,
                What::Uncovered {
                    pruned_seq: anchor.seq,
                },
            ));
        }
        Ok(())
    }

    /// Whether it is still there.
    fn check_snapshot(
        &self,
        reader: &mut dyn Reader,
        seq: u64,
        chain: Option<Hash>,
        head: &Head,
    ) -> Result<bool, Error> {
        let place = Place::Snapshot { seq };
        if seq > head.last_seq {
            return Err(self.damage(
                place,
                What::HeadCut {
                    reached: seq,
                    found: head.last_seq,
                },
            ));
        }
        let Some(sealed) = reader.snapshot(self.fleet, seq)? else {
            return Ok(false);
        };
        let named = sealed.chain;
        sealed.open()?;
        match chain {
            Some(found) if named != found => {
                Err(self.damage(place, What::BrokenLink { named, found }))
            }
            Some(_) | None => Ok(true),
        }
    }
}

/// What every store does at start: refuses to serve what is damaged.
///
/// A damaged snapshot is survivable while an older one, or the batches alone, can stand in for it;
/// one that reaches further than the journal is not: acknowledged events are gone.
pub(crate) fn check_before_serving(reader: &mut dyn Reader, extent: Extent) -> Result<(), Error> {
    for fleet in verify(reader, extent)?.fleets {
        let Some(damage) = fleet.damage else { continue };
        let survivable = matches!(damage.place, Place::Snapshot { .. })
            && !matches!(damage.what, What::HeadCut { .. });
        if !survivable {
            return Err(damage.into());
        }
        reader.latest_snapshot(&fleet.fleet)?; // Refuses when nothing can stand in.
    }
    Ok(())
}
