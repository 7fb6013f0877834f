//! The runs of one fleet: what is stored, looked up, merged and dropped.
//!
//! Runs of one level are merged eight at a time, so that a fleet with n answers has at most 7 runs on each of
//! log8(n / 65,536) + 1 levels, and each answer is written once on each.
use super::chunk::Chunk;
use super::draft::{About, Draft, FORMAT};
use super::merge::{Terms, merge};
use super::place::Place;
use super::run::{Line, Run};
use super::spans::{Mark, Spans};
use fleet_core::{Key, Remembered};
use fleet_journal::{Error, FleetKey};
use fleet_types::{Seq, Time};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Runs of one level that become one of the next.
const MERGED: usize = 8;
/// Runs past this are not made: their filter would take 750 MB.
const COUNT_MAX: u64 = 500_000_000;

/// Runs, newest last.
pub type Runs = Arc<Vec<Arc<Run>>>;

/// The stored answers of one fleet.
pub struct Shelf {
    fleet: FleetKey,
    place: Box<dyn Place>,
    runs: Mutex<Runs>,
    next_number: AtomicU64,
    /// Answers that were given before this are forgotten.
    since: AtomicU64,
    progress: Mutex<Progress>,
    moved: Condvar,
}

#[derive(Default)]
struct Progress {
    covered: Seq,
    /// What was let go up to this and is missing was told of.
    forgiven: Mark,
    /// Why the last attempt to store failed, if it did. It may be long ago: what failed may not be wanted any more.
    failing: Option<String>,
    /// Attempts that failed.
    failures: u64,
    /// Whether the keeper stores nothing any more.
    given_up: bool,
}

impl Progress {
    /// Why nothing was stored at the last attempt, or will be at all.
    fn why(&self) -> Option<String> {
        let given_up = || "the thread that stores answers has ended".to_owned();
        let failing = self.failing.clone();
        failing.or_else(|| self.given_up.then(given_up))
    }
}

fn numbers(runs: &[Arc<Run>]) -> Vec<u64> {
    runs.iter().map(|run| run.number).collect()
}

/// What these answer for.
fn spans(runs: &[Arc<Run>]) -> Spans {
    let spans: Vec<Spans> = runs.iter().map(|run| run.spans()).collect();
    Spans::union(&spans)
}

impl Shelf {
    /// Opens the runs of a fleet.
    ///
    /// # Errors
    /// When one cannot be read or is damaged: to go on without it would be to forget what was promised.
    pub fn open(fleet: FleetKey, place: Box<dyn Place>) -> Result<Shelf, Error> {
        let numbers = place.numbers()?;
        let mut runs = Vec::with_capacity(numbers.len());
        for number in &numbers {
            let run = Run::open(place.as_ref(), *number)?;
            if run.meta.fleet != fleet.as_str() || run.meta.run != FORMAT {
                let path = place.name(*number);
                let (of, format) = (&run.meta.fleet, run.meta.run);
                let why = format!("it holds answers of {of} in format {format}");
                return Err(Error::Foreign { path, why });
            }
            runs.push(Arc::new(run));
        }
        Ok(Shelf {
            fleet,
            place,
            runs: Mutex::new(Arc::new(runs)),
            next_number: AtomicU64::new(numbers.last().map_or(1, |last| last + 1)),
            since: AtomicU64::new(0),
            progress: Mutex::default(),
            moved: Condvar::new(),
        })
    }

    /// Reads all that is stored.
    ///
    /// # Errors
    /// When something of it cannot be read, is not what was written, or would not be found.
    pub fn verify(&self) -> Result<(), Error> {
        self.runs().iter().try_for_each(|run| run.verify())
    }

    /// Whose answers these are.
    pub fn fleet(&self) -> &FleetKey {
        &self.fleet
    }

    /// The runs that can be looked at now.
    pub fn runs(&self) -> Runs {
        self.lock_runs().clone()
    }

    /// The newest stored answer under a key.
    ///
    /// # Errors
    /// When a run that may have it cannot be read.
    pub fn find(runs: &Runs, hash: u64, key: Key<'_>) -> Result<Option<Remembered>, Error> {
        let mut newest: Option<Remembered> = None;
        for run in runs.iter() {
            if let Some(entry) = run.find(hash, key)?
                && newest.as_ref().is_none_or(|n| n.at() <= entry.at())
            {
                newest = Some(entry);
            }
        }
        Ok(newest)
    }

    /// Stores a chunk as a run, durably, and shows it. Chunks must come in the order of the records.
    ///
    /// # Errors
    /// When it cannot be written; nothing has changed then.
    pub fn store(&self, chunk: &Chunk) -> Result<(), Error> {
        let stored = self.store_run(chunk);
        let mut progress = self.lock_progress();
        match &stored {
            Ok(()) => {
                // The same record may have let go of some in the next chunk.
                let covered = Seq(chunk.seq_last().0.saturating_sub(1));
                progress.covered = progress.covered.max(covered);
                if progress.failing.take().is_some() {
                    tracing::info!(fleet = %self.fleet, "answers are stored again");
                }
                chunk.set_stored();
            }
            Err(error) => {
                let why = error.chain();
                if progress.failing.is_none() {
                    tracing::error!(fleet = %self.fleet, %why, "failed to store answers; trying again");
                }
                progress.failing = Some(why);
                progress.failures += 1;
            }
        }
        drop(progress);
        self.moved.notify_all();
        stored
    }

    fn store_run(&self, chunk: &Chunk) -> Result<(), Error> {
        let lines = chunk.sorted();
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        self.place.write(number, &mut |out| {
            let about = About {
                fleet: &self.fleet,
                level: 0,
                seq_last: chunk.seq_last(),
                spans: chunk.spans(),
                count_max: lines.len() as u64,
            };
            let mut draft = Draft::begin(out, about)?;
            for (hash, entry) in &lines {
                let text = serde_json::to_vec(entry)?;
                let (hash, at, text) = (*hash, entry.at(), &text[..]);
                draft.put(&Line { hash, at, text })?;
            }
            draft.finish()
        })?;
        self.replace(&[], Some(number))
    }

    /// Drops what is too old and merges what is many. Returns whether there may be more to do.
    ///
    /// # Errors
    /// When it cannot be done; what was stored is still there.
    pub fn tidy(&self, stop: &dyn Fn() -> bool) -> Result<bool, Error> {
        let since = Time(self.since.load(Ordering::Relaxed));
        let runs = self.runs();
        if self.forget(&runs, since)? {
            return Ok(true);
        }
        let mut levels: BTreeMap<u32, Vec<Arc<Run>>> = BTreeMap::new();
        for run in runs.iter().filter(|run| run.meta.count > 0) {
            levels.entry(run.meta.level).or_default().push(run.clone());
        }
        for (level, runs) in levels {
            let count: u64 = runs.iter().take(MERGED).map(|run| run.meta.count).sum();
            if runs.len() < MERGED || count > COUNT_MAX {
                continue;
            }
            let keep = |at: Time, _: &[u8]| at >= since;
            let seq_last = runs.iter().map(|run| run.meta.seq_last).max();
            let terms = Terms {
                level: level + 1,
                seq_last: seq_last.unwrap_or_default(),
                spans: spans(&runs[..MERGED]),
                keep: &keep,
                stop,
            };
            return self.merge(&runs[..MERGED], &terms).map(|()| true);
        }
        Ok(false)
    }

    /// Drops runs in which all is too old. An empty one stays for all of them and says which time they answered for, or a
    /// later start would miss them.
    fn forget(&self, runs: &Runs, since: Time) -> Result<bool, Error> {
        let old = runs.iter().filter(|run| run.meta.at_last < since);
        let old: Vec<Arc<Run>> = old.cloned().collect();
        if old.iter().all(|run| run.meta.count == 0) {
            return Ok(false);
        }
        let seq_last = old.iter().map(|run| run.meta.seq_last).max();
        let terms = Terms {
            level: 0,
            seq_last: seq_last.unwrap_or_default(),
            spans: spans(&old),
            keep: &|_, _| false,
            stop: &|| false,
        };
        if self.write_merged(&[], &old, &terms).is_err() {
            // Mostly there is no room for it, and they make some. A start that misses them looks in the journal.
            self.replace(&numbers(&old), None)?;
        }
        Ok(true)
    }

    /// Takes out what tells of records past the journal's end and of times past its last: they were lost when an older journal was put in place.
    ///
    /// # Errors
    /// When it cannot be done: then nothing may be answered from here.
    pub fn cut(&self, end: Seq, now: Time) -> Result<(), Error> {
        for run in self.runs().iter().filter(|run| run.meta.seq_last > end) {
            let name = self.place.name(run.number);
            tracing::warn!(fleet = %self.fleet, end = end.0, run = %name.display(), "answers are newer than the journal; leaving out what it does not have");
            let keep = |_: Time, text: &[u8]| {
                let entry: Result<Remembered, _> = serde_json::from_slice(text);
                entry.is_ok_and(|entry| entry.seq() <= end)
            };
            let terms = Terms {
                level: run.meta.level,
                seq_last: end,
                spans: run.spans().up_to(Mark::at_end_of(now)),
                keep: &keep,
                stop: &|| false,
            };
            self.merge(std::slice::from_ref(run), &terms)?;
        }
        Ok(())
    }

    fn merge(&self, runs: &[Arc<Run>], terms: &Terms<'_>) -> Result<(), Error> {
        self.write_merged(runs, runs, terms)
    }

    /// Writes a run of what is in some, in place of others.
    fn write_merged(
        &self,
        of: &[Arc<Run>],
        gone: &[Arc<Run>],
        terms: &Terms<'_>,
    ) -> Result<(), Error> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let write = &mut |out: &mut dyn std::io::Write| merge(of, terms, &self.fleet, out);
        self.place.write(number, write)?;
        self.replace(&numbers(gone), Some(number))
    }

    /// Shows a new run and drops others, in one step for whoever looks. A crash in between leaves both, which is harmless.
    fn replace(&self, gone: &[u64], new: Option<u64>) -> Result<(), Error> {
        let new = new.map(|number| Run::open(self.place.as_ref(), number));
        let new = new.transpose()?;
        {
            let mut runs = self.lock_runs();
            let left = runs.iter().filter(|run| !gone.contains(&run.number));
            *runs = Arc::new(left.cloned().chain(new.map(Arc::new)).collect());
        }
        for number in gone {
            self.place.remove(*number)?;
        }
        Ok(())
    }

    /// Answers that were given before this are forgotten: a durable record says so. The last call counts, as a fleet's
    /// memory may be made longer.
    pub fn forget_before(&self, since: Time) {
        self.since.store(since.0, Ordering::Relaxed);
    }

    /// Everything that records up to this one made memory let go is stored.
    pub fn covered(&self) -> Seq {
        self.lock_progress().covered
    }

    /// Everything that records up to this one made memory let go is known to be stored, as below a snapshot.
    pub fn set_covered(&self, seq: Seq) {
        let mut progress = self.lock_progress();
        progress.covered = progress.covered.max(seq);
    }

    /// The first span whose answers are missing, of those that are remembered since and were let go until.
    pub fn gap(&self, since: Time, until: Mark) -> Option<(Mark, Mark)> {
        let forgiven = self.lock_progress().forgiven;
        spans(&self.runs()).gap(forgiven.max(Mark::before(since)), until)
    }

    /// What was let go up to this is not missed any more.
    pub fn forgive(&self, until: Mark) {
        let mut progress = self.lock_progress();
        progress.forgiven = progress.forgiven.max(until);
    }

    /// Waits until a chunk, which somebody else must be storing, is stored or an attempt from now on fails; says why.
    pub fn wait_for(&self, chunk: &Chunk) -> Result<(), String> {
        let progress = self.lock_progress();
        let before = progress.failures;
        let has_failed = |progress: &Progress| progress.given_up || progress.failures > before;
        let busy = |progress: &mut Progress| !chunk.is_stored() && !has_failed(progress);
        let progress = self.moved.wait_while(progress, busy);
        let progress = progress.unwrap_or_else(PoisonError::into_inner);
        match chunk.is_stored() {
            true => Ok(()),
            false => Err(progress.why().unwrap_or_default()),
        }
    }

    /// The keeper stores nothing any more: nobody need wait for it.
    pub fn give_up(&self) {
        self.lock_progress().given_up = true;
        self.moved.notify_all();
    }

    /// Why the last attempt to store failed, if it did.
    pub fn failing(&self) -> Option<String> {
        self.lock_progress().why()
    }

    fn lock_runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
