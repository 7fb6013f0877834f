//! A queue in chunks of a fixed size: it grows without a copy, and chunks that have become empty are used again.
use serde::{Deserialize, Serialize, Serializer};
use std::collections::VecDeque;
use std::ops::Index;

/// Values in a chunk: about 20 KiB of what is remembered, which allocators hand out without asking the system.
const CHUNK: usize = 256;

/// First in, first out. Values are found by their place from the front.
#[derive(Debug, Deserialize)]
#[serde(from = "Vec<T>")]
pub struct Entries<T> {
    /// Each was given room for [`CHUNK`] values and takes so many in its life, so it never grows.
    chunks: VecDeque<VecDeque<T>>,
    /// How many values have left the first chunk.
    gone: usize,
    len: usize,
    /// The last chunk that became empty: a full queue frees one as often as it needs one.
    spare: Option<VecDeque<T>>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Entries {
            chunks: VecDeque::new(),
            gone: 0,
            len: 0,
            spare: None,
        }
    }
}

impl<T> Entries<T> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn front(&self) -> Option<&T> {
        self.chunks.front()?.front()
    }

    pub fn push_back(&mut self, value: T) {
        if self.gone + self.len == self.chunks.len() * CHUNK {
            let spare = self.spare.take();
            let chunk = spare.unwrap_or_else(|| VecDeque::with_capacity(CHUNK));
            self.chunks.push_back(chunk);
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push_back(value);
            self.len += 1;
        }
    }

    pub fn pop_front(&mut self) -> Option<T> {
        let value = self.chunks.front_mut()?.pop_front()?;
        self.len -= 1;
        self.gone += 1;
        if self.gone == CHUNK {
            self.gone = 0;
            self.spare = self.chunks.pop_front();
        }
        Some(value)
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// Which chunk, and where in it.
    fn place(&self, at: usize) -> (usize, usize) {
        let at = self.gone + at;
        let chunk = at / CHUNK;
        let gone = if chunk == 0 { self.gone } else { 0 };
        (chunk, at % CHUNK - gone)
    }
}

impl<T> Index<usize> for Entries<T> {
    type Output = T;
    fn index(&self, at: usize) -> &T {
        let (chunk, at) = self.place(at);
        &self.chunks[chunk][at]
    }
}

impl<T> From<Vec<T>> for Entries<T> {
    fn from(values: Vec<T>) -> Self {
        let mut entries = Entries::default();
        for value in values {
            entries.push_back(value);
        }
        entries
    }
}

impl<T: Serialize> Serialize for Entries<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue() {
        let mut entries = Entries::default();
        let mut reference = VecDeque::new();
        for number in 0..20_000_usize {
            // Grows to some chunks, shrinks to none, and so on.
            if (number / 2_500) % 2 == 0 || number % 5 == 0 {
                entries.push_back(number);
                reference.push_back(number);
            } else {
                assert_eq!(entries.pop_front(), reference.pop_front());
            }
            assert_eq!(entries.front(), reference.front());
            assert_eq!(entries.len(), reference.len());
            for at in [0, reference.len() / 2, reference.len().saturating_sub(1)] {
                if at < reference.len() {
                    assert_eq!(entries[at], reference[at]);
                }
            }
        }
        assert!(entries.iter().eq(reference.iter()));
        let text = serde_json::to_string(&entries).unwrap();
        assert_eq!(text, serde_json::to_string(&reference).unwrap());
        let back: Entries<usize> = serde_json::from_str(&text).unwrap();
        assert!(back.iter().eq(reference.iter()));
    }
}
