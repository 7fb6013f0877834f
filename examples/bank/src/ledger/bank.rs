//! Branches and accounts: how a ledger is filled, and the list of them that agents work from.
use super::{AccountId, Error, Ledger};
use crate::random::Random;
use fleet_types::ResourcePath;
use rusqlite::{OptionalExtension, Transaction, params};
use std::ops::RangeInclusive;

/// Where the bank has branches. Customers of an input file may add others.
pub const BRANCHES: [&str; 6] = ["eu", "us", "uk", "apac", "latam", "mea"];

/// The only currency of the ledger.
pub const CURRENCY: &str = "EUR";

/// What a customer's account begins with, in cents.
const OPENING: RangeInclusive<u64> = 5_000..=2_000_000;
/// What a treasury account begins with.
const OPENING_TREASURY: i64 = 10_000_000_000;
/// What interest is paid from.
const OPENING_INTEREST: i64 = 1_000_000_000;

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A customer's.
    Customer,
    /// A branch's own money; sweeps move to and from it.
    Treasury,
    /// Where fees go.
    Fees,
    /// Where interest comes from.
    Interest,
}

impl Purpose {
    const HOUSE: [(Purpose, i64); 3] = [
        (Purpose::Treasury, OPENING_TREASURY),
        (Purpose::Fees, 0),
        (Purpose::Interest, OPENING_INTEREST),
    ];

    const fn name(self) -> &'static str {
        match self {
            Purpose::Customer => "customer",
            Purpose::Treasury => "treasury",
            Purpose::Fees => "fees",
            Purpose::Interest => "interest",
        }
    }

    fn parse(name: &str) -> Self {
        match name {
            "treasury" => Purpose::Treasury,
            "fees" => Purpose::Fees,
            "interest" => Purpose::Interest,
            _ => Purpose::Customer,
        }
    }
}

/// A customer's account, without its balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number in the ledger.
    pub id: AccountId,
    /// Index into [`Directory::branches`].
    pub branch: usize,
    /// `ledger/eu/a-00042`: what permits claim.
    pub path: ResourcePath,
}

/// A branch and its own accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its number in the ledger.
    pub id: i64,
    /// `eu`.
    pub name: String,
    /// `ledger/eu`: covers all its accounts.
    pub path: ResourcePath,
    /// Its own money.
    pub treasury: Account,
    /// Where its fees go.
    pub fees: Account,
    /// Where its interest comes from.
    pub interest: Account,
}

/// All accounts, for picking some. Balances are never kept here.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Branches in the order of their numbers.
    pub branches: Vec<Branch>,
    /// Customers' accounts in the order of their numbers, the hottest first.
    pub customers: Vec<Account>,
}

/// The branch of an account's name: what stands before the `/`.
fn branch_of(name: &str) -> Result<&str, Error> {
    name.split_once('/')
        .map(|(branch, _)| branch)
        .ok_or_else(|| Error::Uncovered(name.to_owned()))
}

fn open_account(
    transaction: &Transaction<'_>,
    branch: i64,
    name: &str,
    purpose: Purpose,
    opening: i64,
) -> Result<AccountId, Error> {
    transaction
        .prepare_cached(
            "INSERT INTO account (branch, name, purpose, opening, balance) VALUES (?1, ?2, ?3, ?4, ?4)",
        )?
        .execute(params![branch, name, purpose.name(), opening])?;
    Ok(transaction.last_insert_rowid())
}

fn branch_number(transaction: &Transaction<'_>, name: &str) -> Result<i64, Error> {
    let known = transaction
        .prepare_cached("SELECT id FROM branch WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    transaction.execute("INSERT INTO branch (name) VALUES (?1)", [name])?;
    let id = transaction.last_insert_rowid();
    transaction.execute("INSERT INTO accrual (branch, amount) VALUES (?1, 0)", [id])?;
    for (purpose, opening) in Purpose::HOUSE {
        let account = format!("{name}/{}", purpose.name());
        open_account(transaction, id, &account, purpose, opening)?;
    }
    Ok(id)
}

impl Ledger {
    /// Opens `count` customers' accounts, spread over the branches, with opening balances from the seed.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn open_accounts(&mut self, seed: u64, count: u32) -> Result<(), Error> {
        let names = (0..count).map(|index| {
            let branch = BRANCHES[index as usize % BRANCHES.len()];
            format!("{branch}/a-{index:05}")
        });
        self.open_named(seed, names)?;
        Ok(())
    }

    /// Opens the accounts of these names that are not open yet; says how many were opened.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn open_named(
        &mut self,
        seed: u64,
        names: impl IntoIterator<Item = String>,
    ) -> Result<u64, Error> {
        let transaction = self.begin(&super::Pass::Unfenced)?;
        let mut opened = 0;
        for name in names {
            let known = transaction
                .prepare_cached("SELECT 1 FROM account WHERE name = ?1")?
                .exists([&name])?;
            if known {
                continue;
            }
            let branch = branch_number(&transaction, branch_of(&name)?)?;
            // By name, so that an account's opening does not depend on its place in the input.
            let mut random = Random::split(seed, hash(&name));
            let opening = random.between(*OPENING.start(), *OPENING.end()) as i64;
            open_account(&transaction, branch, &name, Purpose::Customer, opening)?;
            opened += 1;
        }
        transaction.commit()?;
        Ok(opened)
    }

    /// The number of the account of this name.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn account_named(&self, name: &str) -> Result<Option<AccountId>, Error> {
        Ok(self
            .connection
            .prepare_cached("SELECT id FROM account WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?)
    }

    /// Reads the list of accounts.
    ///
    /// # Errors
    /// When the ledger cannot be read, or holds a name that no permit can claim.
    pub fn directory(&self) -> Result<Directory, Error> {
        let mut directory = Directory::default();
        let mut branches = self
            .connection
            .prepare("SELECT id, name FROM branch ORDER BY id")?;
        let mut rows = branches.query([])?;
        while let Some(row) = rows.next()? {
            let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
            let index = directory.branches.len();
            let mut house = Vec::with_capacity(Purpose::HOUSE.len());
            for (purpose, _) in Purpose::HOUSE {
                let name = format!("{name}/{}", purpose.name());
                let id = self
                    .account_named(&name)?
                    .ok_or_else(|| Error::Uncovered(name.clone()))?;
                house.push(account(id, index, &name)?);
            }
            let (Some(interest), Some(fees), Some(treasury)) =
                (house.pop(), house.pop(), house.pop())
            else {
                continue;
            };
            directory.branches.push(Branch {
                id,
                path: path(&name)?,
                name,
                treasury,
                fees,
                interest,
            });
        }
        let mut accounts = self
            .connection
            .prepare("SELECT id, branch, name, purpose FROM account ORDER BY id")?;
        let mut rows = accounts.query([])?;
        while let Some(row) = rows.next()? {
            if Purpose::parse(&row.get::<_, String>(3)?) != Purpose::Customer {
                continue;
            }
            let branch: i64 = row.get(1)?;
            let index = directory.branches.iter().position(|b| b.id == branch);
            let name: String = row.get(2)?;
            let account = account(row.get(0)?, index.unwrap_or(0), &name)?;
            directory.customers.push(account);
        }
        Ok(directory)
    }
}

fn account(id: AccountId, branch: usize, name: &str) -> Result<Account, Error> {
    Ok(Account {
        id,
        branch,
        path: path(name)?,
    })
}

/// The resource of a branch or an account.
pub(super) fn path(name: &str) -> Result<ResourcePath, Error> {
    ResourcePath::parse(&format!("ledger/{name}")).map_err(|_| Error::Uncovered(name.to_owned()))
}

/// FNV-1a: the same on every machine and in every release.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use crate::ledger::testing;

    #[test]
    fn accounts_are_spread_and_paths_cover_them() {
        let bank = testing::bank(12);
        let directory = &bank.directory;
        assert_eq!(directory.branches.len(), 6);
        assert_eq!(directory.customers.len(), 12);
        for account in &directory.customers {
            let branch = &directory.branches[account.branch];
            assert!(branch.path.covers(&account.path));
            assert!(branch.path.covers(&branch.treasury.path));
        }
    }

    #[test]
    fn an_opening_depends_on_seed_and_name_alone() {
        let mut bank = testing::bank(4);
        let names = ["new/x", "eu/a-00000", "main/plain"].map(str::to_owned);
        assert_eq!(bank.ledger.open_named(1, names.clone()).unwrap(), 2);
        assert_eq!(bank.ledger.open_named(1, names).unwrap(), 0);
        let mut other = testing::bank(1);
        other
            .ledger
            .open_named(1, ["main/plain".to_owned()])
            .unwrap();
        let opening = |bank: &testing::Bank| {
            let id = bank.ledger.account_named("main/plain").unwrap().unwrap();
            bank.balance(id)
        };
        assert_eq!(opening(&bank), opening(&other));
    }
}
