//! Why a replay cannot be made, in words that read after "failed to".
use fleet_journal::FleetKey;
use fleet_types::{RuleId, Text, Time};

/// Why a replay cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal cannot be read or is damaged.
    #[error("read the journal of {fleet}: {source}")]
    Journal {
        /// Whose.
        fleet: FleetKey,
        /// Why.
        source: Box<fleet_journal::Error>,
    },
    /// A part is sound but not of a format that this build reads.
    #[error("decode {what} of {fleet}; was it written by a newer build? {source}")]
    Decode {
        /// Whose.
        fleet: FleetKey,
        /// Which part.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// There is no such journal.
    #[error("find fleet {fleet}; there are {known}")]
    NoFleet {
        /// Whose.
        fleet: FleetKey,
        /// Those that there are.
        known: String,
    },
    /// What happened before a time is needed, and not there any more.
    #[error(
        "go back to {from:?}: the journal's beginning was pruned, and the oldest state that is kept is of {oldest:?}; \
         begin later"
    )]
    TooEarly {
        /// The time that is wanted, in Unix microseconds.
        from: Time,
        /// The earliest that there is.
        oldest: Time,
    },
    /// The fleet would not take a candidate.
    #[error("set rule {rule}: {why}")]
    Refused {
        /// Which.
        rule: RuleId,
        /// Why.
        why: Text,
    },
    /// A rule that is to be left out is not there.
    #[error("leave out rule {rule}: the fleet had none of that name")]
    NoRule {
        /// Which.
        rule: RuleId,
    },
    /// A source of records ended with words of its own.
    #[error("{0}")]
    Source(String),
}
