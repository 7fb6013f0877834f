//! A client as the world has them: impatient, forgetful, gone for a while, back with old epochs.
use crate::config::Config;
use crate::requests::{self, Known};
use crate::rng::Rng;
use crate::server::Tag;
use fleet_runtime::Failure;
use fleet_types::permit::Decision;
use fleet_types::{Answer, Envelope, PermitId, Reply};
use std::collections::BTreeMap;

/// One client with one agent and one instance of it.
pub struct Client {
    agent: String,
    number: u64,
    permits: Vec<PermitId>,
    epoch: u64,
    connected: bool,
    halts: Vec<String>,
    /// Requests for permits without a final answer, by their id.
    open: BTreeMap<String, Envelope>,
    /// Answered ones, to be asked again now and then.
    closed: Vec<Envelope>,
    asked: u64,
    sent: BTreeMap<Tag, Envelope>,
    /// Until when it does nothing.
    pub away_until: u64,
}

impl Client {
    /// A client that has done nothing yet.
    #[must_use]
    pub fn new(number: u64) -> Client {
        Client {
            agent: requests::agent(number),
            number,
            permits: Vec::new(),
            epoch: 0,
            connected: false,
            halts: Vec::new(),
            open: BTreeMap::new(),
            closed: Vec::new(),
            asked: 0,
            sent: BTreeMap::new(),
            away_until: 0,
        }
    }

    /// How many requests have no answer yet.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Its instance, if it believes it is connected.
    #[must_use]
    pub fn session(&self) -> Option<(String, u64)> {
        self.connected.then(|| (self.agent.clone(), self.epoch))
    }

    /// The next thing it sends.
    pub fn act(&mut self, config: &Config, rng: &mut Rng) -> Option<Envelope> {
        // A retry of what was not answered, or of what was.
        if rng.per_mille(250)
            && let Some(envelope) = self.retry(rng)
        {
            return Some(envelope);
        }
        if rng.per_mille(20) && !self.closed.is_empty() {
            return Some(rng.pick(&self.closed).clone());
        }
        let known = Known {
            agent: &self.agent,
            permits: &self.permits,
            epoch: self.epoch,
            connected: self.connected,
            halts: &self.halts,
        };
        let total: u32 = config.weights.iter().sum();
        if rng.below(u64::from(total)) >= u64::from(config.weights[0]) {
            return requests::other(config, rng, &known);
        }
        if self.open.len() > 20 {
            return None;
        }
        let id = format!("c{}-{}", self.number, self.asked);
        let envelope = requests::permit(config, rng, &known, &id);
        self.asked += 1;
        self.open.insert(id, envelope.clone());
        Some(envelope)
    }

    /// One of the requests without an answer, once more.
    pub fn retry(&mut self, rng: &mut Rng) -> Option<Envelope> {
        let at = rng.below(self.open.len() as u64) as usize;
        self.open.values().nth(at).cloned()
    }

    /// Remembers what was sent under a tag.
    pub fn sent(&mut self, tag: Tag, envelope: Envelope) {
        self.sent.insert(tag, envelope);
    }

    /// Hears an answer; the message it belongs to, if it was not heard before.
    pub fn hear(&mut self, tag: Tag, answer: &Result<Answer, Failure>) -> Option<Envelope> {
        let envelope = self.sent.get(&tag)?.clone();
        let Ok(answer) = answer else {
            return Some(envelope); // Not known or refused: it will ask again.
        };
        let id = match &envelope.command {
            fleet_types::Command::Permit(fleet_types::permit::Command::Request(request)) => {
                Some(request.request_id.to_string())
            }
            _ => None,
        };
        match answer {
            Ok(Reply::Decision(Decision::Granted(grant))) => {
                if !self.permits.contains(&grant.permit) {
                    self.permits.push(grant.permit);
                }
                self.close(id);
            }
            Ok(Reply::Decision(Decision::Denied(_))) | Err(_) => self.close(id),
            Ok(Reply::Finished(event)) => {
                self.permits.retain(|permit| *permit != event.finish.permit)
            }
            Ok(Reply::Connected { epoch, .. }) => {
                self.epoch = epoch.0;
                self.connected = true;
            }
            Ok(Reply::Halted { halt, .. }) => self.halts.push(halt.to_string()),
            Ok(_) => {} // Still waits, or nothing to remember.
        }
        if self.permits.len() > 8 {
            self.permits.remove(0); // Forgotten: the lease must end it.
        }
        Some(envelope)
    }

    fn close(&mut self, id: Option<String>) {
        if let Some(id) = id
            && let Some(envelope) = self.open.remove(&id)
        {
            self.closed.push(envelope);
            if self.closed.len() > 16 {
                self.closed.remove(0);
            }
        }
    }
}
