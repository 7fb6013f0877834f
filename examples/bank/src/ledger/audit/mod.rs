//! What went wrong, measured on the ledger's own log.
//!
//! The auditor reads the log from its beginning and keeps books of its own: each account's version and balance as
//! the log has them, and its *worth*, which is the opening balance and every amount that was meant to come or go.
//! A lost update makes balance and worth differ: the money moved, the account does not show it.
//!
//! Assumptions
//! - What a writer believed is taken from the log; what it found is checked against the auditor's own books, and
//!   every difference counts as a break of the log. With breaks the other figures prove nothing.
//! - An overdraft is a payment or sweep after which an account's worth is below zero, though its balance may not
//!   show it.
use super::{AccountId, Error, InstructionId, Kind, LARGE, Ledger};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How soon no second fee may follow, in microseconds. The rule `fees-slowly` keeps them a little further apart.
pub const FEE_SPAN: i64 = 500_000;

/// What an audit found. All counts are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Entries of the log: things done.
    pub entries: u64,
    /// Postings of the log: balances written.
    pub postings: u64,
    /// Writes made from an old reading.
    pub lost_updates: u64,
    /// Debits that left an account's worth below zero.
    pub overdrafts: u64,
    /// Instructions paid, or taken back, once more than once; each repeat counts.
    pub double_payments: u64,
    /// Payments from accounts that fraud control held.
    pub held_payments: u64,
    /// Payments from accounts that compliance had frozen.
    #[serde(default)]
    pub frozen_payments: u64,
    /// Payments over [`LARGE`] that no officer had approved.
    #[serde(default)]
    pub unapproved_payments: u64,
    /// Fees that came within [`FEE_SPAN`] of the last one from the same account.
    #[serde(default)]
    pub hasty_fees: u64,
    /// Sum of all balances less what it should be, in cents.
    pub total_difference: i64,
    /// Accounts whose balance is not their worth.
    pub accounts_wrong: u64,
    /// Readers that looked twice under the same claim and saw two sums.
    pub unstable_reads: u64,
    /// Accrual counters that are not the sum of what was added.
    pub accruals_wrong: u64,
    /// Places where log and ledger, or log and log, contradict each other.
    pub log_breaks: u64,
    /// Writes under a stale token that the ledger refused.
    pub stale_writes_refused: u64,
    /// Readings under a stale token that the ledger refused.
    pub stale_reads_refused: u64,
}

impl Findings {
    /// What must be zero, each with its name.
    #[must_use]
    pub const fn violations(&self) -> [(&'static str, u64); 9] {
        [
            ("lost updates", self.lost_updates),
            ("overdrafts", self.overdrafts),
            ("double payments", self.double_payments),
            ("payments from held accounts", self.held_payments),
            (
                "broken total (cents off)",
                self.total_difference.unsigned_abs(),
            ),
            ("accounts with a wrong balance", self.accounts_wrong),
            ("unstable reads", self.unstable_reads),
            ("wrong accruals", self.accruals_wrong),
            ("breaks of the log", self.log_breaks),
        ]
    }

    /// What rules forbid, each with its name; must be zero as well.
    #[must_use]
    pub const fn forbidden(&self) -> [(&'static str, u64); 3] {
        [
            ("payments during a freeze", self.frozen_payments),
            ("large payments without approval", self.unapproved_payments),
            ("fees charged twice in half a second", self.hasty_fees),
        ]
    }

    /// Whether nothing went wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let mut all = self.violations().into_iter().chain(self.forbidden());
        all.all(|(_, count)| count == 0)
    }
}

/// One account in the auditor's books.
#[derive(Clone, Copy, Debug)]
struct Books {
    version: i64,
    balance: i64,
    worth: i64,
}

/// A row of the log.
struct Row {
    posting: i64,
    entry: i64,
    account: AccountId,
    base_version: i64,
    believed: i64,
    found_version: i64,
    found: i64,
    after: i64,
    held: bool,
    kind: String,
    instruction: Option<InstructionId>,
    external: i64,
    at: i64,
}

/// Reads the log as it grows.
#[derive(Debug, Default)]
pub struct Auditor {
    accounts: HashMap<AccountId, Books>,
    /// How often each instruction was paid or taken back.
    done: HashMap<(InstructionId, Kind), u32>,
    /// When each account was last charged a fee.
    charged: HashMap<AccountId, i64>,
    /// The last posting that was read.
    posting: i64,
    /// The entry it belongs to, and what its postings add up to so far, less what came from outside.
    entry: i64,
    imbalance: i64,
    /// What came from outside, all told.
    external: i64,
    findings: Findings,
}

impl Auditor {
    /// What was found so far in the log alone.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Reads what was added to the log since the last time.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn catch_up(&mut self, ledger: &Ledger) -> Result<(), Error> {
        self.catch_up_on(&ledger.connection)
    }

    fn catch_up_on(&mut self, connection: &Connection) -> Result<(), Error> {
        let mut statement = connection.prepare_cached(
            "SELECT posting.id, entry, account, base_version, believed, found_version, found, after, held,
               kind, instruction, external, at
             FROM posting JOIN entry ON entry.id = posting.entry
             WHERE posting.id > ?1 ORDER BY posting.id",
        )?;
        let mut rows = statement.query([self.posting])?;
        while let Some(row) = rows.next()? {
            let row = Row {
                posting: row.get(0)?,
                entry: row.get(1)?,
                account: row.get(2)?,
                base_version: row.get(3)?,
                believed: row.get(4)?,
                found_version: row.get(5)?,
                found: row.get(6)?,
                after: row.get(7)?,
                held: row.get(8)?,
                kind: row.get(9)?,
                instruction: row.get(10)?,
                external: row.get(11)?,
                at: row.get(12)?,
            };
            self.take_row(connection, &row)?;
        }
        Ok(())
    }

    fn take_row(&mut self, connection: &Connection, row: &Row) -> Result<(), Error> {
        let Some(kind) = Kind::parse(&row.kind) else {
            self.findings.log_breaks += 1;
            return Ok(());
        };
        self.posting = row.posting;
        if row.entry != self.entry {
            self.close_entry();
            self.entry = row.entry;
            self.imbalance = -row.external;
            self.external += row.external;
            self.findings.entries += 1;
            if let (Some(instruction), Kind::Payment | Kind::Reversal) = (row.instruction, kind) {
                let times = self.done.entry((instruction, kind)).or_insert(0);
                *times += 1;
                self.findings.double_payments += u64::from(*times > 1);
            }
        }
        let books = match self.accounts.entry(row.account) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                let opening = connection
                    .prepare_cached("SELECT opening FROM account WHERE id = ?1")?
                    .query_row([row.account], |row| row.get(0))?;
                new.insert(Books {
                    version: 0,
                    balance: opening,
                    worth: opening,
                })
            }
        };
        let amount = row.after - row.believed;
        self.imbalance += amount;
        self.findings.postings += 1;
        if (row.found_version, row.found) != (books.version, books.balance) {
            self.findings.log_breaks += 1;
        }
        // Judged by the auditor's own books, not by what the row says was found.
        if row.base_version != books.version || row.believed != books.balance {
            self.findings.lost_updates += 1;
        }
        books.version += 1;
        books.balance = row.after;
        books.worth += amount;
        if amount < 0 && books.worth < 0 {
            self.findings.overdrafts += 1;
        }
        if amount < 0 {
            self.judge(connection, kind, row, -amount)?;
        }
        Ok(())
    }

    /// Whether an account should have paid this much just then.
    fn judge(
        &mut self,
        connection: &Connection,
        kind: Kind,
        row: &Row,
        amount: i64,
    ) -> Result<(), Error> {
        match kind {
            Kind::Payment => {
                self.findings.held_payments += u64::from(row.held);
                let frozen: bool = connection
                    .prepare_cached(
                        "SELECT EXISTS (SELECT 1 FROM freeze WHERE account = ?1 AND until > ?2 AND at <= ?2)",
                    )?
                    .query_row([row.account, row.at], |row| row.get(0))?;
                self.findings.frozen_payments += u64::from(frozen);
                if amount > LARGE {
                    let approved: bool = connection
                        .prepare_cached(
                            "SELECT EXISTS (SELECT 1 FROM consent WHERE instruction = ?1 AND approved = 1 AND at <= ?2)",
                        )?
                        .query_row(params![row.instruction, row.at], |row| row.get(0))?;
                    self.findings.unapproved_payments += u64::from(!approved);
                }
            }
            Kind::Fee => {
                let before = self.charged.insert(row.account, row.at);
                let hasty = before.is_some_and(|before| row.at - before < FEE_SPAN);
                self.findings.hasty_fees += u64::from(hasty);
            }
            Kind::Reversal | Kind::Sweep | Kind::External | Kind::Interest => {}
        }
        Ok(())
    }

    /// An entry moves money, it does not make any: its postings add up to what came from outside.
    fn close_entry(&mut self) {
        if self.imbalance != 0 {
            self.findings.log_breaks += 1;
        }
        self.imbalance = 0;
    }
}

/// Audits the whole ledger from the beginning, as of one moment.
///
/// # Errors
/// When the ledger cannot be read.
pub fn audit(ledger: &mut Ledger) -> Result<Findings, Error> {
    let transaction = ledger.connection.transaction()?;
    let mut auditor = Auditor::default();
    auditor.catch_up_on(&transaction)?;
    auditor.close_entry();
    let Auditor {
        accounts,
        external,
        mut findings,
        ..
    } = auditor;
    let (mut balances, mut openings) = (0_i64, 0_i64);
    let mut statement = transaction.prepare("SELECT id, opening, balance, version FROM account")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, opening, balance, version): (AccountId, i64, i64, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        balances += balance;
        openings += opening;
        let books = accounts.get(&id).copied().unwrap_or(Books {
            version: 0,
            balance: opening,
            worth: opening,
        });
        findings.log_breaks += u64::from((books.version, books.balance) != (version, balance));
        findings.accounts_wrong += u64::from(books.worth != balance);
    }
    drop(rows);
    drop(statement);
    findings.total_difference = balances - openings - external;
    let count = |statement: &str| -> Result<u64, Error> {
        let count: i64 = transaction.query_row(statement, [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    findings.unstable_reads = count("SELECT count(*) FROM observation WHERE first <> second")?;
    findings.accruals_wrong = count(
        "SELECT count(*) FROM accrual WHERE amount <>
           (SELECT coalesce(sum(amount), 0) FROM accrual_log WHERE accrual_log.branch = accrual.branch)",
    )?;
    findings.stale_writes_refused = count("SELECT count(*) FROM refusal WHERE step = 'write'")?;
    findings.stale_reads_refused = count("SELECT count(*) FROM refusal WHERE step = 'read'")?;
    Ok(findings)
}

/// What was done, by kind, and when.
impl Ledger {
    /// How many entries of each kind the log has.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn entries_by_kind(&self) -> Result<std::collections::BTreeMap<Kind, u64>, Error> {
        let mut statement = self
            .connection
            .prepare("SELECT kind, count(*) FROM entry GROUP BY kind")?;
        let mut counts = std::collections::BTreeMap::new();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(kind) = Kind::parse(&row.get::<_, String>(0)?) {
                counts.insert(kind, row.get::<_, i64>(1)?.unsigned_abs());
            }
        }
        Ok(counts)
    }

    /// How many entries were logged from one time to another.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn entries_between(&self, from_micros: i64, to_micros: i64) -> Result<u64, Error> {
        let count: i64 = self.connection.query_row(
            "SELECT count(*) FROM entry WHERE at >= ?1 AND at < ?2",
            [from_micros, to_micros],
            |row| row.get(0),
        )?;
        Ok(count.unsigned_abs())
    }
}

#[cfg(test)]
mod tests;
