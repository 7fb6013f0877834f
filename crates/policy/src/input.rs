//! What a policy sees, in the library's form.
use fleet_types::Time;
use fleet_types::permit::Request;
use regorus::Value;
use std::collections::BTreeMap;

/// A document that policies may look into. Cheap to clone: parts are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document(pub(crate) Value);

impl Document {
    /// Of JSON.
    #[must_use]
    pub fn new(json: serde_json::Value) -> Document {
        Document(Value::from(json))
    }

    /// Of anything that has a JSON form.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn of(thing: &impl serde::Serialize) -> Document {
        let json = serde_json::to_value(thing).expect("it has a JSON form");
        Document::new(json)
    }

    /// An object of documents.
    #[must_use]
    pub fn object<K: AsRef<str>>(parts: impl IntoIterator<Item = (K, Document)>) -> Document {
        let parts = parts.into_iter();
        let parts: BTreeMap<Value, Value> = parts
            .map(|(key, part)| (Value::from(key.as_ref()), part.0))
            .collect();
        Document(Value::from(parts))
    }

    /// A list of documents.
    #[must_use]
    pub fn list(parts: impl IntoIterator<Item = Document>) -> Document {
        let parts: Vec<Value> = parts.into_iter().map(|part| part.0).collect();
        Document(Value::from(parts))
    }

    /// The names of the fleet's own state under `data.fleet`, with nothing in them.
    #[must_use]
    pub fn empty_fleet() -> Document {
        let nothing = || Document::object([("", Document::list([]))].into_iter().take(0));
        let names = [
            "agents", "budgets", "data", "groups", "halts", "scopes", "settings",
        ];
        Document::object([(
            "fleet",
            Document::object(names.map(|name| (name, nothing()))),
        )])
    }
}

/// What stands under `input`: the request, the agent's definition, and the time in nanoseconds.
#[must_use]
pub fn input(request: &Request, agent: Document, now: Time, extends: bool) -> Document {
    let mut body = serde_json::to_value(request).expect("a request has a JSON form");
    // What is left out of the stored form where it is empty stands here always, so that policies can rely on it.
    if let Some(body) = body.as_object_mut() {
        for (name, empty) in [
            ("resources", serde_json::json!([])),
            ("parameters", serde_json::json!({})),
            ("labels", serde_json::json!({})),
        ] {
            body.entry(name).or_insert(empty);
        }
        let cost = serde_json::json!({
            "money_micros": request.cost.money_micros, "tokens": request.cost.tokens,
        });
        body.insert("cost".into(), cost);
    }
    Document::object([
        ("request", Document::new(body)),
        ("agent", agent),
        ("now", Document(Value::from(now.0.saturating_mul(1_000)))),
        ("extends", Document(Value::from(extends))),
    ])
}
