//! A line of a script, word by word.
use crate::tests::show::Names;
use fleet_types::{Actor, Command};
use serde_json::{Map, Value, json};

/// The words of one line.
pub struct Line<'l> {
    pub words: Vec<&'l str>,
    pub options: Vec<(&'l str, &'l str)>,
}

impl<'l> Line<'l> {
    pub fn parse(line: &'l str) -> Line<'l> {
        let mut parsed = Line {
            words: Vec::new(),
            options: Vec::new(),
        };
        for word in line.split_whitespace() {
            match word.split_once('=') {
                Some(option) => parsed.options.push(option),
                None => parsed.words.push(word),
            }
        }
        parsed
    }

    pub fn word(&self, at: usize) -> &'l str {
        let missing = || panic!("word {at} is missing in {:?}", self.words);
        self.words.get(at).copied().unwrap_or_else(missing)
    }

    pub fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    pub fn option(&self, name: &str) -> Option<&'l str> {
        let mut options = self.options.iter();
        options
            .find(|(key, _)| *key == name)
            .map(|(_, value)| *value)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.option(name).map(number)
    }

    pub fn by(&self) -> Actor {
        match self.option("by") {
            None | Some("local") => Actor::Local,
            Some("system") => Actor::System,
            Some(other) => match other.split_once(':') {
                Some(("agent", id)) => Actor::Agent(id.parse().unwrap()),
                Some(("key", id)) => Actor::Key(id.parse().unwrap()),
                _ => panic!("no actor {other}"),
            },
        }
    }

    pub fn labels(&self) -> Value {
        let labels = self.options.iter().filter(|(key, _)| *key == "label");
        let labels = labels.map(|(_, pair)| pair.split_once(':').unwrap());
        labels
            .map(|(k, v)| (k.to_owned(), json!(v)))
            .collect::<Map<_, _>>()
            .into()
    }

    pub fn claims(&self, from: usize, names: &Names) -> Value {
        let claims = self.words[from..]
            .iter()
            .filter_map(|word| word.split_once(':'));
        let claim = |(mode, path): (&str, &str)| {
            let mode = match mode {
                "s" => "shared",
                "c" => "commuting",
                "x" => "exclusive",
                other => panic!("no mode {other}"),
            };
            match path.split_once('@') {
                Some((path, version)) => {
                    json!({"path": path, "mode": mode, "if_version": names.place(version)})
                }
                None => json!({"path": path, "mode": mode}),
            }
        };
        claims.map(claim).collect()
    }

    pub fn reads(&self, names: &Names) -> Value {
        let reads = self.options.iter().filter(|(key, _)| *key == "read");
        let read = |(_, pair): &(&str, &str)| {
            let (path, version) = pair.split_once('@').unwrap();
            json!({"path": path, "version": names.place(version)})
        };
        reads.map(read).collect()
    }

    pub fn selector(&self) -> Value {
        let mut selector = Map::new();
        for key in ["scope", "agent", "group", "action", "resource"] {
            if let Some(value) = self.option(key) {
                selector.insert(key.to_owned(), json!(value));
            }
        }
        selector.insert("labels".into(), self.labels());
        selector.into()
    }
}

pub fn number(text: &str) -> u64 {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is not a number"))
}

/// Leaves out what is null, so that defaults apply.
pub fn compact(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|_, value| !value.is_null());
    }
    value
}

pub fn command(noun: &str, body: Value) -> Command {
    let value = json!({ noun: body });
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
}
