//! What two patterns have in common, decided exactly: as the machines they are, letter by letter.
//!
//! A pattern is a small machine: its places are the ways to go on. Two patterns *overlap* where both machines can reach
//! their ends by the same text; one *covers* another where no text leads the other to its end and it not. Both are decided
//! for all texts, also such as no name or path may be.
use crate::path::Pattern;
use std::collections::BTreeSet;

/// One step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// This byte.
    Byte(u8),
    /// Any text within a segment; stays.
    Star,
    /// Nothing more, or this separator and then anything.
    Rest(u8),
    /// Anything; stays.
    All,
}

const fn separates(byte: u8) -> bool {
    matches!(byte, b'/' | b'.')
}

/// A byte that no pattern holds, for all that are not written in one.
const OTHER: u8 = 1;

fn steps(pattern: &str) -> Vec<Step> {
    let bytes = pattern.as_bytes();
    let (stem, rest) = match bytes {
        [stem @ .., b'*', b'*'] => match stem.split_last() {
            Some((separator, stem)) => (stem, Some(*separator)),
            None => return vec![Step::All],
        },
        stem => (stem, None),
    };
    let mut steps: Vec<Step> = Vec::with_capacity(bytes.len());
    for byte in stem {
        match byte {
            b'*' => steps.push(Step::Star),
            byte => steps.push(Step::Byte(*byte)),
        }
    }
    if let Some(separator) = rest {
        steps.extend([Step::Rest(separator), Step::All]);
    }
    steps
}

/// Whether nothing more is needed at this place.
fn ends(steps: &[Step], place: usize) -> bool {
    match steps.get(place) {
        None | Some(Step::Rest(_) | Step::All) => true,
        Some(Step::Star) => ends(steps, place + 1),
        Some(Step::Byte(_)) => false,
    }
}

/// Where this byte leads from this place; a star may also be left, which is another place.
fn after(steps: &[Step], place: usize, byte: u8) -> Option<usize> {
    match steps.get(place)? {
        Step::Byte(wanted) => (*wanted == byte).then_some(place + 1),
        Step::Star => (!separates(byte)).then_some(place),
        Step::Rest(separator) => (*separator == byte).then_some(place + 1),
        Step::All => Some(place),
    }
}

/// The bytes that are told apart at a place, out of those that `letters` tells apart.
fn bytes_of(step: Step, letters: &BTreeSet<u8>) -> Vec<u8> {
    match step {
        Step::Byte(byte) | Step::Rest(byte) => vec![byte],
        Step::Star => letters.iter().copied().filter(|b| !separates(*b)).collect(),
        Step::All => letters.iter().copied().collect(),
    }
}

fn letters(steps: &[Step]) -> BTreeSet<u8> {
    let written = steps.iter().filter_map(|step| match step {
        Step::Byte(byte) | Step::Rest(byte) => Some(*byte),
        Step::Star | Step::All => None,
    });
    written.chain([b'/', b'.', OTHER]).collect()
}

fn overlap(one: &[Step], other: &[Step]) -> bool {
    let letters: BTreeSet<u8> = letters(one).union(&letters(other)).copied().collect();
    let mut seen = BTreeSet::from([(0, 0)]);
    let mut open = vec![(0, 0)];
    while let Some((a, b)) = open.pop() {
        if ends(one, a) && ends(other, b) {
            return true;
        }
        let mut next = Vec::new();
        if one.get(a) == Some(&Step::Star) {
            next.push((a + 1, b));
        }
        if other.get(b) == Some(&Step::Star) {
            next.push((a, b + 1));
        }
        if let (Some(step), Some(_)) = (one.get(a), other.get(b)) {
            for byte in bytes_of(*step, &letters) {
                let both = after(one, a, byte).zip(after(other, b, byte));
                next.extend(both);
            }
        }
        open.extend(next.into_iter().filter(|pair| seen.insert(*pair)));
    }
    false
}

/// Where a set of places leads by a byte. Whoever stands at a star can do all that those before it in this segment can,
/// so only the last star and what is behind it are kept: there are few such sets.
fn all_after(steps: &[Step], places: &[usize], byte: u8) -> Vec<usize> {
    let mut next: Vec<usize> = Vec::new();
    for place in places {
        next.extend(after(steps, *place, byte));
    }
    closed(steps, next)
}

fn closed(steps: &[Step], mut places: Vec<usize>) -> Vec<usize> {
    let mut at = 0;
    while at < places.len() {
        if steps.get(places[at]) == Some(&Step::Star) {
            places.push(places[at] + 1);
        }
        at += 1;
    }
    places.sort_unstable();
    places.dedup();
    let stays = |place: &usize| matches!(steps.get(*place), Some(Step::Star | Step::All));
    let last = places.iter().rposition(stays).unwrap_or(0);
    places.split_off(last)
}

fn cover(wide: &[Step], narrow: &[Step]) -> bool {
    let letters: BTreeSet<u8> = letters(wide).union(&letters(narrow)).copied().collect();
    let begin = (closed(wide, vec![0]), 0);
    let mut seen = BTreeSet::from([begin.clone()]);
    let mut open = vec![begin];
    while let Some((places, at)) = open.pop() {
        if ends(narrow, at) && !places.iter().any(|place| ends(wide, *place)) {
            return false;
        }
        let mut next = Vec::new();
        let Some(step) = narrow.get(at) else {
            continue;
        };
        if *step == Step::Star {
            next.push((places.clone(), at + 1));
        }
        for byte in bytes_of(*step, &letters) {
            if let Some(there) = after(narrow, at, byte) {
                next.push((all_after(wide, &places, byte), there));
            }
        }
        open.extend(next.into_iter().filter(|pair| seen.insert(pair.clone())));
    }
    true
}

/// Whether both begin with letters that already differ: the quick no.
fn differ_at_once(one: &str, other: &str) -> bool {
    let stem = |text: &str| text.find('*').map_or(text.len(), |at| at.saturating_sub(1));
    let common = stem(one).min(stem(other));
    one.as_bytes()[..common] != other.as_bytes()[..common]
}

impl Pattern {
    /// Whether some text matches both.
    #[must_use]
    pub fn overlaps(&self, other: &Pattern) -> bool {
        let (one, two) = (self.as_str(), other.as_str());
        match (self.is_exact(), other.is_exact()) {
            (true, true) => one == two,
            (true, false) => other.matches(one),
            (false, true) => self.matches(two),
            (false, false) => {
                one == two || !differ_at_once(one, two) && overlap(&steps(one), &steps(two))
            }
        }
    }

    /// Whether every text that matches `other` matches this one.
    #[must_use]
    pub fn covers(&self, other: &Pattern) -> bool {
        let (one, two) = (self.as_str(), other.as_str());
        match (self.is_exact(), other.is_exact()) {
            (_, true) => self.matches(two),
            // One with a star matches more than one text.
            (true, false) => false,
            (false, false) => {
                one == two || !differ_at_once(one, two) && cover(&steps(one), &steps(two))
            }
        }
    }

    /// Whether a path that matches one lies at, above or below a path that matches the other.
    #[must_use]
    pub fn touches(&self, other: &Pattern) -> bool {
        let (one, two) = (steps(self.as_str()), steps(other.as_str()));
        let below = |steps: &[Step]| match steps.last() {
            Some(Step::All) if steps.len() == 1 => steps.to_vec(),
            _ => [steps, &[Step::Rest(b'/'), Step::All]].concat(),
        };
        overlap(&below(&one), &two) || overlap(&one, &below(&two))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(alphabet: &[char], length: usize) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut last = words.clone();
        for _ in 0..length {
            last = last
                .iter()
                .flat_map(|word| alphabet.iter().map(move |c| format!("{word}{c}")))
                .collect();
            words.extend(last.iter().cloned());
        }
        words
    }

    /// Every pattern of up to so many letters, with and without a rest behind it.
    fn patterns(length: usize) -> Vec<Pattern> {
        let stems = words(&['a', 'b', '*', '/'], length);
        let all = stems
            .iter()
            .flat_map(|stem| [stem.clone(), format!("{stem}/**"), format!("{stem}.**")]);
        let all = all.chain(["**".to_owned()]);
        all.filter_map(|text| Pattern::parse(&text).ok()).collect()
    }

    /// Against every text: long enough that what differs at all differs in one of them.
    #[test]
    fn they_are_as_every_text_says() {
        let texts = words(&['a', 'b', 'c', '/', '.'], 6);
        let patterns = patterns(3);
        let matched: Vec<Vec<u64>> = patterns
            .iter()
            .map(|pattern| {
                let mut bits = vec![0u64; texts.len().div_ceil(64)];
                for (at, text) in texts.iter().enumerate() {
                    bits[at / 64] |= u64::from(pattern.matches(text)) << (at % 64);
                }
                bits
            })
            .collect();
        let mut found = [0, 0];
        for (one, of_one) in patterns.iter().zip(&matched) {
            for (other, of_other) in patterns.iter().zip(&matched) {
                let pairs = || of_one.iter().zip(of_other);
                let overlaps = pairs().any(|(a, b)| a & b != 0);
                let covers = pairs().all(|(a, b)| b & !a == 0);
                assert_eq!(one.overlaps(other), overlaps, "{one} overlaps {other}");
                assert_eq!(one.covers(other), covers, "{one} covers {other}");
                found[0] += usize::from(overlaps && one != other);
                found[1] += usize::from(covers && one != other);
            }
        }
        assert!(
            patterns.len() > 100 && found[0] > 1_000 && found[1] > 300,
            "{found:?} of {}",
            patterns.len()
        );
    }

    #[test]
    fn paths_touch_where_one_covers_the_other() {
        let paths: Vec<String> = words(&['a', 'b', '/'], 5)
            .into_iter()
            .filter(|path| crate::ResourcePath::parse(path).is_ok())
            .collect();
        let covers = |upper: &str, lower: &str| {
            let rest = lower.strip_prefix(upper);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let patterns: Vec<Pattern> = patterns(2)
            .into_iter()
            .filter(|pattern| !pattern.as_str().contains('.'))
            .collect();
        for one in &patterns {
            for other in &patterns {
                let found = paths.iter().filter(|path| one.matches(path)).any(|path| {
                    let mut others = paths.iter().filter(|other_path| other.matches(other_path));
                    others.any(|other| covers(path, other) || covers(other, path))
                });
                // What they touch in may be longer than the paths that are tried.
                if found {
                    assert!(one.touches(other), "{one} touches {other}");
                }
            }
        }
        let p = |text: &str| Pattern::parse(text).unwrap();
        assert!(
            p("a").touches(&p("a/b/c")) && p("a/*").touches(&p("*/b")) && p("**").touches(&p("x"))
        );
        assert!(p("a/*").touches(&p("a")) && p("a/b/**").touches(&p("a")));
        assert!(
            !p("a/b").touches(&p("a/c"))
                && !p("a/*").touches(&p("b/**"))
                && !p("a").touches(&p("ab"))
        );
    }

    #[test]
    fn long_ones_are_decided_soon() {
        let long = |part: &str| {
            let text = part.repeat(512 / part.len());
            Pattern::parse(text.trim_end_matches('/')).unwrap()
        };
        let (one, other) = (long("a*"), long("*a"));
        assert!(one.overlaps(&other) && !one.covers(&long("*b")));
        assert!(!long("ab*").covers(&long("a*")));
        let deep = Pattern::parse(&["*a*"; 16].join("/")).unwrap();
        assert!(deep.covers(&Pattern::parse(&["*aa*"; 16].join("/")).unwrap()));
    }
}
