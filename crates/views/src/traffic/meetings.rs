//! Which agents touched the same resource soon after each other, and who waited for whom: what conflicts ahead are told
//! from. Resources are told apart here even where the graph has rolled them up.
use super::window::{DAY, HOUR, Window};
use ahash::RandomState;
use fleet_types::graph::view::Pair;
use fleet_types::lock::Mode;
use fleet_types::{AgentId, ResourcePath, Seq, Time};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::HashMap;

/// Two touches farther apart are no meeting.
pub const SPAN_US: u64 = 300_000_000;
/// So many agents that touched a resource last are remembered of it.
const GUESTS: usize = 4;

/// Two agents, the one whose name comes first in front, and where they met.
type Ends = (AgentId, AgentId, ResourcePath);

/// What is known of meetings.
#[derive(Debug, Default)]
pub struct Meetings {
    guests: HashMap<ResourcePath, Guests, RandomState>,
    pairs: HashMap<Ends, Met, RandomState>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Guests {
    /// The last comes last.
    touches: SmallVec<[(AgentId, Mode, Time); GUESTS]>,
    last_seq: Seq,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Met {
    met: u64,
    clashed: u64,
    waits: u64,
    wait_us: u64,
    hour: Window<HOUR>,
    day: Window<DAY>,
    last: Time,
    last_seq: Seq,
}

/// When and where in the journal something happens.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub at: Time,
    pub seq: Seq,
}

fn ends(one: &AgentId, other: &AgentId, path: &ResourcePath) -> Ends {
    match one < other {
        true => (one.clone(), other.clone(), path.clone()),
        false => (other.clone(), one.clone(), path.clone()),
    }
}

impl Meetings {
    /// An agent touches a resource.
    pub fn touch(&mut self, agent: &AgentId, path: &ResourcePath, mode: Mode, now: Moment) {
        if !self.guests.contains_key(path) {
            self.guests.insert(path.clone(), Guests::default());
        }
        let Some(guests) = self.guests.get_mut(path) else {
            return;
        };
        guests.last_seq = now.seq;
        let touches = &mut guests.touches;
        // Only those who came since it was here itself: a meeting is counted once.
        let own = touches.iter().position(|(guest, ..)| guest == agent);
        for (guest, theirs, at) in &touches[own.map_or(0, |own| own + 1)..] {
            if now.at.micros_since(*at) <= SPAN_US {
                let met = self.pairs.entry(ends(agent, guest, path)).or_default();
                met.met += 1;
                met.clashed += u64::from(!mode.compatible(*theirs));
                met.seen(now);
            }
        }
        if let Some(own) = own {
            touches.remove(own);
        } else if touches.len() == GUESTS {
            touches.remove(0);
        }
        touches.push((agent.clone(), mode, now.at));
    }

    /// An agent has waited for another one.
    pub fn waited(
        &mut self,
        agent: &AgentId,
        other: &AgentId,
        path: &ResourcePath,
        us: u64,
        now: Moment,
    ) {
        if agent != other {
            let met = self.pairs.entry(ends(agent, other, path)).or_default();
            met.waits += 1;
            met.wait_us += us;
            met.seen(now);
        }
    }

    /// Forgets what was not seen for longest where there is more than so much; returns how many pairs.
    pub fn forget(&mut self, pairs_max: usize) -> u64 {
        if self.guests.len() > pairs_max {
            forget(&mut self.guests, pairs_max, |guests| guests.last_seq);
        }
        if self.pairs.len() > pairs_max {
            return forget(&mut self.pairs, pairs_max, |met| met.last_seq);
        }
        0
    }

    /// Every pair, as it stands now, in no order.
    pub fn pairs(&self, now: Time) -> impl Iterator<Item = Pair> {
        self.pairs
            .iter()
            .map(move |((one, other, path), met)| Pair {
                one: one.clone(),
                other: other.clone(),
                resource: path.clone(),
                met: met.met,
                clashed: met.clashed,
                last_hour: met.hour.at(now),
                last_day: met.day.at(now),
                waits: met.waits,
                wait_us: met.wait_us,
                last: met.last,
            })
    }
}

impl Met {
    fn seen(&mut self, now: Moment) {
        self.hour.count(now.at);
        self.day.count(now.at);
        self.last = now.at;
        self.last_seq = now.seq;
    }
}

/// Forgets a sixteenth at once, so that it is seldom done.
fn forget<K: Ord + Clone + std::hash::Hash + Eq, V>(
    map: &mut HashMap<K, V, RandomState>,
    max: usize,
    last: impl Fn(&V) -> Seq,
) -> u64 {
    let count = map.len() - (max - max / 16);
    let mut rows: Vec<(Seq, &K)> = map.iter().map(|(key, value)| (last(value), key)).collect();
    rows.select_nth_unstable(count - 1);
    rows.truncate(count);
    let gone: Vec<K> = rows.into_iter().map(|(_, key)| key.clone()).collect();
    for key in gone {
        map.remove(&key);
    }
    count as u64
}

/// As it lies in a snapshot: in order.
#[derive(Default, Serialize, Deserialize)]
pub struct Stored {
    guests: Vec<(ResourcePath, Guests)>,
    pairs: Vec<(Ends, Met)>,
}

impl Meetings {
    pub fn store(&self) -> Stored {
        let mut stored = Stored {
            guests: self
                .guests
                .iter()
                .map(|(path, guests)| (path.clone(), guests.clone()))
                .collect(),
            pairs: self
                .pairs
                .iter()
                .map(|(ends, met)| (ends.clone(), *met))
                .collect(),
        };
        stored.guests.sort_by(|one, other| one.0.cmp(&other.0));
        stored.pairs.sort_by(|one, other| one.0.cmp(&other.0));
        stored
    }

    pub fn restore(stored: Stored) -> Meetings {
        Meetings {
            guests: stored.guests.into_iter().collect(),
            pairs: stored.pairs.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(touches: &[(&str, Mode, u64)]) -> Vec<(String, u64, u64)> {
        let mut meetings = Meetings::default();
        let path = "ledger/a".parse().unwrap();
        for (seq, (agent, mode, at)) in (1..).zip(touches) {
            let now = Moment {
                at: Time(*at),
                seq: Seq(seq),
            };
            meetings.touch(&agent.parse().unwrap(), &path, *mode, now);
        }
        let pairs = meetings.pairs(Time(0));
        let mut pairs: Vec<_> = pairs
            .map(|p| (format!("{} {}", p.one, p.other), p.met, p.clashed))
            .collect();
        pairs.sort();
        pairs
    }

    #[test]
    fn who_comes_soon_after_another_has_met_it_once() {
        let (read, write) = (Mode::Shared, Mode::Exclusive);
        let touches = [
            ("bob", read, 1),
            ("ann", read, 2),
            ("ann", write, 3),
            ("bob", read, 4),
            ("bob", read, 5),
            ("cid", read, SPAN_US + 5),
        ];
        let expected = [("ann bob", 2, 1), ("bob cid", 1, 0)];
        assert_eq!(
            met(&touches),
            expected.map(|(p, m, c)| (p.to_owned(), m, c))
        );
    }

    #[test]
    fn what_was_not_seen_for_longest_is_forgotten() {
        let mut meetings = Meetings::default();
        for seq in 1..=40u64 {
            let now = Moment {
                at: Time(seq),
                seq: Seq(seq),
            };
            let path = format!("r/{}", seq / 2).parse().unwrap();
            let agent = format!("a{}", seq % 2).parse().unwrap();
            meetings.touch(&agent, &path, Mode::Exclusive, now);
            meetings.forget(16);
        }
        assert!(meetings.pairs.len() <= 16 && meetings.guests.len() <= 16);
        let last = meetings.pairs(Time(40)).map(|pair| pair.last.0).min();
        assert!(last > Some(8), "{last:?}");
    }
}
