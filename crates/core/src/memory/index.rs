//! Finds an entry's number by a hash. A slot holds both, so that growing and looking for what is not there touch
//! nothing but the slots.
//!
//! Open addressing, one slot after the other. A removal moves those behind it up and leaves no grave, so a table of a
//! settled size is never built anew: no command pays for many.

/// Slots at first: one page.
const SLOTS_MIN: usize = 512;

/// A hash of 0 stands for a free slot.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: u32,
    number: u32,
}

/// Numbers by hash.
#[derive(Debug, Default)]
pub struct Index {
    slots: Box<[Slot]>,
    len: usize,
}

impl Index {
    /// The number with this hash that `is_it`.
    pub fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let hash = hash.max(1);
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.hash == 0 {
                return None;
            }
            if slot.hash == hash && is_it(slot.number) {
                return Some(slot.number);
            }
            at = (at + 1) & mask;
        }
    }

    /// Puts in a number that is not there.
    pub fn insert(&mut self, hash: u32, number: u32) {
        if self.len * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        let hash = hash.max(1);
        put(&mut self.slots, Slot { hash, number });
        self.len += 1;
    }

    /// Takes a number out.
    pub fn remove(&mut self, hash: u32, number: u32) {
        let Some(mut free) = self.place(hash, number) else {
            return;
        };
        let mask = self.slots.len() - 1;
        let mut at = free;
        loop {
            at = (at + 1) & mask;
            let slot = self.slots[at];
            if slot.hash == 0 {
                break;
            }
            // It may move up unless its search begins behind the free slot.
            let home = slot.hash as usize & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(free) & mask {
                self.slots[free] = slot;
                free = at;
            }
        }
        self.slots[free] = Slot::default();
        self.len -= 1;
    }

    fn place(&self, hash: u32, number: u32) -> Option<usize> {
        let hash = hash.max(1);
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.hash == 0 {
                return None;
            }
            if slot.hash == hash && slot.number == number {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let count = (self.slots.len() * 2).max(SLOTS_MIN);
        let mut slots = vec![Slot::default(); count].into_boxed_slice();
        for slot in self.slots.iter().filter(|slot| slot.hash != 0) {
            put(&mut slots, *slot);
        }
        self.slots = slots;
    }
}

fn put(slots: &mut [Slot], slot: Slot) {
    let mask = slots.len() - 1;
    let mut at = slot.hash as usize & mask;
    while slots[at].hash != 0 {
        at = (at + 1) & mask;
    }
    slots[at] = slot;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn what_was_put_in_is_found_until_it_is_taken_out() {
        for spread in [3, 97, u32::MAX] {
            let mut index = Index::default();
            let mut there = VecDeque::new();
            let hash = |number: u32| number.wrapping_mul(0x9e37_79b9).rotate_left(9) % spread;
            for step in 0..6_000_u32 {
                let number = step.wrapping_sub(1_000); // Numbers wrap.
                index.insert(hash(number), number);
                there.push_back((hash(number), number));
                if there.len() > 600 {
                    let (hash, oldest) = there.pop_front().unwrap();
                    index.remove(hash, oldest);
                    assert_eq!(index.find(hash, |other| other == oldest), None);
                }
                if spread != 3 || step % 50 == 0 {
                    let (hash, number) = there[step as usize % there.len()];
                    assert_eq!(index.find(hash, |other| other == number), Some(number));
                }
            }
            assert_eq!(index.len, there.len());
            for (hash, number) in there {
                assert_eq!(index.find(hash, |other| other == number), Some(number));
            }
        }
    }
}
