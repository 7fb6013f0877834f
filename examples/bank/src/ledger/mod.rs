//! The ledger: a real database that agents of many processes read and write.
//!
//! SQLite in WAL mode. `synchronous` is NORMAL: a power cut may cost the last transactions, a killed process costs
//! none. That is enough for a demonstration of coordination, and fast enough that coordination is what one sees; a
//! bank would take FULL. Writes begin with `BEGIN IMMEDIATE`, and whoever finds the ledger busy waits.
//!
//! The ledger offers what an account service offers: read balances, then put new ones. It checks fencing tokens
//! ([`fence`]) when it is shown some, and logs what each writer believed and what it found ([`posting`]), so that
//! [`audit`] can measure what went wrong instead of assuming it.
pub mod abroad;
pub mod audit;
mod bank;
mod consent;
pub mod fence;
mod freeze;
mod instruction;
pub mod observe;
pub mod posting;
mod schema;
#[cfg(test)]
pub(crate) mod testing;

pub use bank::{Account, BRANCHES, Branch, CURRENCY, Directory, Purpose};
pub use consent::LARGE;
pub use fence::{Pass, Stale, Step};
pub use instruction::{DeliveryId, Instruction, InstructionId, Order, State, Taken};
pub use posting::{Balance, Entry, Kind, Posting, Settlement};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An account's number in the ledger.
pub type AccountId = i64;

/// Why the ledger did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error("ledger database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A token came too late.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The permit had run out when the write came.
    #[error("the permit had run out")]
    Late,
    /// A write to an account that no exclusive claim of the pass covers: a mistake in the agent.
    #[error("no exclusive claim covers {0}")]
    Uncovered(String),
    /// There is no such account.
    #[error("no account {0}")]
    NoAccount(AccountId),
    /// The old ledger could not be removed.
    #[error("ledger file: {0}")]
    File(#[from] std::io::Error),
}

/// One connection to the ledger.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
    /// Who writes, for the log.
    who: String,
}

impl Ledger {
    /// Begins a new ledger at this path; what was there is gone.
    ///
    /// # Errors
    /// When the old file cannot be removed or the new one not be written.
    pub fn create(path: &Path, who: &str) -> Result<Self, Error> {
        for ending in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(ending);
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                Ok(()) | Err(_) => {}
            }
        }
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.execute_batch(&format!("BEGIN; {} COMMIT;", schema::TABLES))?;
        drop(connection);
        Self::open(path, who)
    }

    /// Opens a ledger that exists.
    ///
    /// # Errors
    /// When it does not, or cannot be read.
    pub fn open(path: &Path, who: &str) -> Result<Self, Error> {
        use rusqlite::OpenFlags;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_handler(Some(wait_while_busy))?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // Checkpoints sync the file: fewer of them, each larger.
        connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Ledger {
            connection,
            who: who.to_owned(),
        })
    }

    /// Begins a transaction that writes, and shows the pass.
    fn begin(&mut self, pass: &Pass) -> Result<Transaction<'_>, Error> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        fence::enter(&transaction, pass)?;
        Ok(transaction)
    }

    /// Begins a transaction for reading under a pass: one that writes where there are tokens to mark.
    fn begin_reading(&mut self, pass: &Pass) -> Result<Transaction<'_>, Error> {
        match pass {
            Pass::Unfenced => Ok(self.connection.transaction()?),
            Pass::Fenced { .. } => self.begin(pass),
        }
    }
}

/// How often a busy ledger is tried again before the writer gives up: about 40 seconds, which outlasts
/// an agent that was stopped in the middle of a transaction.
const BUSY_TRIES_MAX: i32 = 40_000;

/// SQLite's own handler sleeps up to 100 ms at a time, far longer than a transaction of this ledger takes.
fn wait_while_busy(tries: i32) -> bool {
    let micros = u64::from(tries.unsigned_abs()).saturating_mul(50);
    std::thread::sleep(Duration::from_micros(micros.clamp(50, 1_000)));
    tries < BUSY_TRIES_MAX
}

/// The time, as the log writes it.
#[must_use]
pub fn now_micros() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
