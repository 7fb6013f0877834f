//! One suite for every store: the scripts below `scripts/`, each run against each store, each with
//! the same expected text.
//!
//! A script is blocks of a command, a line `----`, what is said, and an empty line. Commands:
//!
//! - `open`, `close`, `kill` (the process ends without closing), `second` (a second server opens)
//! - `append F A-B [epoch=N] [events=JSON] [; F A-B …]`
//! - `read F SEQ [MAX]`, `find F SEQ`, `head F`, `fleets`, `verify`, `verify-tail`
//! - `snapshot F SEQ`, `latest F`, `prune F SEQ`
//! - `damage KIND F SEQ [SEQ]` and `audit`, while closed
//! - `fill`, `drain`: the disk becomes full, or has room again; `append-until-refused F`,
//!   `append-one F` and `sound` for where the numbers depend on the room
//! - `fail-sync kept|lost`: the next sync fails
//!
//! To add a store: implement `Stand`, add a line to `suite!`. `UPDATE_EXPECT=1` rewrites the scripts
//! from what memory says; commit that only if you understand what changed.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../common/mod.rs"]
mod common;
mod memory;
mod run;
mod sqlite;

use fleet_journal::{Error, FleetKey, Journal, Report};

/// A store under test.
trait Stand {
    fn new() -> Self
    where
        Self: Sized;
    /// Opens the journal, as a server that starts.
    fn open(&mut self) -> Result<Box<dyn Journal>, Error>;
    /// The process ends without closing.
    fn kill(&mut self, journal: Box<dyn Journal>);
    /// Changes stored bytes behind the journal's back.
    fn damage(&mut self, kind: &str, fleet: &FleetKey, seqs: &[u64]);
    /// Verifies a closed journal as the offline audit does.
    fn audit(&mut self) -> Result<Report, Error>;
    /// Makes the disk full or gives it room; may have to open the journal anew.
    fn set_full(&mut self, full: bool, journal: Box<dyn Journal>) -> Box<dyn Journal>;
    /// Makes the next sync fail; `false` where this store has no way to.
    fn fail_sync(&mut self, fate: &str) -> bool;
    /// Takes what differs between stores and runs out of a message.
    fn plain(&self, text: String) -> String;
}

macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod on_memory {
            $(#[test] fn $name() { crate::run::check::<crate::memory::Stand>(stringify!($name), true); })*
        }
        mod on_sqlite {
            $(#[test] fn $name() { crate::run::check::<crate::sqlite::Stand>(stringify!($name), false); })*
        }
    };
}

suite! {
    append_and_read,
    continuity_and_fencing,
    several_fleets,
    reopen,
    snapshots,
    prune,
    damaged_rows,
    damaged_order,
    damaged_ends,
    damaged_snapshots,
    full_disk,
    failed_sync,
}
