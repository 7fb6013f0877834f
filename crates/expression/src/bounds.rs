//! How much an evaluation may cost.
use std::time::Duration;

/// How much an evaluation may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Steps: calls and jumps, counted by the ten thousand. The same for every run, so it is what ends most.
    pub steps: u64,
    /// Time on the wall, for what takes long without many steps.
    pub wall: Duration,
    /// Bytes of memory, inputs and result included.
    pub memory: usize,
    /// Bytes of stack. The thread has to have as much, and half as much again.
    pub stack: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            steps: 5_000_000,
            wall: Duration::from_millis(250),
            memory: 8 << 20,
            stack: 256 << 10,
        }
    }
}
