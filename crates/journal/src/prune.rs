//! What may be pruned: the same for every store.
//!
//! A batch may go when it lies wholly at or below the number asked for and wholly at or below the
//! oldest kept snapshot, which must be sound, so that each kept snapshot can still be replayed from.

use crate::damage::{Damage, Place, What};
use crate::{Error, FleetKey, Reader, Row};

/// The most stored bytes planned at once; they are held in memory.
const BYTES_MAX: usize = 32 << 20;

/// What to remove: a prefix of the kept rows, oldest first, verified.
pub(crate) struct Plan {
    pub rows: Vec<Row>,
    pub events: u64,
}

pub(crate) fn plan(
    reader: &mut dyn Reader,
    fleet: &FleetKey,
    upto_seq: u64,
    batches_max: usize,
) -> Result<Plan, Error> {
    let anchor = reader.anchor(fleet)?;
    let Some(&oldest) = reader.snapshots(fleet)?.first() else {
        let why = "no snapshot stands for those events; save one first".to_owned();
        return Err(Error::Prune {
            fleet: fleet.clone(),
            upto_seq,
            why,
        });
    };
    match reader.open_snapshot(fleet, oldest) {
        Ok(Some(_)) => {}
        // A newer one was saved meanwhile and this one dropped: next time.
        Ok(None) => {
            return Ok(Plan {
                rows: vec![],
                events: 0,
            });
        }
        Err(Error::Damaged(damage)) => {
            let why = format!("{damage}; save newer snapshots in its place first");
            return Err(Error::Prune {
                fleet: fleet.clone(),
                upto_seq,
                why,
            });
        }
        Err(error) => return Err(error),
    }
    let limit = upto_seq.min(oldest);
    let mut plan = Plan {
        rows: vec![],
        events: 0,
    };
    let (mut expected, mut prev_hash) = (anchor.seq + 1, anchor.hash);
    // Rows are removed only as links of a sound chain, so that the anchor can be trusted.
    let mut bytes = 0;
    while expected <= limit && plan.rows.len() < batches_max && bytes < BYTES_MAX {
        let rows = reader.rows(fleet, expected, batches_max - plan.rows.len())?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            if row.last_seq > limit {
                return Ok(plan);
            }
            let place = Place::Batch {
                first_seq: row.first_seq,
                last_seq: row.last_seq,
            };
            let what = if row.first_seq != expected {
                Some(What::Gap {
                    expected,
                    found: row.first_seq,
                })
            } else if row.prev_hash != prev_hash {
                Some(What::BrokenLink {
                    named: row.prev_hash,
                    found: prev_hash,
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
            plan.events += row.clone().open()?.count();
            (expected, prev_hash) = (row.last_seq + 1, row.hash);
            bytes += row.body.len();
            plan.rows.push(row);
        }
    }
    Ok(plan)
}
