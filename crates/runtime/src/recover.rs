//! From the journal back to a state: the newest sound snapshot, then every batch after it.
use crate::recall::Recall;
use crate::recall::spans::Mark;
use fleet_core::{Evicted, MEMORY_MAX, State, apply_record};
use fleet_journal::{FleetKey, Head, Reader};
use fleet_types::{Epoch, Record, Seq, Time};

/// Format of the snapshots this build writes and reads.
pub const SNAPSHOT_FORMAT: u32 = 4;
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
    /// Answers are missing that the journal has, and there is no room for them.
    #[error("store the missing answers of {fleet} again: {why}")]
    Answers {
        /// Whose.
        fleet: FleetKey,
        /// Why.
        why: String,
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
    /// Whether the stored answers are there that the snapshot relies on.
    pub stored: Stored,
}

/// How the answers are found that a snapshot relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// All are there.
    Whole,
    /// Some were missing, and were taken from the journal again.
    Restored,
    /// Some are missing, and the journal has them no longer. The log says which.
    Missing,
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
/// As [`recover`]; and when stored answers are missing and there is no room to store them again.
pub fn recover_into(
    reader: &mut dyn Reader,
    fleet: &FleetKey,
    recall: &mut Recall,
) -> Result<Recovered, Error> {
    let begun = Begun::read(reader, fleet, recall.memory_max())?;
    let stored = find_stored(reader, fleet, &begun, recall)?;
    recall.go_on_after(begun.let_go());
    let evicted = &mut |evicted| recall.push_replayed(evicted);
    let mut recovered = begun.replay(reader, fleet, evicted)?;
    recovered.stored = stored;
    recall.shelf().set_covered(recovered.snapshot);
    recall.tend(recovered.state.seq());
    Ok(recovered)
}

/// Looks whether the answers are there that the snapshot relies on, and in the journal for those that are not.
fn find_stored(
    reader: &mut dyn Reader,
    fleet: &FleetKey,
    begun: &Begun,
    recall: &mut Recall,
) -> Result<Stored, Error> {
    let (since, until) = (begun.remembered_since(), begun.let_go());
    let Some((Mark(after, _), Mark(given_until, _))) = recall.shelf().gap(since, until) else {
        return Ok(Stored::Whole);
    };
    let (after, given_until) = (after.0, given_until.0);
    let anchor = reader
        .anchor(fleet)
        .map_err(|source| journal(fleet, source))?;
    if anchor.seq == 0 {
        tracing::warn!(%fleet, after, until = given_until, "stored answers are missing; looking for them in the journal");
        refill(reader, fleet, begun.snapshot, since, recall)?;
        if recall.shelf().gap(since, until).is_none() {
            tracing::info!(%fleet, "the missing answers are stored again");
            return Ok(Stored::Restored);
        }
    }
    tracing::error!(
        %fleet, after, until = given_until,
        "stored answers are missing: request ids answered between these times are forgotten, a repeat of one is a new request"
    );
    recall.shelf().forgive(until);
    Ok(Stored::Missing)
}

/// Stores what was answered since and up to a place in the journal. Memory keeps none here, so that all come that the
/// snapshot's memory, whatever its size was, had let go.
fn refill(
    reader: &mut dyn Reader,
    fleet: &FleetKey,
    upto: Seq,
    since: Time,
    recall: &mut Recall,
) -> Result<(), Error> {
    let mut state = State::default();
    state.set_memory_max(0);
    let push = |recall: &mut Recall, evicted: Evicted| {
        if evicted.entry.at() >= since {
            recall.push_replayed(evicted);
        }
    };
    let mut more = true;
    while more && state.seq() < upto {
        more = follow(reader, fleet, &mut state, &mut |evicted| {
            push(recall, evicted)
        })? > 0;
        more &= recall.is_full().is_none(); // The disk takes them no longer.
    }
    // Without room for them the fleet waits until there is some: to serve it would be to forget what can be found.
    recall.flush().map_err(|why| Error::Answers {
        fleet: fleet.clone(),
        why,
    })
}

fn journal(fleet: &FleetKey, source: fleet_journal::Error) -> Error {
    Error::Journal {
        fleet: fleet.clone(),
        source: Box::new(source),
    }
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
    Begun::read(reader, fleet, memory_max)?.replay(reader, fleet, evicted)
}

/// A recovery before its replay.
pub(crate) struct Begun {
    state: State,
    /// Where the snapshot stands, or 0.
    snapshot: Seq,
    head: Option<Head>,
}

impl Begun {
    /// Reads the newest sound snapshot.
    pub(crate) fn read(
        reader: &mut dyn Reader,
        fleet: &FleetKey,
        memory_max: usize,
    ) -> Result<Begun, Error> {
        let head = reader
            .head(fleet)
            .map_err(|source| journal(fleet, source))?;
        let snapshot = reader.latest_snapshot(fleet);
        let snapshot = snapshot.map_err(|source| journal(fleet, source))?;
        let mut state = match &snapshot {
            None => State::default(),
            Some(snapshot) if snapshot.format != SNAPSHOT_FORMAT => {
                return Err(Error::Format {
                    fleet: fleet.clone(),
                    format: snapshot.format,
                });
            }
            Some(snapshot) => {
                State::from_snapshot(&snapshot.body).map_err(|source| Error::Decode {
                    fleet: fleet.clone(),
                    what: format!("the snapshot at {}", snapshot.seq),
                    source,
                })?
            }
        };
        state.set_memory_max(memory_max);
        Ok(Begun {
            state,
            snapshot: Seq(snapshot.map_or(0, |snapshot| snapshot.seq)),
            head,
        })
    }

    /// Behind which memory lets go what comes next.
    pub(crate) fn let_go(&self) -> Mark {
        Mark::behind(self.state.evicted_last())
    }

    /// What was answered earlier is forgotten at the journal's end.
    fn remembered_since(&self) -> Time {
        let end = self.head.map_or(Time(0), |head| Time(head.at));
        self.state.remembered_since(end.max(self.state.now()))
    }

    /// Applies every batch after it; `evicted` is told what memory lets go.
    pub(crate) fn replay(
        self,
        reader: &mut dyn Reader,
        fleet: &FleetKey,
        evicted: &mut dyn FnMut(Evicted),
    ) -> Result<Recovered, Error> {
        let Begun {
            mut state,
            snapshot,
            head,
        } = self;
        let mut replayed = 0;
        while head.is_some_and(|head| state.seq().0 < head.last_seq) {
            replayed += follow(reader, fleet, &mut state, evicted)?;
        }
        Ok(Recovered {
            state,
            epoch: Epoch(head.map_or(0, |head| head.epoch) + 1),
            snapshot,
            replayed,
            stored: Stored::Whole,
        })
    }
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
    let batches = batches.map_err(|source| journal(fleet, source))?;
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
