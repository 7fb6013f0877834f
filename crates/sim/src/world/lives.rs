//! The server's lives: it starts, takes turns, writes, dies.
use super::{Message, World};
use crate::config::Planted;
use crate::server::{Server, Tag, Written, all_records};
use fleet_runtime::Stored;
use fleet_types::{Command, Envelope, instance};

impl World {
    /// A turn of the server's writer.
    pub(super) fn serve(&mut self, count: usize) {
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
    pub(super) fn die_in_files(&mut self) {
        if self.machine.files.has_died() {
            self.fault("died in answers");
            self.die();
        }
    }

    /// The process ends, and maybe the machine.
    pub(super) fn die(&mut self) {
        let kept = self.rng.below(4) as usize;
        match self.rng.below(2) {
            0 => self.machine.kill(),
            _ => self.machine.crash(kept),
        }
        self.no_server();
    }

    pub(super) fn no_server(&mut self) {
        self.server = None;
        self.inbox.clear();
    }

    /// A step of the journal.
    pub(super) fn write(&mut self, count: usize) {
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
    pub(super) fn collect(&mut self) {
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
    pub(super) fn start(&mut self) {
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
}
