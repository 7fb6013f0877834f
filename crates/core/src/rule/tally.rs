//! What permits of one watch did to one thing: in flight, and done for as long as some rule's window is.
//!
//! The usual case, one permit at a time, lies in the tally itself; what is more lies apart.
use super::agents::AgentNumber;
use super::past::{Past, sum};
use super::watch::{Fit, WatchKey};
use fleet_types::{Seq, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What permits of one watch did to one thing.
#[derive(Serialize, Deserialize)]
pub struct Tally {
    pub watch: WatchKey,
    /// What is in flight, if anything is: one of it. Derived from the permits that hold, as all that is in flight.
    #[serde(skip)]
    first: Option<Flight>,
    /// What else is in flight, by its grant.
    #[serde(skip)]
    #[allow(
        clippy::box_collection,
        reason = "most have none, and a pointer is shorter than an empty map"
    )]
    others: Option<Box<BTreeMap<Seq, Flight>>>,
    /// What was done last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Done>,
    /// How much is in flight or was done and is not forgotten: all that is within a window and maybe more. Derived.
    #[serde(skip)]
    used_micros: u128,
    /// What was done before.
    #[serde(default, rename = "more", skip_serializing_if = "Past::is_empty")]
    past: Past,
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
    /// By whom; none if what several agents did was put together.
    pub agent: Option<AgentNumber>,
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

impl Tally {
    pub fn new(watch: WatchKey) -> Tally {
        Tally {
            watch,
            first: None,
            others: None,
            last: None,
            used_micros: 0,
            past: Past::default(),
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
            let others = self.others.get_or_insert_default();
            others.insert(flight.seq, flight);
        }
    }

    /// It is in flight no more.
    pub fn end(&mut self, seq: Seq) -> Option<Flight> {
        let others = self.others.as_deref_mut();
        let flight = if self.first.is_some_and(|first| first.seq == seq) {
            let next = others.and_then(BTreeMap::pop_first);
            std::mem::replace(&mut self.first, next.map(|(_, flight)| flight))
        } else {
            others.and_then(|others| others.remove(&seq))
        }?;
        self.others.take_if(|others| others.is_empty());
        self.used_micros -= u128::from(flight.micros);
        Some(flight)
    }

    /// It was done.
    pub fn push(&mut self, done: Done, fit: &Fit) {
        self.used_micros += u128::from(done.micros);
        if let Some(last) = self.last.replace(done) {
            self.used_micros -= self.past.push(last, &done, fit);
        }
    }

    /// All that is in flight, in no order.
    pub fn in_flight(&self) -> impl Iterator<Item = &Flight> {
        let others = self.others.iter().flat_map(|others| others.values());
        self.first.iter().chain(others)
    }

    /// All that was done and is not forgotten, oldest first.
    pub fn done(&self) -> impl DoubleEndedIterator<Item = &Done> {
        self.past.iter().chain(&self.last)
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
        doing.chain(self.done().filter_map(|done| done.agent))
    }

    /// Drops what is older than the window.
    pub fn forget(&mut self, now: Time, window: u64) {
        self.used_micros -= self.past.forget(now, window);
        if let Some(last) = self.last.take_if(|done| !done.is_within(now, window)) {
            self.used_micros -= u128::from(last.micros); // Those before it are over too.
        }
    }

    /// What was done counts no more.
    pub fn clear(&mut self) {
        self.used_micros -= sum(self.done());
        self.last = None;
        self.past.clear();
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
    use super::super::past::DONE_MAX;
    use super::super::watch::Keep;
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
            agent: Some(AgentNumber::of(agent)),
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
        let mut tally = tally(fit, all);
        if let Some(last) = tally.last.filter(|_| fit.keep == Keep::LastOfEach) {
            tally.used_micros -= tally.past.drop_hidden(&[last], fit);
        }
        assert_eq!(tally.used_at_most(), sum(tally.done()));
        let name = |done: &Done| {
            let all = [ANN, BOB, CID].into_iter();
            let mut all = all.filter(|name| done.agent == Some(AgentNumber::of(*name)));
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
    fn who_did_something_is_known_though_others_did_much() {
        // One did it once, and two do it again and again.
        let mut all = vec![(ANN, How::Completed)];
        all.extend((0..90).map(|nth| (BOB + nth % 2, How::Completed)));
        let tally = tally(&fit(Keep::All), &all);
        let ann = |done: &&Done| done.agent == Some(AgentNumber::of(ANN));
        let anns: Vec<&Done> = tally.done().filter(ann).collect();
        assert_eq!((anns.len(), anns[0].at), (1, Time(0)));
        assert!(tally.done().all(|done| done.agent.is_some()));
    }

    #[test]
    fn whoever_did_something_is_among_those_that_may_have() {
        let agents = 40;
        for keep in [Keep::All, Keep::LastOfEach] {
            let all: Vec<_> = (0..200u32)
                .map(|nth| (1 + nth * 7 % agents, How::Completed))
                .collect();
            let fit = Fit {
                window: 10_000,
                ..fit(keep)
            };
            let tally = tally(&fit, &all);
            assert!(tally.done().count() <= DONE_MAX + 1);
            for agent in (1..=agents).map(AgentNumber::of) {
                let may_have = |done: &Done| done.agent.is_none_or(|one| one == agent);
                let last = all
                    .iter()
                    .rposition(|(one, _)| AgentNumber::of(*one) == agent);
                let last = Time(10 * last.unwrap() as u64);
                assert!(tally.done().any(|done| may_have(done) && done.at >= last));
            }
        }
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
    fn those_of_few_agents_stay_few() {
        let all: Vec<_> = (0..1_000)
            .map(|nth| (1 + nth % 3, How::Completed))
            .collect();
        let tally = tally(&fit(Keep::LastOfEach), &all);
        assert!(tally.done().count() <= 1 + 2 * 3);
        assert_eq!(tally.used_at_most(), sum(tally.done()));
        let last: Vec<u64> = tally.done().rev().take(3).map(|done| done.at.0).collect();
        assert_eq!(last, [9_990, 9_980, 9_970]);
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
