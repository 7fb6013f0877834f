//! Snapshots bound the time of a restart. They are made by a follower that replays the journal, so that the writer
//! never stops for one; a graceful stop saves the writer's own state.
//!
//! What memory let go before a snapshot is not found again by a replay that begins at it, so it must be stored first.
use crate::recall::chunk::Chunk;
use crate::recall::shelf::Shelf;
use crate::recall::spans::Mark;
use crate::recover::{Begun, SNAPSHOT_FORMAT};
use crate::scribe::Scribe;
use crate::service::chain;
use fleet_core::{Evicted, State};
use fleet_journal::{FleetKey, Reader, Snapshot, SnapshotSaver};
use fleet_types::Seq;
use std::collections::VecDeque;
use std::sync::Arc;

/// Answers not known to be stored that are gathered before it is asked again which are.
const GATHERED_MAX: usize = 65_536;

/// Saves the state of a fleet as of its journal's end, with so many answers in memory, and before that the answers it
/// relies on. Returns where it stands.
///
/// # Errors
/// When the journal cannot be read, or something cannot be stored, in words.
pub fn save_by_following(
    reader: &mut dyn Reader,
    saver: &mut dyn SnapshotSaver,
    shelf: &Shelf,
    memory_max: usize,
) -> Result<Seq, String> {
    let fleet = shelf.fleet();
    let begun = Begun::read(reader, fleet, memory_max).map_err(|error| chain(&error))?;
    let mut left = Left {
        after: begun.let_go(),
        evicted: VecDeque::new(),
    };
    let mut gather = |evicted| {
        left.evicted.push_back(evicted);
        if left.evicted.len() >= GATHERED_MAX {
            left.drop_covered(shelf);
        }
    };
    let recovered = begun.replay(reader, fleet, &mut gather);
    let state = recovered.map_err(|error| chain(&error))?.state;
    left.drop_covered(shelf);
    if !left.evicted.is_empty() {
        let mut chunk = Chunk::with_room(left.evicted.len(), left.after);
        left.evicted
            .into_iter()
            .for_each(|evicted| chunk.push(evicted));
        shelf.store(&chunk).map_err(|error| chain(&error))?;
    }
    // By what the runs themselves say, whoever stored them.
    let since = state.remembered_since(state.now());
    let until = Mark::behind(state.evicted_last());
    if let Some((Mark(after, _), Mark(until, _))) = shelf.gap(since, until) {
        let (after, until) = (after.0, until.0);
        return Err(format!(
            "answers given between {after} and {until} are not stored"
        ));
    }
    let seq = save(saver, fleet, &state)?;
    shelf.set_covered(seq);
    Ok(seq)
}

/// Answers that are not known to be stored.
struct Left {
    /// Behind which they were let go.
    after: Mark,
    evicted: VecDeque<Evicted>,
}

impl Left {
    /// Leaves out what the writer's own chunks have brought to disk already.
    fn drop_covered(&mut self, shelf: &Shelf) {
        let covered = shelf.covered();
        while let Some(first) = self.evicted.front()
            && first.seq <= covered
        {
            self.after = Mark::of(first);
            self.evicted.pop_front();
        }
    }
}

/// Saves a state whose every record is durable, and on whose answers the caller can rely.
///
/// # Errors
/// When it cannot be saved, in words.
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
pub(crate) fn retain(
    scribe: &Arc<Scribe>,
    fleet: &FleetKey,
    snapshot: Seq,
    keep_events: Option<u64>,
) {
    if let Some(keep) = keep_events
        && snapshot.0 > keep
    {
        scribe.prune(fleet.clone(), Seq(snapshot.0 - keep));
    }
}
