//! What the world knows for certain, and what must follow from it.
//!
//! - R1. What was released once is in every later journal, in the same place.
//! - R2. Replay of the whole journal gives the state that recovery gave.
//! - R4. A request id takes effect at most once; later answers name the same permit.
//! - I3. An answer tells only of what is durable.
//! - I6. No two permits show the same token, and a store that remembers the largest is never surprised.
//! - I1, I5–I9 and I14, by the records: [`Reference`].
use crate::reference::Reference;
use fleet_core::{State, apply_record};
use fleet_types::permit::{Decision, Grant};
use fleet_types::{
    AgentId, Answer, Command, Envelope, Event, PermitId, Record, Reply, RequestId, permit,
};
use std::collections::BTreeMap;

/// Everything that was ever durable, and what was ever answered.
pub struct Checker {
    /// How many answers the server has in memory.
    memory_max: usize,
    reference: Reference,
    journal: Vec<Record>,
    answers: BTreeMap<(AgentId, RequestId), PermitId>,
    /// Which permit each token belongs to.
    tokens: BTreeMap<u64, PermitId>,
    /// Answers that were checked.
    pub answered: u64,
}

impl Checker {
    /// Of a server with so many answers in memory.
    #[must_use]
    pub fn new(memory_max: usize) -> Checker {
        Checker {
            memory_max,
            reference: Reference::default(),
            journal: Vec::new(),
            answers: BTreeMap::new(),
            tokens: BTreeMap::new(),
            answered: 0,
        }
    }

    /// How many records are durable.
    #[must_use]
    pub fn durable(&self) -> usize {
        self.journal.len()
    }

    /// Events by name, for "sometimes" assertions.
    #[must_use]
    pub fn events(&self) -> BTreeMap<&'static str, u64> {
        let mut events = BTreeMap::new();
        for record in &self.journal {
            *events.entry(record.event.name()).or_default() += 1;
        }
        events
    }

    /// Records that the server said are durable.
    ///
    /// # Panics
    /// When one may not be where it is.
    pub fn released(&mut self, records: Vec<Record>) {
        for record in &records {
            let wanted = self.journal.len() as u64 + 1;
            assert_eq!(record.seq.0, wanted, "I14: the journal has a gap");
            self.reference.follow(std::slice::from_ref(record));
            self.journal.push(record.clone());
            match &record.event {
                Event::PermitGranted(event) => self.learn(record.seq.0, event.permit),
                Event::PermitExtended(event) => self.learn(record.seq.0, event.permit),
                _ => {}
            }
        }
    }

    fn learn(&mut self, token: u64, permit: PermitId) {
        self.tokens.insert(token, permit);
    }

    /// A new life of the server found these records and came to this state.
    ///
    /// # Panics
    /// When something that was released is gone, or the state is not what the records say.
    pub fn recovered(&mut self, records: Vec<Record>, state: &State) {
        assert!(
            records.len() >= self.journal.len(),
            "R1: {} records were released, {} are left",
            self.journal.len(),
            records.len()
        );
        for (known, found) in self.journal.iter().zip(&records) {
            assert_eq!(known, found, "R1: a released record is another one now");
        }
        let mut replayed = State::default();
        replayed.set_memory_max(self.memory_max);
        for record in &records {
            apply_record(&mut replayed, record);
            replayed.drain_evicted().for_each(drop);
        }
        assert!(
            replayed.to_snapshot() == state.to_snapshot(),
            "R2: recovery and replay differ at {}",
            state.seq()
        );
        let more = records[self.journal.len()..].to_vec(); // Written, but nobody was told.
        self.released(more);
    }

    /// A client was told this.
    ///
    /// # Panics
    /// When it cannot be true.
    pub fn answer(&mut self, envelope: &Envelope, answer: &Answer) {
        self.answered += 1;
        let Ok(reply) = answer else { return };
        match reply {
            Reply::Decision(decision) => {
                let Command::Permit(permit::Command::Request(request)) = &envelope.command else {
                    return;
                };
                let id = match decision {
                    Decision::Granted(grant) => {
                        self.grant(grant);
                        grant.permit
                    }
                    Decision::Queued(queued) => queued.permit,
                    Decision::Denied(denial) => denial.permit,
                };
                assert!(
                    id.0.0 <= self.journal.len() as u64,
                    "I3: {id} is not durable"
                );
                let key = (request.agent.clone(), request.request_id.clone());
                let first = *self.answers.entry(key).or_insert(id);
                assert_eq!(
                    first, id,
                    "R4: {} was answered as two permits",
                    request.request_id
                );
            }
            Reply::Granted(grant) => self.grant(grant),
            Reply::Connected { epoch, .. } => {
                assert!(
                    epoch.0 <= self.journal.len() as u64,
                    "I3: epoch {epoch} is not durable"
                );
            }
            Reply::Counted(counted) => {
                let asked = counted.approval.0.0;
                assert!(
                    asked <= self.journal.len() as u64,
                    "I3: {} is not durable",
                    counted.approval
                );
            }
            Reply::Transaction(standing) => {
                let txn = standing.txn;
                assert!(
                    txn.0.0 <= self.journal.len() as u64,
                    "I3: {txn} is not durable"
                );
            }
            Reply::Halted { halt, .. } => {
                assert!(
                    halt.0.0 <= self.journal.len() as u64,
                    "I3: {halt} is not durable"
                );
            }
            Reply::Done { seq } => assert!(
                seq.0 <= self.journal.len() as u64,
                "I3: {seq} is not durable"
            ),
            Reply::Finished(_)
            | Reply::Extending(_)
            | Reply::ReleaseRequested { .. }
            | Reply::Unchanged => {}
        }
    }

    fn grant(&self, grant: &Grant) {
        for held in &grant.resources {
            let owner = self.tokens.get(&held.token.0);
            assert!(
                owner == Some(&grant.permit),
                "I6: {} shows token {} for {}, which is {owner:?}'s",
                grant.permit,
                held.token,
                held.path
            );
        }
    }
}
