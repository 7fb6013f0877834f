//! A batch: what the writer hands over and what a reader gives back.

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::{Error, FleetKey};

/// The longest events text of one batch. Guards readers against rows that claim to be huge.
pub const BODY_BYTES_MAX: usize = 64 << 20;

/// The events of one batch, as JSON text, one array.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    /// Whose journal.
    pub fleet: FleetKey,
    /// The sequence number of the first event; a fleet's very first is 1.
    pub first_seq: u64,
    /// The sequence number of the last event.
    pub last_seq: u64,
    /// The epoch of the writer. It never goes back; a writer of an older epoch is fenced.
    pub epoch: u64,
    /// When, in Unix microseconds, by the writer's clock.
    pub at: u64,
    /// A JSON array of `last_seq - first_seq + 1` elements, on one line.
    pub events: Vec<u8>,
}

impl Batch {
    /// How many events the sequence numbers promise.
    pub fn count(&self) -> u64 {
        self.last_seq
            .saturating_add(1)
            .saturating_sub(self.first_seq)
    }

    /// Refuses what must never be sealed: it would be damage from the first day.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse = |why: String| {
            Err(Error::Batch {
                fleet: self.fleet.clone(),
                first_seq: self.first_seq,
                why,
            })
        };
        // Stores keep signed 64-bit integers.
        let most = i64::MAX as u64;
        if self.first_seq == 0 || self.last_seq < self.first_seq || self.last_seq >= most {
            return refuse(format!(
                "{}..={} is not a range of sequence numbers from 1",
                self.first_seq, self.last_seq
            ));
        }
        if self.epoch > most || self.at > most {
            return refuse("its epoch or time passes the 63 bits a store can hold".to_owned());
        }
        if self.events.len() > BODY_BYTES_MAX {
            return refuse(format!(
                "its {} bytes pass the limit of {BODY_BYTES_MAX}",
                self.events.len()
            ));
        }
        // Archives hold one batch a line.
        if !self.events.starts_with(b"[") || !self.events.ends_with(b"]") {
            return refuse("its events do not begin with [ and end with ]".to_owned());
        }
        if self.events.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            return refuse("its events are not on one line".to_owned());
        }
        match count_elements(&self.events) {
            Ok(count) if count == self.count() => Ok(()),
            Ok(count) => refuse(format!(
                "it has {count} events for {} sequence numbers",
                self.count()
            )),
            Err(why) => refuse(format!("its events are not a JSON array: {why}")),
        }
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Batch {
            fleet,
            first_seq,
            last_seq,
            epoch,
            at,
            events,
        } = self;
        let events = String::from_utf8_lossy(events);
        write!(
            f,
            "{fleet} {first_seq}..={last_seq} epoch {epoch} at {at} {events}"
        )
    }
}

/// The number of elements of a JSON array. Checks the whole text, builds nothing.
pub(crate) fn count_elements(text: &[u8]) -> Result<u64, String> {
    struct Count;
    impl<'de> Visitor<'de> for Count {
        type Value = u64;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a JSON array")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<u64, A::Error> {
            let mut count = 0;
            while seq.next_element::<IgnoredAny>()?.is_some() {
                count += 1;
            }
            Ok(count)
        }
    }
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let mut json = serde_json::Deserializer::from_str(text);
    let count = json
        .deserialize_seq(Count)
        .map_err(|error| error.to_string())?;
    json.end().map_err(|error| error.to_string())?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSALS: &str = r#"1..=1 "[1]" is fine
1..=3 "[{\"a\":[1,2]},\"x]\",null]" is fine
0..=0 "[1]" 0..=0 is not a range of sequence numbers from 1
2..=1 "[]" 2..=1 is not a range of sequence numbers from 1
1..=18446744073709551615 "[1]" 1..=18446744073709551615 is not a range of sequence numbers from 1
1..=2 "[1]" it has 1 events for 2 sequence numbers
1..=1 "[1,2]" it has 2 events for 1 sequence numbers
1..=1 "[1" its events do not begin with [ and end with ]
1..=1 "[1]]" its events are not a JSON array: trailing characters at line 1 column 4
1..=1 "[1] " its events do not begin with [ and end with ]
1..=1 "[\n1]" its events are not on one line
1..=1 "{}" its events do not begin with [ and end with ]
1..=1 "[nul]" its events are not a JSON array: expected ident at line 1 column 5
"#;

    #[test]
    fn refusals() {
        let table: String = [
            (1, 1, "[1]"),
            (1, 3, r#"[{"a":[1,2]},"x]",null]"#),
            (0, 0, "[1]"),
            (2, 1, "[]"),
            (1, u64::MAX, "[1]"),
            (1, 2, "[1]"),
            (1, 1, "[1,2]"),
            (1, 1, "[1"),
            (1, 1, "[1]]"),
            (1, 1, "[1] "),
            (1, 1, "[\n1]"),
            (1, 1, "{}"),
            (1, 1, "[nul]"),
        ]
        .into_iter()
        .map(|(first_seq, last_seq, events)| {
            let fleet = "acme/main".parse().unwrap();
            let events_bytes = events.as_bytes().to_vec();
            let batch = Batch {
                fleet,
                first_seq,
                last_seq,
                epoch: 1,
                at: 1,
                events: events_bytes,
            };
            match batch.check() {
                Ok(()) => format!("{first_seq}..={last_seq} {events:?} is fine\n"),
                Err(Error::Batch { why, .. }) => {
                    format!("{first_seq}..={last_seq} {events:?} {why}\n")
                }
                Err(error) => panic!("{error}"),
            }
        })
        .collect();
        assert_eq!(table, REFUSALS);
    }
}
