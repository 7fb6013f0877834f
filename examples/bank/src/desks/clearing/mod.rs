//! Clearing: money moves between two banks, each with a PostgreSQL server of its own.
//!
//! With a coordinator each transfer is a two-phase commit: both databases prepare, then both commit, whatever is killed in
//! between. Without one it is what most programs do: an update here, then an update there. When the second fails, the money
//! has left one bank and has not arrived at the other.
mod alone;
mod bank;
mod together;

use super::{AGAIN, Stopped};
use crate::postgres::{DEBIAN_PACKAGE, Postgres};
use crate::random::Random;
use bank::{ACCOUNTS, Banks, Halfway, OPENING};
use fleet_client::Fleet;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// The two banks.
const BANKS: [&str; 2] = ["eu", "us"];
/// Clerks that make transfers at the same time.
const CLERKS: u64 = 4;
/// How long a killed database stays away before it is started again.
const AWAY: Duration = Duration::from_millis(300);

/// How often it is looked for a transfer in whose middle a database can be killed.
const LOOK: Duration = Duration::from_millis(1);

/// What came of the transfers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transfers {
    /// Both updates stand.
    pub done: u64,
    /// Neither does.
    pub undone: u64,
    /// Of those without a coordinator: the second update failed after the first.
    pub broken: u64,
    /// How often a database was killed.
    pub kills: u64,
    /// Sum over both databases less what they began with, in cents.
    pub difference: i64,
    /// Transactions that lie prepared in a database, or are not over.
    pub half_way: u64,
}

impl Transfers {
    fn add(&mut self, other: &Transfers) {
        self.done += other.done;
        self.undone += other.undone;
        self.broken += other.broken;
        self.half_way += other.half_way;
    }
}

pub(super) struct Clearing {
    /// None: without coordination.
    pub fleet: Option<Fleet>,
    /// Where the server reads credentials; None: it is not ours.
    pub secrets_dir: Option<PathBuf>,
    pub kill_every: Option<Duration>,
    pub seed: u64,
    pub databases: Arc<OnceLock<Servers>>,
    pub stopped: Stopped,
}

/// One transfer.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    /// Bank (index into [`BANKS`]) and account of who pays, then of who is paid.
    ends: [(usize, u32); 2],
    cents: i64,
}

impl Transfer {
    fn draw(random: &mut Random) -> Self {
        let from = random.below(2) as usize;
        let account = |random: &mut Random| random.between(1, u64::from(ACCOUNTS)) as u32;
        Transfer {
            ends: [(from, account(random)), (1 - from, account(random))],
            cents: random.between(100, 10_000) as i64,
        }
    }

    /// What each end's account is changed by.
    fn changes(&self) -> [(usize, u32, i64); 2] {
        let [(from, payer), (to, payee)] = self.ends;
        [(from, payer, -self.cents), (to, payee, self.cents)]
    }
}

impl Clearing {
    /// Starts the databases; or why there are none.
    pub async fn open(self) -> Result<Open, String> {
        let coordinator = match (&self.fleet, &self.secrets_dir) {
            (Some(_), None) => {
                return Err("this server is not the demonstration's own".to_owned());
            }
            (Some(fleet), Some(dir)) => Some((fleet, dir)),
            (None, _) => None,
        };
        let servers = tokio::task::spawn_blocking(start_both)
            .await
            .map_err(why)??;
        let urls = self.databases.get_or_init(|| servers).urls();
        bank::furnish(&urls).await.map_err(why)?;
        if let Some((fleet, dir)) = coordinator {
            together::connect(fleet, dir, &urls).await?;
        }
        Ok(Open {
            clearing: self,
            urls,
        })
    }
}

/// Clearing whose databases are there.
pub(super) struct Open {
    clearing: Clearing,
    urls: [String; 2],
}

impl Open {
    /// Makes transfers until told to stop, and counts what came of them; or why that cannot be counted.
    pub async fn work(self) -> Result<Transfers, String> {
        let made = self.clearing.make(&self.urls).await;
        if let Some(fleet) = &self.clearing.fleet {
            together::disconnect(fleet).await;
        }
        made
    }
}

impl Clearing {
    async fn make(&self, urls: &[String; 2]) -> Result<Transfers, String> {
        let halfway = Halfway::default();
        let killer = self.kill_every.map(|every| {
            let (place, stopped) = (Arc::clone(&self.databases), self.stopped.clone());
            let halfway = halfway.clone();
            tokio::spawn(Servers::kill_again_and_again(
                place, halfway, every, stopped,
            ))
        });
        let clerks = (0..CLERKS).map(|number| {
            let (fleet, stopped, urls) = (self.fleet.clone(), self.stopped.clone(), urls.clone());
            let random = Random::split(self.seed, 0x636C_6561 + number);
            let banks = Banks::new(urls, halfway.clone());
            tokio::spawn(async move {
                match fleet {
                    Some(fleet) => together::clerk(fleet, banks, random, stopped).await,
                    None => alone::clerk(banks, random, stopped).await,
                }
            })
        });
        let clerks: Vec<_> = clerks.collect();
        let mut sum = Transfers::default();
        for clerk in clerks {
            sum.add(&clerk.await.map_err(why)?);
        }
        if let Some(killer) = killer {
            sum.kills = killer.await.map_err(why)??;
        }
        let (total, prepared) = bank::audit(urls).await.map_err(why)?;
        sum.difference = total - 2 * i64::from(ACCOUNTS) * OPENING;
        sum.half_way += prepared;
        Ok(sum)
    }
}

fn why(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Both servers, once they have started.
///
/// Dropped, it ends them: a task that holds them may never be, when the program ends on a failure.
#[derive(Default)]
pub(super) struct Databases(Arc<OnceLock<Servers>>);

impl Databases {
    pub fn place(&self) -> Arc<OnceLock<Servers>> {
        Arc::clone(&self.0)
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        if let Some(servers) = self.0.get() {
            for at in 0..2 {
                servers.lock(at).end();
            }
        }
    }
}

/// Both servers.
#[derive(Debug)]
pub(super) struct Servers([Mutex<Postgres>; 2]);

fn start_both() -> Result<Servers, String> {
    let other = std::thread::spawn(|| Postgres::start(64));
    let one = Postgres::start(64);
    let other = other.join().map_err(|_| "a thread has died".to_owned())?;
    match (one, other) {
        (Ok(one), Ok(other)) => Ok(Servers([Mutex::new(one), Mutex::new(other)])),
        (Err(error), _) | (_, Err(error)) => Err(match error.kind() {
            ErrorKind::NotFound => {
                format!("PostgreSQL is not installed (Debian's package: {DEBIAN_PACKAGE})")
            }
            _ => format!("PostgreSQL does not start: {error}"),
        }),
    }
}

impl Servers {
    fn urls(&self) -> [String; 2] {
        [0, 1].map(|at| self.lock(at).url())
    }

    fn lock(&self, at: usize) -> std::sync::MutexGuard<'_, Postgres> {
        self.0[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills one after the other (SIGKILL), in the middle of a transfer, and starts it again; how often.
    async fn kill_again_and_again(
        place: Arc<OnceLock<Servers>>,
        halfway: Halfway,
        every: Duration,
        mut stopped: Stopped,
    ) -> Result<u64, String> {
        let mut kills = 0_u64;
        loop {
            stopped.pause(every).await;
            if stopped.is() {
                return Ok(kills);
            }
            let at = (kills % 2) as usize;
            while !halfway.is_any(at) && !stopped.is() {
                tokio::time::sleep(LOOK).await;
            }
            let place = Arc::clone(&place);
            let killed = tokio::task::spawn_blocking(move || {
                let Some(servers) = place.get() else {
                    return Ok(());
                };
                let mut server = servers.lock(at);
                server.kill()?;
                std::thread::sleep(AWAY);
                server.start_again()
            });
            let killed = killed.await.map_err(why)?;
            killed.map_err(|error| format!("a killed database did not come back: {error}"))?;
            kills += 1;
        }
    }
}
