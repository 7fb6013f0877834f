//! Each kind of damage is planted and found; a clean run has none.
use super::*;
use crate::ledger::testing::{self, Bank, payment, payment_of};
use crate::ledger::{Entry, Pass};

fn post(bank: &mut Bank, entry: &Entry) {
    bank.ledger.post(entry, &Pass::Unfenced).unwrap();
}

fn read(bank: &mut Bank) -> Vec<crate::ledger::Balance> {
    let two = bank.two();
    bank.ledger.read(&two, &Pass::Unfenced).unwrap()
}

/// Names of what is not zero.
fn wrong(bank: &mut Bank) -> Vec<&'static str> {
    let findings = audit(&mut bank.ledger).unwrap();
    let all = findings
        .violations()
        .into_iter()
        .chain(findings.forbidden());
    let mut names: Vec<_> = all.filter(|(_, count)| *count > 0).collect();
    names.sort_unstable();
    names.iter().map(|(name, _)| *name).collect()
}

#[test]
fn a_clean_run_has_no_findings() {
    let mut bank = testing::bank(8);
    bank.enqueue(3, 1);
    for instruction in 1..=3 {
        let read = read(&mut bank);
        post(&mut bank, &payment_of(instruction, &read, 40));
    }
    let read = read(&mut bank);
    let settlement = Entry {
        kind: Kind::External,
        postings: vec![read[0].plus(500)],
        external: 500,
        settlement: None,
    };
    post(&mut bank, &settlement);
    bank.ledger.accrue(1, 7, &Pass::Unfenced).unwrap();
    let findings = audit(&mut bank.ledger).unwrap();
    assert!(findings.is_clean(), "{findings:?}");
    assert_eq!((findings.entries, findings.postings), (4, 7));
}

#[test]
fn a_lost_update_is_found_and_breaks_the_total() {
    let mut bank = testing::bank(2);
    let one = read(&mut bank);
    let other = one.clone();
    post(&mut bank, &payment(&one, 40));
    // Only the payer's balance is old here, so 40 cents of the first payment appear from nowhere.
    let fresh = read(&mut bank);
    let late = Entry {
        postings: vec![other[0].plus(-5), fresh[1].plus(5)],
        ..payment(&one, 5)
    };
    post(&mut bank, &late);
    let findings = audit(&mut bank.ledger).unwrap();
    assert_eq!(
        (
            findings.lost_updates,
            findings.total_difference,
            findings.accounts_wrong
        ),
        (1, 40, 1)
    );
    assert_eq!(findings.log_breaks, 0);
}

#[test]
fn two_lost_updates_that_hide_each_other_in_the_total_are_found() {
    let mut bank = testing::bank(2);
    let one = read(&mut bank);
    post(&mut bank, &payment(&one, 40));
    post(&mut bank, &payment(&one, 5));
    let findings = audit(&mut bank.ledger).unwrap();
    assert_eq!(
        (
            findings.lost_updates,
            findings.total_difference,
            findings.accounts_wrong
        ),
        (2, 0, 2)
    );
}

#[test]
fn an_overdraft_is_found_though_the_balance_hides_it() {
    let mut bank = testing::bank(2);
    let one = read(&mut bank);
    let all = one[0].balance;
    post(&mut bank, &payment(&one, all));
    post(&mut bank, &payment(&one, all));
    let findings = audit(&mut bank.ledger).unwrap();
    assert_eq!(findings.overdrafts, 1);
    assert_eq!(bank.balance(one[0].account), 0);
}

#[test]
fn double_payments_and_double_reversals_are_found() {
    let mut bank = testing::bank(2);
    bank.enqueue(1, 2);
    for times in 0..3_u64 {
        let now = read(&mut bank);
        post(&mut bank, &payment_of(1, &now, 10));
        let findings = audit(&mut bank.ledger).unwrap();
        assert_eq!(findings.double_payments, times);
    }
    for _ in 0..2 {
        let now = read(&mut bank);
        let reversal = Entry {
            kind: Kind::Reversal,
            ..payment_of(1, &now, -10)
        };
        post(&mut bank, &reversal);
    }
    assert_eq!(audit(&mut bank.ledger).unwrap().double_payments, 3);
    assert_eq!(wrong(&mut bank), ["double payments"]);
}

#[test]
fn a_payment_from_a_held_account_is_found_and_one_to_it_is_not() {
    let mut bank = testing::bank(2);
    let [from, to] = bank.two();
    bank.ledger.hold(to, true, &Pass::Unfenced).unwrap();
    let now = read(&mut bank);
    post(&mut bank, &payment(&now, 10));
    assert!(wrong(&mut bank).is_empty());
    let now = read(&mut bank);
    bank.ledger.hold(from, true, &Pass::Unfenced).unwrap();
    post(&mut bank, &payment(&now, 10));
    assert_eq!(wrong(&mut bank), ["payments from held accounts"]);
}

#[test]
fn an_unstable_read_is_found() {
    use crate::ledger::observe::Subject;
    let mut bank = testing::bank(2);
    let subject = Subject::Branch(1);
    let first = bank.ledger.look(&subject, &Pass::Unfenced).unwrap();
    assert!(
        bank.ledger
            .look_again(&subject, first, &Pass::Unfenced)
            .unwrap()
    );
    let now = read(&mut bank);
    post(&mut bank, &payment(&now, 10));
    assert!(
        !bank
            .ledger
            .look_again(&subject, first, &Pass::Unfenced)
            .unwrap()
    );
    assert_eq!(wrong(&mut bank), ["unstable reads"]);
}

#[test]
fn a_balance_changed_behind_the_log_is_found() {
    let mut bank = testing::bank(2);
    bank.ledger
        .connection
        .execute(
            "UPDATE account SET balance = balance + 1 WHERE id = ?1",
            [bank.two()[0]],
        )
        .unwrap();
    assert_eq!(
        wrong(&mut bank),
        [
            "accounts with a wrong balance",
            "breaks of the log",
            "broken total (cents off)"
        ]
    );
}

#[test]
fn money_made_by_an_entry_is_found() {
    let mut bank = testing::bank(2);
    let now = read(&mut bank);
    let made = Entry {
        postings: vec![now[0].plus(1_000)],
        ..payment(&now, 0)
    };
    post(&mut bank, &made);
    assert_eq!(
        wrong(&mut bank),
        ["breaks of the log", "broken total (cents off)"]
    );
}

#[test]
fn reading_as_it_grows_finds_the_same() {
    let mut bank = testing::bank(2);
    let one = read(&mut bank);
    let mut auditor = Auditor::default();
    for amount in [40, 5, 7] {
        post(&mut bank, &payment(&one, amount));
        auditor.catch_up(&bank.ledger).unwrap();
    }
    assert_eq!(auditor.findings().lost_updates, 4);
    assert_eq!(audit(&mut bank.ledger).unwrap().lost_updates, 4);
}

#[test]
fn a_payment_during_a_freeze_is_found_and_one_after_it_is_not() {
    let mut bank = testing::bank(2);
    let [from, to] = bank.two();
    let hour = std::time::Duration::from_secs(3_600);
    bank.ledger.freeze(to, hour, &Pass::Unfenced).unwrap();
    let over = std::time::Duration::ZERO;
    bank.ledger.freeze(from, over, &Pass::Unfenced).unwrap();
    let now = read(&mut bank);
    post(&mut bank, &payment(&now, 10));
    assert!(wrong(&mut bank).is_empty(), "paid to it, and after it");
    bank.ledger.freeze(from, hour, &Pass::Unfenced).unwrap();
    let now = read(&mut bank);
    post(&mut bank, &payment(&now, 10));
    assert_eq!(audit(&mut bank.ledger).unwrap().frozen_payments, 1);
}

#[test]
fn a_large_payment_needs_an_approval_that_came_before_it() {
    let mut bank = testing::bank(2);
    bank.enqueue(3, 1);
    let pay = |bank: &mut testing::Bank, instruction: i64, amount: i64| {
        let now = read(bank);
        post(bank, &payment_of(instruction, &now, amount));
        audit(&mut bank.ledger).unwrap().unapproved_payments
    };
    assert_eq!(pay(&mut bank, 1, LARGE), 0, "not over it");
    bank.ledger.record_consent(2, true).unwrap();
    assert_eq!(pay(&mut bank, 2, LARGE + 1), 0);
    bank.ledger.record_consent(3, false).unwrap();
    assert_eq!(pay(&mut bank, 3, LARGE + 1), 1, "rejected");
    bank.ledger.record_consent(3, true).unwrap();
    assert_eq!(
        audit(&mut bank.ledger).unwrap().unapproved_payments,
        1,
        "too late"
    );
}

#[test]
fn a_second_fee_right_after_the_first_is_found() {
    let mut bank = testing::bank(2);
    for hasty in 0..2 {
        let now = read(&mut bank);
        let fee = Entry {
            kind: Kind::Fee,
            ..payment(&now, 25)
        };
        post(&mut bank, &fee);
        assert_eq!(audit(&mut bank.ledger).unwrap().hasty_fees, hasty);
    }
}
