//! Damage: which stored thing is not what was written, and how one can tell.

use std::fmt;

use crate::{FleetKey, Hash, Hex};

/// The first thing found wrong in a fleet's journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} of {fleet}: {what}")]
pub struct Damage {
    /// Whose journal.
    pub fleet: FleetKey,
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub what: What,
}

/// Where damage lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// One batch, by its stored numbers.
    Batch {
        /// The first event's number.
        first_seq: u64,
        /// The last event's number.
        last_seq: u64,
    },
    /// A batch whose first number can be named, but no more.
    From {
        /// The number that should be there.
        seq: u64,
    },
    /// A snapshot.
    Snapshot {
        /// The event it was taken after.
        seq: u64,
    },
    /// The head record, which says where the journal ends.
    Head,
    /// The anchor, which says where the kept part begins.
    Anchor,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The bytes do not give the stored hash.
    HashMismatch {
        /// The hash that lies beside the bytes.
        stored: Hash,
        /// The hash the bytes give.
        computed: Hash,
    },
    /// The thing names another predecessor than the one that is there.
    BrokenLink {
        /// The hash it names.
        named: Hash,
        /// The hash of what is there.
        found: Hash,
    },
    /// Numbers are missing or doubled.
    Gap {
        /// The number that should come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The body does not decode, or a field has no sensible value.
    Undecodable {
        /// How it failed.
        why: String,
    },
    /// The events are fewer or more than their numbers.
    CountMismatch {
        /// By the numbers.
        numbered: u64,
        /// By the events.
        counted: u64,
    },
    /// Something proves that the journal once reached further than its rows do.
    HeadCut {
        /// How far it reached.
        reached: u64,
        /// Where the rows end now.
        found: u64,
    },
    /// Batches were pruned, and no sound snapshot stands for them.
    Uncovered {
        /// The last that is gone.
        pruned_seq: u64,
    },
    /// Rows lie behind the head.
    BeyondHead {
        /// The head.
        head: u64,
    },
    /// The store itself reports corruption.
    Corrupt {
        /// In its words.
        why: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Batch {
                first_seq,
                last_seq,
            } => write!(f, "batch {first_seq}..={last_seq}"),
            Place::From { seq } => write!(f, "batch at {seq}"),
            Place::Snapshot { seq } => write!(f, "snapshot {seq}"),
            Place::Head => f.write_str("head"),
            Place::Anchor => f.write_str("anchor"),
        }
    }
}

/// Two hashes in their short form, or whole where they begin alike.
fn told_apart(one: &Hash, two: &Hash) -> (String, String) {
    let short = |hash| format!("{:#}", Hex(hash));
    let whole = |hash| Hex(hash).to_string();
    if short(one) == short(two) {
        (whole(one), whole(two))
    } else {
        (short(one), short(two))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::HashMismatch { stored, computed } => {
                let (stored, computed) = told_apart(stored, computed);
                write!(f, "hash mismatch: stored {stored}, computed {computed}")
            }
            What::BrokenLink { named, found } => {
                let (named, found) = told_apart(named, found);
                write!(f, "broken link: names {named}, follows {found}")
            }
            What::Gap { expected, found } => {
                write!(f, "gap: expected event {expected}, found {found}")
            }
            What::Undecodable { why } => write!(f, "undecodable: {why}"),
            What::CountMismatch { numbered, counted } => {
                write!(f, "count mismatch: {numbered} numbers, {counted} events")
            }
            What::HeadCut { reached, found } => {
                write!(
                    f,
                    "head cut: the journal reached {reached}, its rows end at {found}"
                )
            }
            What::Uncovered { pruned_seq } => {
                write!(
                    f,
                    "uncovered: batches up to {pruned_seq} were pruned, and no sound snapshot stands for them"
                )
            }
            What::BeyondHead { head } => write!(f, "beyond the head, which says {head}"),
            What::Corrupt { why } => write!(f, "corrupt: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hashes_are_never_shown_alike() {
        let stored = [7; 32];
        let mut computed = stored;
        for (place, whole) in [(31, true), (4, true), (3, false), (0, false)] {
            computed[place] ^= 1;
            for what in [
                What::HashMismatch { stored, computed },
                What::BrokenLink {
                    named: stored,
                    found: computed,
                },
            ] {
                let told = what.to_string();
                let mut shown = told.split([' ', ',']).filter(|word| word.starts_with("07"));
                let shown = shown.next().unwrap();
                assert_eq!(shown.len(), if whole { 64 } else { 8 }, "{told}");
                assert_eq!(told.matches(shown).count(), 1, "{told}");
            }
        }
    }
}
