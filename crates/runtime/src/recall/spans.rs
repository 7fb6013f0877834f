//! Which times of asking a run answers for, so that a run that is missing is noticed.
use fleet_types::Time;
use serde::{Deserialize, Serialize};

/// Spans of time, in order and apart from each other: after the first, up to and with the second.
///
/// Memory lets answers go in the order of asking, so each chunk goes on where the one before it ended. What was asked in a
/// span and let go is in the run, unless it was too old already when the run was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spans(Vec<(Time, Time)>);

impl Spans {
    pub fn one(after: Time, until: Time) -> Spans {
        Spans(Vec::from_iter((after < until).then_some((after, until))))
    }

    /// All that these cover.
    pub fn union<'a>(all: impl IntoIterator<Item = &'a Spans>) -> Spans {
        let mut spans: Vec<(Time, Time)> = all
            .into_iter()
            .flat_map(|spans| &spans.0)
            .copied()
            .collect();
        spans.sort_unstable();
        let mut union: Vec<(Time, Time)> = Vec::new();
        for (after, until) in spans {
            match union.last_mut() {
                Some(last) if after <= last.1 => last.1 = last.1.max(until),
                _ => union.push((after, until)),
            }
        }
        Spans(union)
    }

    /// The same up to this time.
    pub fn up_to(&self, end: Time) -> Spans {
        let before = self.0.iter().filter(|(after, _)| *after < end);
        Spans(
            before
                .map(|(after, until)| (*after, end.min(*until)))
                .collect(),
        )
    }

    /// The first part of a span that is not covered.
    pub fn gap(&self, mut after: Time, until: Time) -> Option<(Time, Time)> {
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

    /// Whether it says nothing, as in the runs of earlier builds.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(all: &[(u64, u64)]) -> Spans {
        let all: Vec<Spans> = all
            .iter()
            .map(|(a, b)| Spans::one(Time(*a), Time(*b)))
            .collect();
        Spans::union(&all)
    }

    #[test]
    fn they_are_put_together_and_gaps_are_found() {
        let all = spans(&[(30, 40), (0, 10), (10, 20), (5, 12), (9, 9)]);
        assert_eq!(all, Spans(vec![(Time(0), Time(20)), (Time(30), Time(40))]));
        let gap = |after, until| {
            let gap = all.gap(Time(after), Time(until));
            gap.map(|(after, until)| (after.0, until.0))
        };
        assert_eq!(
            (gap(0, 20), gap(3, 4), gap(31, 40), gap(7, 7)),
            (None, None, None, None)
        );
        assert_eq!((gap(0, 40), gap(25, 28)), (Some((20, 30)), Some((25, 28))));
        assert_eq!((gap(0, 25), gap(35, 50)), (Some((20, 25)), Some((40, 50))));
        assert_eq!(all.up_to(Time(35)), spans(&[(0, 20), (30, 35)]));
        assert_eq!(all.up_to(Time(30)), spans(&[(0, 20)]));
        assert_eq!(
            Spans::default().gap(Time(0), Time(1)),
            Some((Time(0), Time(1)))
        );
    }
}
