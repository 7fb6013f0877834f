//! What a run answers for, so that one that is missing is noticed.
use fleet_core::{Answered, Evicted};
use fleet_types::Time;
use serde::{Deserialize, Serialize};

/// A place in the order in which memory lets answers go, which is that of answering: when, and after how many others.
///
/// It is the journal's own order. However many answers stood in memory, and whoever reads the journal again, an answer has
/// the same place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark(pub Time, pub u64);

impl Mark {
    pub fn of(evicted: &Evicted) -> Mark {
        Mark(evicted.entry.at(), evicted.number)
    }

    /// Behind the last that was let go; the beginning, if none was.
    pub fn behind(last: Option<Answered>) -> Mark {
        last.map_or(Mark::default(), |last| Mark(last.at, last.number))
    }

    /// Before all that was answered from this time on.
    pub fn before(time: Time) -> Mark {
        match time.0.checked_sub(1) {
            Some(before) => Mark::at_end_of(Time(before)),
            None => Mark::default(),
        }
    }

    /// Behind all that was answered up to this time.
    pub fn at_end_of(time: Time) -> Mark {
        Mark(time, u64::MAX)
    }
}

/// Parts of that order, one after the other and apart: behind the first mark, up to and with the second.
///
/// Each chunk goes on where the one before it ended. What was let go in a part is in the run, unless it was too old already
/// when the run was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spans(Vec<(Mark, Mark)>);

impl Spans {
    pub fn one(after: Mark, until: Mark) -> Spans {
        Spans(Vec::from_iter((after < until).then_some((after, until))))
    }

    /// All that these cover.
    pub fn union<'a>(all: impl IntoIterator<Item = &'a Spans>) -> Spans {
        let mut spans: Vec<(Mark, Mark)> = all
            .into_iter()
            .flat_map(|spans| &spans.0)
            .copied()
            .collect();
        spans.sort_unstable();
        let mut union: Vec<(Mark, Mark)> = Vec::new();
        for (after, until) in spans {
            match union.last_mut() {
                Some(last) if after <= last.1 => last.1 = last.1.max(until),
                _ => union.push((after, until)),
            }
        }
        Spans(union)
    }

    /// The same up to this mark.
    pub fn up_to(&self, end: Mark) -> Spans {
        let before = self.0.iter().filter(|(after, _)| *after < end);
        Spans(
            before
                .map(|(after, until)| (*after, end.min(*until)))
                .collect(),
        )
    }

    /// When the answers were given that are missing between the first two spans.
    pub fn first_gap(&self) -> Option<(Time, Time)> {
        let [(_, before), (behind, _), ..] = self.0[..] else {
            return None;
        };
        Some((before.0, behind.0))
    }

    /// The first part of a span that is not covered.
    pub fn gap(&self, mut after: Mark, until: Mark) -> Option<(Mark, Mark)> {
        for (from, to) in &self.0 {
            if *from > after {
                break;
            }
            after = after.max(*to);
        }
        let next = self
            .0
            .iter()
            .map(|(from, _)| *from)
            .find(|from| *from > after);
        (after < until).then(|| (after, next.map_or(until, |next| next.min(until))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u64) -> Mark {
        Mark(Time(number / 10), number % 10)
    }

    fn spans(all: &[(u64, u64)]) -> Spans {
        let all: Vec<Spans> = all
            .iter()
            .map(|(a, b)| Spans::one(mark(*a), mark(*b)))
            .collect();
        Spans::union(&all)
    }

    #[test]
    fn they_are_put_together_and_gaps_are_found() {
        let all = spans(&[(30, 40), (0, 10), (10, 20), (5, 12), (9, 9)]);
        assert_eq!(all, spans(&[(0, 20), (30, 40)]));
        let gap = |after, until| all.gap(mark(after), mark(until));
        let is = |after, until| Some((mark(after), mark(until)));
        assert_eq!([gap(0, 20), gap(3, 4), gap(31, 40), gap(7, 7)], [None; 4]);
        assert_eq!([gap(0, 40), gap(25, 28)], [is(20, 30), is(25, 28)]);
        assert_eq!([gap(0, 25), gap(35, 50)], [is(20, 25), is(40, 50)]);
        assert_eq!(all.up_to(mark(35)), spans(&[(0, 20), (30, 35)]));
        assert_eq!(all.up_to(mark(30)), spans(&[(0, 20)]));
        assert_eq!(Spans::default().gap(mark(0), mark(1)), is(0, 1));
        assert_eq!(
            all.gap(Mark::before(Time(3)), Mark::at_end_of(Time(3))),
            is(29, 30).map(|_| { (Mark::before(Time(3)), mark(30)) })
        );
    }
}
