//! What a policy may call, and how much one call may cost.
//!
//! Each call is charged to the fuel of its evaluation, by the size of what it works on: the library's own bounds are
//! looked at between instructions only, and one call could allocate, or take, without end. The functions that are left out
//! ask the world (clock, chance, network, environment), or grow what they are given in ways that are hard to bound.
use regorus::unstable::{ArithOp, BUILTINS, BuiltinFcn, Expr, Ref, Span, numbers};
use regorus::{LimitError, Value};
use std::cell::Cell;
use std::sync::LazyLock;

/// The name of a multiplication that was guarded.
pub const PRODUCT: &str = "fleet.product";
/// Longest text that a regular expression looks at: its worst case takes the product of text and expression.
const REGEX_TEXT_MAX: usize = 16 * 1024;
/// Longest regular expression.
const REGEX_MAX: usize = 512;
/// Most numbers of a range.
const RANGE_MAX: u64 = 10_000;
/// Widest field of a format.
const WIDTH_MAX: usize = 256;

thread_local! {
    /// What is left for the evaluation that runs on this thread.
    static FUEL: Cell<usize> = const { Cell::new(0) };
}

/// Gives an evaluation on this thread its fuel, in bytes.
pub(crate) fn refuel(bytes: usize) {
    FUEL.set(bytes);
}

/// How much of it is left.
#[must_use]
pub fn fuel_left() -> usize {
    FUEL.get()
}

fn burn(bytes: usize) -> anyhow::Result<()> {
    let left = FUEL.get();
    if bytes > left {
        FUEL.set(0);
        // This kind of error ends the evaluation; any other would only make the call undefined.
        let error = LimitError::MemoryLimitExceeded {
            usage: bytes as u64,
            limit: left as u64,
        };
        return Err(error.into());
    }
    FUEL.set(left - bytes);
    Ok(())
}

/// How a function's cost follows from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    /// It looks at little.
    Little,
    /// The lengths of its arguments.
    Flat,
    /// Everything in its arguments.
    Deep,
    /// As many numbers as are asked for.
    Range,
    /// Every place of the first may become the last.
    Replace,
    /// The first stands between all parts of the second.
    Join,
    /// A format may ask for wide fields.
    Format,
    /// A regular expression over a text.
    Regex { pattern: usize, text: usize },
}

type Call = fn(&Span, &[Ref<Expr>], &[Value], bool) -> anyhow::Result<Value>;

macro_rules! functions {
    ($($call:ident = $name:literal: $cost:expr;)*) => {
        $(fn $call(span: &Span, params: &[Ref<Expr>], args: &[Value], strict: bool) -> anyhow::Result<Value> {
            static ORIGINAL: LazyLock<Call> = LazyLock::new(|| original($name));
            charge($cost, args)?;
            ORIGINAL(span, params, args, strict)
        })*

        /// Every function of the list: its name, and its guarded form.
        const FUNCTIONS: &[(&str, Call)] = &[$(($name, $call)),*];
    };
}

functions! {
    abs = "abs": Cost::Little;
    ceil = "ceil": Cost::Little;
    floor = "floor": Cost::Little;
    round = "round": Cost::Little;
    range = "numbers.range": Cost::Range;
    range_step = "numbers.range_step": Cost::Range;
    bits_and = "bits.and": Cost::Little;
    bits_or = "bits.or": Cost::Little;
    bits_xor = "bits.xor": Cost::Little;
    bits_negate = "bits.negate": Cost::Little;
    count = "count": Cost::Little;
    max = "max": Cost::Flat;
    min = "min": Cost::Flat;
    sum = "sum": Cost::Flat;
    sort = "sort": Cost::Deep;
    array_concat = "array.concat": Cost::Flat;
    array_reverse = "array.reverse": Cost::Flat;
    array_slice = "array.slice": Cost::Flat;
    intersection = "intersection": Cost::Deep;
    union = "union": Cost::Deep;
    sets_union = "__builtin_sets.union": Cost::Deep;
    sets_intersection = "__builtin_sets.intersection": Cost::Deep;
    to_number = "to_number": Cost::Deep;
    json_is_valid = "json.is_valid": Cost::Deep;
    json_marshal = "json.marshal": Cost::Deep;
    json_unmarshal = "json.unmarshal": Cost::Deep;
    json_filter = "json.filter": Cost::Deep;
    json_remove = "json.remove": Cost::Deep;
    object_filter = "object.filter": Cost::Flat;
    object_get = "object.get": Cost::Little;
    object_keys = "object.keys": Cost::Flat;
    object_remove = "object.remove": Cost::Flat;
    object_subset = "object.subset": Cost::Deep;
    object_union = "object.union": Cost::Deep;
    object_union_n = "object.union_n": Cost::Deep;
    graph_reachable = "graph.reachable": Cost::Deep;
    base64_decode = "base64.decode": Cost::Deep;
    base64_encode = "base64.encode": Cost::Deep;
    base64_is_valid = "base64.is_valid": Cost::Deep;
    hex_decode = "hex.decode": Cost::Deep;
    hex_encode = "hex.encode": Cost::Deep;
    glob_match = "glob.match": Cost::Regex { pattern: 0, text: 2 };
    glob_quote_meta = "glob.quote_meta": Cost::Deep;
    regex_is_valid = "regex.is_valid": Cost::Regex { pattern: 0, text: 0 };
    regex_match = "regex.match": Cost::Regex { pattern: 0, text: 1 };
    regex_find_n = "regex.find_n": Cost::Regex { pattern: 0, text: 1 };
    regex_find_all = "regex.find_all_string_submatch_n": Cost::Regex { pattern: 0, text: 1 };
    regex_split = "regex.split": Cost::Regex { pattern: 0, text: 1 };
    semver_compare = "semver.compare": Cost::Deep;
    semver_is_valid = "semver.is_valid": Cost::Deep;
    concat = "concat": Cost::Join;
    contains = "contains": Cost::Deep;
    endswith = "endswith": Cost::Deep;
    startswith = "startswith": Cost::Deep;
    format_int = "format_int": Cost::Deep;
    indexof = "indexof": Cost::Deep;
    indexof_n = "indexof_n": Cost::Deep;
    lower = "lower": Cost::Deep;
    upper = "upper": Cost::Deep;
    replace = "replace": Cost::Replace;
    split = "split": Cost::Deep;
    sprintf = "sprintf": Cost::Format;
    any_prefix = "strings.any_prefix_match": Cost::Deep;
    any_suffix = "strings.any_suffix_match": Cost::Deep;
    strings_count = "strings.count": Cost::Deep;
    strings_reverse = "strings.reverse": Cost::Deep;
    substring = "substring": Cost::Deep;
    trim = "trim": Cost::Deep;
    trim_left = "trim_left": Cost::Deep;
    trim_prefix = "trim_prefix": Cost::Deep;
    trim_right = "trim_right": Cost::Deep;
    trim_space = "trim_space": Cost::Deep;
    trim_suffix = "trim_suffix": Cost::Deep;
    time_add_date = "time.add_date": Cost::Deep;
    time_clock = "time.clock": Cost::Deep;
    time_date = "time.date": Cost::Deep;
    time_diff = "time.diff": Cost::Deep;
    time_format = "time.format": Cost::Deep;
    time_parse_duration_ns = "time.parse_duration_ns": Cost::Deep;
    time_parse_ns = "time.parse_ns": Cost::Deep;
    time_parse_rfc3339_ns = "time.parse_rfc3339_ns": Cost::Deep;
    time_weekday = "time.weekday": Cost::Deep;
    is_array = "is_array": Cost::Little;
    is_boolean = "is_boolean": Cost::Little;
    is_null = "is_null": Cost::Little;
    is_number = "is_number": Cost::Little;
    is_object = "is_object": Cost::Little;
    is_set = "is_set": Cost::Little;
    is_string = "is_string": Cost::Little;
    type_name = "type_name": Cost::Little;
    units_parse = "units.parse": Cost::Deep;
    units_parse_bytes = "units.parse_bytes": Cost::Deep;
}

/// The names of what a policy may call.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

/// The guarded form of a function, if it is on the list.
pub(crate) fn guarded(name: &str) -> Option<BuiltinFcn> {
    let (_, call) = FUNCTIONS.iter().find(|(listed, _)| *listed == name)?;
    let arity = BUILTINS.get(name)?.1;
    Some((*call, arity))
}

/// Why a function is not on the list.
pub(crate) fn why_not(name: &str) -> &'static str {
    match name {
        "time.now_ns" => "its answer would differ at each evaluation; use input.now",
        "rand.intn" | "uuid.rfc4122" => "its answer would differ at each evaluation",
        "bits.lsh"
        | "product"
        | "graph.reachable_paths"
        | "walk"
        | "regex.replace"
        | "regex.template_match"
        | "strings.replace_n" => "what it gives can be far larger than what it is given",
        _ => "only what neither asks the world nor grows without bound is",
    }
}

fn original(name: &str) -> Call {
    BUILTINS.get(name).map_or(missing, |found| found.0)
}

fn missing(_: &Span, _: &[Ref<Expr>], _: &[Value], _: bool) -> anyhow::Result<Value> {
    burn(usize::MAX).map(|()| Value::Undefined)
}

/// Multiplication of what is not too long.
pub(crate) fn product() -> BuiltinFcn {
    (multiply, 2)
}

fn multiply(
    span: &Span,
    params: &[Ref<Expr>],
    args: &[Value],
    strict: bool,
) -> anyhow::Result<Value> {
    let ([one, other], [left, right]) = (args, params) else {
        return Ok(Value::Undefined);
    };
    for factor in args {
        if let Value::Number(number) = factor
            && number.as_i128().is_none()
            && number.as_big().is_some()
        {
            burn(usize::MAX)?;
        }
    }
    burn(16)?;
    numbers::arithmetic_operation(
        span,
        &ArithOp::Mul,
        left,
        right,
        one.clone(),
        other.clone(),
        strict,
    )
}

fn charge(cost: Cost, args: &[Value]) -> anyhow::Result<()> {
    burn(16)?;
    let text = |at: usize| match args.get(at) {
        Some(Value::String(text)) => text.len(),
        _ => 0,
    };
    match cost {
        Cost::Little => Ok(()),
        Cost::Flat => args.iter().try_for_each(|arg| burn(flat(arg))),
        Cost::Deep => args.iter().try_for_each(deep),
        Cost::Range => {
            let number = |at: usize| args.get(at).and_then(|arg| arg.as_i64().ok());
            let (Some(from), Some(to)) = (number(0), number(1)) else {
                // Not whole, or too large to be one: the function itself says what it thinks of the former.
                let is_number = |arg: &&Value| matches!(arg, Value::Number(_));
                let large = args
                    .iter()
                    .filter(is_number)
                    .any(|arg| arg.as_f64().is_ok_and(|n| n.abs() > 1e15));
                return burn(if large { usize::MAX } else { 0 });
            };
            let step = number(2).map_or(1, i64::unsigned_abs).max(1);
            let count = from.abs_diff(to) / step;
            burn(if count > RANGE_MAX {
                usize::MAX
            } else {
                32 * count as usize
            })
        }
        Cost::Replace => {
            // An empty text is found between all letters.
            let places = match text(1) {
                0 => text(0) + 1,
                old => text(0) / old,
            };
            burn(text(0).saturating_add(places.saturating_mul(text(2))))
        }
        Cost::Join => {
            let parts = args.get(1).map_or(0, flat) / 16;
            burn(parts.saturating_mul(text(0)))?;
            args.iter().try_for_each(deep)
        }
        Cost::Format => {
            if let Some(Value::String(format)) = args.first() {
                burn(if is_wide(format) { usize::MAX } else { 0 })?;
            }
            args.iter().try_for_each(deep)
        }
        Cost::Regex { pattern, text: at } => {
            if text(pattern) > REGEX_MAX || text(at) > REGEX_TEXT_MAX {
                return burn(usize::MAX);
            }
            // To compile an expression takes as long as to look at some text.
            burn(4_096 + 64 * text(pattern) + text(at).saturating_mul(1 + text(pattern) / 8))?;
            args.iter().try_for_each(deep)
        }
    }
}

/// The length of a value, without what is in it.
fn flat(value: &Value) -> usize {
    match value {
        Value::Array(list) => 16 * list.len(),
        Value::Set(set) => 16 * set.len(),
        Value::Object(map) => 32 * map.len(),
        Value::String(text) => text.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Undefined => 8,
    }
}

/// Burns what a value weighs with all that is in it; what is shared counts each time, as whoever walks it sees it so.
fn deep(value: &Value) -> anyhow::Result<()> {
    burn(flat(value))?;
    match value {
        Value::Array(list) => list.iter().try_for_each(deep),
        Value::Set(set) => set.iter().try_for_each(deep),
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            deep(key)?;
            deep(value)
        }),
        Value::Number(number) if number.as_i128().is_none() => match number.as_big() {
            Some(big) => burn(big.bits() as usize / 2), // Its digits take time, too.
            None => Ok(()),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Undefined => {
            Ok(())
        }
    }
}

/// Whether a format asks for a field wider than it may be, or has its width told by a value.
fn is_wide(format: &str) -> bool {
    let mut rest = format;
    while let Some((_, verb)) = rest.split_once('%') {
        let flags = verb.find(|c: char| !(c.is_ascii_digit() || "+-# .*[]".contains(c)));
        let flags = &verb[..flags.unwrap_or(verb.len())];
        let mut numbers = flags.split(|c: char| !c.is_ascii_digit());
        let wide = |digits: &str| {
            digits.len() > 6 || digits.parse::<usize>().is_ok_and(|width| width > WIDTH_MAX)
        };
        if flags.contains('*') || numbers.any(wide) {
            return true;
        }
        let skip = flags.len() + usize::from(verb[flags.len()..].starts_with('%'));
        rest = &verb[skip..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_function_is_the_librarys() {
        for name in names() {
            assert!(BUILTINS.contains_key(name), "{name}");
            assert!(guarded(name).is_some(), "{name}");
        }
        for name in [
            "time.now_ns",
            "rand.intn",
            "http.send",
            "opa.runtime",
            "trace",
            "walk",
        ] {
            assert!(guarded(name).is_none(), "{name}");
        }
    }

    #[test]
    fn wide_fields_are_seen() {
        for wide in ["%1000d", "a %% %0999999v", "%*d", "%.1000f", "%-[1]9999s"] {
            assert!(is_wide(wide), "{wide}");
        }
        for fine in [
            "%d",
            "%5.2f of %s",
            "100%% 1000d",
            "%v",
            "no 9999 verb",
            "%",
        ] {
            assert!(!is_wide(fine), "{fine}");
        }
    }
}
