//! The contents of a simulated disk, as one process sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Anchor, FleetKey, GENESIS, Head, Row};

/// Every fleet's rows.
#[derive(Clone, Default)]
pub(super) struct Image {
    pub fleets: BTreeMap<FleetKey, Fleet>,
}

/// One fleet's rows, by their first number; shared between images, never changed in place.
#[derive(Clone)]
pub(super) struct Fleet {
    pub rows: BTreeMap<u64, Arc<Row>>,
    pub head: Head,
    pub anchor: Anchor,
}

impl Image {
    pub fn head(&self, fleet: &FleetKey) -> Option<Head> {
        self.fleets.get(fleet).map(|fleet| fleet.head)
    }

    /// One transaction.
    pub fn write(&mut self, rows: &[Arc<Row>]) {
        for row in rows {
            let head = Head {
                last_seq: row.last_seq,
                hash: row.hash,
                epoch: row.epoch,
                at: row.at,
            };
            let anchor = Anchor {
                seq: 0,
                hash: GENESIS,
            };
            let new = || Fleet {
                rows: BTreeMap::new(),
                head,
                anchor,
            };
            let fleet = self.fleets.entry(row.fleet.clone()).or_insert_with(new);
            fleet.rows.insert(row.first_seq, row.clone());
            fleet.head = head;
        }
    }

    /// Rows from the one that contains `from_seq`, or the next.
    pub fn rows(&self, fleet: &FleetKey, from_seq: u64, max_rows: usize) -> Vec<Row> {
        let Some(fleet) = self.fleets.get(fleet) else {
            return vec![];
        };
        let containing = fleet.rows.range(..=from_seq).next_back();
        let first = containing.map_or(from_seq, |(first_seq, _)| *first_seq);
        let wanted = |row: &&Arc<Row>| row.first_seq >= from_seq || row.last_seq >= from_seq;
        let rows = fleet.rows.range(first..).map(|(_, row)| row).filter(wanted);
        rows.take(max_rows).map(|row| Row::clone(row)).collect()
    }

    pub fn prune(&mut self, fleet: &FleetKey, anchor: Anchor) {
        if let Some(fleet) = self.fleets.get_mut(fleet) {
            fleet.rows.retain(|_, row| row.last_seq > anchor.seq);
            fleet.anchor = anchor;
        }
    }
}
