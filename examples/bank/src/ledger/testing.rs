//! A small bank in a temporary folder, for this crate's own tests.
use super::{AccountId, Balance, Directory, Entry, Kind, Ledger, Order, Pass, Settlement, State};
use fleet_types::lock::{Held, Mode};
use fleet_types::{ResourcePath, Time, Token};

/// A ledger, its accounts, and the folder that goes when it goes.
pub(crate) struct Bank {
    pub ledger: Ledger,
    pub directory: Directory,
    _folder: tempfile::TempDir,
}

pub(crate) fn bank(accounts: u32) -> Bank {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(&folder.path().join("bank.db"), "tester").unwrap();
    ledger.open_accounts(1, accounts).unwrap();
    Bank {
        directory: ledger.directory().unwrap(),
        ledger,
        _folder: folder,
    }
}

impl Bank {
    /// The first two customers.
    pub fn two(&self) -> [AccountId; 2] {
        [
            self.directory.customers[0].id,
            self.directory.customers[1].id,
        ]
    }

    pub fn balance(&self, account: AccountId) -> i64 {
        self.ledger
            .connection
            .query_row(
                "SELECT balance FROM account WHERE id = ?1",
                [account],
                |row| row.get(0),
            )
            .unwrap()
    }

    pub fn pass_for(&self, accounts: &[AccountId], token: u64) -> Pass {
        let held = accounts.iter().map(|id| {
            let account = self
                .directory
                .customers
                .iter()
                .find(|a| a.id == *id)
                .unwrap();
            Held {
                path: account.path.clone(),
                mode: Mode::Exclusive,
                token: Token(token),
            }
        });
        Pass::Fenced {
            held: held.collect(),
            until: Time::MAX,
        }
    }

    /// So many orders between the first two customers.
    pub fn enqueue(&mut self, count: usize, deliveries: u8) {
        let orders: Vec<Order> = (0..count)
            .map(|index| Order {
                reference: format!("order-{index}"),
                from: "eu/a-00000".into(),
                to: "us/a-00001".into(),
                amount: 100,
                memo: String::new(),
                disputed: false,
                deliveries,
            })
            .collect();
        self.ledger.enqueue(&orders).unwrap();
    }
}

pub(crate) fn pass(claims: &[(&str, Mode, u64)]) -> Pass {
    let held = claims.iter().map(|(path, mode, token)| Held {
        path: ResourcePath::parse(path).unwrap(),
        mode: *mode,
        token: Token(*token),
    });
    Pass::Fenced {
        held: held.collect(),
        until: Time::MAX,
    }
}

/// A payment of the first account read to the second.
pub(crate) fn payment(read: &[Balance], amount: i64) -> Entry {
    Entry {
        kind: Kind::Payment,
        postings: vec![read[0].plus(-amount), read[1].plus(amount)],
        external: 0,
        settlement: None,
    }
}

/// A payment that carries out an instruction.
pub(crate) fn payment_of(instruction: i64, read: &[Balance], amount: i64) -> Entry {
    Entry {
        settlement: Some(Settlement {
            instruction,
            state: Some(State::Posted),
            delivery: None,
        }),
        ..payment(read, amount)
    }
}
