//! Where a list goes on: opaque to callers, so that what stands in it may change.
use crate::problem::{Problem, Result};
use fleet_types::Code;
use fleet_types::view::Page;

/// Most rows of one page.
pub const COUNT_MAX: usize = 1_000;
/// Rows of a page when the caller does not say.
pub const COUNT_DEFAULT: usize = 100;

/// Reads a caller's cursor.
///
/// # Errors
/// When it is not one that a page gave.
pub fn read(after: Option<&str>) -> Result<Option<String>> {
    let Some(text) = after else { return Ok(None) };
    let key = text
        .strip_prefix("c1.")
        .and_then(unhex)
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match key {
        Some(key) => Ok(Some(key)),
        None => Err(Problem::new(
            Code::Invalid,
            "this is no cursor; take `next` of the page before as it is",
        )
        .field("after")),
    }
}

/// Hides where a page goes on.
#[must_use]
pub fn seal<T>(mut page: Page<T>) -> Page<T> {
    page.next = page.next.map(|key| seal_key(&key));
    page
}

/// Hides one key.
#[must_use]
pub fn seal_key(key: &str) -> String {
    format!("c1.{}", hex(key.as_bytes()))
}

/// Checks the size of a page.
///
/// # Errors
/// When it is not 1 to [`COUNT_MAX`].
pub fn count(count: Option<usize>) -> Result<usize> {
    match count {
        None => Ok(COUNT_DEFAULT),
        Some(count) if (1..=COUNT_MAX).contains(&count) => Ok(count),
        Some(count) => Err(Problem::new(
            Code::Invalid,
            format!("{count} is not 1–{COUNT_MAX}; ask for less and go on with `next`"),
        )
        .field("count")),
    }
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The bytes of lower-case hexadecimal digits.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_types::Seq;

    #[test]
    fn a_cursor_comes_back_and_nothing_else_passes() {
        let page = seal(Page::<u8> {
            items: vec![],
            next: Some("agent-ä".to_owned()),
            seq: Seq(1),
        });
        let next = page.next.unwrap();
        assert_eq!(read(Some(&next)).unwrap().as_deref(), Some("agent-ä"));
        assert_eq!(read(None).unwrap(), None);
        for bad in ["", "agent-a", "c1.", "c1.6", "c1.zz", "c1.ff", "c2.61"] {
            let taken = read(Some(bad));
            assert!(taken.is_err() || bad == "c1.", "{bad:?} was taken");
        }
        assert!(count(Some(0)).is_err() && count(Some(1_001)).is_err());
    }
}
