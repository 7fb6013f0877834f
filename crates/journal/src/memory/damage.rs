//! Damaging a simulated disk: what bit rot, a torn copy or a careless hand does to stored rows.

use std::sync::Arc;

use super::contents::Contents;
use super::disk::Disk;
use super::image::Image;
use crate::{FleetKey, Row};

/// A part of a row in which a bit can flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The events.
    Body,
    /// The row's own hash.
    Hash,
    /// The hash of the row before.
    PrevHash,
    /// The number of the first event.
    FirstSeq,
    /// The number of the last event.
    LastSeq,
    /// The writer's epoch.
    Epoch,
    /// The time.
    At,
    /// The encoding of the body.
    Encoding,
}

impl Disk {
    /// Flips the lowest bit of a part of the row that contains `seq`.
    pub fn flip(&self, fleet: &FleetKey, seq: u64, part: Part) {
        self.change(fleet, seq, |row| match part {
            Part::Body => {
                let middle = row.body.len() / 2;
                row.body[middle] ^= 1;
            }
            Part::Hash => row.hash[0] ^= 1,
            Part::PrevHash => row.prev_hash[0] ^= 1,
            Part::FirstSeq => row.first_seq ^= 1,
            Part::LastSeq => row.last_seq ^= 1,
            Part::Epoch => row.epoch ^= 1,
            Part::At => row.at ^= 1,
            Part::Encoding => row.encoding ^= 1,
        });
    }

    /// Removes the row that contains `seq`; the head stays.
    pub fn remove(&self, fleet: &FleetKey, seq: u64) {
        self.contents().on_both(|image| {
            if let Some(fleet) = image.fleets.get_mut(fleet) {
                fleet
                    .rows
                    .retain(|_, row| !(row.first_seq..=row.last_seq).contains(&seq));
            }
        });
    }

    /// Exchanges the places of two rows, with everything in them but their numbers.
    pub fn swap(&self, fleet: &FleetKey, seq: u64, other_seq: u64) {
        let row = |seq| self.contents().durable.rows(fleet, seq, 1).pop();
        let (Some(a), Some(b)) = (row(seq), row(other_seq)) else {
            return;
        };
        let place = |from: &Row, to: &mut Row| {
            let (first_seq, last_seq) = (to.first_seq, to.last_seq);
            *to = Row {
                first_seq,
                last_seq,
                ..from.clone()
            };
        };
        self.change(fleet, seq, |row| place(&b, row));
        self.change(fleet, other_seq, |row| place(&a, row));
    }

    /// Removes every row from the one that contains `seq`; the head stays.
    pub fn cut_tail(&self, fleet: &FleetKey, seq: u64) {
        self.contents().on_both(|image| {
            if let Some(fleet) = image.fleets.get_mut(fleet) {
                fleet.rows.retain(|_, row| row.last_seq < seq);
            }
        });
    }

    /// As [`Disk::cut_tail`], and moves the head back too: only a snapshot can tell.
    pub fn cut_tail_and_head(&self, fleet: &FleetKey, seq: u64) {
        self.cut_tail(fleet, seq);
        self.contents().on_both(|image| {
            if let Some(fleet) = image.fleets.get_mut(fleet)
                && let Some((_, row)) = fleet.rows.last_key_value()
            {
                fleet.head.last_seq = row.last_seq;
                fleet.head.hash = row.hash;
            }
        });
    }

    /// Flips a bit in the body of a snapshot.
    pub fn flip_snapshot(&self, fleet: &FleetKey, seq: u64) {
        let mut contents = self.contents();
        let sealed = contents
            .snapshots
            .get_mut(fleet)
            .and_then(|kept| kept.get_mut(&seq));
        if let Some(byte) = sealed.and_then(|sealed| sealed.body.first_mut()) {
            *byte ^= 1;
        }
    }

    fn change(&self, fleet: &FleetKey, seq: u64, change: impl Fn(&mut Row)) {
        self.contents().on_both(|image| {
            let Some(fleet) = image.fleets.get_mut(fleet) else {
                return;
            };
            let place = fleet
                .rows
                .iter()
                .find(|(_, row)| (row.first_seq..=row.last_seq).contains(&seq));
            if let Some((place, row)) = place.map(|(place, row)| (*place, row.clone())) {
                let mut row = Row::clone(&row);
                change(&mut row);
                fleet.rows.remove(&place);
                fleet.rows.insert(row.first_seq, Arc::new(row));
            }
        });
    }
}

impl Contents {
    fn on_both(&mut self, change: impl Fn(&mut Image)) {
        change(&mut self.visible);
        change(&mut self.durable);
    }
}
