//! What a single value is: the core schema of YAML 1.2, which JSON is a part of.
use super::Node;
use crate::fault::clip;
use granit_parser::{ScalarStyle, Tag};
use serde_json::{Number, Value};

/// The value of a scalar, as it is written.
pub fn value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
    if style != ScalarStyle::Plain || is_text {
        return Ok(Value::String(text.to_owned()));
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    Ok(number(text)?.map_or_else(|| Value::String(text.to_owned()), Value::Number))
}

fn number(text: &str) -> Result<Option<Number>, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.starts_with('.') && digits[1..].eq_ignore_ascii_case("inf")
        || text.eq_ignore_ascii_case(".nan")
    {
        return Err(format!("{text} is no number that JSON has"));
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return Ok(u64::from_str_radix(digits, radix).ok().map(Number::from));
        }
    }
    let plain = digits.trim_end_matches(|c: char| c.is_ascii_digit());
    if plain.is_empty() && !digits.is_empty() {
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        let whole = unsigned.parse::<i64>().map(Number::from);
        let number = whole.or_else(|_| unsigned.parse::<u64>().map(Number::from));
        return match number {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(format!(
                "{} has too many digits; put it in quotes",
                clip(text)
            )),
        };
    }
    let is_float = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits
            .bytes()
            .all(|c| c.is_ascii_digit() || matches!(c, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !is_float {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(float) => match Number::from_f64(float) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{} is too large", clip(text))),
        },
        Err(_) => Ok(None), // A date, a version: text.
    }
}

/// The name that a value stands for, as a name in a map.
pub fn name(node: &Node) -> Option<String> {
    match node {
        Node::Scalar(Value::String(text)) => Some(text.clone()),
        Node::Scalar(value @ (Value::Bool(_) | Value::Number(_) | Value::Null)) => {
            Some(value.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_values_are_what_yaml_says() {
        let of = |text| value(text, ScalarStyle::Plain, None);
        for (text, wanted) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("true", json!(true)),
            ("yes", json!("yes")),
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("+3", json!(3)),
            ("0x1F", json!(31)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            ("2026-11-02", json!("2026-11-02")),
            ("1.2.3", json!("1.2.3")),
            ("30s", json!("30s")),
            ("-", json!("-")),
            (".", json!(".")),
            ("1_000", json!("1_000")),
        ] {
            assert_eq!(of(text).unwrap(), wanted, "{text}");
        }
        for text in [".inf", "-.INF", ".nan", "99999999999999999999", "1e999"] {
            assert!(of(text).is_err(), "{text}");
        }
        assert_eq!(
            value("12", ScalarStyle::DoubleQuoted, None).unwrap(),
            json!("12")
        );
    }
}
