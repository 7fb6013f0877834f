//! What goes wrong in a world: by chance, and on purpose.
use super::World;
use crate::config::Planted;
use crate::server::Server;
use fleet_core::State;
use fleet_journal::memory::Fate;
use fleet_runtime::Failure;
use fleet_types::permit::Decision;
use fleet_types::{Answer, Reply};
use serde_json::Value;

impl World {
    /// The planted mistake with tokens.
    pub(super) fn spoil(&mut self, answer: &mut Result<Answer, Failure>) {
        if self.config.planted == Some(Planted::TokenNotAdvanced)
            && let Ok(Ok(Reply::Decision(Decision::Granted(grant)))) = answer
        {
            self.grants += u64::from(!grant.resources.is_empty());
            if self.grants.is_multiple_of(20) {
                for held in &mut grant.resources {
                    held.token.0 -= 1;
                }
            }
        }
    }

    pub(super) fn faults(&mut self) {
        if self.calm {
            return;
        }
        let config = self.config.clone();
        let rng = &mut self.rng;
        if rng.per_mille(config.crashes) {
            let kept = rng.below(4) as usize;
            self.fault("power loss");
            self.machine.crash(kept);
            self.no_server();
        } else if rng.per_mille(config.torn) {
            let steps = rng.below(6);
            match rng.per_mille(700) {
                true => self.machine.disk.die_after(Some(steps)),
                false => self.machine.files.die_after(Some(steps + 1)),
            }
            self.fault("dies soon");
        } else if rng.per_mille(config.stops) {
            self.stop();
        } else if rng.per_mille(config.sync_fails) {
            let fate = if rng.per_mille(500) {
                Fate::Kept
            } else {
                Fate::Lost
            };
            self.fault("sync fails");
            self.machine.disk.fail_next_sync(fate);
        } else if rng.per_mille(config.full * 10) {
            // Mostly one disk holds both; the little that is left may do for one of them.
            let (full, which) = (rng.per_mille(300), rng.below(3));
            self.fault(if full { "disk full" } else { "disk has room" });
            self.machine.disk.set_full(full && which != 0);
            self.machine.files.set_full(full && which != 1);
        } else if rng.per_mille(config.jumps * 5) {
            let jump = rng.below(120_000_000) as i64 - 60_000_000;
            self.fault("clock jumps");
            self.skew += jump;
        } else if rng.per_mille(config.files_lost * 5) {
            let at = rng.below(64) as usize;
            if self.machine.files.lose(at) {
                self.file_lost = true;
                self.fault("file of answers lost");
            }
        } else if rng.per_mille(config.snapshots * 10) {
            self.fault("snapshot");
            if let Some(server) = &mut self.server {
                // A full or dying disk refuses it; the next one will do.
                let _ = match config.planted {
                    Some(Planted::AnswersLost) => server.snapshot_alone(),
                    _ => server.snapshot(),
                };
            }
            self.die_in_files();
        }
    }

    /// An orderly stop.
    fn stop(&mut self) {
        while self.server.as_ref().is_some_and(Server::is_busy) {
            self.write(1);
        }
        if let Some(server) = self.server.take() {
            self.fault("stop");
            // Without its last snapshot the next start replays more.
            let _ = server.stop();
            self.machine.kill();
            self.no_server();
        }
    }

    /// The planted mistakes with what a restart must not forget.
    pub(super) fn forget(&self, server: &mut Server) {
        let part = match self.config.planted {
            Some(Planted::MemoryLost) => "memory",
            Some(Planted::HaltsLost) => "halts",
            _ => return,
        };
        let parts = |state: &State| -> Value {
            serde_json::from_slice(&state.to_snapshot()).expect("a snapshot is JSON")
        };
        let mut body = parts(server.state());
        body[part] = parts(&State::default())[part].clone();
        let state = State::from_snapshot(body.to_string().as_bytes());
        server.replace_state(state.expect("it is a snapshot still"));
    }
}
