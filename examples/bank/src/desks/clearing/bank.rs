//! One bank's database, as its clerks use it.
use super::AGAIN;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, Error, NoTls};

/// Accounts of each bank.
pub(super) const ACCOUNTS: u32 = 50;
/// What each of them begins with, in cents.
pub(super) const OPENING: i64 = 1_000_000;
/// How long a database may be away when the books are closed.
const BACK_WITHIN: Duration = Duration::from_secs(60);

/// Connections to both banks, made anew after a failure.
pub(super) struct Banks {
    urls: [String; 2],
    clients: [Option<Client>; 2],
    halfway: Halfway,
}

/// Transfers that one bank has and the other not yet, by the other: the worst moment for it to go away.
#[derive(Clone, Debug, Default)]
pub(super) struct Halfway(Arc<[AtomicU64; 2]>);

impl Halfway {
    /// From now on, until it is dropped, one more is to come to this bank.
    fn to(&self, bank: usize) -> Coming {
        self.0[bank].fetch_add(1, Ordering::Relaxed);
        Coming(self.clone(), bank)
    }

    /// Whether any is to come to this bank.
    pub fn is_any(&self, bank: usize) -> bool {
        self.0[bank].load(Ordering::Relaxed) > 0
    }
}

pub(super) struct Coming(Halfway, usize);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.0[self.1].fetch_sub(1, Ordering::Relaxed);
    }
}

impl Banks {
    pub fn new(urls: [String; 2], halfway: Halfway) -> Self {
        Banks {
            urls,
            clients: [None, None],
            halfway,
        }
    }

    /// The other bank has its part of a transfer; this one's is to come.
    pub fn to_come(&self, bank: usize) -> Coming {
        self.halfway.to(bank)
    }

    /// Carries SQL out. After a failure what was under way there is gone, unless it was prepared.
    pub async fn run(&mut self, bank: usize, sql: &str) -> Result<(), Error> {
        let client = match self.clients[bank].take() {
            Some(client) if !client.is_closed() => client,
            _ => connect(&self.urls[bank]).await?,
        };
        let done = client.batch_execute(sql).await;
        // One that failed may be in the middle of a transaction: not used again.
        if done.is_ok() {
            self.clients[bank] = Some(client);
        }
        done
    }
}

async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        // The server may be killed meanwhile; the client then says so.
        let _ = connection.await;
    });
    Ok(client)
}

/// `UPDATE` of one account.
pub(super) fn update(account: u32, cents: i64) -> String {
    format!("UPDATE account SET cents = cents + ({cents}) WHERE id = {account}")
}

/// Opens the accounts of both.
pub(super) async fn furnish(urls: &[String; 2]) -> Result<(), Error> {
    let sql = format!(
        "CREATE TABLE account (id int PRIMARY KEY, cents int8 NOT NULL CHECK (cents >= 0)); \
         INSERT INTO account SELECT n, {OPENING} FROM generate_series(1, {ACCOUNTS}) n"
    );
    for url in urls {
        connect(url).await?.batch_execute(&sql).await?;
    }
    Ok(())
}

/// What both hold together, and how many transactions lie prepared.
pub(super) async fn audit(urls: &[String; 2]) -> Result<(i64, u64), Error> {
    let (mut total, mut prepared) = (0, 0);
    for url in urls {
        let since = Instant::now();
        let client = loop {
            match connect(url).await {
                Ok(client) => break client,
                Err(error) if since.elapsed() > BACK_WITHIN => return Err(error),
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        };
        let row = client
            .query_one(
                "SELECT (SELECT sum(cents)::int8 FROM account), (SELECT count(*) FROM pg_prepared_xacts)",
                &[],
            )
            .await?;
        total += row.get::<_, i64>(0);
        prepared += row.get::<_, i64>(1).unsigned_abs();
    }
    Ok((total, prepared))
}
