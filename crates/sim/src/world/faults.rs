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
            self.disk.crash(kept);
            self.server = None;
            self.inbox.clear();
        } else if rng.per_mille(config.torn) {
            let steps = rng.below(6);
            self.fault("dies soon");
            self.disk.die_after(Some(steps));
        } else if rng.per_mille(config.sync_fails) {
            let fate = if rng.per_mille(500) {
                Fate::Kept
            } else {
                Fate::Lost
            };
            self.fault("sync fails");
            self.disk.fail_next_sync(fate);
        } else if rng.per_mille(config.full * 10) {
            let full = rng.per_mille(300);
            self.fault(if full { "disk full" } else { "disk has room" });
            self.disk.set_full(full);
        } else if rng.per_mille(config.jumps * 5) {
            let jump = rng.below(120_000_000) as i64 - 60_000_000;
            self.fault("clock jumps");
            self.skew += jump;
        } else if rng.per_mille(config.snapshots * 10) {
            self.fault("snapshot");
            if let Some(server) = &mut self.server {
                // A full or dying disk refuses it; the next one will do.
                let _ = server.snapshot();
            }
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
