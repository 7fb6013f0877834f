//! How much is in work at once: a bound for all and one for each key, so that none slows the others (I12, I13).
use crate::app::Limits;
use crate::problem::{Problem, Result};
use fleet_types::{Code, KeyId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a bound counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Requests in work.
    Request,
    /// Halts and their releases in work: they have room of their own, so that whoever waits never bars them.
    Control,
    /// Sessions and streams that are open.
    Session,
}

/// Most halts and releases in work at once, and for one key.
const CONTROL_MAX: (usize, usize) = (256, 64);

/// The counts.
pub struct Load {
    counts: Mutex<HashMap<(Kind, Option<KeyId>), usize>>,
    /// Each kind's bounds: for all, for one key.
    totals: [(Kind, usize, usize); 3],
}

/// One of those counted; counts down when dropped.
pub struct Ticket {
    load: Arc<Load>,
    kind: Kind,
    key: Option<KeyId>,
}

impl Load {
    /// Nothing in work yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Load {
        Load {
            counts: Mutex::default(),
            totals: [
                (
                    Kind::Request,
                    limits.requests_max,
                    limits.requests_per_key_max,
                ),
                (Kind::Control, CONTROL_MAX.0, CONTROL_MAX.1),
                (
                    Kind::Session,
                    limits.sessions_max,
                    limits.sessions_per_key_max,
                ),
            ],
        }
    }

    /// How many are counted now.
    #[must_use]
    pub fn open(&self, kind: Kind) -> usize {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = counts.iter().filter(|((counted, _), _)| *counted == kind);
        of_kind.map(|(_, count)| count).sum()
    }

    /// Counts one in.
    ///
    /// # Errors
    /// When there are too many already.
    pub fn enter(self: &Arc<Self>, kind: Kind, key: Option<&KeyId>) -> Result<Ticket> {
        let (_, most, most_per_key) = self.totals[kind as usize];
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |counts: &HashMap<_, usize>, key: Option<&KeyId>| {
            counts.get(&(kind, key.cloned())).copied().unwrap_or(0)
        };
        let all: usize = counts
            .iter()
            .filter(|((counted, _), _)| *counted == kind)
            .map(|(_, count)| count)
            .sum();
        let refuse = |what: String| {
            Err(
                Problem::new(Code::Overloaded, format!("{what}; try again later"))
                    .retry_after(1_000),
            )
        };
        if all >= most {
            return refuse(format!("the server has {most} of these in work"));
        }
        if key.is_some() && of(&counts, key) >= most_per_key {
            return refuse(format!("this key has {most_per_key} of these in work"));
        }
        *counts.entry((kind, key.cloned())).or_default() += 1;
        Ok(Ticket {
            load: Arc::clone(self),
            kind,
            key: key.cloned(),
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self
            .load
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let entry = (self.kind, self.key.take());
        if let Some(count) = counts.get_mut(&entry) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_cannot_take_all() {
        let limits = Limits {
            requests_max: 3,
            requests_per_key_max: 2,
            ..Limits::default()
        };
        let load = Arc::new(Load::new(&limits));
        let (one, two) = (KeyId::parse("k1").unwrap(), KeyId::parse("k2").unwrap());
        let first = load.enter(Kind::Request, Some(&one)).unwrap();
        let _second = load.enter(Kind::Request, Some(&one)).unwrap();
        assert!(load.enter(Kind::Request, Some(&one)).is_err());
        assert!(load.enter(Kind::Session, Some(&one)).is_ok());
        let _third = load.enter(Kind::Request, Some(&two)).unwrap();
        assert!(load.enter(Kind::Request, None).is_err());
        drop(first);
        assert!(load.enter(Kind::Request, None).is_ok());
    }
}
