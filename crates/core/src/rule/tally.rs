//! What permits of one case did to one thing: in flight, and done for as long as the rule's window is.
//!
//! A request touches one tally for each rule that remembers it, so the usual case, one agent at a time, lies in one line of
//! memory; what is more lies apart.
use super::Slot;
use super::agents::AgentNumber;
use fleet_types::Time;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// Entries past which neighbours are put together, under the later time: such a sum falls later than it could, never
/// earlier.
const DONE_MAX: usize = if cfg!(test) { 8 } else { 4_096 };

/// Entries at which, and at each doubling, the oldest are looked at.
const LOOK_AT: usize = if cfg!(test) { 2 } else { 8 };

/// What permits of one case did to one thing.
#[derive(Serialize, Deserialize)]
pub struct Tally {
    pub slot: Slot,
    /// The era of the rule in which it counts.
    pub era: u32,
    /// How many of `doing` are in flight. Derived from the permits that hold.
    #[serde(skip)]
    in_flight: u32,
    /// One agent that does it now, while any does. Derived.
    #[serde(skip)]
    doing: Option<AgentNumber>,
    /// How much is in flight or was done and is not forgotten: all that is within the window and maybe more. Derived.
    #[serde(skip)]
    used_micros: u128,
    /// What was done last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Done>,
    #[serde(default, skip_serializing_if = "More::says_nothing")]
    more: Option<Box<More>>,
}

/// What most tallies have nothing of.
#[derive(Default, Serialize, Deserialize)]
struct More {
    /// How many of each other agent are in flight. Derived from the permits that hold.
    #[serde(skip)]
    others: SmallVec<[(AgentNumber, u32); 2]>,
    /// What was done before the last, oldest first.
    before: VecDeque<Done>,
}

/// What was done at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub at: Time,
    /// How much, in millionths; one action is one where nothing is summed.
    pub micros: u64,
    /// By whom, the last of them if several were put together.
    pub agent: AgentNumber,
}

/// How much of what was done must be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All within the window.
    All,
    /// The last of each agent.
    LastOfEach,
    /// The last.
    Last,
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
    pub fn new(slot: Slot, era: u32) -> Tally {
        Tally {
            slot,
            era,
            in_flight: 0,
            doing: None,
            used_micros: 0,
            last: None,
            more: None,
        }
    }

    /// After a snapshot was read: what was done is known, what is in flight begins again.
    pub fn rebuild(&mut self) {
        self.used_micros = sum(self.done());
    }

    pub fn begin(&mut self, agent: AgentNumber, micros: u64) {
        self.used_micros += u128::from(micros);
        if *self.doing.get_or_insert(agent) == agent {
            self.in_flight += 1;
            return;
        }
        let others = &mut self.more.get_or_insert_default().others;
        match others.iter_mut().find(|(other, _)| *other == agent) {
            Some((_, count)) => *count += 1,
            None => others.push((agent, 1)),
        }
    }

    /// It is in flight no more; `done` when it happened, or may have.
    pub fn end(
        &mut self,
        agent: AgentNumber,
        micros: u64,
        done: Option<Time>,
        keep: Keep,
        window: u64,
    ) {
        if self.doing == Some(agent) {
            self.in_flight -= 1;
            if self.in_flight == 0 {
                let others = self.more.as_mut().map(|more| &mut more.others);
                let next = others.and_then(SmallVec::pop);
                self.doing = next.map(|(other, _)| other);
                self.in_flight = next.map_or(0, |(_, count)| count);
            }
        } else if let Some(more) = &mut self.more
            && let Some(at) = more.others.iter().position(|(other, _)| *other == agent)
        {
            more.others[at].1 -= 1;
            if more.others[at].1 == 0 {
                more.others.swap_remove(at);
            }
        }
        match done.filter(|_| window > 0) {
            Some(at) => self.push(Done { at, micros, agent }, keep, window),
            None => self.used_micros -= u128::from(micros),
        }
    }

    /// Those that do it now, in no order.
    pub fn doing(&self) -> impl Iterator<Item = AgentNumber> {
        let others = self.more.iter().flat_map(|more| &more.others);
        self.doing
            .into_iter()
            .chain(others.map(|(other, _)| *other))
    }

    pub fn is_doing(&self, agent: AgentNumber) -> bool {
        self.doing().any(|other| other == agent)
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.doing.is_none() && self.last.is_none()
    }

    /// All agents that it names.
    pub fn agents(&self) -> impl Iterator<Item = AgentNumber> {
        self.doing().chain(self.done().map(|done| done.agent))
    }

    /// What was in flight is done now.
    fn push(&mut self, done: Done, keep: Keep, window: u64) {
        let last = self.last.replace(done);
        let (Some(last), Keep::All | Keep::LastOfEach) = (last, keep) else {
            self.used_micros -= last.map_or(0, |last| u128::from(last.micros));
            return self.forget_before();
        };
        let more = self.more.get_or_insert_default();
        if keep == Keep::LastOfEach {
            if last.agent == done.agent {
                self.used_micros -= u128::from(last.micros);
                return;
            }
            let mut before = more.before.iter();
            if let Some(at) = before.position(|other| other.agent == done.agent) {
                let gone = more.before.remove(at).map_or(0, |other| other.micros);
                self.used_micros -= u128::from(gone);
            }
        }
        // To look at the oldest costs more than to keep it a little longer.
        if more.before.len() >= LOOK_AT && more.before.len().is_power_of_two() {
            self.used_micros -= more.forget(done.at, window);
        }
        if more.before.len() >= DONE_MAX {
            self.used_micros -= put_together(&mut more.before);
        }
        more.before.push_back(last);
    }

    /// Drops what is older than the window.
    pub fn forget(&mut self, now: Time, window: u64) {
        let is_over = |done: &mut Done| !done.is_within(now, window);
        if let Some(more) = &mut self.more {
            self.used_micros -= more.forget(now, window);
        }
        if let Some(last) = self.last.take_if(is_over) {
            self.used_micros -= u128::from(last.micros); // Those before it are over too.
        }
    }

    /// What was done counts no more.
    pub fn clear(&mut self) {
        self.used_micros -= sum(self.done());
        self.last = None;
        self.forget_before();
    }

    fn forget_before(&mut self) {
        if let Some(more) = &mut self.more {
            more.before.clear();
        }
    }

    fn done(&self) -> impl DoubleEndedIterator<Item = &Done> {
        let before = self.more.iter().flat_map(|more| &more.before);
        before.chain(&self.last)
    }

    /// What was done last, if within the window.
    pub fn last_within(&self, now: Time, window: u64) -> Option<&Done> {
        self.last
            .as_ref()
            .filter(|done| done.is_within(now, window))
    }

    /// What was done within the window, oldest first.
    pub fn within(&self, now: Time, window: u64) -> impl DoubleEndedIterator<Item = &Done> {
        self.done().filter(move |done| done.is_within(now, window))
    }

    /// How much is in flight and was done within the window, at most: found without looking at each.
    pub fn used_at_most(&self) -> u128 {
        self.used_micros
    }

    /// How much is in flight.
    pub fn in_flight_micros(&self) -> u128 {
        self.used_micros - sum(self.done())
    }

    /// How much was done within the window.
    pub fn micros_within(&self, now: Time, window: u64) -> u128 {
        sum(self.within(now, window))
    }
}

/// What it says, however it came to be.
impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.more.iter().flat_map(|more| &more.others).copied();
        let one = self.doing.map(|doing| (doing, self.in_flight));
        let doing: BTreeMap<AgentNumber, u32> = one.into_iter().chain(others).collect();
        let done: Vec<&Done> = self.done().collect();
        let (slot, era, micros) = (self.slot, self.era, self.used_micros);
        write!(f, "{slot:?}.{era} {doing:?} {micros} {done:?}")
    }
}

fn sum<'d>(done: impl IntoIterator<Item = &'d Done>) -> u128 {
    done.into_iter().map(|done| u128::from(done.micros)).sum()
}

/// Puts neighbours together; how much was past the end of a number. Nothing is allowed beside the largest number, so that
/// is not missed.
fn put_together(before: &mut VecDeque<Done>) -> u128 {
    let was = sum(before.iter());
    let mut all = std::mem::take(before).into_iter();
    while let Some(first) = all.next() {
        before.push_back(match all.next() {
            Some(second) => Done {
                micros: first.micros.saturating_add(second.micros),
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

    fn is_within(&self, now: Time, window: u64) -> bool {
        now < self.until(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_types::rule::Side;

    const ANN: u32 = 1;
    const BOB: u32 = 2;
    const CID: u32 = 3;

    fn tally(keep: Keep, agents: &[u32]) -> Tally {
        let mut tally = Tally::new(Slot::new(0, Side::Own), 0);
        for (number, agent) in agents.iter().enumerate() {
            let agent = AgentNumber::of(*agent);
            let at = Time(10 * number as u64);
            tally.begin(agent, 3);
            tally.end(agent, 3, Some(at), keep, 1_000);
        }
        tally
    }

    #[test]
    fn it_lies_in_one_line_of_memory() {
        assert_eq!(size_of::<Tally>(), 64);
    }

    #[test]
    fn many_are_put_together_and_none_is_lost() {
        let tally = tally(Keep::All, &[ANN; 40]);
        let before = &tally.more.as_ref().unwrap().before;
        assert!(before.len() <= DONE_MAX, "{}", before.len());
        assert_eq!(tally.micros_within(Time(400), 1_000), 120);
        // Those of a pair fall with the later one, never earlier than they should.
        for passed in 0..40u64 {
            let left = tally.micros_within(Time(1_000 + 10 * passed), 1_000);
            assert!(left >= u128::from(3 * (39 - passed)), "{passed}: {left}");
        }
        assert_eq!(tally.micros_within(Time(1_390), 1_000), 0);
    }

    #[test]
    fn the_last_of_each_and_the_last_are_kept() {
        let all = [ANN, BOB, ANN, CID, ANN];
        let kept = |keep| {
            let tally = tally(keep, &all);
            let done = tally.within(Time(100), 1_000);
            done.map(|done| done.agent).collect::<Vec<_>>()
        };
        assert_eq!(kept(Keep::LastOfEach), [BOB, CID, ANN].map(AgentNumber::of));
        assert_eq!(kept(Keep::Last), [AgentNumber::of(ANN)]);
        assert_eq!(tally(Keep::Last, &all).micros_within(Time(100), 1_000), 3);
        assert!(!tally(Keep::Last, &all).is_empty());
    }

    #[test]
    fn whoever_does_it_is_known_until_the_last_has_ended() {
        let mut tally = Tally::new(Slot::new(0, Side::Own), 0);
        let all = [ANN, BOB, CID, BOB, ANN].map(AgentNumber::of);
        for agent in all {
            tally.begin(agent, 5);
        }
        for (at, agent) in all.into_iter().enumerate() {
            let left = &all[at..];
            for other in all {
                assert_eq!(tally.is_doing(other), left.contains(&other), "{at}");
            }
            assert_eq!(tally.in_flight_micros(), 5 * left.len() as u128);
            tally.end(agent, 5, None, Keep::Last, 0);
        }
        assert!(tally.is_empty() && tally.used_at_most() == 0);
    }
}
