//! Why a server did not start, or had to end: each in words that read after "failed to" and say what to do.
use fleet_api::auth::mode::NotLoopback;
use fleet_types::KeyId;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server did not start, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is not one.
    #[error("read the configuration: {0}")]
    Config(#[from] config::ConfigError),
    /// Open where others can reach it.
    #[error("start without keys: {0}")]
    NotLoopback(#[from] NotLoopback),
    /// Nobody could come in.
    #[error(
        "serve {address}: there is no key yet, so nobody could come in; \
         make the first one with `fleet keys bootstrap --data-dir {}`, then start again", data.display()
    )]
    NoKeys {
        /// Where it was to listen.
        address: SocketAddr,
        /// Its data.
        data: PathBuf,
    },
    /// There is an admin key, so the first one was made before.
    #[error(
        "make the first admin key: {} has {} already; if its token is lost, \
         `fleet keys bootstrap --another --data-dir {}` makes one beside it, and it stays valid until it is revoked",
        data.display(), names(known), data.display()
    )]
    KeyExists {
        /// Which.
        known: Vec<KeyId>,
        /// Where.
        data: PathBuf,
    },
    /// The journal cannot be used.
    #[error("open the journal: {0}")]
    Journal(String),
    /// The address is taken, or not ours.
    #[error("listen on {address}: {source}; choose another address with `--listen`")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A fleet did not answer.
    #[error("{doing}: {why}")]
    Fleet {
        /// What was being done.
        doing: &'static str,
        /// Why.
        why: String,
    },
    /// The journal cannot be trusted any more; starting again recovers what is durable.
    #[error("go on: {0}; start again, which recovers everything that was acknowledged")]
    Fatal(String),
}

fn names(keys: &[KeyId]) -> String {
    let names: Vec<&str> = keys.iter().map(KeyId::as_str).collect();
    names.join(", ")
}
