//! Instructions, and the queue that delivers them at least once.
//!
//! Who takes a delivery hides it for a while. If it is not settled by then, it comes back: so an agent that was
//! killed loses nothing, and a slow one shares its instruction with another. On top of that some instructions are
//! delivered twice on purpose, one right after the other, as queues do.
use super::{AccountId, Error, Ledger, Pass, now_micros, posting};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An instruction's number in the ledger.
pub type InstructionId = i64;
/// A delivery's number in the ledger.
pub type DeliveryId = i64;

/// Where an instruction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To be done.
    Open,
    /// Paid.
    Posted,
    /// The money was not there.
    Declined,
    /// Nobody would approve it.
    Refused,
    /// Paid, and taken back.
    Reversed,
    /// Paid and disputed, but it could not be taken back.
    Kept,
}

impl State {
    /// Every state.
    pub const ALL: [State; 6] = [
        State::Open,
        State::Posted,
        State::Declined,
        State::Refused,
        State::Reversed,
        State::Kept,
    ];

    /// As it stands in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Posted => "posted",
            State::Declined => "declined",
            State::Refused => "refused",
            State::Reversed => "reversed",
            State::Kept => "kept",
        }
    }

    pub(super) fn parse(name: &str) -> Self {
        State::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .unwrap_or(State::Open)
    }
}

/// A transfer as ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The customer's own id of it.
    pub reference: String,
    /// The name of the account that pays: `eu/a-00042`.
    pub from: String,
    /// The name of the account that is paid.
    pub to: String,
    /// Cents, above zero.
    pub amount: i64,
    /// For people.
    pub memo: String,
    /// Will be disputed once it is paid.
    pub disputed: bool,
    /// How often the queue delivers it: once, or more.
    pub deliveries: u8,
}

/// A transfer as the ledger knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Which.
    pub id: InstructionId,
    /// Who pays.
    pub source: AccountId,
    /// Who is paid.
    pub target: AccountId,
    /// Cents.
    pub amount: i64,
}

/// An instruction in an agent's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The delivery to settle.
    pub delivery: DeliveryId,
    /// What to do.
    pub instruction: Instruction,
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

impl Ledger {
    /// Adds orders to the queue; all their accounts must be open.
    ///
    /// # Errors
    /// When an account is unknown, a reference is there already, or the ledger cannot be written.
    pub fn enqueue(&mut self, orders: &[Order]) -> Result<(), Error> {
        let transaction = self.begin(&Pass::Unfenced)?;
        for order in orders {
            transaction
                .prepare_cached(
                    "INSERT INTO instruction (reference, source, target, amount, memo, disputed)
                     VALUES (?1, (SELECT id FROM account WHERE name = ?2),
                       (SELECT id FROM account WHERE name = ?3), ?4, ?5, ?6)",
                )?
                .execute(params![
                    order.reference,
                    order.from,
                    order.to,
                    order.amount,
                    order.memo,
                    order.disputed
                ])?;
            let instruction = transaction.last_insert_rowid();
            for _ in 0..order.deliveries {
                transaction
                    .prepare_cached("INSERT INTO delivery (instruction, due_at) VALUES (?1, ?2)")?
                    .execute(params![instruction, now_micros()])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Takes the next delivery and hides it from others for a while.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn take(&mut self, hidden_for: Duration) -> Result<Option<Taken>, Error> {
        let now = now_micros();
        let transaction = self.begin(&Pass::Unfenced)?;
        let taken = transaction
            .prepare_cached(
                "SELECT delivery.id, instruction.id, source, target, amount
                 FROM delivery JOIN instruction ON instruction.id = delivery.instruction
                 WHERE due_at <= ?1 ORDER BY due_at, delivery.id LIMIT 1",
            )?
            .query_row([now], |row| {
                Ok(Taken {
                    delivery: row.get(0)?,
                    instruction: Instruction {
                        id: row.get(1)?,
                        source: row.get(2)?,
                        target: row.get(3)?,
                        amount: row.get(4)?,
                    },
                })
            })
            .optional()?;
        if let Some(taken) = &taken {
            transaction
                .prepare_cached("UPDATE delivery SET due_at = ?2 WHERE id = ?1")?
                .execute(params![taken.delivery, now + micros(hidden_for)])?;
        }
        transaction.commit()?;
        Ok(taken)
    }

    /// Gives a delivery back, to be taken again after a while.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn give_back(&mut self, delivery: DeliveryId, after: Duration) -> Result<(), Error> {
        self.connection
            .prepare_cached("UPDATE delivery SET due_at = ?2 WHERE id = ?1")?
            .execute(params![delivery, now_micros() + micros(after)])?;
        Ok(())
    }

    /// Settles an instruction without money moving.
    ///
    /// # Errors
    /// When a token is stale or the ledger cannot be written.
    pub fn settle(&mut self, settlement: &super::Settlement, pass: &Pass) -> Result<(), Error> {
        let transaction = self.begin(pass)?;
        posting::settle(&transaction, settlement)?;
        transaction.commit()?;
        Ok(())
    }

    /// Paid instructions that are disputed, oldest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn disputed(&self, count_max: u32) -> Result<Vec<Instruction>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, source, target, amount FROM instruction
             WHERE disputed = 1 AND state = 'posted' ORDER BY id LIMIT ?1",
        )?;
        let rows = statement.query_map([count_max], |row| {
            Ok(Instruction {
                id: row.get(0)?,
                source: row.get(1)?,
                target: row.get(2)?,
                amount: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Deliveries that are not settled.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn open_deliveries(&self) -> Result<u64, Error> {
        let count: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM delivery")?
            .query_row([], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// How many instructions are in each state.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn instruction_states(&self) -> Result<std::collections::BTreeMap<State, u64>, Error> {
        let mut statement = self
            .connection
            .prepare("SELECT state, count(*) FROM instruction GROUP BY state")?;
        let rows = statement.query_map([], |row| {
            let state = State::parse(&row.get::<_, String>(0)?);
            Ok((state, row.get::<_, i64>(1)?.unsigned_abs()))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing;

    #[test]
    fn a_delivery_is_hidden_comes_back_and_ends_when_settled() {
        let mut bank = testing::bank(2);
        bank.enqueue(1, 1);
        let taken = bank.ledger.take(Duration::ZERO).unwrap().unwrap();
        assert_eq!(
            bank.ledger.take(Duration::from_secs(60)).unwrap(),
            Some(taken)
        );
        assert_eq!(bank.ledger.take(Duration::ZERO).unwrap(), None, "hidden");
        bank.ledger
            .give_back(taken.delivery, Duration::ZERO)
            .unwrap();
        assert_eq!(bank.ledger.take(Duration::ZERO).unwrap(), Some(taken));
        let settlement = super::super::Settlement {
            instruction: taken.instruction.id,
            state: Some(State::Declined),
            delivery: Some(taken.delivery),
        };
        bank.ledger.settle(&settlement, &Pass::Unfenced).unwrap();
        assert_eq!(bank.ledger.open_deliveries().unwrap(), 0);
        assert_eq!(
            bank.ledger.instruction_states().unwrap()[&State::Declined],
            1
        );
    }

    #[test]
    fn what_is_delivered_twice_comes_twice_in_a_row() {
        let mut bank = testing::bank(2);
        bank.enqueue(2, 2);
        let mut ids = Vec::new();
        while let Some(taken) = bank.ledger.take(Duration::from_secs(60)).unwrap() {
            ids.push(taken.instruction.id);
        }
        assert_eq!(ids, [1, 1, 2, 2]);
    }
}
