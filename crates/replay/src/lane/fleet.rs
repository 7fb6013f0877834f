//! What is no permit: connections, halts, agents and scopes that go. Carried out anew, as permits depend on them, and others
//! may hold here than there.
use super::{Epochs, Lane};
use fleet_types::event::{
    AgentRemoved, AgentStatusSet, HaltAcknowledged, HaltOrdered, InstanceConnected, InstanceGone,
    InstanceReady, ScopeRemoved,
};
use fleet_types::instance::{self, InstanceKey};
use fleet_types::{Actor, Command, Epoch, HaltId, Reply, Text, Time, agent, halt, scope};

impl Lane<'_> {
    pub(super) fn connected(&mut self, event: &InstanceConnected, by: &Actor, at: Time) {
        let connect = instance::Command::Connect {
            key: event.key.clone(),
            resume: None,
            labels: event.labels.clone(),
        };
        let answer = self.carry_out(by, Command::Instance(connect), at);
        if let Some(Reply::Connected { epoch, .. }) = answer {
            let epochs = Epochs {
                recorded: event.epoch,
                own: epoch,
            };
            self.epochs.insert(event.key.clone(), epochs);
        }
    }

    pub(super) fn ready(&mut self, event: &InstanceReady, by: &Actor, at: Time) {
        let command = instance::Command::Ready {
            key: event.key.clone(),
            epoch: self.epoch(&event.key),
        };
        self.carry_out(by, Command::Instance(command), at);
    }

    pub(super) fn disconnected(&mut self, event: &InstanceGone, by: &Actor, at: Time) {
        let command = instance::Command::Disconnect {
            key: event.key.clone(),
            epoch: self.epoch(&event.key),
            reason: event.reason.clone(),
        };
        self.carry_out(by, Command::Instance(command), at);
        self.epochs.remove(&event.key);
    }

    pub(super) fn failed(&mut self, event: &InstanceGone, by: &Actor, at: Time) {
        let command = instance::Command::Miss {
            key: event.key.clone(),
            epoch: self.epoch(&event.key),
            missed: 0, // Only the words of the event tell how many there were.
        };
        self.carry_out(by, Command::Instance(command), at);
        self.epochs.remove(&event.key);
    }

    pub(super) fn halted(&mut self, halt: HaltId, event: &HaltOrdered, by: &Actor, at: Time) {
        let order = halt::Order {
            release_by_two: Some(event.release_by_two),
            ..event.order.clone()
        };
        let command = Command::Halt(halt::Command::Order(order));
        if let Some(Reply::Halted { halt: own, .. }) = self.carry_out(by, command, at) {
            self.halts.insert(halt, own);
        }
    }

    pub(super) fn acknowledged(&mut self, event: &HaltAcknowledged, by: &Actor, at: Time) {
        let command = instance::Command::AcknowledgeHalt {
            key: event.key.clone(),
            epoch: self.epoch(&event.key),
            halt: self.halt(event.halt),
            in_flight: event.in_flight,
        };
        self.carry_out(by, Command::Instance(command), at);
    }

    pub(super) fn status_set(&mut self, event: &AgentStatusSet, by: &Actor, at: Time) {
        let command = agent::Command::SetStatus {
            agent: event.agent.clone(),
            version: event.version.clone(),
            status: event.status,
            replaced_by: event.replaced_by.clone(),
        };
        self.carry_out(by, Command::Agent(command), at);
    }

    /// A permit may hold here that did not hold there, and keeps the agent.
    pub(super) fn agent_removed(&mut self, event: &AgentRemoved, by: &Actor, at: Time) {
        let command = agent::Command::Remove {
            agent: event.agent.clone(),
        };
        self.carry_out(by, Command::Agent(command), at);
    }

    pub(super) fn scope_removed(&mut self, event: &ScopeRemoved, by: &Actor, at: Time) {
        let command = scope::Command::Remove {
            path: event.path.clone(),
        };
        self.carry_out(by, Command::Scope(command), at);
    }

    pub(super) fn release(&mut self, by: &Actor, halt: HaltId, reason: &Text, at: Time) {
        let command = halt::Command::Release {
            halt: self.halt(halt),
            reason: reason.clone(),
        };
        self.carry_out(by, Command::Halt(command), at);
    }

    fn halt(&self, halt: HaltId) -> HaltId {
        self.halts.get(&halt).copied().unwrap_or(halt)
    }

    fn epoch(&self, key: &InstanceKey) -> Epoch {
        self.epochs.get(key).map_or(Epoch(0), |epochs| epochs.own)
    }
}
