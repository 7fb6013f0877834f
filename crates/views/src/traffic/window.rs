//! Counts of the last hour and the last day in three numbers: what was counted in this span of the calendar, and in the
//! one before, of which the share counts that still lies within. Exact where traffic is even; off by at most what the
//! span before counted.
use fleet_types::Time;
use serde::{Deserialize, Serialize};

/// An hour, in microseconds.
pub const HOUR: u64 = 3_600_000_000;
/// A day, in microseconds.
pub const DAY: u64 = 24 * HOUR;

/// A count over the last `SPAN` microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window<const SPAN: u64> {
    /// Which span of the calendar `current` counts.
    number: u64,
    current: u32,
    before: u32,
}

impl<const SPAN: u64> Window<SPAN> {
    /// Counts one.
    pub fn count(&mut self, at: Time) {
        self.move_to(at.0 / SPAN);
        self.current = self.current.saturating_add(1);
    }

    fn move_to(&mut self, number: u64) {
        match number.saturating_sub(self.number) {
            0 => {}
            1 => {
                self.before = self.current;
                self.current = 0;
                self.number = number;
            }
            _ => {
                *self = Window {
                    number,
                    current: 0,
                    before: 0,
                };
            }
        }
    }

    /// How many there were in the `SPAN` microseconds up to `now`.
    pub fn at(mut self, now: Time) -> u64 {
        self.move_to(now.0 / SPAN);
        let left = SPAN - now.0 % SPAN;
        let before = u128::from(self.before) * u128::from(left) / u128::from(SPAN);
        u64::from(self.current) + u64::try_from(before).unwrap_or(u64::MAX)
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: Self) {
        let mut other = other;
        let number = self.number.max(other.number);
        self.move_to(number);
        other.move_to(number);
        self.current = self.current.saturating_add(other.current);
        self.before = self.before.saturating_add(other.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_the_span_before_shrinks() {
        let mut window = Window::<100>::default();
        for at in [110, 150, 199] {
            window.count(Time(at));
        }
        let seen = [199, 200, 250, 299, 300].map(|now| window.at(Time(now)));
        assert_eq!(seen, [3, 3, 1, 0, 0]);
        let mut other = Window::default();
        other.count(Time(201));
        other.merge(window);
        assert_eq!(other.at(Time(201)), 1 + 2);
        assert_eq!(window.at(Time(900)), 0);
    }

    /// It never differs from the exact count by more than what the span before counted.
    #[test]
    fn it_is_near_the_exact_count() {
        let times: Vec<u64> = (0..400u64).map(|n| 1_000 + n * n % 977 + n).collect();
        let mut sorted = times.clone();
        sorted.sort_unstable();
        let mut window = Window::<100>::default();
        for (n, at) in sorted.iter().enumerate() {
            window.count(Time(*at));
            let exact = sorted[..=n].iter().filter(|t| **t + 100 > *at).count() as u64;
            let before = sorted[..=n].iter().filter(|t| **t / 100 + 1 == at / 100);
            let before = before.count() as u64;
            let found = window.at(Time(*at));
            assert!(found.abs_diff(exact) <= before, "{found} for {exact}");
        }
    }
}
