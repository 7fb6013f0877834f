//! Live instances. Epochs are journal sequences: they grow with every life, across crashes too.
use crate::agent::AgentKey;
use crate::decide::{Decided, rejected};
use crate::state::State;
use fleet_types::event::{HaltAcknowledged, InstanceConnected, InstanceGone, InstanceReady};
use fleet_types::instance::{Command, InstanceKey};
use fleet_types::{Code, Epoch, Event, Labels, PermitId, Reply, Text, Time};
use serde::{Deserialize, Serialize};

/// One connection of an agent, in its current or last life.
#[derive(Debug, Serialize, Deserialize)]
pub struct Instance {
    pub epoch: Epoch,
    /// False after good-bye or failure.
    pub connected: bool,
    /// Whether its last life ended in a failure.
    pub failed: bool,
    /// Back after a failure, not yet ready.
    pub recovering: bool,
    pub connected_at: Time,
    pub labels: Labels,
}

/// Instances of one agent; the longest gone one is forgotten to make room for a new one.
pub const INSTANCES_PER_AGENT_MAX: usize = if cfg!(test) { 3 } else { 10_000 };

pub fn decide(state: &State, command: &Command) -> Decided {
    let key = match command {
        Command::Connect { key, .. }
        | Command::Ready { key, .. }
        | Command::Disconnect { key, .. }
        | Command::Miss { key, .. }
        | Command::AcknowledgeHalt { key, .. } => key,
    };
    let Some(agent_key) = state.agents.key(&key.agent) else {
        return rejected(
            Code::AgentUnknown,
            format!("agent {} is not registered", key.agent),
        );
    };
    let instance = state.agents.agents[agent_key].instances.get(&key.instance);
    let live = |epoch: Epoch| instance.is_some_and(|i| i.connected && i.epoch == epoch);
    let stale = |epoch: Epoch| {
        rejected(
            Code::EpochStale,
            format!(
                "instance {} of agent {} is not connected under epoch {epoch}; connect again",
                key.instance, key.agent
            ),
        )
    };
    match command {
        Command::Connect { resume, labels, .. } => {
            connect(state, agent_key, key, instance, *resume, labels)
        }
        Command::Ready { epoch, .. } if live(*epoch) => {
            if instance.is_some_and(|i| i.recovering) {
                Decided::event(Event::InstanceReady(InstanceReady { key: key.clone() }))
            } else {
                Decided::unchanged()
            }
        }
        Command::Ready { epoch, .. } => stale(*epoch),
        Command::Disconnect { epoch, reason, .. } if live(*epoch) => {
            Decided::event(Event::InstanceDisconnected(InstanceGone {
                key: key.clone(),
                epoch: *epoch,
                reason: reason.clone(),
                released: held_by(state, agent_key, key),
            }))
        }
        Command::Disconnect { .. } => Decided::unchanged(), // It is gone already.
        Command::Miss { epoch, missed, .. } if live(*epoch) => {
            Decided::event(Event::InstanceFailed(InstanceGone {
                key: key.clone(),
                epoch: *epoch,
                reason: Text::clip(&format!("missed {missed} heartbeats")),
                released: held_by(state, agent_key, key),
            }))
        }
        Command::Miss { .. } => Decided::unchanged(), // A late watch.
        Command::AcknowledgeHalt {
            epoch,
            halt,
            in_flight,
            ..
        } => {
            if !live(*epoch) {
                return stale(*epoch);
            }
            match state.halts.get(*halt) {
                None => rejected(Code::NotFound, format!("there is no halt {halt}")),
                Some(known) if known.awaits(agent_key, &key.instance) => {
                    Decided::event(Event::HaltAcknowledged(HaltAcknowledged {
                        halt: *halt,
                        key: key.clone(),
                        in_flight: *in_flight,
                    }))
                }
                Some(_) => Decided::unchanged(), // A repeat, or it was not in reach.
            }
        }
    }
}

fn connect(
    state: &State,
    agent_key: AgentKey,
    key: &InstanceKey,
    instance: Option<&Instance>,
    resume: Option<Epoch>,
    labels: &Labels,
) -> Decided {
    if let (Some(instance), Some(epoch)) = (instance, resume)
        && instance.connected
        && instance.epoch == epoch
    {
        return Decided::repeat(Reply::Connected {
            epoch,
            recovering: instance.recovering,
        });
    }
    let instances = &state.agents.agents[agent_key].instances;
    if instance.is_none()
        && instances.len() >= INSTANCES_PER_AGENT_MAX
        && instances.values().all(|i| i.connected)
    {
        return rejected(
            Code::Conflict,
            format!(
                "agent {} has {INSTANCES_PER_AGENT_MAX} instances connected; disconnect some first",
                key.agent
            ),
        );
    }
    Decided::event(Event::InstanceConnected(InstanceConnected {
        key: key.clone(),
        epoch: Epoch(state.next_seq().0),
        recovering: instance.is_some_and(|i| i.failed),
        labels: labels.clone(),
        released: held_by(state, agent_key, key),
    }))
}

/// What an instance holds or waits for, in order of request.
fn held_by(state: &State, agent: AgentKey, key: &InstanceKey) -> Vec<PermitId> {
    let agent = &state.agents.agents[agent];
    let mut permits: Vec<PermitId> = state
        .permits
        .of(agent)
        .map(|permit| &state.permits[permit])
        .filter(|permit| {
            let holder = permit.request.instance.as_ref();
            holder.is_some_and(|holder| holder.id == key.instance)
        })
        // What a transaction holds ends with it, not with whoever asked for it.
        .filter(|permit| state.txns.holder_of(permit.id).is_none())
        .map(|permit| permit.id)
        .collect();
    permits.sort_unstable();
    permits
}

pub fn connected(state: &mut State, event: &InstanceConnected, at: Time) {
    release(state, &event.released);
    let Some(agent) = state.agents.key(&event.key.agent) else {
        return;
    };
    let instances = &mut state.agents.agents[agent].instances;
    if instances.len() >= INSTANCES_PER_AGENT_MAX && !instances.contains_key(&event.key.instance) {
        let gone = instances.iter().filter(|(_, i)| !i.connected);
        let oldest = gone.min_by_key(|(_, i)| i.epoch).map(|(id, _)| id.clone());
        if let Some(oldest) = oldest {
            instances.shift_remove(&oldest);
        }
    }
    instances.insert(
        event.key.instance.clone(),
        Instance {
            epoch: event.epoch,
            connected: true,
            failed: false,
            recovering: event.recovering,
            connected_at: at,
            labels: event.labels.clone(),
        },
    );
    state
        .agents
        .live
        .insert((agent, event.key.instance.clone()));
    let halts: Vec<_> = state.halts.over(state, agent).collect();
    for halt in halts {
        state.halts.await_instance(halt, agent, &event.key.instance);
    }
}

pub fn ready(state: &mut State, event: &InstanceReady) {
    if let Some(instance) = find(state, &event.key) {
        instance.recovering = false;
    }
}

/// Good-bye and failure: the same but for the mark.
pub fn gone(state: &mut State, event: &InstanceGone, failed: bool) {
    release(state, &event.released);
    if let Some(instance) = find(state, &event.key) {
        instance.connected = false;
        instance.recovering = false;
        instance.failed = failed;
    }
    if let Some(agent) = state.agents.key(&event.key.agent) {
        state
            .agents
            .live
            .remove(&(agent, event.key.instance.clone()));
        state.halts.gone(agent, &event.key.instance);
    }
}

pub fn halt_acknowledged(state: &mut State, event: &HaltAcknowledged, at: Time) {
    if let Some(agent) = state.agents.key(&event.key.agent) {
        let (instance, in_flight) = (&event.key.instance, event.in_flight);
        state
            .halts
            .acknowledged(event.halt, agent, instance, in_flight, at);
    }
}

fn find<'s>(state: &'s mut State, key: &InstanceKey) -> Option<&'s mut Instance> {
    let agent = state.agents.key(&key.agent)?;
    state.agents.agents[agent].instances.get_mut(&key.instance)
}

fn release(state: &mut State, permits: &[PermitId]) {
    for permit in permits {
        crate::permit::end::revoked(state, *permit, Code::HolderGone);
    }
}
