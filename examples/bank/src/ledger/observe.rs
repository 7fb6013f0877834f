//! Holds, accruals, and readers that look twice.
use super::{AccountId, Error, Ledger, Pass, now_micros};
use rusqlite::{Connection, params};

/// What a reader adds up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// All balances of a branch.
    Branch(i64),
    /// The interest that has accrued in a branch.
    Accrual(i64),
}

impl Subject {
    fn name(&self) -> String {
        match self {
            Subject::Branch(branch) => format!("branch {branch}"),
            Subject::Accrual(branch) => format!("accrual {branch}"),
        }
    }
}

fn sum(connection: &Connection, subject: &Subject) -> Result<i64, Error> {
    let (statement, branch) = match subject {
        Subject::Branch(branch) => (
            "SELECT coalesce(sum(balance), 0) FROM account WHERE branch = ?1",
            branch,
        ),
        Subject::Accrual(branch) => ("SELECT amount FROM accrual WHERE branch = ?1", branch),
    };
    Ok(connection
        .prepare_cached(statement)?
        .query_row([branch], |row| row.get(0))?)
}

impl Ledger {
    /// Adds up, the first time.
    ///
    /// # Errors
    /// When a token is stale or the ledger cannot be read.
    pub fn look(&mut self, subject: &Subject, pass: &Pass) -> Result<i64, Error> {
        let transaction = self.begin_reading(pass)?;
        let sum = sum(&transaction, subject)?;
        transaction.commit()?;
        Ok(sum)
    }

    /// Adds up again and records both sums; says whether they were the same.
    ///
    /// # Errors
    /// When a token is stale or the ledger cannot be written.
    pub fn look_again(
        &mut self,
        subject: &Subject,
        first: i64,
        pass: &Pass,
    ) -> Result<bool, Error> {
        let who = self.who.clone();
        let transaction = self.begin(pass)?;
        let second = sum(&transaction, subject)?;
        transaction
            .prepare_cached(
                "INSERT INTO observation (agent, subject, first, second, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![who, subject.name(), first, second, now_micros()])?;
        transaction.commit()?;
        Ok(first == second)
    }

    /// Adds to a branch's accrued interest. Additions may come in any order.
    ///
    /// # Errors
    /// When a token is stale or the ledger cannot be written.
    pub fn accrue(&mut self, branch: i64, amount: i64, pass: &Pass) -> Result<(), Error> {
        let who = self.who.clone();
        let transaction = self.begin(pass)?;
        transaction
            .prepare_cached("UPDATE accrual SET amount = amount + ?2 WHERE branch = ?1")?
            .execute(params![branch, amount])?;
        transaction
            .prepare_cached(
                "INSERT INTO accrual_log (branch, amount, agent, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![branch, amount, who, now_micros()])?;
        transaction.commit()?;
        Ok(())
    }

    /// Holds an account, or lets it go.
    ///
    /// # Errors
    /// When a token is stale or the ledger cannot be written.
    pub fn hold(&mut self, account: AccountId, held: bool, pass: &Pass) -> Result<(), Error> {
        let who = self.who.clone();
        let now = now_micros();
        let transaction = self.begin(pass)?;
        transaction
            .prepare_cached("UPDATE account SET held = ?2, held_at = ?3 WHERE id = ?1")?
            .execute(params![account, held, held.then_some(now)])?;
        transaction
            .prepare_cached(
                "INSERT INTO hold_log (account, held, agent, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![account, held, who, now])?;
        transaction.commit()?;
        Ok(())
    }

    /// Accounts that are held, longest first, each with the time since when.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn held(&self) -> Result<Vec<(AccountId, i64)>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, held_at FROM account WHERE held = 1 ORDER BY held_at")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
