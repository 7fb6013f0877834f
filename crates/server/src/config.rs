//! The configuration: defaults, then a file, then the environment, then flags; the later one wins.
//!
//! A file is TOML with the field names below. In the environment, `FLEET_LISTEN`, `FLEET_DATA`, `FLEET_LIMITS__REQUESTS_MAX`
//! and so on. Names that are not known are refused, so that a misspelt one is noticed.
use crate::error::Error;
use config::builder::{ConfigBuilder, DefaultState};
use config::{ConfigError, Environment, File, FileFormat};
use fleet_api::Limits;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a server listens when nothing is said.
pub const LISTEN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7_700);

/// What the environment tells the command line about the server it calls; no setting of a server.
const OF_THE_COMMAND_LINE: [&str; 3] = ["FLEET_SERVER", "FLEET_FLEET", "FLEET_KEY"];

/// How callers prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// For trying things out: no keys, on loopback only, and everything that no rule names may happen.
    Dev,
    /// With keys.
    #[default]
    Serve,
}

/// Where the journal is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// In a SQLite file in the data directory.
    #[default]
    Sqlite,
    /// In memory: gone with the process.
    Memory,
}

/// What log lines look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// How a server is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen; port 0: any free one.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub data: PathBuf,
    /// With or without keys.
    pub mode: Mode,
    /// Where the journal is kept.
    pub store: Store,
    /// What log lines look like.
    pub log: LogFormat,
    /// Which log lines, as `tracing-subscriber` has it: `info`, `fleet_api=debug,info`.
    pub log_filter: String,
    /// A snapshot is made after so many events.
    pub snapshot_every: u64,
    /// How many events are kept before the last snapshot; absent: all.
    pub keep_events: Option<u64>,
    /// Where what is pruned is archived first; absent: pruned for good.
    pub archive: Option<PathBuf>,
    /// How long a stop waits for requests in work.
    pub stop_ms: u64,
    /// Bounds of the doors.
    pub limits: Bounds,
    /// What is done outside.
    pub outside: Outside,
}

/// What is done outside: for transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outside {
    /// The directory of credentials, with one for each tenant in it; absent: `secrets` in the data directory.
    pub secrets: Option<PathBuf>,
    /// How often databases are looked through for prepared transactions that belong to nobody any more.
    pub orphans_every_ms: u64,
    /// How old such a one must be to be rolled back.
    pub orphans_after_ms: u64,
}

impl Default for Outside {
    fn default() -> Self {
        Outside {
            secrets: None,
            orphans_every_ms: 30_000,
            orphans_after_ms: 60_000,
        }
    }
}

impl Outside {
    /// How often to look.
    #[must_use]
    pub fn orphans_every(&self) -> Duration {
        Duration::from_millis(self.orphans_every_ms.max(100))
    }

    /// How old one must be.
    #[must_use]
    pub fn orphans_after(&self) -> Duration {
        Duration::from_millis(self.orphans_after_ms)
    }
}

/// Bounds of the doors; see [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Connections open at once.
    pub connections_max: usize,
    /// How long a client may take to send a request's head, or to say nothing between two requests.
    pub header_timeout_ms: u64,
    /// Largest HTTP body.
    pub body_bytes_max: usize,
    /// How long a body may take to come.
    pub body_timeout_ms: u64,
    /// How long a request may take.
    pub request_timeout_ms: u64,
    /// Requests in work at once.
    pub requests_max: usize,
    /// Requests in work at once for one key.
    pub requests_per_key_max: usize,
    /// Sessions and streams open at once.
    pub sessions_max: usize,
    /// Sessions and streams open at once for one key.
    pub sessions_per_key_max: usize,
    /// How long a session may take to say hello.
    pub hello_timeout_ms: u64,
    /// How long a client may leave what it is told unread.
    pub write_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: LISTEN_DEFAULT,
            data: PathBuf::from("fleet-data"),
            mode: Mode::default(),
            store: Store::default(),
            log: LogFormat::default(),
            log_filter: "info".to_owned(),
            snapshot_every: 250_000,
            keep_events: None,
            archive: None,
            stop_ms: 10_000,
            limits: Bounds::default(),
            outside: Outside::default(),
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        let limits = Limits::default();
        Bounds {
            connections_max: 24_000,
            header_timeout_ms: 30_000,
            body_bytes_max: limits.body_bytes_max,
            body_timeout_ms: millis(limits.body_timeout),
            request_timeout_ms: millis(limits.request_timeout),
            requests_max: limits.requests_max,
            requests_per_key_max: limits.requests_per_key_max,
            sessions_max: limits.sessions_max,
            sessions_per_key_max: limits.sessions_per_key_max,
            hello_timeout_ms: millis(limits.hello_timeout),
            write_timeout_ms: millis(limits.write_timeout),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Bounds {
    /// As the doors take them.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            body_bytes_max: self.body_bytes_max,
            body_timeout: Duration::from_millis(self.body_timeout_ms),
            request_timeout: Duration::from_millis(self.request_timeout_ms),
            requests_max: self.requests_max,
            requests_per_key_max: self.requests_per_key_max,
            sessions_max: self.sessions_max,
            sessions_per_key_max: self.sessions_per_key_max,
            hello_timeout: Duration::from_millis(self.hello_timeout_ms),
            write_timeout: Duration::from_millis(self.write_timeout_ms),
            ..Limits::default()
        }
    }
}

/// What flags say; they win over everything else.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// As [`Config::listen`].
    pub listen: Option<SocketAddr>,
    /// As [`Config::data`].
    pub data: Option<PathBuf>,
    /// As [`Config::mode`].
    pub mode: Option<Mode>,
    /// As [`Config::store`].
    pub store: Option<Store>,
    /// As [`Config::log`].
    pub log: Option<LogFormat>,
}

impl Config {
    /// Reads the file, if one is named, then the environment, then the flags.
    ///
    /// # Errors
    /// When a name is not known or a value is none.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> Result<Config, Error> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name, value.into_string().ok()?))
        });
        Self::load_from(file, overrides, variables)
    }

    fn load_from(
        file: Option<&Path>,
        overrides: Overrides,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, Error> {
        let mut builder = config::Config::builder();
        if let Some(file) = file {
            builder = builder.add_source(File::from(file).format(FileFormat::Toml).required(true));
        }
        let own = variables.filter(|(name, _)| !OF_THE_COMMAND_LINE.contains(&name.as_str()));
        let environment = Environment::with_prefix("FLEET")
            .source(Some(own.collect()))
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true);
        let alone = config::Config::builder().add_source(environment.clone());
        let read = builder.add_source(environment).build()?.try_deserialize();
        let mut config: Config = read.map_err(|error| match error {
            // A name that is not known does not say where it stands, as a value does.
            ConfigError::Message(why) => ConfigError::Message(match (read_alone(alone), file) {
                (Ok(_), Some(file)) => format!("{why}, in {}", file.display()),
                _ => format!("{why}, in the environment as FLEET_…"),
            }),
            error => error,
        })?;
        config.listen = overrides.listen.unwrap_or(config.listen);
        config.data = overrides.data.unwrap_or(config.data);
        config.mode = overrides.mode.unwrap_or(config.mode);
        config.store = overrides.store.unwrap_or(config.store);
        config.log = overrides.log.unwrap_or(config.log);
        Ok(config)
    }
}

fn read_alone(source: ConfigBuilder<DefaultState>) -> Result<Config, ConfigError> {
    source.build()?.try_deserialize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(
        file: &str,
        environment: &[(&str, &str)],
        overrides: Overrides,
    ) -> Result<Config, Error> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fleet.toml");
        std::fs::write(&path, file).unwrap();
        let variables = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load_from(Some(&path), overrides, variables)
    }

    #[test]
    fn the_later_source_wins() {
        let file =
            "listen = \"127.0.0.1:1\"\ndata = \"a\"\nmode = \"dev\"\n[limits]\nrequests_max = 7\n";
        let environment = [
            ("FLEET_DATA", "b"),
            ("FLEET_MODE", "serve"),
            ("FLEET_LIMITS__REQUESTS_PER_KEY_MAX", "3"),
            ("FLEET_KEY", "of the command line"),
            ("FLEET_SERVER", "http://127.0.0.1:7700"),
        ];
        let overrides = Overrides {
            mode: Some(Mode::Dev),
            ..Overrides::default()
        };
        let config = load(file, &environment, overrides).unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.data, PathBuf::from("b"));
        assert_eq!(config.mode, Mode::Dev);
        assert_eq!(
            (
                config.limits.requests_max,
                config.limits.requests_per_key_max
            ),
            (7, 3)
        );
        assert_eq!(config.limits.sessions_max, Bounds::default().sessions_max);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let misspelt = [("FLEET_LISEN", "127.0.0.1:1")];
        let why = load("", &misspelt, Overrides::default()).unwrap_err();
        let why = why.to_string();
        assert!(why.ends_with(", in the environment as FLEET_…"), "{why}");
        let why = load("lisen = 1", &[], Overrides::default()).unwrap_err();
        let why = why.to_string();
        assert!(why.ends_with("fleet.toml"), "{why}");
        for bad in [
            "lisen = \"127.0.0.1:1\"",
            "listen = \"nowhere\"",
            "mode = \"open\"",
            "[limits]\nrequest_max = 1",
        ] {
            assert!(
                load(bad, &[], Overrides::default()).is_err(),
                "{bad} was taken"
            );
        }
        assert_eq!(
            load("", &[], Overrides::default()).unwrap(),
            Config::default()
        );
    }
}
