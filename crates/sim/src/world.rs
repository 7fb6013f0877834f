//! The world of one seed, step by step.
mod calm;
mod faults;

use crate::check::Checker;
use crate::client::Client;
use crate::config::{Config, Planted};
use crate::requests;
use crate::rng::Rng;
use crate::server::{Machine, Server, Tag, Written, all_records};
use fleet_journal::FleetKey;
use fleet_journal::memory::Bug;
use fleet_runtime::{Failure, Stored};
use fleet_types::{Answer, Command, Envelope, Reply, Time, instance};
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

    fn post(&mut self, message: Message) {
        let (lost, doubled) = match self.calm {
            true => (0, 0),
            false => (self.config.lost, self.config.doubled),
        };
        let copies = if self.rng.per_mille(lost) {
            0
        } else {
            1 + u64::from(self.rng.per_mille(doubled))
        };
        for _ in 0..copies {
            self.posted += 1;
            let at = self.now + self.rng.below(self.config.late_us + 1);
            let message = match &message {
                Message::Ask(tag, envelope) => Message::Ask(*tag, envelope.clone()),
                Message::Answer(tag, answer) => Message::Answer(*tag, answer.clone()),
            };
            self.wire.insert((at, self.posted), message);
        }
    }

    fn client(&mut self) {
        let at = self.rng.below(self.clients.len() as u64) as usize;
        if self.rng.per_mille(self.config.vanish) && !self.calm {
            self.clients[at].away_until = self.now + self.rng.below(30_000_000);
            self.fault("client vanished");
        }
        if self.clients[at].away_until > self.now {
            return;
        }
        let envelope = match self.calm {
            true => self.clients[at].retry(&mut self.rng),
            false => self.clients[at].act(&self.config, &mut self.rng),
        };
        if let Some(envelope) = envelope {
            let tag = self.tags.len() as u64;
            self.tags.insert(tag, at);
            self.clients[at].sent(tag, envelope.clone());
            self.post(Message::Ask(tag, envelope));
        }
    }

    /// What has arrived by now.
    fn deliver(&mut self) {
        while let Some(entry) = self.wire.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            match entry.remove() {
                Message::Ask(tag, envelope) if self.server.is_some() => {
                    self.inbox.push_back((tag, envelope))
                }
                Message::Ask(..) => {} // Nobody listens.
                Message::Answer(tag, answer) => {
                    let Some(at) = self.tags.get(&tag).copied() else {
                        continue;
                    };
                    let heard = self.clients[at].hear(tag, &answer);
                    if let (Some(envelope), Ok(answer)) = (heard, &answer) {
                        self.checker.answer(&envelope, answer);
                        self.log("answer", tag);
                        if let Ok(Reply::Decision(_)) = answer {
                            self.answered.entry(tag).or_insert(envelope);
                        }
                    }
                }
            }
        }
    }

    /// A turn of the server's writer.
    fn serve(&mut self, count: usize) {
        let wall = self.wall();
        // Whoever is away long enough is found silent.
        let mut silent = Vec::new();
        for client in &self.clients {
            if client.away_until > self.now + 15_000_000
                && let Some((agent, epoch)) = client.session()
                && self.rng.per_mille(100)
            {
                silent.push((agent, epoch));
            }
        }
        let Some(server) = &mut self.server else {
            return self.start();
        };
        if !server.has_room() {
            return;
        }
        let miss = |(agent, epoch): (String, u64)| {
            Command::Instance(instance::Command::Miss {
                key: instance::InstanceKey {
                    agent: agent.parse().expect("a name"),
                    instance: "i".parse().expect("a name"),
                },
                epoch: fleet_types::Epoch(epoch),
                missed: 3,
            })
        };
        let system = silent.into_iter().map(miss).collect();
        let count = count.min(self.inbox.len());
        let commands: Vec<(Tag, Envelope)> = self.inbox.drain(..count).collect();
        server.turn(commands, system, wall);
        let seq = server.state().seq().0;
        self.log("turn", seq);
        self.collect();
        self.die_in_files();
    }

    /// The process may have died while it wrote answers.
    fn die_in_files(&mut self) {
        if self.machine.files.has_died() {
            self.fault("died in answers");
            self.die();
        }
    }

    /// The process ends, and maybe the machine.
    fn die(&mut self) {
        let kept = self.rng.below(4) as usize;
        match self.rng.below(2) {
            0 => self.machine.kill(),
            _ => self.machine.crash(kept),
        }
        self.no_server();
    }

    fn no_server(&mut self) {
        self.server = None;
        self.inbox.clear();
    }

    /// A step of the journal.
    fn write(&mut self, count: usize) {
        let wall = self.wall();
        let Some(server) = &mut self.server else {
            return;
        };
        let written = server.write(count, wall);
        match written {
            Written::Nothing => {}
            Written::Committed => self.log("committed", 0),
            Written::Failed => self.fault("append failed"),
            Written::Died => self.fault("append unknown"),
        }
        self.collect();
        if written == Written::Died {
            self.die();
        }
    }

    /// Takes what the server let go.
    fn collect(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        let released = std::mem::take(&mut server.released);
        let answers = server.answers.take();
        self.checker.released(released);
        for (tag, mut answer) in answers {
            if tag == u64::MAX {
                continue; // The set-up's.
            }
            self.spoil(&mut answer);
            self.post(Message::Answer(tag, answer));
        }
        self.log("durable", self.checker.durable() as u64);
    }

    /// A new life of the server.
    fn start(&mut self) {
        let started = Server::start(&self.machine, &self.fleet);
        if self.machine.files.has_died() {
            return self.die_in_files(); // While it stored what the replay let go.
        }
        if started.is_err() && self.file_lost && self.machine.files.is_full() {
            return self.fault("no room for lost answers");
        }
        let mut server = started.unwrap_or_else(|why| panic!("R6: a start failed: {why}"));
        match server.stored {
            Stored::Whole => {}
            Stored::Restored if std::mem::take(&mut self.file_lost) => {
                self.fault("answers restored");
            }
            stored => panic!("I5: answers are missing that a snapshot relies on: {stored:?}"),
        }
        self.report.lives += 1;
        self.log("start", server.state().seq().0);
        let records = all_records(server.reader().as_mut(), &self.fleet);
        self.checker.recovered(records, server.state());
        server.release_early = self.config.planted == Some(Planted::ReleaseEarly);
        self.forget(&mut server);
        self.server = Some(server);
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
