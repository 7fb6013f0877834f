//! What the agents told the orchestrator, added up.
use super::crew::News;
use crate::error::Error;
use crate::process::Tally;
use crate::report::Events;
use hdrhistogram::Histogram;

/// Complaints that are kept.
const COMPLAINTS_MAX: usize = 20;

/// What the agents told, added up.
pub(super) struct Books {
    pub totals: Tally,
    pub waits: Histogram<u64>,
    pub events: Events,
}

impl Books {
    pub fn new() -> Self {
        Books {
            totals: Tally::default(),
            // Up to five minutes; three digits.
            waits: Histogram::new_with_bounds(1, 300_000_000, 3).expect("the bounds are in order"),
            events: Events::default(),
        }
    }

    /// Writes it down; gives the error when an agent cannot work.
    pub fn hear(&mut self, news: News) -> Option<Error> {
        match news {
            News::Tally(tally) => {
                self.totals.add(&tally);
                for wait in tally.waits_us {
                    self.waits.saturating_record(u64::from(wait).max(1));
                }
            }
            News::Killed => self.events.killed += 1,
            News::Paused => self.events.paused += 1,
            News::Stalled => self.events.stalled += 1,
            News::Failed(why) => {
                self.events.failed += 1;
                self.complain(why);
            }
            News::Unusable(seat, why) => {
                return Some(Error::Agent {
                    agent: seat.name(),
                    why,
                });
            }
        }
        None
    }

    /// Keeps what went wrong, up to a bound.
    pub fn complain(&mut self, why: String) {
        if self.events.complaints.len() < COMPLAINTS_MAX {
            self.events.complaints.push(why);
        }
    }
}
