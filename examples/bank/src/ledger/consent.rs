//! What the bank's officer said about large payments: written by the officer, read by the auditor.
use super::{DeliveryId, Error, InstructionId, Ledger, Pass, State, now_micros};
use rusqlite::params;

/// Payments over this many cents need somebody's approval. The rule `large-payments` says the same.
pub const LARGE: i64 = 600_000;

impl Ledger {
    /// Writes down what the officer is about to answer.
    ///
    /// # Errors
    /// When there is no such instruction, or the ledger cannot be written.
    pub fn record_consent(
        &mut self,
        instruction: InstructionId,
        approved: bool,
    ) -> Result<(), Error> {
        let transaction = self.begin(&Pass::Unfenced)?;
        transaction
            .prepare_cached("INSERT INTO consent (instruction, approved, at) VALUES (?1, ?2, ?3)")?
            .execute(params![instruction, approved, now_micros()])?;
        transaction.commit()?;
        Ok(())
    }

    /// An instruction that nobody would approve comes to its end, unless it was carried out meanwhile.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn refuse(
        &mut self,
        instruction: InstructionId,
        delivery: DeliveryId,
    ) -> Result<(), Error> {
        let transaction = self.begin(&Pass::Unfenced)?;
        transaction
            .prepare_cached("UPDATE instruction SET state = ?2 WHERE id = ?1 AND state = ?3")?
            .execute(params![
                instruction,
                State::Refused.name(),
                State::Open.name()
            ])?;
        transaction
            .prepare_cached("DELETE FROM delivery WHERE id = ?1")?
            .execute([delivery])?;
        transaction.commit()?;
        Ok(())
    }
}
