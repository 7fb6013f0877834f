//! The world of one seed, step by step.
mod calm;
mod faults;
mod lives;
mod wire;

use crate::check::Checker;
use crate::client::Client;
use crate::config::{Config, Planted};
use crate::requests;
use crate::rng::Rng;
use crate::server::{Machine, Server, Tag};
use fleet_journal::FleetKey;
use fleet_journal::memory::Bug;
use fleet_runtime::Failure;
use fleet_types::{Answer, Envelope, Time};
use std::collections::{BTreeMap, VecDeque};

/// 2026-11-02 08:00:00 UTC, in microseconds.
const MORNING: u64 = 1_793_606_400_000_000;

enum Message {
    Ask(Tag, Envelope),
    Answer(Tag, Result<Answer, Failure>),
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// A hash over everything that happened, in order.
    pub log_hash: u64,
    /// Records that were durable at the end.
    pub records: u64,
    /// Answers that clients heard.
    pub answers: u64,
    /// Lives of the server.
    pub lives: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Events by name.
    pub events: BTreeMap<&'static str, u64>,
    /// Simulated time, in microseconds.
    pub simulated_us: u64,
}

/// A world.
pub struct World {
    config: Config,
    rng: Rng,
    now: u64,
    /// How far the clock on the wall is from the world's.
    skew: i64,
    machine: Machine,
    /// Requests that had an answer, by the tag under which it came.
    answered: BTreeMap<Tag, Envelope>,
    /// Whether a file of answers was lost since the last start.
    file_lost: bool,
    fleet: FleetKey,
    server: Option<Server>,
    clients: Vec<Client>,
    wire: BTreeMap<(u64, u64), Message>,
    posted: u64,
    tags: BTreeMap<Tag, usize>,
    inbox: VecDeque<(Tag, Envelope)>,
    checker: Checker,
    report: Report,
    calm: bool,
    grants: u64,
}

/// Runs the world of a configuration to its end.
///
/// # Panics
/// When an invariant is broken; the panic says which. Print the configuration first.
#[must_use]
pub fn run(config: Config) -> Report {
    let steps = config.steps;
    let mut world = World::new(config);
    for _ in 0..steps {
        world.step();
    }
    world.calm_down();
    world.end()
}

impl World {
    /// A world before its first step.
    ///
    /// # Panics
    /// When an empty disk does not open.
    #[must_use]
    pub fn new(config: Config) -> World {
        let machine = Machine {
            memory_max: config.memory_max,
            ..Machine::default()
        };
        let disk = &machine.disk;
        match config.planted {
            Some(Planted::AckWithoutSync) => disk.set_bug(Bug::AckWithoutSync),
            Some(Planted::OpenWithoutWriteBack) => disk.set_bug(Bug::OpenWithoutWriteBack),
            _ => {}
        }
        let mut world = World {
            rng: Rng::new(config.seed),
            now: MORNING,
            skew: 0,
            machine,
            answered: BTreeMap::new(),
            file_lost: false,
            fleet: "acme/main".parse().expect("a fleet's key"),
            server: None,
            clients: (0..config.clients).map(Client::new).collect(),
            wire: BTreeMap::new(),
            posted: 0,
            tags: BTreeMap::new(),
            inbox: VecDeque::new(),
            checker: Checker::new(config.memory_max),
            report: Report::default(),
            calm: false,
            grants: 0,
            config,
        };
        world.start();
        let set_up: Vec<(Tag, Envelope)> = requests::set_up(&world.config)
            .into_iter()
            .map(|e| (u64::MAX, e))
            .collect();
        world.inbox.extend(set_up);
        world.serve(usize::MAX);
        world.write(usize::MAX);
        world
    }

    fn wall(&self) -> Time {
        Time(self.now.saturating_add_signed(self.skew))
    }

    fn fault(&mut self, kind: &'static str) {
        *self.report.faults.entry(kind).or_default() += 1;
        self.log(kind, 0);
    }

    /// FNV-1a over what happened.
    fn log(&mut self, what: &str, number: u64) {
        let bytes = what.bytes().chain(number.to_le_bytes());
        for byte in bytes {
            self.report.log_hash =
                (self.report.log_hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// One step: something happens somewhere.
    pub fn step(&mut self) {
        match self.rng.below(10) {
            0..=3 => self.client(),
            4 | 5 => {
                let count = 1 + self.rng.below(8) as usize;
                self.serve(count);
            }
            6 | 7 => {
                let count = 1 + self.rng.below(2) as usize;
                self.write(count);
            }
            8 => self.pass_time(),
            _ => self.faults(),
        }
        self.deliver();
    }

    fn pass_time(&mut self) {
        let span = 1 << self.rng.below(24);
        self.now += self.rng.below(span) + 1;
        self.log("time", self.now);
    }

    /// Everything that was ever answered is asked again, and answered the same.
    fn ask_again(&mut self) {
        let wall = self.wall();
        let answered = std::mem::take(&mut self.answered);
        let Some(server) = &mut self.server else {
            return;
        };
        for (tag, envelope) in &answered {
            server.turn(vec![(*tag, envelope.clone())], Vec::new(), wall);
            server.write(1, wall);
        }
        self.checker.released(std::mem::take(&mut server.released));
        for (tag, answer) in server.answers.take() {
            if let Ok(answer) = &answer {
                self.checker.answer(&answered[&tag], answer);
            }
        }
    }

    /// One more restart, and what the run came to.
    #[must_use]
    pub fn end(mut self) -> Report {
        self.server = None;
        self.machine.crash(0);
        self.start();
        self.ask_again();
        let mut report = self.report;
        report.records = self.checker.durable() as u64;
        report.answers = self.checker.answered;
        report.events = self.checker.events();
        report.simulated_us = self.now - MORNING;
        report
    }
}
