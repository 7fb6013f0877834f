//! Payments abroad: four steps, each of them written down when it is done and when it is undone.
//!
//! A payment must stand whole or not at all. [`Ledger::abroad`] counts from what is written here alone.
use super::{Error, Ledger, Pass, now_micros};
use rusqlite::params;
use serde::{Deserialize, Serialize};

/// The steps, in their order.
pub const STEPS: [&str; 4] = ["reserve", "quote", "send", "notify"];

/// How payments abroad ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Abroad {
    /// All four steps stand.
    pub completed: u64,
    /// No step stands: what was done was undone.
    pub compensated: u64,
    /// Some steps stand and some do not.
    pub half_done: u64,
}

impl Ledger {
    /// Writes down that a step stands, or stands no more. The same thing twice is the same thing once.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn set_abroad(&mut self, payment: &str, step: &str, done: bool) -> Result<(), Error> {
        let transaction = self.begin(&Pass::Unfenced)?;
        transaction
            .prepare_cached(
                "INSERT INTO abroad (payment, step, done, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET done = excluded.done, at = excluded.at",
            )?
            .execute(params![payment, step, done, now_micros()])?;
        transaction.commit()?;
        Ok(())
    }

    /// How the payments abroad stand.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn abroad(&self) -> Result<Abroad, Error> {
        let mut statement = self
            .connection
            .prepare("SELECT sum(done) FROM abroad GROUP BY payment")?;
        let mut rows = statement.query([])?;
        let mut abroad = Abroad::default();
        while let Some(row) = rows.next()? {
            match row.get::<_, i64>(0)?.unsigned_abs() {
                0 => abroad.compensated += 1,
                stand if stand == STEPS.len() as u64 => abroad.completed += 1,
                _ => abroad.half_done += 1,
            }
        }
        Ok(abroad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing;

    #[test]
    fn a_payment_stands_whole_or_not_at_all_or_is_counted() {
        let mut bank = testing::bank(2);
        let set = |bank: &mut testing::Bank, payment: &str, step: &str, done| {
            bank.ledger.set_abroad(payment, step, done).unwrap();
        };
        for step in STEPS {
            set(&mut bank, "whole", step, true);
        }
        for done in [true, true, false] {
            set(&mut bank, "undone", "reserve", done);
        }
        set(&mut bank, "half", "reserve", true);
        let abroad = bank.ledger.abroad().unwrap();
        let wanted = Abroad {
            completed: 1,
            compensated: 1,
            half_done: 1,
        };
        assert_eq!(abroad, wanted);
    }
}
