//! Transfers from a file: `id,from,to,amount_minor,currency?,memo?`, with a header line.
//!
//! A row that cannot be used is reported with its line and the reason; the others are carried out. The whole file is
//! read before the run begins, so that what is wrong is known at once.
use crate::error::Error;
use crate::ledger::{BRANCHES, CURRENCY, Order};
use crate::random::Random;
use csv::ByteRecord;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

/// Rows that cannot be used, kept word for word; of further ones only the number.
pub const BAD_ROWS_KEPT: usize = 1_000;
/// Largest amount, in cents: keeps every sum far from the end of an `i64`.
const AMOUNT_MAX: i64 = 1_000_000_000_000;
const ID_BYTES_MAX: usize = 128;
const MEMO_BYTES_MAX: usize = 500;
/// Names of accounts that belong to the bank itself.
const HOUSE: [&str; 3] = ["treasury", "fees", "interest"];

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// The transfers, in the order of the file.
    pub orders: Vec<Order>,
    /// Rows that cannot be used: the first [`BAD_ROWS_KEPT`].
    pub bad: Vec<BadRow>,
    /// How many cannot be used.
    pub bad_count: u64,
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// The line where it begins, from 1.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
}

/// Reads a file.
///
/// # Errors
/// When the file cannot be read, or its header is not as documented.
pub fn read(path: &Path, seed: u64, duplicates_percent: u8) -> Result<Input, Error> {
    let wrong = |why: String| Error::Input {
        path: path.to_owned(),
        why,
    };
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    parse(file, seed, duplicates_percent).map_err(wrong)
}

/// Where each column stands.
struct Columns {
    count: usize,
    id: usize,
    from: usize,
    to: usize,
    amount: usize,
    currency: Option<usize>,
    memo: Option<usize>,
}

impl Columns {
    fn parse(header: &ByteRecord) -> Result<Self, String> {
        let names: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).to_ascii_lowercase())
            .collect();
        const KNOWN: [&str; 6] = ["id", "from", "to", "amount_minor", "currency", "memo"];
        for (index, name) in names.iter().enumerate() {
            if !KNOWN.contains(&name.as_str()) {
                return Err(format!(
                    "unknown column {name:?}; the columns are {}",
                    KNOWN.join(", ")
                ));
            }
            if names[..index].contains(name) {
                return Err(format!("column {name:?} is there twice"));
            }
        }
        let place = |name: &str| names.iter().position(|known| known == name);
        let needed = |name: &str| {
            place(name)
                .ok_or_else(|| format!("no column {name:?}; the first line names the columns"))
        };
        Ok(Columns {
            count: names.len(),
            id: needed("id")?,
            from: needed("from")?,
            to: needed("to")?,
            amount: needed("amount_minor")?,
            currency: place("currency"),
            memo: place("memo"),
        })
    }
}

fn parse(file: impl Read, seed: u64, duplicates_percent: u8) -> Result<Input, String> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(file);
    let header = reader.byte_headers().map_err(|error| error.to_string())?;
    let columns = Columns::parse(header)?;
    let mut random = Random::split(seed, 0x6373_7600);
    let mut lines: HashMap<String, u64> = HashMap::new();
    let mut input = Input::default();
    let mut record = ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| error.to_string())?
    {
        let line = record.position().map_or(0, csv::Position::line);
        match order(&record, &columns, &mut lines, line) {
            Ok(mut order) => {
                order.deliveries = 1 + u8::from(random.percent(duplicates_percent));
                input.orders.push(order);
            }
            Err(reason) => {
                input.bad_count += 1;
                if input.bad.len() < BAD_ROWS_KEPT {
                    input.bad.push(BadRow { line, reason });
                }
            }
        }
    }
    Ok(input)
}

fn order(
    record: &ByteRecord,
    columns: &Columns,
    lines: &mut HashMap<String, u64>,
    line: u64,
) -> Result<Order, String> {
    if record.len() != columns.count {
        return Err(format!(
            "{} fields where the header names {}",
            record.len(),
            columns.count
        ));
    }
    let field = |index: usize, name: &str| {
        std::str::from_utf8(&record[index]).map_err(|_| format!("{name} is not UTF-8"))
    };
    let id = field(columns.id, "id")?;
    if id.is_empty() || id.len() > ID_BYTES_MAX || id.chars().any(char::is_control) {
        return Err(format!("id must be 1–{ID_BYTES_MAX} bytes of plain text"));
    }
    let from = account(field(columns.from, "from")?, "from")?;
    let to = account(field(columns.to, "to")?, "to")?;
    if from == to {
        return Err(format!("from and to are the same account {from:?}"));
    }
    let amount = amount(field(columns.amount, "amount_minor")?)?;
    if let Some(index) = columns.currency {
        let currency = field(index, "currency")?;
        if !currency.is_empty() && currency != CURRENCY {
            return Err(format!(
                "currency {currency:?}: this ledger keeps {CURRENCY} only"
            ));
        }
    }
    let memo = match columns.memo {
        Some(index) => field(index, "memo")?,
        None => "",
    };
    if memo.len() > MEMO_BYTES_MAX {
        return Err(format!("memo is longer than {MEMO_BYTES_MAX} bytes"));
    }
    // Last, so that only a row that is used takes its id.
    if let Some(first) = lines.insert(id.to_owned(), line) {
        lines.insert(id.to_owned(), first);
        return Err(format!("id {id:?} is on line {first} already"));
    }
    Ok(Order {
        reference: id.to_owned(),
        from,
        to,
        amount,
        memo: memo.to_owned(),
        disputed: memo.contains("dispute"),
        deliveries: 1,
    })
}

fn amount(text: &str) -> Result<i64, String> {
    match text.parse::<i64>() {
        Ok(amount) if (1..=AMOUNT_MAX).contains(&amount) => Ok(amount),
        Ok(amount) => Err(format!("amount_minor {amount} is not 1–{AMOUNT_MAX}")),
        Err(_) => Err(format!(
            "amount_minor {text:?} is not a whole number of cents"
        )),
    }
}

/// `eu/a-00042`; a name without a branch belongs to the first one.
fn account(text: &str, column: &str) -> Result<String, String> {
    let (branch, name) = text.split_once('/').unwrap_or((BRANCHES[0], text));
    for part in [branch, name] {
        let plain = part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        let starts_well = part.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !plain || !starts_well || part.len() > 64 {
            return Err(format!(
                "{column} {text:?} is not an account; write BRANCH/NAME or NAME of letters, digits and - _ ."
            ));
        }
    }
    if HOUSE.contains(&name) {
        return Err(format!(
            "{column} {text:?} is an account of the bank itself"
        ));
    }
    Ok(format!("{branch}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> (Vec<String>, Vec<String>) {
        let input = parse(text.as_bytes(), 1, 0).unwrap();
        let orders = input.orders.iter();
        (
            orders
                .map(|o| {
                    format!(
                        "{} {}>{} {} {}",
                        o.reference, o.from, o.to, o.amount, o.memo
                    )
                })
                .collect(),
            input
                .bad
                .iter()
                .map(|bad| format!("{}: {}", bad.line, bad.reason))
                .collect(),
        )
    }

    #[test]
    fn good_rows_are_read_in_any_order_of_columns() {
        let (orders, bad) = check(
            "\u{feff}amount_minor,TO,from,id,memo\n100,eu/b,a,1,\"rent, May\"\n 7 ,us/c,eu/b,2,\n",
        );
        assert_eq!(orders, ["1 eu/a>eu/b 100 rent, May", "2 eu/b>us/c 7 "]);
        assert!(bad.is_empty(), "{bad:?}");
    }

    #[test]
    fn bad_rows_are_named_and_the_rest_goes_on() {
        let text = "id,from,to,amount_minor,currency,memo
1,eu/a,eu/b,100,EUR,ok
2,eu/a,eu/b,1.50,EUR,
3,eu/a,eu/b,-5,EUR,
,eu/a,eu/b,5,EUR,
5,eu/a,eu/a,5,EUR,
6,eu/a,eu/b/c,5,EUR,
7,eu/a,eu/b,5,USD,
8,eu/a,eu/b
9,eu/a,eu/treasury,5,,\"two
lines\"
1,eu/a,eu/b,100,EUR,again
10,eu/a,eu/b,99999999999999999999,EUR,
11,eu/a,eu/b,5,,last
";
        let (orders, bad) = check(text);
        assert_eq!(orders, ["1 eu/a>eu/b 100 ok", "11 eu/a>eu/b 5 last"]);
        let expected = "\
3: amount_minor \"1.50\" is not a whole number of cents
4: amount_minor -5 is not 1–1000000000000
5: id must be 1–128 bytes of plain text
6: from and to are the same account \"eu/a\"
7: to \"eu/b/c\" is not an account; write BRANCH/NAME or NAME of letters, digits and - _ .
8: currency \"USD\": this ledger keeps EUR only
9: 3 fields where the header names 6
10: to \"eu/treasury\" is an account of the bank itself
12: id \"1\" is on line 2 already
13: amount_minor \"99999999999999999999\" is not a whole number of cents";
        assert_eq!(bad.join("\n"), expected);
    }

    #[test]
    fn the_sample_has_good_rows_and_each_kind_of_bad_one() {
        let (orders, bad) = check(include_str!("../../transfers.csv"));
        assert_eq!((orders.len(), bad.len()), (20, 5), "{bad:?}");
    }

    #[test]
    fn bytes_that_are_no_text_spoil_one_row() {
        let text = b"id,from,to,amount_minor\n\xff\xfe,a,b,1\n2,a,b,1\n";
        let input = parse(&text[..], 1, 0).unwrap();
        assert_eq!(
            (input.orders.len(), input.bad[0].reason.as_str()),
            (1, "id is not UTF-8")
        );
    }

    #[test]
    fn a_header_that_is_not_ours_is_refused() {
        for (text, why) in [
            ("", "no column \"id\""),
            (
                "id,from,to,amount_minor,colour\n",
                "unknown column \"colour\"",
            ),
            ("id,from,to,id,amount_minor\n", "twice"),
            ("id,from,amount_minor\n", "no column \"to\""),
        ] {
            let error = parse(text.as_bytes(), 1, 0).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_thousand_bad_rows_are_kept_and_the_rest_counted() {
        let text = format!("id,from,to,amount_minor\n{}", "x,a,b,no\n".repeat(1_500));
        let input = parse(text.as_bytes(), 1, 0).unwrap();
        assert_eq!((input.bad.len(), input.bad_count), (1_000, 1_500));
    }
}
