//! What kind of world a seed makes: which faults happen and how often, what agents do and how much.
use crate::rng::Rng;

/// A mistake made on purpose, to prove that the checks notice it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The disk acknowledges what it has not synced.
    AckWithoutSync,
    /// A start does not write back what an earlier life left in the cache.
    OpenWithoutWriteBack,
    /// Answers go out when they are decided, not when they are durable.
    ReleaseEarly,
    /// Every twentieth grant of a resource carries the token before its own.
    TokenNotAdvanced,
    /// A restart forgets which request ids were answered.
    MemoryLost,
    /// A restart forgets the halts in force.
    HaltsLost,
    /// A snapshot is saved before the answers that it relies on are stored.
    AnswersLost,
}

impl Planted {
    /// Every one, by the name that the command line knows.
    pub const ALL: [(&str, Planted); 7] = [
        ("ack-without-sync", Planted::AckWithoutSync),
        ("open-without-write-back", Planted::OpenWithoutWriteBack),
        ("release-early", Planted::ReleaseEarly),
        ("token-not-advanced", Planted::TokenNotAdvanced),
        ("memory-lost", Planted::MemoryLost),
        ("halts-lost", Planted::HaltsLost),
        ("answers-lost", Planted::AnswersLost),
    ];
}

/// How a world behaves; drawn from the seed, so that some worlds have no crashes and others little else.
#[derive(Clone, Debug)]
pub struct Config {
    /// Of the world.
    pub seed: u64,
    /// Steps until the faults stop.
    pub steps: u64,
    /// Clients, each with agents of its own.
    pub clients: u64,
    /// Resources they fight for; the first few are hot.
    pub paths: u64,
    /// Messages lost, in a thousand.
    pub lost: u32,
    /// Messages doubled.
    pub doubled: u32,
    /// Most that a message is late, in microseconds.
    pub late_us: u64,
    /// Crashes, in a thousand steps of the server.
    pub crashes: u32,
    /// Torn writes: the process dies in the middle of the next few writes.
    pub torn: u32,
    /// Failed syncs.
    pub sync_fails: u32,
    /// Times the disk becomes full.
    pub full: u32,
    /// Jumps of the clock on the wall.
    pub jumps: u32,
    /// Snapshots.
    pub snapshots: u32,
    /// Files of stored answers that are lost.
    pub files_lost: u32,
    /// Orderly stops.
    pub stops: u32,
    /// Answers kept in memory.
    pub memory_max: usize,
    /// Clients that vanish for a while and come back with old epochs.
    pub vanish: u32,
    /// How often each kind of request is made; see `requests`.
    pub weights: [u32; crate::requests::KINDS],
    /// A mistake made on purpose.
    pub planted: Option<Planted>,
}

impl Config {
    /// The command that makes this world again.
    #[must_use]
    pub fn replay(&self) -> String {
        let (seed, steps) = (self.seed, self.steps);
        let mut line = format!("cargo run -p fleet-sim -- --seed {seed} --steps {steps}");
        let named = Planted::ALL.iter();
        for (name, _) in named.filter(|(_, planted)| self.planted == Some(*planted)) {
            line.push_str(&format!(" --planted {name}"));
        }
        line
    }

    /// The same world with a mistake in it, and with restarts, without which most mistakes do not show.
    #[must_use]
    pub fn with(mut self, planted: Planted) -> Config {
        self.planted = Some(planted);
        self.crashes = self.crashes.max(10);
        self.sync_fails = self.sync_fails.max(10);
        if planted == Planted::AnswersLost {
            self.memory_max = self.memory_max.min(16);
            self.snapshots = self.snapshots.max(10);
        }
        self
    }

    /// The world of a seed.
    #[must_use]
    pub fn of(seed: u64, steps: u64) -> Config {
        let mut rng = Rng::new(seed ^ 0x5eed);
        let mut some = |most: u32| {
            if rng.per_mille(400) {
                0
            } else {
                rng.below(u64::from(most)) as u32 + 1
            }
        };
        let (lost, doubled, crashes) = (some(100), some(200), some(30));
        let (torn, sync_fails, full, jumps) = (some(20), some(20), some(10), some(20));
        let (snapshots, vanish) = (some(20), some(30));
        let (files_lost, stops) = (some(5), some(10));
        let mut weights = [0; crate::requests::KINDS];
        for weight in &mut weights {
            *weight = *rng.pick(&[0, 1, 1, 3, 10]);
        }
        weights[0] = weights[0].max(10); // Without permits nothing happens.
        Config {
            seed,
            steps,
            clients: 2 + rng.below(6),
            paths: 1 + rng.below(12),
            lost,
            doubled,
            late_us: *rng.pick(&[0, 1_000, 100_000, 5_000_000]),
            crashes,
            torn,
            sync_fails,
            full,
            jumps,
            snapshots,
            files_lost,
            stops,
            memory_max: *rng.pick(&[1, 3, 8, 8, 20, 20, fleet_core::MEMORY_MAX]),
            vanish,
            weights,
            planted: None,
        }
    }
}
