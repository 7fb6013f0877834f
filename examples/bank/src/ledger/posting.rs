//! Reading balances and putting new ones: read, think, write, as agents do through an account service.
//!
//! A write says what the balance shall be, not by how much it changes, so a write made from an old reading undoes
//! what came between. The log keeps both the belief and the truth.
use super::{AccountId, DeliveryId, Error, InstructionId, Ledger, Pass, State, now_micros};
use crate::ledger::fence::number;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A customer pays another.
    Payment,
    /// A payment is taken back.
    Reversal,
    /// Money moves between customers' accounts and the treasury.
    Sweep,
    /// Money comes from or goes to another bank.
    External,
    /// Interest is paid.
    Interest,
    /// A fee is taken.
    Fee,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] = [
        Kind::Payment,
        Kind::Reversal,
        Kind::Sweep,
        Kind::External,
        Kind::Interest,
        Kind::Fee,
    ];

    /// As it stands in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Payment => "payment",
            Kind::Reversal => "reversal",
            Kind::Sweep => "sweep",
            Kind::External => "external",
            Kind::Interest => "interest",
            Kind::Fee => "fee",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An account as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Which.
    pub account: AccountId,
    /// Cents.
    pub balance: i64,
    /// How often it had been written.
    pub version: i64,
    /// Whether fraud control holds it.
    pub held: bool,
}

impl Balance {
    /// The posting that makes it so much more, or less.
    #[must_use]
    pub const fn plus(self, amount: i64) -> Posting {
        Posting {
            after: self.balance + amount,
            base: self,
        }
    }
}

/// A new balance for one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// What the writer read.
    pub base: Balance,
    /// What the balance shall be.
    pub after: i64,
}

/// What becomes of an instruction and its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Which.
    pub instruction: InstructionId,
    /// Its new state; None: as it is.
    pub state: Option<State>,
    /// The delivery that is done with.
    pub delivery: Option<DeliveryId>,
}

/// One thing an agent does: all its postings or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What for.
    pub kind: Kind,
    /// The new balances.
    pub postings: Vec<Posting>,
    /// What came from outside, or went there (below zero).
    pub external: i64,
    /// The instruction it carries out.
    pub settlement: Option<Settlement>,
}

fn read_one(connection: &Connection, account: AccountId) -> Result<Balance, Error> {
    connection
        .prepare_cached("SELECT balance, version, held FROM account WHERE id = ?1")?
        .query_row([account], |row| {
            Ok(Balance {
                account,
                balance: row.get(0)?,
                version: row.get(1)?,
                held: row.get(2)?,
            })
        })
        .optional()?
        .ok_or(Error::NoAccount(account))
}

pub(super) fn settle(connection: &Connection, settlement: &Settlement) -> Result<(), Error> {
    if let Some(state) = settlement.state {
        connection
            .prepare_cached("UPDATE instruction SET state = ?2 WHERE id = ?1")?
            .execute(params![settlement.instruction, state.name()])?;
    }
    if let Some(delivery) = settlement.delivery {
        connection
            .prepare_cached("DELETE FROM delivery WHERE id = ?1")?
            .execute([delivery])?;
    }
    Ok(())
}

impl Ledger {
    /// Reads balances, all as of one moment.
    ///
    /// # Errors
    /// When a token is stale, an account unknown, or the ledger cannot be read.
    pub fn read(&mut self, accounts: &[AccountId], pass: &Pass) -> Result<Vec<Balance>, Error> {
        let transaction = self.begin_reading(pass)?;
        let balances = accounts
            .iter()
            .map(|account| read_one(&transaction, *account))
            .collect::<Result<_, _>>()?;
        transaction.commit()?;
        Ok(balances)
    }

    /// Reads balances and an instruction's state, all as of one moment.
    ///
    /// # Errors
    /// When a token is stale, something is unknown, or the ledger cannot be read.
    pub fn read_for(
        &mut self,
        instruction: InstructionId,
        accounts: &[AccountId],
        pass: &Pass,
    ) -> Result<(State, Vec<Balance>), Error> {
        let transaction = self.begin_reading(pass)?;
        let state: String = transaction
            .prepare_cached("SELECT state FROM instruction WHERE id = ?1")?
            .query_row([instruction], |row| row.get(0))?;
        let balances = accounts
            .iter()
            .map(|account| read_one(&transaction, *account))
            .collect::<Result<_, _>>()?;
        transaction.commit()?;
        Ok((State::parse(&state), balances))
    }

    /// Writes an entry: the new balances, the log, and what becomes of the instruction, in one transaction.
    ///
    /// # Errors
    /// When a token is stale (nothing is written then), an account is unknown or not covered by the pass,
    /// or the ledger cannot be written.
    pub fn post(&mut self, entry: &Entry, pass: &Pass) -> Result<(), Error> {
        let who = self.who.clone();
        let transaction = self.begin(pass)?;
        let at = now_micros();
        if entry.kind == Kind::Fee {
            // How often fees may come counts from permits' ends.
            pass.in_time(at)?;
        }
        let instruction = entry.settlement.map(|settlement| settlement.instruction);
        transaction
            .prepare_cached(
                "INSERT INTO entry (kind, agent, instruction, external, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![entry.kind.name(), who, instruction, entry.external, at])?;
        let number_of_entry = transaction.last_insert_rowid();
        for posting in &entry.postings {
            let account = posting.base.account;
            let token = match pass {
                Pass::Unfenced => None,
                Pass::Fenced { .. } => {
                    let name: String = transaction
                        .prepare_cached("SELECT name FROM account WHERE id = ?1")?
                        .query_row([account], |row| row.get(0))?;
                    pass.token_for(&format!("ledger/{name}"))?
                }
            };
            let found = read_one(&transaction, account)?;
            transaction
                .prepare_cached(
                    "UPDATE account SET balance = ?2, version = version + 1 WHERE id = ?1",
                )?
                .execute(params![account, posting.after])?;
            transaction
                .prepare_cached(
                    "INSERT INTO posting (entry, account, base_version, believed, found_version, found,
                       after, held, token) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute(params![
                    number_of_entry,
                    account,
                    posting.base.version,
                    posting.base.balance,
                    found.version,
                    found.balance,
                    posting.after,
                    found.held,
                    token.map(number),
                ])?;
        }
        if let Some(settlement) = &entry.settlement {
            settle(&transaction, settlement)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing;
    use fleet_types::lock::Mode;

    #[test]
    fn an_entry_is_written_whole() {
        let mut bank = testing::bank(2);
        let [from, to] = bank.two();
        let read = bank.ledger.read(&[from, to], &Pass::Unfenced).unwrap();
        bank.ledger
            .post(&testing::payment(&read, 70), &Pass::Unfenced)
            .unwrap();
        let after = bank.ledger.read(&[from, to], &Pass::Unfenced).unwrap();
        assert_eq!(after[0].balance, read[0].balance - 70);
        assert_eq!(after[1].balance, read[1].balance + 70);
        assert_eq!((after[0].version, after[1].version), (1, 1));
    }

    #[test]
    fn a_stale_writer_changes_nothing() {
        let mut bank = testing::bank(2);
        let [from, to] = bank.two();
        let sleeper = bank.pass_for(&[from, to], 5);
        let next = bank.pass_for(&[from, to], 8);
        let read = bank.ledger.read(&[from, to], &sleeper).unwrap();
        // The lease of the first has run out; the second reads, and has not written yet.
        let fresh = bank.ledger.read(&[from, to], &next).unwrap();
        let late = bank.ledger.post(&testing::payment(&read, 70), &sleeper);
        assert!(matches!(late, Err(Error::Stale(_))), "{late:?}");
        bank.ledger
            .post(&testing::payment(&fresh, 30), &next)
            .unwrap();
        assert_eq!(bank.balance(from), read[0].balance - 30);
    }

    #[test]
    fn a_write_needs_a_claim_on_each_account() {
        let mut bank = testing::bank(2);
        let [from, to] = bank.two();
        let read = bank.ledger.read(&[from, to], &Pass::Unfenced).unwrap();
        let half = bank.pass_for(&[from], 5);
        let refused = bank.ledger.post(&testing::payment(&read, 70), &half);
        assert!(matches!(refused, Err(Error::Uncovered(_))));
        assert_eq!(bank.balance(from), read[0].balance);
        let above = testing::pass(&[
            ("ledger/eu", Mode::Exclusive, 6),
            ("ledger/us", Mode::Exclusive, 6),
        ]);
        bank.ledger
            .post(&testing::payment(&read, 70), &above)
            .unwrap();
    }

    #[test]
    fn the_log_cannot_be_changed() {
        let mut bank = testing::bank(2);
        let [from, to] = bank.two();
        let read = bank.ledger.read(&[from, to], &Pass::Unfenced).unwrap();
        bank.ledger
            .post(&testing::payment(&read, 70), &Pass::Unfenced)
            .unwrap();
        for statement in [
            "UPDATE posting SET after = 0",
            "DELETE FROM posting",
            "UPDATE entry SET external = 5",
            "DELETE FROM entry",
        ] {
            assert!(
                bank.ledger.connection.execute(statement, []).is_err(),
                "{statement}"
            );
        }
    }
}
