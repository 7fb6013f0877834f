//! Several runs become one. Reads and writes in the order of the hashes, a block of each in memory.
use super::draft::{About, Draft};
use super::run::{Line, Run};
use super::spans::Spans;
use fleet_journal::Error;
use fleet_types::{Seq, Time};
use std::io::Write;
use std::sync::Arc;

/// How a merged run differs from those it is made of.
pub struct Terms<'a> {
    /// How often its answers were merged.
    pub level: u32,
    /// The last record that let one of them go.
    pub seq_last: Seq,
    /// What it answers for.
    pub spans: Spans,
    /// Answers for which this says no are left out: when they were given, and their text.
    pub keep: &'a dyn Fn(Time, &[u8]) -> bool,
    /// Asked now and then; yes gives up.
    pub stop: &'a dyn Fn() -> bool,
}

/// Writes the lines of all runs into one. The same line twice is kept once.
///
/// # Errors
/// When one cannot be read or written, or it was asked to stop.
pub fn merge(
    runs: &[Arc<Run>],
    terms: &Terms<'_>,
    fleet: &fleet_journal::FleetKey,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let about = About {
        fleet,
        level: terms.level,
        seq_last: terms.seq_last,
        spans: terms.spans.clone(),
        count_max: runs.iter().map(|run| run.meta.count).sum(),
    };
    let mut draft = Draft::begin(out, about)?;
    let cursors = runs.iter().map(|run| Cursor::of(run));
    let mut cursors = cursors.collect::<Result<Vec<_>, _>>().map_err(other)?;
    let mut same: Vec<(Time, Vec<u8>)> = Vec::new();
    let mut turn = 0u32;
    while let Some(hash) = cursors.iter().filter_map(Cursor::hash).min() {
        turn = turn.wrapping_add(1);
        if turn.is_multiple_of(1 << 12) && (terms.stop)() {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        for cursor in &mut cursors {
            while cursor.hash() == Some(hash) {
                same.push(cursor.take().map_err(other)?);
            }
        }
        same.sort_unstable();
        same.dedup();
        for (at, text) in same.drain(..) {
            if (terms.keep)(at, &text) {
                draft.put(&Line {
                    hash,
                    at,
                    text: &text,
                })?;
            }
        }
    }
    draft.finish()
}

fn other(error: Error) -> std::io::Error {
    std::io::Error::other(error.chain())
}

/// A place in a run, going forward.
struct Cursor<'a> {
    run: &'a Run,
    /// The next block.
    block: usize,
    /// The lines of this one, last first.
    lines: Vec<(u64, Time, Vec<u8>)>,
}

impl<'a> Cursor<'a> {
    fn of(run: &'a Run) -> Result<Self, Error> {
        let mut cursor = Cursor {
            run,
            block: 0,
            lines: Vec::new(),
        };
        cursor.fill()?;
        Ok(cursor)
    }

    fn hash(&self) -> Option<u64> {
        self.lines.last().map(|(hash, _, _)| *hash)
    }

    fn take(&mut self) -> Result<(Time, Vec<u8>), Error> {
        let Some((_, at, text)) = self.lines.pop() else {
            unreachable!("a line was seen here")
        };
        self.fill()?;
        Ok((at, text))
    }

    fn fill(&mut self) -> Result<(), Error> {
        while self.lines.is_empty() && self.block < self.run.blocks() {
            let block = self.run.block(self.block)?;
            let failed = |fault| self.run.failed(fault);
            let texts = block.texts().map_err(failed)?;
            let lines = block.lines(&texts).map_err(failed)?;
            let lines = lines.into_iter().rev();
            self.lines = lines
                .map(|line| (line.hash, line.at, line.text.to_vec()))
                .collect();
            self.block += 1;
        }
        Ok(())
    }
}
