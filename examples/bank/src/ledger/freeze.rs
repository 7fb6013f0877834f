//! Freezes: for a moment nobody pays from an account. Unlike a hold, the account does not show it.
use super::{AccountId, Error, Ledger, Pass, now_micros};
use rusqlite::params;
use std::time::Duration;

impl Ledger {
    /// Freezes an account for so long from now.
    ///
    /// # Errors
    /// When a token is stale, the permit has run out, or the ledger cannot be written.
    pub fn freeze(&mut self, account: AccountId, span: Duration, pass: &Pass) -> Result<(), Error> {
        let who = self.who.clone();
        let transaction = self.begin(pass)?;
        let at = now_micros();
        pass.in_time(at)?;
        let until = at + i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        transaction
            .prepare_cached(
                "INSERT INTO freeze (account, agent, at, until) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![account, who, at, until])?;
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing;
    use fleet_types::Time;

    #[test]
    fn who_comes_after_its_permit_has_run_out_freezes_nothing() {
        let mut bank = testing::bank(2);
        let [account, _] = bank.two();
        let Pass::Fenced { held, .. } = bank.pass_for(&[account], 5) else {
            panic!("a pass with tokens");
        };
        let until = Time(now_micros().unsigned_abs());
        let late = Pass::Fenced { held, until };
        let span = Duration::from_secs(1);
        let refused = bank.ledger.freeze(account, span, &late);
        assert!(matches!(refused, Err(Error::Late)), "{refused:?}");
        let in_time = bank.pass_for(&[account], 6);
        bank.ledger.freeze(account, span, &in_time).unwrap();
    }
}
