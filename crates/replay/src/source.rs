//! Where records come from: a journal that is only read, in portions, decoded by a thread of its own.
use crate::error::Error;
use fleet_core::State;
use fleet_journal::{FleetKey, Reader};
use fleet_runtime::SNAPSHOT_FORMAT;
use fleet_types::{Record, Seq, Time};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// Batches read at once, at most.
const BATCHES_PER_READ: usize = 256;
/// Records that a portion has, about: what waits then fits the processor's cache, and bounds the memory of a replay.
const RECORDS_PER_READ: usize = 4_096;
/// Portions that wait to be decided.
const PORTIONS_AHEAD: usize = 4;

/// Gives records in the order of a journal.
pub trait Source {
    /// A state from which everything at or after `at` can be decided anew: not later than it.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    fn begin(&mut self, at: Time) -> Result<State, Error>;

    /// The next records after the state that `begin` gave; none at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    fn portion(&mut self) -> Result<Option<Vec<Record>>, Error>;

    /// Up to where it will go.
    fn end(&self) -> Seq;
}

/// Records of one fleet's journal, up to where it ended when this was opened.
pub struct Journal {
    fleet: FleetKey,
    reader: Option<Box<dyn Reader>>,
    end: Seq,
    portions: Option<Receiver<Result<Vec<Record>, Error>>>,
    decoder: Option<JoinHandle<()>>,
}

impl Journal {
    /// Looks for the fleet.
    ///
    /// # Errors
    /// When there is none of that name, or the journal cannot be read.
    pub fn open(mut reader: Box<dyn Reader>, fleet: FleetKey) -> Result<Journal, Error> {
        let head = reader
            .head(&fleet)
            .map_err(|source| journal(&fleet, source))?;
        let Some(head) = head else {
            let known = reader.fleets().map_err(|source| journal(&fleet, source))?;
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            return Err(Error::NoFleet {
                fleet,
                known: known.join(", "),
            });
        };
        Ok(Journal {
            fleet,
            reader: Some(reader),
            end: Seq(head.last_seq),
            portions: None,
            decoder: None,
        })
    }

    /// The newest kept state that is not later, or that of an empty fleet.
    fn state(&self, reader: &mut dyn Reader, at: Time) -> Result<State, Error> {
        let failed = |source| journal(&self.fleet, source);
        let mut oldest = None;
        for seq in reader
            .snapshots(&self.fleet)
            .map_err(failed)?
            .into_iter()
            .rev()
        {
            // A damaged one is passed over: the one before leads to the same state.
            let Ok(Some(snapshot)) = reader.open_snapshot(&self.fleet, seq) else {
                continue;
            };
            if snapshot.format != SNAPSHOT_FORMAT {
                continue;
            }
            let state = State::from_snapshot(&snapshot.body).map_err(|source| Error::Decode {
                fleet: self.fleet.clone(),
                what: format!("the snapshot at {seq}"),
                source,
            })?;
            if state.now() <= at {
                return Ok(state);
            }
            oldest = Some(state);
        }
        let anchor = reader.anchor(&self.fleet).map_err(failed)?;
        match oldest {
            Some(oldest) if anchor.seq > 0 && at == Time::ZERO => Ok(oldest),
            Some(oldest) if anchor.seq > 0 => Err(Error::TooEarly {
                from: at,
                oldest: oldest.now(),
            }),
            // Without one, the first batch that is read says that it was pruned.
            Some(_) | None => Ok(State::default()),
        }
    }
}

impl Source for Journal {
    fn begin(&mut self, at: Time) -> Result<State, Error> {
        let mut reader = self.reader.take().ok_or_else(|| {
            Error::Source("begin twice: open the journal again for another replay".to_owned())
        })?;
        let state = self.state(reader.as_mut(), at)?;
        let (send, portions) = sync_channel(PORTIONS_AHEAD);
        let (fleet, end, mut from) = (self.fleet.clone(), self.end, state.seq().0 + 1);
        self.portions = Some(portions);
        self.decoder = Some(std::thread::spawn(move || {
            let mut batches = 1;
            while from <= end.0 {
                let portion = read(reader.as_mut(), &fleet, from, batches);
                if let Ok(records) = &portion {
                    batches = batches * RECORDS_PER_READ / records.len().max(1);
                    batches = batches.clamp(1, BATCHES_PER_READ);
                    match records.last() {
                        Some(last) => from = last.seq.0 + 1,
                        None => return,
                    }
                }
                let is_over = portion.is_err();
                // Who replays has heard enough, or the journal is damaged: nothing of it is to be believed.
                if send.send(portion).is_err() || is_over {
                    return;
                }
            }
        }));
        Ok(state)
    }

    fn portion(&mut self) -> Result<Option<Vec<Record>>, Error> {
        match self.portions.as_ref().map(Receiver::recv) {
            Some(Ok(portion)) => portion.map(Some),
            // The decoder is done.
            Some(Err(_)) | None => Ok(None),
        }
    }

    fn end(&self) -> Seq {
        self.end
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.portions = None; // So that the decoder does not wait.
        if let Some(decoder) = self.decoder.take() {
            let _ = decoder.join();
        }
    }
}

/// The records of the next so many batches, from this one on.
fn read(
    reader: &mut dyn Reader,
    fleet: &FleetKey,
    from: u64,
    batches: usize,
) -> Result<Vec<Record>, Error> {
    let batches = reader.read(fleet, from, batches);
    let batches = batches.map_err(|source| journal(fleet, source))?;
    let mut all = Vec::new();
    for batch in batches {
        let records: Vec<Record> =
            serde_json::from_slice(&batch.events).map_err(|source| Error::Decode {
                fleet: fleet.clone(),
                what: format!("batch {}–{}", batch.first_seq, batch.last_seq),
                source,
            })?;
        all.extend(records.into_iter().filter(|record| record.seq.0 >= from));
    }
    Ok(all)
}

fn journal(fleet: &FleetKey, source: fleet_journal::Error) -> Error {
    Error::Journal {
        fleet: fleet.clone(),
        source: Box::new(source),
    }
}

/// Records that lie in memory, of a fleet from its first event on.
impl Source for std::vec::IntoIter<Record> {
    fn begin(&mut self, _: Time) -> Result<State, Error> {
        Ok(State::default())
    }

    fn portion(&mut self) -> Result<Option<Vec<Record>>, Error> {
        let portion: Vec<Record> = self.by_ref().take(1_000).collect();
        Ok((!portion.is_empty()).then_some(portion))
    }

    fn end(&self) -> Seq {
        self.as_slice().last().map_or(Seq(0), |last| last.seq)
    }
}
