//! Paths as they are written: `nodes.read.outputs.pages[0]["a title"]`.
use super::Step;
use crate::fault::{clip, is_letter};
use smol_str::SmolStr;

/// Most steps of a path.
const STEPS_MAX: usize = 64;

/// A path before anybody has looked where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written<'t> {
    /// As it is written.
    pub text: &'t str,
    /// What it begins with.
    pub root: &'t str,
    /// How it goes on.
    pub steps: Vec<Step>,
}

/// Reads a path.
pub(crate) fn parse(text: &str) -> Result<Written<'_>, String> {
    if text.is_empty() {
        return Err("a hole is empty: write a path such as inputs.customer".to_owned());
    }
    let root = word(text);
    if root.is_empty() {
        return Err(format!(
            "{:?} is no path: write one such as inputs.customer",
            clip(text)
        ));
    }
    let mut steps = Vec::new();
    let mut rest = &text[root.len()..];
    while !rest.is_empty() {
        if steps.len() == STEPS_MAX {
            return Err(format!("a path of more than {STEPS_MAX} steps"));
        }
        let (step, after) = step(rest).ok_or_else(|| {
            format!(
                "{:?} is no path: {:?} stands where . or [ would go on; whatever has to be worked out is a transform's",
                clip(text),
                clip(rest)
            )
        })?;
        steps.push(step);
        rest = after;
    }
    Ok(Written { text, root, steps })
}

fn word(text: &str) -> &str {
    let end = text.bytes().position(|c| !is_letter(c));
    let word = &text[..end.unwrap_or(text.len())];
    match word.starts_with(|c: char| c.is_ascii_digit()) {
        true => "",
        false => word,
    }
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix('.') {
        let end = rest
            .bytes()
            .position(|c| !(is_letter(c) || c == b'-'))
            .unwrap_or(rest.len());
        let name = &rest[..end];
        return (!name.is_empty()).then(|| (Step::Of(SmolStr::new(name)), &rest[end..]));
    }
    let rest = text.strip_prefix('[')?;
    if rest.starts_with(['"', '\'']) {
        let quote = rest.chars().next()?;
        let end = rest[1..].find(quote)? + 1;
        let after = rest[end + 1..].strip_prefix(']')?;
        return Some((Step::Of(SmolStr::new(&rest[1..end])), after));
    }
    let end = rest.find(']')?;
    let digits = &rest[..end];
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    Some((Step::At(digits.parse().ok()?), &rest[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let of = |text| {
            let written = parse(text).unwrap();
            (written.root.to_owned(), written.steps)
        };
        let name = |text: &str| Step::Of(text.into());
        assert_eq!(of("item"), ("item".into(), vec![]));
        assert_eq!(
            of("nodes.a.outputs.b[3]['c d'][\"e\"].f-g"),
            (
                "nodes".into(),
                vec![
                    name("a"),
                    name("outputs"),
                    name("b"),
                    Step::At(3),
                    name("c d"),
                    name("e"),
                    name("f-g")
                ]
            )
        );
        for wrong in [
            "",
            ".a",
            "a.",
            "a..b",
            "a[",
            "a[]",
            "a[x]",
            "a[-1]",
            "a + b",
            "1a",
            "a['b]",
            "a b",
            "ä",
            "a[99999999999999999999]",
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
