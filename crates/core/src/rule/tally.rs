//! What permits of one case did to one thing: in flight, and done for as long as the rule's window is.
use super::Slot;
use fleet_types::{AgentId, Time};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Entries past which neighbours are put together, under the later time: such a sum falls later than it could, never
/// earlier.
const DONE_MAX: usize = if cfg!(test) { 8 } else { 4_096 };

/// What permits of one case did to one thing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tally {
    pub slot: Slot,
    /// The era of the rule in which it counts.
    pub era: u32,
    /// How many of each agent are in flight, by name. Derived from the permits that hold.
    #[serde(skip)]
    in_flight: SmallVec<[(AgentId, u32); 1]>,
    /// How much is in flight. Derived from the permits that hold.
    #[serde(skip)]
    pub in_flight_micros: u128,
    /// What was done last.
    last: Option<Done>,
    /// What was done before, oldest first.
    before: VecDeque<Done>,
    /// How much all that was done is. What was put together past the end of a number stays in it: that denies, never allows.
    done_micros: u128,
}

/// What was done at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub at: Time,
    /// By whom, the last of them if several were put together.
    pub agent: AgentId,
    /// How much, in millionths; one action is one where nothing is summed.
    pub micros: u64,
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

impl Tally {
    pub fn new(slot: Slot, era: u32) -> Tally {
        Tally {
            slot,
            era,
            in_flight: SmallVec::new(),
            in_flight_micros: 0,
            last: None,
            before: VecDeque::new(),
            done_micros: 0,
        }
    }

    pub fn begin(&mut self, agent: &AgentId, micros: u64) {
        match self.place(agent) {
            Ok(at) => self.in_flight[at].1 += 1,
            Err(at) => self.in_flight.insert(at, (agent.clone(), 1)),
        }
        self.in_flight_micros += u128::from(micros);
    }

    /// It is in flight no more; `done` when it happened, or may have.
    pub fn end(
        &mut self,
        agent: &AgentId,
        micros: u64,
        done: Option<Done>,
        keep: Keep,
        window: u64,
    ) {
        if let Ok(at) = self.place(agent) {
            self.in_flight[at].1 -= 1;
            if self.in_flight[at].1 == 0 {
                self.in_flight.remove(at);
            }
            self.in_flight_micros -= u128::from(micros);
        }
        if let Some(done) = done.filter(|_| window > 0) {
            self.forget(done.at, window);
            self.push(done, keep);
        }
    }

    /// Where an agent stands among those in flight, or would.
    fn place(&self, agent: &AgentId) -> Result<usize, usize> {
        self.in_flight
            .binary_search_by(|(other, _)| other.cmp(agent))
    }

    /// The first by name of those that do it now.
    pub fn doing(&self) -> Option<&AgentId> {
        self.in_flight.first().map(|(agent, _)| agent)
    }

    pub fn is_doing(&self, agent: &AgentId) -> bool {
        self.place(agent).is_ok()
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.last.is_none()
    }

    fn push(&mut self, done: Done, keep: Keep) {
        match keep {
            Keep::All if self.before.len() >= DONE_MAX => self.put_together(),
            Keep::All => {}
            Keep::LastOfEach => {
                self.before.retain(|other| other.agent != done.agent);
                self.last.take_if(|last| last.agent == done.agent);
            }
            Keep::Last => self.clear(),
        }
        self.done_micros += u128::from(done.micros);
        let last = self.last.replace(done);
        self.before.extend(last);
        if keep == Keep::LastOfEach {
            self.done_micros = self.done().map(|done| u128::from(done.micros)).sum();
        }
    }

    fn put_together(&mut self) {
        let mut all = std::mem::take(&mut self.before).into_iter();
        while let Some(first) = all.next() {
            self.before.push_back(match all.next() {
                Some(second) => Done {
                    micros: first.micros.saturating_add(second.micros),
                    ..second
                },
                None => first,
            });
        }
    }

    /// Drops what is older than the window.
    pub fn forget(&mut self, now: Time, window: u64) {
        let is_over = |done: &mut Done| !done.is_within(now, window);
        while let Some(done) = self.before.pop_front_if(is_over) {
            self.done_micros -= u128::from(done.micros);
        }
        if self.before.is_empty() && self.last.as_mut().is_some_and(is_over) {
            self.clear();
        }
    }

    /// What was done counts no more.
    pub fn clear(&mut self) {
        self.last = None;
        self.before.clear();
        self.done_micros = 0;
    }

    fn done(&self) -> impl DoubleEndedIterator<Item = &Done> {
        self.before.iter().chain(&self.last)
    }

    /// What was done within the window, oldest first.
    pub fn within(&self, now: Time, window: u64) -> impl DoubleEndedIterator<Item = &Done> {
        self.done().filter(move |done| done.is_within(now, window))
    }

    /// How much was done within the window.
    pub fn micros_within(&self, now: Time, window: u64) -> u128 {
        let over = self.done().take_while(|done| !done.is_within(now, window));
        self.done_micros - over.map(|done| u128::from(done.micros)).sum::<u128>()
    }
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

    fn tally(keep: Keep, agents: &[&str]) -> Tally {
        let mut tally = Tally::new(Slot::new(0, Side::Own), 0);
        for (number, agent) in agents.iter().enumerate() {
            let agent: AgentId = agent.parse().unwrap();
            let at = Time(10 * number as u64);
            tally.begin(&agent, 3);
            let done = Done {
                at,
                agent: agent.clone(),
                micros: 3,
            };
            tally.end(&agent, 3, Some(done), keep, 1_000);
        }
        tally
    }

    #[test]
    fn many_are_put_together_and_none_is_lost() {
        let tally = tally(Keep::All, &["ann"; 40]);
        assert!(tally.before.len() <= DONE_MAX, "{}", tally.before.len());
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
        let names = |tally: &Tally| {
            let done = tally.within(Time(100), 1_000);
            done.map(|done| done.agent.to_string()).collect::<Vec<_>>()
        };
        let all = ["ann", "bob", "ann", "cid", "ann"];
        assert_eq!(names(&tally(Keep::LastOfEach, &all)), ["bob", "cid", "ann"]);
        assert_eq!(names(&tally(Keep::Last, &all)), ["ann"]);
        assert_eq!(tally(Keep::Last, &all).micros_within(Time(100), 1_000), 3);
        assert!(!tally(Keep::Last, &all).is_empty());
    }
}
