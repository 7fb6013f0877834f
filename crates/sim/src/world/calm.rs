//! The faults stop: what was asked must be answered, what is held must end (R8).
use super::World;
use crate::client::Client;
use fleet_types::{Command, Envelope};

/// Steps in which a healthy world must have answered and ended everything.
const CALM_STEPS_MAX: u64 = 20_000;

impl World {
    /// The faults stop; everything asked is answered and everything held ends, within a bound.
    ///
    /// # Panics
    /// When it is not.
    pub fn calm_down(&mut self) {
        self.calm = true;
        self.machine.disk.die_after(None);
        self.machine.disk.set_full(false);
        self.machine.files.die_after(None);
        self.machine.files.set_full(false);
        for client in &mut self.clients {
            client.away_until = 0;
        }
        // A sync may still be about to fail; that is the last one.
        let mut steps = 0;
        while self.clients.iter().any(|client| client.open() > 0) {
            steps += 1;
            let open: usize = self.clients.iter().map(Client::open).sum();
            assert!(
                steps < CALM_STEPS_MAX,
                "R8: {open} requests have no answer in a healthy world"
            );
            if steps % 50 == 0 {
                self.release_halts();
            }
            self.step();
        }
        self.release_halts();
        loop {
            steps += 1;
            assert!(
                steps < 2 * CALM_STEPS_MAX,
                "R8: permits have no end in a healthy world"
            );
            self.serve(usize::MAX);
            self.write(usize::MAX);
            self.deliver();
            let wall = self.wall();
            let Some(server) = &self.server else { continue };
            if server.is_busy() || !self.inbox.is_empty() {
                continue;
            }
            match server.next_deadline() {
                Some(deadline) => {
                    // A deadline that came while writes were refused is handled when they no longer are.
                    let deadline = deadline.max(server.read_only_until.unwrap_or(deadline));
                    self.now += deadline.0.saturating_sub(wall.0).max(1);
                }
                None if self.wire.is_empty() => break,
                None => self.now += 1_000_000,
            }
        }
        let state = self.server.as_ref().expect("it serves").state();
        let status = fleet_core::read::status(state, state.now());
        assert_eq!(
            (status.permits_granted, status.permits_waiting),
            (0, 0),
            "R8: permits are left"
        );
        assert_eq!(status.locks_held, 0, "R8: locks are left");
    }

    pub(super) fn release_halts(&mut self) {
        let Some(server) = &self.server else { return };
        let halts = fleet_core::read::halts(server.state(), true, None, 1_000).items;
        for halt in halts {
            let release = fleet_types::halt::Command::Release {
                halt: halt.id,
                reason: fleet_types::Text::default(),
            };
            let by = fleet_types::Actor::Key("operator".parse().expect("a name"));
            self.inbox.push_back((
                u64::MAX,
                Envelope {
                    by,
                    command: Command::Halt(release),
                },
            ));
        }
    }
}
