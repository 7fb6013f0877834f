//! A replay from its beginning to its report.
use crate::candidate::Candidate;
use crate::compare::Compare;
use crate::error::Error;
use crate::lane::Lane;
use crate::log::Log;
use crate::report::{Answer, Report};
use crate::source::Source;
use fleet_core::{State, apply_record};
use fleet_journal::FleetKey;
use fleet_types::{PermitId, Record, Seq, Time};
use std::sync::mpsc::{SyncSender, sync_channel};

/// Which part of the record, and how much is told of it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Requests from this time on are compared; the beginning of time: as far back as anything is kept.
    pub from: Time,
    /// Nothing after this time is looked at.
    pub to: Time,
    /// Changes that are listed; all are counted.
    pub changes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            from: Time::ZERO,
            to: Time::MAX,
            changes_max: 20,
        }
    }
}

/// How far a replay is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The last record that was looked at.
    pub at: Seq,
    /// Where the record ends.
    pub end: Seq,
    /// Requests decided so far.
    pub requests: u64,
}

/// Decides a fleet's recorded requests anew. `progress` hears of each portion.
///
/// # Errors
/// When the record cannot be read, or the fleet would not take the candidate.
pub fn replay(
    source: &mut (dyn Source + Send),
    fleet: &FleetKey,
    candidate: &Candidate,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, Error> {
    // Rules remember: they are in force one longest span before the first request that is compared.
    let fork = Time(options.from.0.saturating_sub(candidate.memory().micros()));
    let mut state = source.begin(fork)?;
    let end = source.end();
    state.set_memory_max(0); // Each request is asked once, so nobody asks for an answer again.
    let mut log = Log::at(&state);
    let mut behind = Vec::new();
    while behind.is_empty()
        && let Some(portion) = source.portion()?
    {
        let split = portion.partition_point(|record| record.at < fork);
        for record in &portion[..split] {
            apply_record(&mut state, record);
            state.drain_evicted().for_each(drop);
            log.take(record);
        }
        behind = portion;
        behind.drain(..split);
        let at = state.seq();
        progress(Progress {
            at,
            end,
            requests: 0,
        });
    }
    let mut report = Report::new(fleet);
    report.rules = candidate.ids().into_iter().collect();
    report.without.clone_from(&candidate.without);
    report.from = options.from;
    report.forked_at = state.seq();
    report.last = state.seq();
    report.to = state.now();

    // Both from the same bytes, so that what is derived is derived alike.
    let snapshot = state.to_snapshot();
    drop(state);
    let copy = || -> Result<State, Error> {
        let mut state = State::from_snapshot(&snapshot).map_err(|source| Error::Decode {
            fleet: fleet.clone(),
            what: "the copy of its state".to_owned(),
            source,
        })?;
        state.set_memory_max(0);
        Ok(state)
    };
    let before = Baseline {
        lane: Lane::new(copy()?, None),
        log: log.clone(),
        source,
        to: options.to,
        behind,
        is_over: false,
    };
    let mut other = copy()?;
    drop(snapshot);
    let unseen = candidate.put_into(&mut other)?;
    let mut now = Now {
        lane: Lane::new(other, Some(candidate)),
        log,
        compare: Compare::new(report, options.changes_max),
        from: options.from,
        touched: Vec::new(),
    };
    now.lane.unseen = unseen;
    std::thread::scope(|scope| {
        let (send, portions) = sync_channel(PORTIONS_AHEAD);
        let baseline = scope.spawn(move || before.run(&send));
        for portion in portions {
            let portion: Portion = portion?;
            now.live(&portion);
            let report = &now.compare.report;
            progress(Progress {
                at: report.last,
                end,
                requests: report.requests,
            });
        }
        let before = baseline.join().expect("it breaks no invariant");
        if let Some(rule) = now.lane.unseen.pop_first() {
            return Err(Error::NoRule { rule });
        }
        let mut report = now.compare.finish();
        report.refused = before.refused;
        report.not_decided = before.not_decided;
        report.approvals_asked = now.lane.asked_for;
        report.approvals_asked_before = before.asked_for;
        report.extensions_not_asked = before.extensions_not_asked;
        Ok(report)
    })
}

/// Portions that the baseline may be ahead of the candidate.
const PORTIONS_AHEAD: usize = 2;

/// Records, cut where instants begin, and what the baseline said to them.
struct Portion {
    records: Vec<Record>,
    instants: Vec<Instant>,
    news: Vec<(PermitId, Answer)>,
}

/// One command's records have one time, and no two commands share it.
struct Instant {
    /// Where the next one's records begin.
    records_end: usize,
    /// Where the next one's news begin.
    news_end: usize,
    /// When the baseline wanted to be called next, before it.
    deadline: Option<Time>,
}

/// The rules as they were.
struct Baseline<'a> {
    lane: Lane<'a>,
    log: Log,
    source: &'a mut (dyn Source + Send),
    to: Time,
    /// Records of an instant that the next portion may go on with.
    behind: Vec<Record>,
    is_over: bool,
}

impl<'a> Baseline<'a> {
    /// Goes ahead of the candidate, until the record ends or nobody listens.
    fn run(mut self, send: &SyncSender<Result<Portion, Error>>) -> Lane<'a> {
        while !self.is_over {
            let portion = self.portion();
            self.is_over |= portion.is_err();
            if send.send(portion).is_err() {
                break; // The candidate is over: a bug of its own ends it.
            }
        }
        self.lane
    }

    fn portion(&mut self) -> Result<Portion, Error> {
        let mut records = std::mem::take(&mut self.behind);
        match self.source.portion()? {
            Some(more) => records.extend(more),
            None => self.is_over = true,
        }
        if let Some(late) = records.iter().position(|record| record.at > self.to) {
            records.truncate(late);
            self.is_over = true;
        }
        if !self.is_over {
            let last = records.last().map(|last| last.at);
            let whole = records.partition_point(|record| Some(record.at) < last);
            self.behind = records.split_off(whole);
        }
        let mut portion = Portion {
            records,
            instants: Vec::new(),
            news: Vec::new(),
        };
        for instant in portion.records.chunk_by(|one, next| one.at == next.at) {
            let deadline = self.lane.deadline();
            self.lane.live(instant, deadline, &mut self.log);
            portion.news.append(&mut self.lane.news);
            let begin = portion.instants.last().map_or(0, |last| last.records_end);
            portion.instants.push(Instant {
                records_end: begin + instant.len(),
                news_end: portion.news.len(),
                deadline,
            });
        }
        Ok(portion)
    }
}

/// The candidate's rules, and what they answer differently.
struct Now<'c> {
    lane: Lane<'c>,
    log: Log,
    compare: Compare,
    from: Time,
    touched: Vec<PermitId>,
}

impl Now<'_> {
    fn live(&mut self, portion: &Portion) {
        let (mut records_begin, mut news_begin) = (0, 0);
        for instant in &portion.instants {
            let records = &portion.records[records_begin..instant.records_end];
            let before = &portion.news[news_begin..instant.news_end];
            (records_begin, news_begin) = (instant.records_end, instant.news_end);
            self.lane.live(records, instant.deadline, &mut self.log);
            for record in records {
                if record.at >= self.from
                    && let (Some(before), Some(now)) =
                        (told(before, record), told(&self.lane.news, record))
                {
                    self.compare.asked(record, before, now);
                    self.touched.push(PermitId(record.seq));
                }
                self.compare.recorded(record, &mut self.touched);
            }
            self.compare.heard(before, &self.lane.news);
            let news = before.iter().chain(&self.lane.news);
            let touched = self.touched.drain(..);
            self.compare
                .close(touched.chain(news.map(|(permit, _)| *permit)));
            self.lane.news.clear();
        }
        if let Some(last) = portion.records.last() {
            self.compare.report.last = last.seq;
            self.compare.report.to = last.at;
        }
    }
}

/// What a lane said at once to the request that this record answers first.
fn told<'n>(news: &'n [(PermitId, Answer)], record: &Record) -> Option<&'n Answer> {
    let own = PermitId(record.seq);
    let mut first = news.iter().filter(|(permit, _)| *permit == own);
    first.next().map(|(_, answer)| answer)
}
