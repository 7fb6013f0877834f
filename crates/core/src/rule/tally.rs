//! What permits of one watch did to one thing: in flight, and done for as long as some rule's window is.
//!
//! The usual case, one permit at a time, lies in the tally itself; what is more lies apart.
use super::agents::AgentNumber;
use super::watch::{Fit, Keep, WatchKey};
use fleet_types::{Seq, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// Entries past which neighbours are put together, under the later time: such a sum falls later than it could, never
/// earlier.
pub const DONE_MAX: usize = if cfg!(test) { 8 } else { 4_096 };

/// Entries at which, and at each doubling, the oldest are looked at.
const LOOK_AT: usize = if cfg!(test) { 2 } else { 8 };

/// What permits of one watch did to one thing.
#[derive(Serialize, Deserialize)]
pub struct Tally {
    pub watch: WatchKey,
    /// What is in flight, if anything is: one of it. Derived from the permits that hold, as all that is in flight.
    #[serde(skip)]
    first: Option<Flight>,
    /// How many more there are of it.
    #[serde(skip)]
    others: u32,
    /// What was done last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Done>,
    /// How much is in flight or was done and is not forgotten: all that is within a window and maybe more. Derived.
    #[serde(skip)]
    used_micros: u128,
    #[serde(default, skip_serializing_if = "More::says_nothing")]
    more: Option<Box<More>>,
}

/// What most tallies have nothing of.
#[derive(Default, Serialize, Deserialize)]
struct More {
    /// What else is in flight, by its grant.
    #[serde(skip)]
    others: BTreeMap<Seq, Flight>,
    /// What was done before the last, oldest first.
    before: VecDeque<Done>,
}

/// A permit in flight.
#[derive(Clone, Copy, Debug)]
pub struct Flight {
    /// Where its grant stands in the journal.
    pub seq: Seq,
    /// How much, in millionths; one action is one where nothing is summed.
    pub micros: u64,
    pub agent: AgentNumber,
}

/// What was done at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub at: Time,
    /// Where its grant stands in the journal.
    pub seq: Seq,
    /// How much, in millionths; one action is one where nothing is summed.
    pub micros: u64,
    /// By whom, the last of them if several were put together.
    pub agent: AgentNumber,
    pub how: How,
}

/// How what was done ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Its holder said that it happened.
    Completed,
    /// Its holder said that it was tried in vain.
    Failed,
    /// Nobody said: it may have happened.
    Unknown,
}

impl More {
    #[allow(clippy::ref_option, reason = "serde's signature")]
    fn says_nothing(more: &Option<Box<More>>) -> bool {
        more.as_ref().is_none_or(|more| more.before.is_empty())
    }

    /// Drops what is older than the window; how much it was.
    fn forget(&mut self, now: Time, window: u64) -> u128 {
        let mut micros = 0;
        while let Some(done) = self
            .before
            .pop_front_if(|done| !done.is_within(now, window))
        {
            micros += u128::from(done.micros);
        }
        micros
    }
}

impl Tally {
    pub fn new(watch: WatchKey) -> Tally {
        Tally {
            watch,
            first: None,
            others: 0,
            last: None,
            used_micros: 0,
            more: None,
        }
    }

    /// After a snapshot was read: what was done is known, what is in flight begins again.
    pub fn rebuild(&mut self) {
        self.used_micros = sum(self.done());
    }

    pub fn begin(&mut self, flight: Flight) {
        self.used_micros += u128::from(flight.micros);
        if self.first.is_none() {
            self.first = Some(flight);
        } else {
            let more = self.more.get_or_insert_default();
            more.others.insert(flight.seq, flight);
            self.others += 1;
        }
    }

    /// It is in flight no more.
    pub fn end(&mut self, seq: Seq) -> Option<Flight> {
        let more = self.more.as_mut().filter(|_| self.others > 0);
        let others = more.map(|more| &mut more.others);
        let flight = if self.first.is_some_and(|first| first.seq == seq) {
            let next = others.and_then(BTreeMap::pop_first);
            self.others -= u32::from(next.is_some());
            std::mem::replace(&mut self.first, next.map(|(_, flight)| flight))
        } else {
            let flight = others.and_then(|others| others.remove(&seq));
            self.others -= u32::from(flight.is_some());
            flight
        }?;
        self.used_micros -= u128::from(flight.micros);
        Some(flight)
    }

    /// It was done.
    pub fn push(&mut self, done: Done, fit: &Fit) {
        self.used_micros += u128::from(done.micros);
        let Some(last) = self.last.replace(done) else {
            return;
        };
        // What some rule does not count hides nothing from it.
        let hides = |other: &Done| done.seq > fit.since && hides(done.how, other.how, fit);
        let is_hidden = |other: &Done| match fit.keep {
            Keep::All => false,
            Keep::LastOfEach => other.agent == done.agent && hides(other),
            Keep::Last => hides(other),
        };
        if fit.keep != Keep::All
            && let Some(more) = &mut self.more
        {
            let used = &mut self.used_micros;
            more.before.retain(|other| {
                *used -= u128::from(if is_hidden(other) { other.micros } else { 0 });
                !is_hidden(other)
            });
        }
        if is_hidden(&last) {
            self.used_micros -= u128::from(last.micros);
            return;
        }
        let more = self.more.get_or_insert_default();
        // To look at the oldest costs more than to keep it a little longer.
        if more.before.len() >= LOOK_AT && more.before.len().is_power_of_two() {
            self.used_micros -= more.forget(done.at, fit.window);
        }
        if more.before.len() >= DONE_MAX {
            self.used_micros -= put_together(&mut more.before, fit.since);
        }
        more.before.push_back(last);
    }

    /// All that is in flight, in no order.
    pub fn in_flight(&self) -> impl Iterator<Item = &Flight> {
        let others = self.more.iter().flat_map(|more| more.others.values());
        self.first.iter().chain(others)
    }

    /// All that was done and is not forgotten, oldest first.
    pub fn done(&self) -> impl DoubleEndedIterator<Item = &Done> {
        let before = self.more.iter().flat_map(|more| &more.before);
        before.chain(&self.last)
    }

    /// How much is in flight and was done, at most: found without looking at each.
    pub fn used_at_most(&self) -> u128 {
        self.used_micros
    }

    /// Whether nothing is in flight, and nothing was done within so many microseconds.
    pub fn rests(&self, now: Time, window: u64) -> bool {
        let last = self.last.as_ref();
        self.first.is_none() && last.is_none_or(|done| !done.is_within(now, window))
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.first.is_none() && self.last.is_none()
    }

    /// All agents that it names.
    pub fn agents(&self) -> impl Iterator<Item = AgentNumber> {
        let doing = self.in_flight().map(|flight| flight.agent);
        doing.chain(self.done().map(|done| done.agent))
    }

    /// Drops what is older than the window.
    pub fn forget(&mut self, now: Time, window: u64) {
        if let Some(more) = &mut self.more {
            self.used_micros -= more.forget(now, window);
        }
        if let Some(last) = self.last.take_if(|done| !done.is_within(now, window)) {
            self.used_micros -= u128::from(last.micros); // Those before it are over too.
        }
    }

    /// What was done counts no more.
    pub fn clear(&mut self) {
        self.used_micros -= sum(self.done());
        self.last = None;
        if let Some(more) = &mut self.more {
            more.before.clear();
        }
    }
}

/// What it says, however it came to be.
impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flights: BTreeMap<Seq, &Flight> = self.in_flight().map(|one| (one.seq, one)).collect();
        let done: Vec<&Done> = self.done().collect();
        let (watch, used) = (self.watch, self.used_micros);
        write!(f, "{watch} {:?} {used} {done:?}", flights.values())
    }
}

/// Whether what is later says all that is earlier does.
fn hides(later: How, earlier: How, fit: &Fit) -> bool {
    match (later, earlier) {
        (How::Completed, _) | (How::Unknown, How::Unknown | How::Failed) => true,
        (How::Unknown, How::Completed) => !fit.completes,
        (How::Failed, _) => false,
    }
}

fn sum<'d>(done: impl IntoIterator<Item = &'d Done>) -> u128 {
    done.into_iter().map(|done| u128::from(done.micros)).sum()
}

/// Puts neighbours together; how much was past the end of a number. Nothing is allowed beside the largest number, so that
/// is not missed. Of two that some rule tells apart nobody knows how they ended: that denies, never allows.
fn put_together(before: &mut VecDeque<Done>, since: Seq) -> u128 {
    let was = sum(before.iter());
    let mut all = std::mem::take(before).into_iter();
    while let Some(first) = all.next() {
        before.push_back(match all.next() {
            Some(second) => Done {
                micros: first.micros.saturating_add(second.micros),
                seq: first.seq.max(second.seq),
                how: match first.how == second.how && (first.seq > since) == (second.seq > since) {
                    true => second.how,
                    false => How::Unknown,
                },
                ..second
            },
            None => first,
        });
    }
    was - sum(before.iter())
}

impl Done {
    /// When it counts no more.
    pub fn until(&self, window: u64) -> Time {
        Time(self.at.0.saturating_add(window))
    }

    pub fn is_within(&self, now: Time, window: u64) -> bool {
        now < self.until(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: u32 = 1;
    const BOB: u32 = 2;
    const CID: u32 = 3;

    fn fit(keep: Keep) -> Fit {
        Fit {
            window: 1_000,
            keep,
            failed: true,
            completes: false,
            since: Seq(0),
        }
    }

    fn done(number: usize, agent: u32, how: How) -> Done {
        Done {
            at: Time(10 * number as u64),
            seq: Seq(1 + number as u64),
            micros: 3,
            agent: AgentNumber::of(agent),
            how,
        }
    }

    fn tally(fit: &Fit, all: &[(u32, How)]) -> Tally {
        let mut tally = Tally::new(0);
        for (number, (agent, how)) in all.iter().enumerate() {
            tally.push(done(number, *agent, *how), fit);
        }
        tally
    }

    fn kept(fit: &Fit, all: &[(u32, How)]) -> Vec<(u32, How)> {
        let tally = tally(fit, all);
        assert_eq!(tally.used_at_most(), sum(tally.done()));
        let name = |done: &Done| {
            let all = [ANN, BOB, CID].into_iter();
            let mut all = all.filter(|name| AgentNumber::of(*name) == done.agent);
            (all.next().unwrap(), done.how)
        };
        tally.done().map(name).collect()
    }

    #[test]
    fn many_are_put_together_and_none_is_lost() {
        let tally = tally(&fit(Keep::All), &[(ANN, How::Completed); 40]);
        assert!(tally.done().count() <= DONE_MAX + 1);
        let left = |now: u64| {
            let within = tally.done().filter(|done| done.is_within(Time(now), 1_000));
            sum(within)
        };
        assert_eq!(left(400), 120);
        // Those of a pair fall with the later one, never earlier than they should.
        for passed in 0..40u64 {
            let left = left(1_000 + 10 * passed);
            assert!(left >= u128::from(3 * (39 - passed)), "{passed}: {left}");
        }
        assert_eq!(left(1_390), 0);
    }

    #[test]
    fn the_last_of_each_and_the_last_are_kept() {
        use How::{Completed, Failed, Unknown};
        let all = [ANN, BOB, ANN, CID, ANN].map(|agent| (agent, Completed));
        let each = [(BOB, Completed), (CID, Completed), (ANN, Completed)];
        assert_eq!(kept(&fit(Keep::LastOfEach), &all), each);
        assert_eq!(kept(&fit(Keep::Last), &all), [(ANN, Completed)]);
        let mixed = [(ANN, Completed), (BOB, Unknown)];
        assert_eq!(kept(&fit(Keep::Last), &mixed), [(BOB, Unknown)]);
        // Where a rule asks what was completed, and where one does not count what is newest.
        let completes = Fit {
            completes: true,
            ..fit(Keep::Last)
        };
        assert_eq!(kept(&completes, &mixed), mixed);
        let newer = Fit {
            since: Seq(9),
            ..fit(Keep::Last)
        };
        assert_eq!(kept(&newer, &all), all);
        let failed = [(ANN, Completed), (BOB, Failed)];
        assert_eq!(kept(&fit(Keep::Last), &failed), failed);
    }

    #[test]
    fn whatever_is_in_flight_is_known_until_it_ends() {
        let mut tally = Tally::new(0);
        let all = [(3, ANN), (5, BOB), (8, CID), (9, BOB), (12, ANN)];
        for (seq, agent) in all {
            tally.begin(Flight {
                seq: Seq(seq),
                micros: 5,
                agent: AgentNumber::of(agent),
            });
        }
        for (left, (seq, _)) in [5, 4, 3, 2, 1]
            .into_iter()
            .zip([5, 12, 3, 9, 8].map(|seq| (seq, ())))
        {
            assert_eq!(tally.in_flight().count(), left);
            assert_eq!(tally.used_at_most(), 5 * left as u128);
            assert!(tally.end(Seq(seq)).is_some() && tally.end(Seq(seq)).is_none());
        }
        assert!(tally.is_empty() && tally.used_at_most() == 0);
    }
}
