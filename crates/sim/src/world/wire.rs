//! What clients and server send each other: lost, doubled, late.
use super::{Message, World};
use fleet_types::Reply;

impl World {
    pub(super) fn post(&mut self, message: Message) {
        let (lost, doubled) = match self.calm {
            true => (0, 0),
            false => (self.config.lost, self.config.doubled),
        };
        let copies = if self.rng.per_mille(lost) {
            0
        } else {
            1 + u64::from(self.rng.per_mille(doubled))
        };
        for _ in 0..copies {
            self.posted += 1;
            let at = self.now + self.rng.below(self.config.late_us + 1);
            let message = match &message {
                Message::Ask(tag, envelope) => Message::Ask(*tag, envelope.clone()),
                Message::Answer(tag, answer) => Message::Answer(*tag, answer.clone()),
            };
            self.wire.insert((at, self.posted), message);
        }
    }

    pub(super) fn client(&mut self) {
        let at = self.rng.below(self.clients.len() as u64) as usize;
        if self.rng.per_mille(self.config.vanish) && !self.calm {
            self.clients[at].away_until = self.now + self.rng.below(30_000_000);
            self.fault("client vanished");
        }
        if self.clients[at].away_until > self.now {
            return;
        }
        let envelope = match self.calm {
            true => self.clients[at].retry(&mut self.rng),
            false => self.clients[at].act(&self.config, &mut self.rng),
        };
        if let Some(envelope) = envelope {
            let tag = self.tags.len() as u64;
            self.tags.insert(tag, at);
            self.clients[at].sent(tag, envelope.clone());
            self.post(Message::Ask(tag, envelope));
        }
    }

    /// What has arrived by now.
    pub(super) fn deliver(&mut self) {
        while let Some(entry) = self.wire.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            match entry.remove() {
                Message::Ask(tag, envelope) if self.server.is_some() => {
                    self.inbox.push_back((tag, envelope))
                }
                Message::Ask(..) => {} // Nobody listens.
                Message::Answer(tag, answer) => {
                    let Some(at) = self.tags.get(&tag).copied() else {
                        continue;
                    };
                    let heard = self.clients[at].hear(tag, &answer);
                    if let (Some(envelope), Ok(answer)) = (heard, &answer) {
                        self.checker.answer(&envelope, answer);
                        self.log("answer", tag);
                        if let Ok(Reply::Decision(_)) = answer {
                            self.answered.entry(tag).or_insert(envelope);
                        }
                    }
                }
            }
        }
    }
}
