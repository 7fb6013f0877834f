//! Says of most hashes at once that a run does not have them: a Bloom filter of blocks (Putze, Sanders, Singler 2007),
//! in the shape that Parquet stores. One look touches one line of memory, however large the run.
//!
//! 12 bits for each hash: of those that are not there about 1 in 200 passes.

/// Bits for each hash.
const BITS: u64 = 12;
const LANES: usize = 8;
const BLOCK_BITS: u64 = 32 * LANES as u64;
const BLOCK_BYTES: usize = 4 * LANES;
/// Odd numbers that spread one half of a hash over the lanes; they are part of the format.
const SALT: [u32; LANES] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// Blocks below which nothing is folded.
const FOLDED_MIN: u64 = 16;

/// Which hashes may be there.
pub struct Filter {
    blocks: Box<[[u32; LANES]]>,
}

impl Filter {
    /// An empty one, with room for so many hashes: a multiple of a power of two, so that it can be folded.
    pub fn with_room(count: u64) -> Filter {
        let blocks = needed(count);
        let folds = (blocks / FOLDED_MIN + 1).ilog2();
        let blocks = blocks.next_multiple_of(1 << folds);
        Filter {
            blocks: vec![[0; LANES]; blocks as usize].into_boxed_slice(),
        }
    }

    /// Gives back room, as only so many hashes were put in: neighbours become one, as often as it takes.
    pub fn fold(&mut self, count: u64) {
        let needed = needed(count) as usize;
        while self.blocks.len().is_multiple_of(2) && self.blocks.len() / 2 >= needed {
            let pairs = self.blocks.chunks_exact(2);
            let both = |pair: &[[u32; LANES]]| std::array::from_fn(|at| pair[0][at] | pair[1][at]);
            self.blocks = pairs.map(both).collect();
        }
    }

    /// The size of a folded one at most, in bytes.
    pub fn bytes_max(count: u64) -> u64 {
        2 * needed(count).max(FOLDED_MIN) * BLOCK_BYTES as u64
    }

    pub fn insert(&mut self, hash: u64) {
        let block = &mut self.blocks[place(hash, self.blocks.len())];
        for (lane, salt) in block.iter_mut().zip(SALT) {
            *lane |= bit(hash, salt);
        }
    }

    /// Never wrong when it says no.
    pub fn may_have(&self, hash: u64) -> bool {
        let block = &self.blocks[place(hash, self.blocks.len())];
        let missing = block
            .iter()
            .zip(SALT)
            .fold(0, |missing, (lane, salt)| missing | bit(hash, salt) & !lane);
        missing == 0
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let lanes = self.blocks.iter().flatten();
        lanes.flat_map(|lane| lane.to_le_bytes()).collect()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Filter> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(BLOCK_BYTES) {
            return None;
        }
        let block = |bytes: &[u8]| {
            let mut lanes = [0; LANES];
            for (lane, bytes) in lanes.iter_mut().zip(bytes.chunks_exact(4)) {
                *lane = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
            lanes
        };
        let blocks = bytes.chunks_exact(BLOCK_BYTES).map(block).collect();
        Some(Filter { blocks })
    }
}

/// Blocks for so many hashes.
fn needed(count: u64) -> u64 {
    (count * BITS).div_ceil(BLOCK_BITS).max(1)
}

/// The upper half chooses the block; with half as many blocks, the half of it.
fn place(hash: u64, count: usize) -> usize {
    (((hash >> 32) * count as u64) >> 32) as usize
}

/// The lower half chooses a bit in each lane.
fn bit(hash: u64, salt: u32) -> u32 {
    1 << ((hash as u32).wrapping_mul(salt) >> 27)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scatter(number: u64) -> u64 {
        let mixed = (number ^ number >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    fn check(count: u64, room: u64) {
        let mut filter = Filter::with_room(room);
        for number in 0..count {
            filter.insert(scatter(number));
        }
        filter.fold(count);
        let bytes = filter.to_bytes();
        assert!(
            bytes.len() as u64 <= Filter::bytes_max(count),
            "{count} of {room}"
        );
        let filter = Filter::from_bytes(&bytes).unwrap();
        assert!((0..count).all(|number| filter.may_have(scatter(number))));
        let others = count..11 * count;
        let wrong = others.filter(|number| filter.may_have(scatter(*number)));
        let in_a_thousand = wrong.count() as u64 / count.max(1);
        assert!(
            in_a_thousand < 10 || count < 100,
            "{in_a_thousand} in a thousand pass"
        );
    }

    #[test]
    fn it_has_what_was_put_in_and_little_else() {
        check(100_000, 100_000);
        assert!(Filter::from_bytes(&[0; 33]).is_none());
    }

    #[test]
    fn room_that_was_not_needed_is_given_back() {
        for count in [0, 1, 7, 300, 9_000, 40_000] {
            for room in [count, count + 1, 3 * count, 65_536, 8 * 65_536] {
                check(count, room);
            }
        }
    }
}
