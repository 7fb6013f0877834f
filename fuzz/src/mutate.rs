//! Changes to bytes, as a seed decides: for the fast tests, which have no coverage to guide them.
use fleet_sim::rng::Rng;

/// What formats trip over.
const WORDS: [&str; 24] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "1.5",
    "\\u0000",
    "18446744073709551615",
    "18446744073709551616",
    "\u{0}",
    "ä",
    "/",
    "*",
    "&a ",
    "- ",
    "\n  ",
    "%",
];

/// One to four changes of `bytes`; `other` lends a part.
#[must_use]
pub fn mutate(rng: &mut Rng, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.below(4) {
        let from = rng.below(bytes.len() as u64 + 1) as usize;
        let to = (from + rng.below(12) as usize).min(bytes.len());
        match rng.below(6) {
            0 if from < bytes.len() => bytes[from] ^= 1 << rng.below(8),
            1 => drop(bytes.drain(from..to)),
            2 => {
                let word = rng.pick(&WORDS).bytes();
                drop(bytes.splice(from..to, word));
            }
            3 => {
                let part = bytes[from..to].to_vec();
                drop(bytes.splice(from..from, part));
            }
            4 => {
                let begin = rng.below(other.len() as u64 + 1) as usize;
                let end = (begin + rng.below(64) as usize).min(other.len());
                drop(bytes.splice(from..to, other[begin..end].iter().copied()));
            }
            _ => {
                let word = rng.pick(&WORDS).bytes();
                drop(bytes.splice(from..from, word));
            }
        }
    }
    bytes
}
