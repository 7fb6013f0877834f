//! Chance from a seed: the same numbers on every machine and in every release.
//!
//! SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014) and whole
//! numbers only, so that the same seed gives the same input for ever. Not for secrets.

/// A stream of numbers from a seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// A stream of its own for `part`, so that one part's draws do not shift another's.
    #[must_use]
    pub fn split(seed: u64, part: u64) -> Self {
        let mut random = Random(seed ^ part.wrapping_mul(0xA24B_AED4_963E_E407));
        random.next();
        random
    }

    /// The next number.
    #[allow(
        clippy::should_implement_trait,
        reason = "an endless stream is no iterator here"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product: a bias of at most bound / 2^64.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True in `percent` of 100 cases.
    pub fn percent(&mut self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }
}

/// How access is spread over accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skew {
    /// Every account alike.
    Uniform,
    /// Zipf with exponent 1: the account of rank r is taken in proportion to 1/r, so a few are hot.
    #[default]
    Zipf,
}

/// Draws ranks `0..count` by a skew.
#[derive(Clone, Debug)]
pub struct Ranks {
    /// Sums of the weights so far; grows strictly.
    sums: Vec<u64>,
}

impl Ranks {
    /// Ranks below `count`.
    #[must_use]
    pub fn new(skew: Skew, count: usize) -> Self {
        let mut sum = 0;
        let sums = (1..=count as u64)
            .map(|rank| {
                sum += match skew {
                    Skew::Uniform => 1,
                    // Whole numbers: floating point may differ between machines.
                    Skew::Zipf => ((1 << 40) / rank).max(1),
                };
                sum
            })
            .collect();
        Ranks { sums }
    }

    /// A rank; 0 when there is none.
    pub fn draw(&self, random: &mut Random) -> usize {
        let total = self.sums.last().copied().unwrap_or(0);
        let at = random.below(total);
        self.sums.partition_point(|sum| *sum <= at)
    }

    /// Two different ranks; None when there are fewer than two.
    pub fn draw_two(&self, random: &mut Random) -> Option<(usize, usize)> {
        let first = self.draw(random);
        if self.sums.len() < 2 {
            return None;
        }
        // A few draws find another one even where the first rank has most of the weight.
        let second = (0..64)
            .map(|_| self.draw(random))
            .find(|rank| *rank != first)
            .unwrap_or((first + 1) % self.sums.len());
        Some((first, second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        // The reference values of SplitMix64 for seed 0.
        let mut random = Random::new(0);
        assert_eq!(random.next(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(random.next(), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn zipf_has_hot_ranks_and_uniform_has_none() {
        let mut random = Random::new(7);
        for (skew, low, high) in [(Skew::Zipf, 1_000, 1_700), (Skew::Uniform, 0, 30)] {
            let ranks = Ranks::new(skew, 1_000);
            let first = (0..10_000).filter(|_| ranks.draw(&mut random) == 0).count();
            assert!((low..=high).contains(&first), "{skew:?}: {first}");
        }
    }

    #[test]
    fn two_ranks_differ() {
        let ranks = Ranks::new(Skew::Zipf, 2);
        let mut random = Random::new(1);
        for _ in 0..1_000 {
            let (one, other) = ranks.draw_two(&mut random).unwrap();
            assert_ne!(one, other);
        }
        assert!(Ranks::new(Skew::Zipf, 1).draw_two(&mut random).is_none());
    }
}
