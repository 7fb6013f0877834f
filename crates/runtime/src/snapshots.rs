//! Snapshots bound the time of a restart. They are made by a follower that replays the journal, so that the writer
//! never stops for one; a graceful stop saves the writer's own state.
use crate::readers::Readers;
use crate::recover::{SNAPSHOT_FORMAT, recover};
use crate::scribe::Scribe;
use crate::service::chain;
use fleet_core::State;
use fleet_journal::{FleetKey, Snapshot, SnapshotSaver};
use fleet_types::Seq;
use std::sync::Arc;

/// Saves the state of a fleet as of its journal's end. Returns where it stands.
pub fn save_by_following(
    readers: &Readers,
    saver: &mut dyn SnapshotSaver,
    fleet: &FleetKey,
) -> Result<Seq, String> {
    let recovered = readers.lend(|reader| recover(reader, fleet));
    let recovered = recovered.map_err(|error| chain(&error))?;
    save(saver, fleet, &recovered.state)
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
