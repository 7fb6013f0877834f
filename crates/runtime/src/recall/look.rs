//! What is stored of a fleet's answers, for whoever looks from outside. Changes nothing, and may be done while a server
//! writes and merges.
use super::place::{Directory, Place};
use super::run::Run;
use super::spans::Spans;
use fleet_journal::{Error, FleetKey};
use fleet_types::Time;
use std::path::Path;

/// A server that merges at the same time takes files away, and a list of files is not of one instant: then it is looked anew.
const ATTEMPTS: usize = 5;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Files.
    pub runs: u64,
    /// Answers in them, some of them twice.
    pub answers: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Answers that were given in this time are missing, between others that are there.
    pub gap: Option<(Time, Time)>,
}

/// Reads all answers of a fleet, below the directory of its journal.
///
/// # Errors
/// When something cannot be read, or is not what was written.
pub fn look(journal: &Path, fleet: &FleetKey) -> Result<Look, Error> {
    let place = Directory::of(journal, fleet);
    let mut looked = read(&place);
    for _ in 1..ATTEMPTS {
        let is_sure = match &looked {
            Ok(look) => look.gap.is_none(),
            Err(Error::Io { source, .. }) => source.kind() != std::io::ErrorKind::NotFound,
            Err(_) => true,
        };
        if is_sure {
            break;
        }
        looked = read(&place);
    }
    looked
}

fn read(place: &dyn Place) -> Result<Look, Error> {
    let mut look = Look::default();
    let mut spans = Vec::new();
    for number in place.numbers()? {
        let run = Run::open(place, number)?;
        run.verify()?;
        look.runs += 1;
        look.answers += run.meta.count;
        look.bytes += run.bytes();
        spans.push(run.spans());
    }
    look.gap = Spans::union(&spans).first_gap();
    Ok(look)
}
