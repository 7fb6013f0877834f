//! Numbers that stand for a request, its asker and its id. They are stored in snapshots and beside the journal, so the
//! algorithm must not change: folded multiplication of 8-byte words, as in wyhash (Wang Yi, 2019).
use fleet_types::RequestId;
use fleet_types::approval::About;
use fleet_types::permit::Request;
use serde_json::Value;

/// Under what an answer is found again: who asked, and the id of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    asker: u64,
    id: &'a RequestId,
}

impl<'a> Key<'a> {
    pub(super) fn new(asker: u64, id: &'a RequestId) -> Self {
        Key { asker, id }
    }

    /// The key of a request.
    #[must_use]
    pub fn of(request: &'a Request) -> Self {
        Key::new(asker(request), &request.request_id)
    }

    /// Scatters keys over all numbers; the same in every build.
    #[must_use]
    pub fn hash(self) -> u64 {
        let mut mixer = Mixer(SEED);
        mixer.number(self.asker);
        mixer.text(self.id.as_str());
        mixer.0
    }
}

/// The asker's name as a number.
pub fn asker(request: &Request) -> u64 {
    let mut mixer = Mixer(SEED);
    mixer.text(request.agent.as_str());
    mixer.0
}

/// A number that differs when the body of a request differs (not a cryptographic one: it guards against
/// mistakes, as the id is the asker's own).
pub fn fingerprint(request: &Request) -> u64 {
    let mut mixer = Mixer(SEED);
    mixer.text(request.agent.as_str());
    mixer.text(request.action.as_str());
    mixer.number(request.resources.len() as u64);
    for claim in &request.resources {
        mixer.text(claim.path.as_str());
        mixer.number(claim.mode as u64);
        if let Some(version) = claim.if_version {
            mixer.number(version.0);
        }
    }
    for read in &request.reads {
        mixer.text(read.path.as_str());
        mixer.number(read.version.0);
    }
    mixer.number(request.parameters.is_some().into());
    if let Some(parameters) = &request.parameters {
        mixer.object(parameters);
    }
    mixer.number(request.cost.money_micros);
    mixer.number(request.cost.tokens);
    mixer.number(request.priority.map_or(0, |p| u64::from(p.get())));
    mixer.number(request.wait_ms.0);
    mixer.number(request.ttl_ms.map_or(u64::MAX, |ttl| ttl.0));
    for (key, value) in request.labels.iter() {
        mixer.text(key);
        mixer.text(value);
    }
    if let Some(about) = &request.approval {
        mixer.about(about);
    }
    if let Some(parent) = request.parent {
        mixer.number(parent.0.0);
    }
    mixer.0
}

/// Where every mixing begins.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

struct Mixer(u64);

impl Mixer {
    fn number(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word ^ 0xa076_1d64_78bd_642f)
            * u128::from(word.rotate_left(32) ^ 0xe703_7ed1_a0b4_28db);
        self.0 = (self.0.rotate_left(23)) ^ (wide as u64) ^ ((wide >> 64) as u64);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        let (words, rest) = text.as_bytes().as_chunks();
        for word in words {
            self.number(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let last = rest.iter().rev();
            self.number(last.fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    fn about(&mut self, about: &About) {
        self.text(about.context.as_str());
        self.number(about.risks.len() as u64);
        for risk in &about.risks {
            self.text(risk.as_str());
        }
        self.text(about.impact.as_str());
        self.text(about.recommendation.as_str());
        self.number(about.urgency.map_or(u64::MAX, |urgency| urgency as u64));
    }

    /// The order of keys does not matter.
    fn object(&mut self, map: &serde_json::Map<String, Value>) {
        let mut sum = 0u64;
        for (key, value) in map {
            let mut entry = Mixer(1);
            entry.text(key);
            entry.value(value);
            sum = sum.wrapping_add(entry.0);
        }
        self.number(sum);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.number(1),
            Value::Bool(bit) => self.number(2 + u64::from(*bit)),
            Value::Number(number) => self.text(&number.to_string()),
            Value::String(text) => self.text(text),
            Value::Array(list) => {
                self.number(5 + list.len() as u64);
                for value in list {
                    self.value(value);
                }
            }
            Value::Object(map) => self.object(map),
        }
    }
}
