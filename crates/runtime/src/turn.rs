//! What one turn of the writer brings, on its way to the journal and to those who wait for it.
//!
//! Free of threads: the scribe takes turns there for real, the simulator in its world.
use crate::handle::{Failure, Outbox};
use fleet_core::signal::{Signal, To};
use fleet_journal::{Batch, FleetKey};
use fleet_types::{Answer, Envelope, Epoch, Record};
use std::sync::Arc;

/// A batch is closed when it has so many bytes: far below what the journal takes, whatever the last record adds.
const BATCH_BYTES: usize = if cfg!(test) { 4_096 } else { 8 << 20 };

/// What is run when the outcome is known.
pub type Then = Box<dyn FnOnce(Result<(), Failure>) + Send>;

/// What is held back until the records before it are durable.
pub enum Release {
    /// An answer.
    Answer {
        /// Where it goes.
        outbox: Arc<dyn Outbox>,
        /// With which tag.
        tag: u64,
        /// The answer.
        answer: Answer,
    },
    /// The end of a read.
    Read(Then),
    /// A command that changed nothing, as policies have changed since they were asked: it is judged anew.
    Rejudge {
        /// The command.
        envelope: Envelope,
        /// Where the answer goes.
        outbox: Arc<dyn Outbox>,
        /// With which tag.
        tag: u64,
    },
}

/// What one turn of the writer brings: records for the journal, and what to release after them, in order.
#[derive(Default)]
pub struct Turn {
    /// To be made durable.
    pub records: Vec<Record>,
    /// To be released after that.
    pub releases: Vec<Release>,
    /// Whom to tell what after that.
    pub signals: Vec<(To, Signal)>,
}

impl Turn {
    /// Whether there is nothing to write, release or tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.releases.is_empty()
    }

    /// The records as they go to the journal: mostly one batch, more when there are many of them or large ones.
    ///
    /// # Panics
    /// Never: every record has a JSON form.
    #[must_use]
    pub fn batches(&self, fleet: &FleetKey, epoch: Epoch) -> Vec<Batch> {
        let records = &self.records;
        let mut batches = Vec::new();
        // About what a permit's event takes.
        let mut events = Vec::with_capacity(BATCH_BYTES.min(records.len() * 400));
        let mut first = 0;
        for (at, record) in records.iter().enumerate() {
            events.push(if at == first { b'[' } else { b',' });
            serde_json::to_writer(&mut events, record).expect("records have a JSON form");
            if events.len() >= BATCH_BYTES || at + 1 == records.len() {
                events.push(b']');
                batches.push(Batch {
                    fleet: fleet.clone(),
                    first_seq: records[first].seq.0,
                    last_seq: record.seq.0,
                    epoch: epoch.0,
                    at: record.at.0,
                    events: std::mem::take(&mut events),
                });
                first = at + 1;
            }
        }
        batches
    }

    /// Tells those who wait: what was answered, or how it failed. What must be judged anew goes to `rejudge`.
    pub fn answer(
        &mut self,
        broken: Option<&Failure>,
        mut rejudge: impl FnMut(Envelope, Arc<dyn Outbox>, u64),
    ) {
        let mut touched: Vec<Arc<dyn Outbox>> = Vec::new();
        for release in self.releases.drain(..) {
            match release {
                Release::Answer {
                    outbox,
                    tag,
                    answer,
                } => {
                    outbox.answer(tag, broken.cloned().map_or(Ok(answer), Err));
                    let known = touched
                        .last()
                        .is_some_and(|last| Arc::ptr_eq(last, &outbox));
                    if !known {
                        touched.push(outbox);
                    }
                }
                Release::Rejudge {
                    envelope,
                    outbox,
                    tag,
                } => match broken {
                    None => rejudge(envelope, outbox, tag),
                    Some(failure) => {
                        outbox.answer(tag, Err(failure.clone()));
                        outbox.flush();
                    }
                },
                Release::Read(then) => then(broken.cloned().map_or(Ok(()), Err)),
            }
        }
        for outbox in touched {
            outbox.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_types::{Actor, Event, Seq, Time, scope};

    #[test]
    fn many_records_are_several_batches_one_after_the_other() {
        let record = |seq: u64| {
            let path = format!("north/{}", "x".repeat(60));
            let scope: scope::Scope =
                serde_json::from_value(serde_json::json!({ "path": path })).unwrap();
            Record {
                seq: Seq(seq),
                at: Time(seq),
                by: Actor::System,
                event: Event::ScopeSet(scope),
            }
        };
        let turn = Turn {
            records: (5..=200).map(record).collect(),
            ..Turn::default()
        };
        let fleet = "acme/main".parse().unwrap();
        let batches = turn.batches(&fleet, Epoch(3));
        assert!(batches.len() > 2, "{}", batches.len());
        let (mut next, mut read) = (5, Vec::new());
        for batch in batches {
            assert_eq!((batch.first_seq, batch.at), (next, batch.last_seq));
            next = batch.last_seq + 1;
            let events: Vec<Record> = serde_json::from_slice(&batch.events).unwrap();
            assert_eq!(events.len() as u64, batch.count());
            read.extend(events);
        }
        assert_eq!(read, turn.records);
        assert!(Turn::default().batches(&fleet, Epoch(3)).is_empty());
    }
}
