//! From the journal back to a state: the newest sound snapshot, then every batch after it.
use crate::recall::Recall;
use fleet_core::{Evicted, Eviction, MEMORY_MAX, State, apply_record};
use fleet_journal::{FleetKey, Reader};
use fleet_types::{Epoch, Record, Seq};

/// Format of the snapshots this build writes and reads.
pub const SNAPSHOT_FORMAT: u32 = 2;
/// Batches read from the store at once.
const BATCHES_PER_READ: usize = 256;

/// Why a fleet cannot be recovered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal cannot be read or is damaged.
    #[error("read the journal of {fleet}")]
    Journal {
        /// Whose.
        fleet: FleetKey,
        /// Why.
        source: Box<fleet_journal::Error>,
    },
    /// A batch or snapshot is sound but its content is not of a format that this build reads.
    #[error("decode {what} of {fleet}; was it written by a newer build?")]
    Decode {
        /// Whose.
        fleet: FleetKey,
        /// Which.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The snapshot is of another format.
    #[error("read the snapshot of {fleet}: its format {format} is not the one this build reads")]
    Format {
        /// Whose.
        fleet: FleetKey,
        /// Which.
        format: u32,
    },
}

/// A state as of the end of its journal.
pub struct Recovered {
    /// The state.
    pub state: State,
    /// The epoch for the next writer: above every earlier one.
    pub epoch: Epoch,
    /// Where the snapshot stood, or 0.
    pub snapshot: Seq,
    /// Records applied after it.
    pub replayed: u64,
    /// The last answer that memory had let go when the snapshot was made.
    pub evicted_last: Option<Eviction>,
    /// Whether stored answers are missing that the snapshot relies on; the log says so too.
    pub missing: bool,
}

/// Builds the state of a fleet from its journal.
///
/// # Errors
/// When the journal is damaged or cannot be read: then nothing may be served from it.
pub fn recover(reader: &mut dyn Reader, fleet: &FleetKey) -> Result<Recovered, Error> {
    recover_with(reader, fleet, MEMORY_MAX, &mut drop)
}

/// As [`recover`]; what memory let go since the snapshot is pending again.
///
/// # Errors
/// As [`recover`].
pub fn recover_into(
    reader: &mut dyn Reader,
    fleet: &FleetKey,
    recall: &mut Recall,
) -> Result<Recovered, Error> {
    let memory_max = recall.memory_max();
    // As they were: the replay stores newer ones, which do not stand for those.
    let stored = recall.shelf().runs();
    let evicted = &mut |evicted| recall.push_replayed(evicted);
    let mut recovered = recover_with(reader, fleet, memory_max, evicted)?;
    let state = &recovered.state;
    let since = state.remembered_since(state.now());
    recovered.missing = !recall.check(&stored, recovered.evicted_last, since);
    recall.shelf().set_covered(recovered.snapshot);
    recall.tend(recovered.state.seq());
    Ok(recovered)
}

/// As [`recover`], with so many answers in memory; `evicted` is told what memory lets go after the snapshot.
///
/// # Errors
/// As [`recover`].
pub fn recover_with(
    reader: &mut dyn Reader,
    fleet: &FleetKey,
    memory_max: usize,
    evicted: &mut dyn FnMut(Evicted),
) -> Result<Recovered, Error> {
    let journal = |source| Error::Journal {
        fleet: fleet.clone(),
        source: Box::new(source),
    };
    let head = reader.head(fleet).map_err(journal)?;
    let mut state = State::default();
    let mut snapshot_seq = Seq(0);
    if let Some(snapshot) = reader.latest_snapshot(fleet).map_err(journal)? {
        if snapshot.format != SNAPSHOT_FORMAT {
            return Err(Error::Format {
                fleet: fleet.clone(),
                format: snapshot.format,
            });
        }
        state = State::from_snapshot(&snapshot.body).map_err(|source| Error::Decode {
            fleet: fleet.clone(),
            what: format!("the snapshot at {}", snapshot.seq),
            source,
        })?;
        snapshot_seq = Seq(snapshot.seq);
    }
    let evicted_last = state.evicted_last();
    state.set_memory_max(memory_max);
    let mut replayed = 0;
    while head.is_some_and(|head| state.seq().0 < head.last_seq) {
        replayed += follow(reader, fleet, &mut state, evicted)?;
    }
    Ok(Recovered {
        state,
        epoch: Epoch(head.map_or(0, |head| head.epoch) + 1),
        snapshot: snapshot_seq,
        replayed,
        evicted_last,
        missing: false,
    })
}

/// Applies the next batches to a state; returns how many records there were.
fn follow(
    reader: &mut dyn Reader,
    fleet: &FleetKey,
    state: &mut State,
    evicted: &mut dyn FnMut(Evicted),
) -> Result<u64, Error> {
    let from = state.seq().0 + 1;
    let batches = reader.read(fleet, from, BATCHES_PER_READ);
    let batches = batches.map_err(|source| Error::Journal {
        fleet: fleet.clone(),
        source: Box::new(source),
    })?;
    let mut count = 0;
    for batch in batches {
        let records: Vec<Record> =
            serde_json::from_slice(&batch.events).map_err(|source| Error::Decode {
                fleet: fleet.clone(),
                what: format!("batch {}–{}", batch.first_seq, batch.last_seq),
                source,
            })?;
        for record in &records {
            if record.seq > state.seq() {
                apply_record(state, record);
                state.drain_evicted().for_each(&mut *evicted);
                count += 1;
            }
        }
    }
    Ok(count)
}
