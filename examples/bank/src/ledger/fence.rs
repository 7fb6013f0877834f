//! The fence: the ledger's own check that a writer still holds what it was granted.
//!
//! A permit is a hint: its holder may sleep past its lease and wake up believing in it. The ledger therefore
//! keeps, for each resource and mode, the highest token it has seen, and refuses whoever comes with a smaller one
//! where the modes conflict.
//!
//! Assumptions
//! - Tokens only grow, and a permit that conflicts with another is granted only when the other has ended. So a
//!   higher token in a conflicting mode means: the smaller one's permit is over.
//! - A resource covers what lies below it, so marks above and below a claim count as well as its own.
//! - Holders show their token when they *read*, not only when they write. If only writes counted, a sleeper could
//!   write between the reading and the writing of the permit's next holder, who would then undo that write.
//! - Resources outside `ledger/` and `accrual/` (such as `instruction/…`) leave no mark: every write under them also
//!   touches accounts, and the table would grow with every instruction.
use super::{Error, now_micros};
use crate::ledger::Ledger;
use fleet_types::Time;
use fleet_types::lock::{Held, Mode};
use fleet_types::permit::Grant;
use rusqlite::{Connection, OptionalExtension, params};

/// What a reader or writer shows the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Nothing: the ledger cannot tell whether it may. This is the bank without coordination.
    Unfenced,
    /// What its permit holds, each claim with its token.
    Fenced {
        /// The claims.
        held: Vec<Held>,
        /// When the permit runs out.
        until: Time,
    },
}

impl Pass {
    /// The pass of a granted permit.
    #[must_use]
    pub fn of(grant: &Grant) -> Self {
        Pass::Fenced {
            held: grant.resources.clone(),
            until: grant.expires_at,
        }
    }

    /// Refuses what was done after the permit ran out, by the time that the ledger writes down.
    ///
    /// Tokens order those that touch the same thing. What must not happen within a span of something else counts from
    /// the end of a permit: a write after that end would begin a span that nobody watches.
    pub(super) fn in_time(&self, at_micros: i64) -> Result<(), Error> {
        match self {
            Pass::Fenced { until, .. } if until.0 <= at_micros.unsigned_abs() => Err(Error::Late),
            Pass::Fenced { .. } | Pass::Unfenced => Ok(()),
        }
    }

    /// The token under which an account may be written; None without a fence.
    pub(super) fn token_for(&self, resource: &str) -> Result<Option<u64>, Error> {
        let Pass::Fenced { held, .. } = self else {
            return Ok(None);
        };
        held.iter()
            .find(|held| held.mode == Mode::Exclusive && covers(held.path.as_str(), resource))
            .map(|held| Some(held.token.0))
            .ok_or_else(|| Error::Uncovered(resource.to_owned()))
    }
}

fn covers(upper: &str, lower: &str) -> bool {
    lower
        .strip_prefix(upper)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A token that came too late.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stale token {token} on {resource}: {seen} was seen")]
pub struct Stale {
    /// Where.
    pub resource: String,
    /// The token shown.
    pub token: u64,
    /// The higher one that had been seen.
    pub seen: u64,
}

/// Checks every token of the pass and leaves its marks. Belongs into the transaction that reads or writes.
pub(super) fn enter(connection: &Connection, pass: &Pass) -> Result<(), Error> {
    let Pass::Fenced { held, .. } = pass else {
        return Ok(());
    };
    for held in held {
        let path = held.path.as_str();
        if !(path.starts_with("ledger/") || path.starts_with("accrual/")) {
            continue;
        }
        check(connection, path, held.mode, held.token.0)?;
        connection
            .prepare_cached(
                "INSERT INTO fence (resource, mode, token) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET token = excluded.token WHERE excluded.token > token",
            )?
            .execute(params![path, name(held.mode), number(held.token.0)])?;
    }
    Ok(())
}

/// Fails when a conflicting mark at, above or below `path` is higher than `token`.
fn check(connection: &Connection, path: &str, mode: Mode, token: u64) -> Result<(), Error> {
    let mut at = connection.prepare_cached(
        "SELECT resource, mode, token FROM fence WHERE resource = ?1 AND token > ?2",
    )?;
    let mut upper = Some(path);
    while let Some(resource) = upper {
        let mut rows = at.query(params![resource, number(token)])?;
        while let Some(row) = rows.next()? {
            refuse_if_conflicting(mode, token, row)?;
        }
        upper = resource.rsplit_once('/').map(|(parent, _)| parent);
    }
    // `0` is the character after `/`: all that lies below.
    let mut below = connection.prepare_cached(
        "SELECT resource, mode, token FROM fence
         WHERE resource > ?1 || '/' AND resource < ?1 || '0' AND token > ?2",
    )?;
    let mut rows = below.query(params![path, number(token)])?;
    while let Some(row) = rows.next()? {
        refuse_if_conflicting(mode, token, row)?;
    }
    Ok(())
}

fn refuse_if_conflicting(mode: Mode, token: u64, row: &rusqlite::Row<'_>) -> Result<(), Error> {
    let seen: String = row.get(1)?;
    let conflicting = Mode::ALL
        .into_iter()
        .any(|other| name(other) == seen && !mode.compatible(other));
    if !conflicting {
        return Ok(());
    }
    Err(Error::Stale(Stale {
        resource: row.get(0)?,
        token,
        seen: row.get::<_, i64>(2)?.unsigned_abs(),
    }))
}

const fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Shared => "shared",
        Mode::Commuting => "commuting",
        Mode::Exclusive => "exclusive",
    }
}

/// Tokens are journal sequences, far from the end of an `i64`; one that is not sorts highest.
pub(super) fn number(token: u64) -> i64 {
    i64::try_from(token).unwrap_or(i64::MAX)
}

/// At which step a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reading under the permit.
    Read,
    /// Writing under the permit.
    Write,
}

impl Step {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Step::Read => "read",
            Step::Write => "write",
        }
    }
}

impl Ledger {
    /// Records that a stale token was refused. A transaction of its own: the refused one was rolled back.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn record_refusal(&mut self, step: Step, stale: &Stale) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO refusal (agent, step, resource, token, seen, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                self.who,
                step.name(),
                stale.resource,
                number(stale.token),
                number(stale.seen),
                now_micros()
            ])?;
        Ok(())
    }

    /// The highest token seen for a resource in a mode.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn fence_mark(&self, resource: &str, mode: Mode) -> Result<Option<u64>, Error> {
        Ok(self
            .connection
            .prepare_cached("SELECT token FROM fence WHERE resource = ?1 AND mode = ?2")?
            .query_row(params![resource, name(mode)], |row| row.get::<_, i64>(0))
            .optional()?
            .map(i64::unsigned_abs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing;

    fn pass(claims: &[(&str, Mode, u64)]) -> Pass {
        testing::pass(claims)
    }

    /// Enters one pass after the other; says of each whether it came in.
    fn entered(passes: &[Pass]) -> Vec<bool> {
        let bank = testing::bank(2);
        passes
            .iter()
            .map(|pass| match enter(&bank.ledger.connection, pass) {
                Ok(()) => true,
                Err(Error::Stale(_)) => false,
                Err(error) => panic!("{error}"),
            })
            .collect()
    }

    #[test]
    fn a_smaller_token_is_refused_and_the_same_comes_in_again() {
        let at = |token| pass(&[("ledger/eu/a", Mode::Exclusive, token)]);
        assert_eq!(
            entered(&[at(5), at(7), at(5), at(7), at(6), at(8)]),
            [true, true, false, true, false, true]
        );
    }

    #[test]
    fn commuting_holders_pass_in_any_order_but_not_after_an_exclusive_one() {
        let adds = |token| pass(&[("accrual/eu", Mode::Commuting, token)]);
        let owns = |token| pass(&[("accrual/eu", Mode::Exclusive, token)]);
        assert_eq!(
            entered(&[
                adds(5),
                adds(6),
                adds(5),
                owns(4),
                owns(9),
                adds(6),
                adds(10),
                owns(9)
            ]),
            [true, true, true, false, true, false, true, false]
        );
    }

    #[test]
    fn marks_above_and_below_count() {
        let account = |token| pass(&[("ledger/eu/a", Mode::Exclusive, token)]);
        let branch = |token| pass(&[("ledger/eu", Mode::Shared, token)]);
        // A writer that slept while the branch was read is refused; so is a reader that slept while an account was written.
        assert_eq!(
            entered(&[account(5), branch(8), account(5), account(9), branch(8)]),
            [true, true, false, true, false]
        );
        // Another branch with the same beginning has nothing to do with it.
        let other = pass(&[("ledger/eu0/a", Mode::Exclusive, 3)]);
        assert_eq!(entered(&[branch(8), other]), [true, true]);
    }

    #[test]
    fn all_or_nothing_within_a_transaction() {
        let mut bank = testing::bank(2);
        let both = pass(&[
            ("ledger/eu/a", Mode::Exclusive, 5),
            ("ledger/eu/b", Mode::Exclusive, 5),
        ]);
        enter(
            &bank.ledger.connection,
            &pass(&[("ledger/eu/b", Mode::Exclusive, 6)]),
        )
        .unwrap();
        assert!(matches!(bank.ledger.read(&[], &both), Err(Error::Stale(_))));
        assert_eq!(
            bank.ledger
                .fence_mark("ledger/eu/a", Mode::Exclusive)
                .unwrap(),
            None
        );
    }

    #[test]
    fn instructions_leave_no_mark_and_accounts_need_a_claim() {
        let pass = pass(&[
            ("instruction/7", Mode::Exclusive, 5),
            ("ledger/eu", Mode::Shared, 5),
        ]);
        let bank = testing::bank(2);
        enter(&bank.ledger.connection, &pass).unwrap();
        assert_eq!(
            bank.ledger
                .fence_mark("instruction/7", Mode::Exclusive)
                .unwrap(),
            None
        );
        assert!(
            matches!(pass.token_for("ledger/eu/a"), Err(Error::Uncovered(_))),
            "shared is not enough to write"
        );
    }
}
