//! Snapshots bound the time of a restart. They are made by a follower that replays the journal, so that the writer
//! never stops for one; a graceful stop saves the writer's own state.
//!
//! What memory let go before a snapshot is not found again by a replay that begins at it, so it must be stored first.
use crate::readers::Readers;
use crate::recall::chunk::Chunk;
use crate::recall::shelf::Shelf;
use crate::recover::{SNAPSHOT_FORMAT, recover_with};
use crate::scribe::Scribe;
use crate::service::chain;
use fleet_core::{Evicted, State};
use fleet_journal::{FleetKey, Snapshot, SnapshotSaver};
use fleet_types::Seq;
use std::collections::VecDeque;
use std::sync::Arc;

/// Answers not known to be stored that are gathered before it is asked again which are.
const GATHERED_MAX: usize = 65_536;

/// Saves the state of a fleet as of its journal's end, with so many answers in memory, and before that the answers it
/// relies on. Returns where it stands.
pub fn save_by_following(
    readers: &Readers,
    saver: &mut dyn SnapshotSaver,
    shelf: &Shelf,
    memory_max: usize,
) -> Result<Seq, String> {
    let fleet = shelf.fleet();
    let mut left: VecDeque<Evicted> = VecDeque::new();
    let mut gather = |evicted| {
        left.push_back(evicted);
        if left.len() >= GATHERED_MAX {
            drop_covered(&mut left, shelf);
        }
    };
    let recovered = readers.lend(|reader| recover_with(reader, fleet, memory_max, &mut gather));
    let recovered = recovered.map_err(|error| chain(&error))?;
    drop_covered(&mut left, shelf);
    if !left.is_empty() {
        let mut chunk = Chunk::with_room(left.len());
        left.into_iter().for_each(|evicted| chunk.push(evicted));
        shelf.store(&chunk).map_err(|error| chain(&error))?;
    }
    let seq = save(saver, fleet, &recovered.state)?;
    shelf.set_covered(seq);
    Ok(seq)
}

/// Leaves out what the writer's own chunks have brought to disk already.
fn drop_covered(left: &mut VecDeque<Evicted>, shelf: &Shelf) {
    let covered = shelf.covered();
    while left.front().is_some_and(|evicted| evicted.seq <= covered) {
        left.pop_front();
    }
}

/// Saves a state whose every record is durable.
pub fn save(saver: &mut dyn SnapshotSaver, fleet: &FleetKey, state: &State) -> Result<Seq, String> {
    let snapshot = Snapshot {
        fleet: fleet.clone(),
        seq: state.seq().0,
        at: state.now().0,
        format: SNAPSHOT_FORMAT,
        body: state.to_snapshot(),
    };
    saver.save(&snapshot).map_err(|error| chain(&error))?;
    Ok(state.seq())
}

/// Asks for the batches that retention no longer keeps to be pruned.
pub fn retain(scribe: &Arc<Scribe>, fleet: &FleetKey, snapshot: Seq, keep_events: Option<u64>) {
    if let Some(keep) = keep_events
        && snapshot.0 > keep
    {
        scribe.prune(fleet.clone(), Seq(snapshot.0 - keep));
    }
}
