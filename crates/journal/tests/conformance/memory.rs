//! The journal in memory under test.

use fleet_journal::memory::{Disk, Fate, Part};
use fleet_journal::{Error, Extent, FleetKey, Journal, Memory, Report, verify};

pub struct Stand {
    disk: Disk,
}

impl crate::Stand for Stand {
    fn new() -> Stand {
        Stand { disk: Disk::new() }
    }

    fn open(&mut self) -> Result<Box<dyn Journal>, Error> {
        Ok(Box::new(Memory::open(&self.disk)?))
    }

    fn kill(&mut self, journal: Box<dyn Journal>) {
        self.disk.crash(0);
        drop(journal);
    }

    fn damage(&mut self, kind: &str, fleet: &FleetKey, seqs: &[u64]) {
        let part = |part| self.disk.flip(fleet, seqs[0], part);
        match kind {
            "flip-body" => part(Part::Body),
            "flip-hash" => part(Part::Hash),
            "flip-prev-hash" => part(Part::PrevHash),
            "flip-first-seq" => part(Part::FirstSeq),
            "flip-last-seq" => part(Part::LastSeq),
            "flip-epoch" => part(Part::Epoch),
            "flip-at" => part(Part::At),
            "flip-encoding" => part(Part::Encoding),
            "remove" => self.disk.remove(fleet, seqs[0]),
            "swap" => self.disk.swap(fleet, seqs[0], seqs[1]),
            "cut-tail" => self.disk.cut_tail(fleet, seqs[0]),
            "cut-tail-and-head" => self.disk.cut_tail_and_head(fleet, seqs[0]),
            "flip-snapshot" => self.disk.flip_snapshot(fleet, seqs[0]),
            other => panic!("no damage {other:?}"),
        }
    }

    fn audit(&mut self) -> Result<Report, Error> {
        verify(&mut self.disk, Extent::Whole)
    }

    fn set_full(&mut self, full: bool, journal: Box<dyn Journal>) -> Box<dyn Journal> {
        self.disk.set_full(full);
        journal
    }

    fn fail_sync(&mut self, fate: &str) -> bool {
        self.disk.fail_next_sync(if fate == "kept" {
            Fate::Kept
        } else {
            Fate::Lost
        });
        true
    }

    fn plain(&self, text: String) -> String {
        text.replace("the simulated disk", "<store>")
            .replace("an earlier instance", "<holder>")
    }
}
