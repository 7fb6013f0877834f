//! Values as people type them: `5s`, `ledger/eu`, `a=1`, `12.50`, `10/s`.
use crate::show;
use fleet_types::permit::COST_MAX;
use fleet_types::{Labels, Millis, ResourcePath, Seq};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::time::Duration;

/// `250ms`, `5s`, `2m`, `1h`, `3d`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let ms_each = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => {
            return Err(format!(
                "{unit:?} is no unit of time; write 250ms, 5s, 2m, 1h or 3d"
            ));
        }
    };
    let micros = decimal(digits, 1_000)
        .and_then(|thousandths| thousandths.checked_mul(ms_each))
        .ok_or_else(|| format!("{text:?} is no span of time; write 250ms, 5s, 2m, 1h or 3d"))?;
    Ok(Duration::from_micros(micros))
}

/// A point in time: `2026-11-21T08:30:00Z`, `2026-11-21` (midnight, UTC), or how long ago: `2h`.
pub fn moment(text: &str) -> Result<fleet_types::Time, String> {
    let micros = |stamp: jiff::Timestamp| u64::try_from(stamp.as_microsecond()).ok();
    let stamp = text.parse::<jiff::Timestamp>().ok();
    let day = || format!("{text}T00:00:00Z").parse::<jiff::Timestamp>().ok();
    if let Some(micros) = stamp.or_else(day).and_then(micros) {
        return Ok(fleet_types::Time(micros));
    }
    match duration(text) {
        Ok(ago) => {
            let ago = u64::try_from(ago.as_micros()).unwrap_or(u64::MAX);
            Ok(fleet_types::Time(crate::show::now().0.saturating_sub(ago)))
        }
        Err(_) => Err(format!(
            "{text:?} is no point in time; write 2026-11-21T08:30:00Z, 2026-11-21, or how long ago: 2h"
        )),
    }
}

/// As [`duration`], in whole milliseconds.
pub fn millis(text: &str) -> Result<Millis, String> {
    let span = duration(text)?;
    u64::try_from(span.as_millis())
        .map(Millis)
        .map_err(|_| format!("{text:?} is too long"))
}

/// Decimal digits as a whole number of parts: `1.5` in thousandths is 1500. `None` where it has finer parts.
fn decimal(text: &str, parts: u64) -> Option<u64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && rest.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut value = whole.checked_mul(parts)?;
    let mut unit = parts;
    for digit in rest.chars() {
        let digit = u64::from(digit.to_digit(10)?);
        if unit < 10 && digit > 0 {
            return None;
        }
        unit /= 10;
        value = value.checked_add(digit * unit)?;
    }
    Some(value)
}

/// Money in the fleet's currency, as millionths: `12.50`.
pub fn money(text: &str) -> Result<u64, String> {
    let plain = text.replace([',', '_'], "");
    match decimal(&plain, 1_000_000) {
        Some(micros) if micros <= COST_MAX => Ok(micros),
        None if !is_decimal(&plain, 6) => Err(format!(
            "{text:?} is no amount; write 12.50, with at most six decimals"
        )),
        Some(_) | None => Err(format!(
            "{text} is too much: an amount is at most {}",
            show::money(COST_MAX)
        )),
    }
}

/// A count of tokens: `2000000`, `2,000,000`.
pub fn tokens(text: &str) -> Result<u64, String> {
    let plain = text.replace([',', '_'], "");
    match plain.parse::<u64>() {
        Ok(tokens) if tokens <= COST_MAX => Ok(tokens),
        Err(_) if plain.is_empty() || plain.bytes().any(|b| !b.is_ascii_digit()) => {
            Err(format!("{text:?} is no count of tokens; write 2000000"))
        }
        Ok(_) | Err(_) => Err(format!(
            "{text} is too many: at most {} tokens",
            show::number(COST_MAX)
        )),
    }
}

/// Whether it is written as digits with at most so many behind the point, whatever it comes to.
fn is_decimal(text: &str, places: usize) -> bool {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && digits(rest)
        && !(whole.is_empty() && rest.is_empty())
        && rest.trim_end_matches('0').len() <= places
}

/// `key=value`.
pub fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is no label; write KEY=VALUE")),
    }
}

/// `resource=version`.
pub fn version(text: &str) -> Result<(ResourcePath, Seq), String> {
    let wrong = || format!("{text:?} is no version of a resource; write RESOURCE=VERSION");
    let (path, version) = text.rsplit_once('=').ok_or_else(wrong)?;
    let path = ResourcePath::parse(path).map_err(|invalid| invalid.to_string())?;
    let version = version.parse().map_err(|_| wrong())?;
    Ok((path, Seq(version)))
}

/// Labels of several pairs.
pub fn labels(pairs: &[(String, String)]) -> Result<Labels, String> {
    let map: BTreeMap<SmolStr, SmolStr> = pairs
        .iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    Labels::parse(map).map_err(|invalid| invalid.to_string())
}

/// `key=value,key=value`.
pub fn selector(text: &str) -> Result<Labels, String> {
    let pairs: Result<Vec<_>, _> = text.split(',').map(str::trim).map(label).collect();
    labels(&pairs?)
}

/// `10/s`, `600/min`, `5000/h`, `3/250ms`: how many per how long.
pub fn rate(text: &str) -> Result<(u64, Millis), String> {
    let wrong = || format!("{text:?} is no rate; write 10/s, 600/min or 3/250ms");
    let (count, span) = text.split_once('/').ok_or_else(wrong)?;
    let count = count.replace([',', '_'], "").parse().map_err(|_| wrong())?;
    let span = if span.starts_with(|c: char| c.is_ascii_digit()) {
        span.to_owned()
    } else {
        format!("1{span}")
    };
    Ok((count, millis(&span)?))
}

/// Text for people, within its bounds.
pub fn text(text: &str) -> Result<fleet_types::Text, String> {
    fleet_types::Text::parse(text).map_err(|invalid| invalid.to_string())
}

/// 1 to 10.
pub fn priority(text: &str) -> Result<fleet_types::agent::Priority, String> {
    text.parse()
        .ok()
        .and_then(fleet_types::agent::Priority::new)
        .ok_or_else(|| format!("{text:?} is no priority; write 1 (least) to 10 (most urgent)"))
}

/// 1 to 1000.
pub fn weight(text: &str) -> Result<fleet_types::agent::Weight, String> {
    text.parse()
        .ok()
        .and_then(fleet_types::agent::Weight::new)
        .ok_or_else(|| format!("{text:?} is no weight; write 1 to 1000"))
}

/// A short word.
pub fn word(text: &str) -> Result<fleet_types::agent::Word, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type() {
        let spans = ["250ms", "5s", "5", "1.5s", "2m", "1h"]
            .map(|text| duration(text).unwrap().as_millis());
        assert_eq!(spans, [250, 5_000, 5_000, 1_500, 120_000, 3_600_000]);
        for bad in ["", "s", "5y", "-1s", "1.0001ms5", "1..2s"] {
            assert!(duration(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(
            ["1", "12.50", "0.000001", "1,000"].map(|text| money(text).unwrap()),
            [1_000_000, 12_500_000, 1, 1_000_000_000]
        );
        for (text, words) in [
            ("0.0000001", "is no amount"),
            ("ten", "is no amount"),
            (".", "is no amount"),
            (
                "1000000000.01",
                "is too much: an amount is at most 1,000,000,000.00",
            ),
            ("99999999999999999999", "99999999999999999999 is too much"),
        ] {
            let why = money(text).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        assert_eq!(money("1000000000"), Ok(COST_MAX));
        assert_eq!(tokens("2,000,000"), Ok(2_000_000));
        for (text, words) in [
            ("many", "is no count of tokens"),
            ("99999999999999999999", "too many"),
        ] {
            let why = tokens(text).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        assert_eq!(rate("10/s").unwrap(), (10, Millis(1_000)));
        assert_eq!(rate("600/min").unwrap(), (600, Millis(60_000)));
        assert_eq!(rate("3/250ms").unwrap(), (3, Millis(250)));
        assert_eq!(moment("1970-01-02"), moment("1970-01-02T00:00:00Z"));
        assert_eq!(moment("1970-01-02").unwrap().0, 86_400_000_000);
        assert!(moment("2h").unwrap() < crate::show::now() && moment("soon").is_err());
        assert!(rate("10").is_err() && rate("x/s").is_err());
        assert!(label("=x").is_err());
        assert_eq!(selector("a=1, b=2").unwrap().iter().count(), 2);
    }
}
