//! What is counted of one edge.
use super::window::{DAY, HOUR, Window};
use fleet_types::graph::view;
use fleet_types::lock::Mode;
use fleet_types::{Seq, Time};
use serde::{Deserialize, Serialize};

/// What went over an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub asked: u64,
    pub granted: u64,
    pub denied: u64,
    pub failed: u64,
    pub waits: u64,
    pub wait_us: u64,
    /// By mode, in the order of [`Mode::ALL`].
    pub modes: [u64; 3],
    pub holding: u32,
    pub waiting: u32,
    pub hour: Window<HOUR>,
    pub day: Window<DAY>,
    pub first: Time,
    pub last: Time,
    /// The place in the journal where it was last seen: the order in which edges are forgotten.
    pub last_seq: Seq,
}

impl Counts {
    /// An edge that is seen for the first time.
    pub fn begin(at: Time) -> Counts {
        Counts {
            first: at,
            last: at,
            ..Counts::default()
        }
    }

    /// Somebody asked for it.
    pub fn ask(&mut self, mode: Option<Mode>, at: Time) {
        self.asked += 1;
        self.hour.count(at);
        self.day.count(at);
        if let Some(mode) = mode {
            self.modes[mode as usize] += 1;
        }
    }

    /// Whether somebody holds it or waits for it now.
    pub fn is_busy(&self) -> bool {
        self.holding > 0 || self.waiting > 0
    }

    /// Whether it was ever held in a mode that writes.
    pub fn writes(&self) -> bool {
        self.modes[Mode::Commuting as usize] + self.modes[Mode::Exclusive as usize] > 0
    }

    /// Adds what another edge counted.
    pub fn merge(&mut self, other: &Counts) {
        self.asked += other.asked;
        self.granted += other.granted;
        self.denied += other.denied;
        self.failed += other.failed;
        self.waits += other.waits;
        self.wait_us += other.wait_us;
        for (own, more) in self.modes.iter_mut().zip(other.modes) {
            *own += more;
        }
        self.holding += other.holding;
        self.waiting += other.waiting;
        self.hour.merge(other.hour);
        self.day.merge(other.day);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.last_seq = self.last_seq.max(other.last_seq);
    }

    /// As shown, at this time.
    pub fn shown(&self, now: Time) -> view::Traffic {
        let [shared, commuting, exclusive] = self.modes;
        view::Traffic {
            asked: self.asked,
            last_hour: self.hour.at(now),
            last_day: self.day.at(now),
            granted: self.granted,
            denied: self.denied,
            failed: self.failed,
            waits: self.waits,
            wait_us: self.wait_us,
            shared,
            commuting,
            exclusive,
            holding: self.holding.into(),
            waiting: self.waiting.into(),
            first: self.first,
            last: self.last,
        }
    }
}
