//! Ordering and releasing halts.
use super::reaches;
use crate::agent::AgentKey;
use crate::decide::{Decided, Events, invalid, rejected};
use crate::permit::Phase;
use crate::state::State;
use fleet_types::event::{HaltOrdered, HaltReleaseRequested, HaltReleased};
use fleet_types::halt::{Command, Mode, Order, Target};
use fleet_types::{Actor, Code, Event, HaltId, Reply, Text};

/// Most halts in force at once.
const ACTIVE_MAX: usize = 1_000;

pub fn decide(state: &State, by: &Actor, command: &Command) -> Decided {
    match command {
        Command::Order(order) => self::order(state, by, order),
        Command::Release { halt, reason } => release(state, by, *halt, reason),
    }
}

fn order(state: &State, by: &Actor, order: &Order) -> Decided {
    if let Actor::Agent(agent) = by {
        return rejected(
            Code::Forbidden,
            format!("agent {agent} may not halt others; disconnect to stop itself"),
        );
    }
    if order.reason.is_empty() {
        return invalid("reason", "reason is empty: say why, people will read it");
    }
    match &order.target {
        Target::Agent(agent) if state.agents.key(agent).is_none() => {
            return rejected(
                Code::AgentUnknown,
                format!("agent {agent} is not registered"),
            );
        }
        Target::Group(group) if !state.groups.by_id.contains_key(group) => {
            return rejected(Code::NotFound, format!("there is no group {group}"));
        }
        Target::Scope(path) if !state.scopes.nodes.contains_key(path) => {
            return rejected(Code::NotFound, format!("there is no scope {path}"));
        }
        Target::Selector(labels) if labels.is_empty() => {
            return invalid("target.selector", "the selector is empty: use target all");
        }
        Target::All
        | Target::Agent(_)
        | Target::Group(_)
        | Target::Scope(_)
        | Target::Selector(_) => {}
    }
    if state.halts.active.len() >= ACTIVE_MAX {
        return rejected(
            Code::Conflict,
            format!("{ACTIVE_MAX} halts are in force; release some, or halt a wider scope"),
        );
    }
    let reached = |agent: AgentKey| reaches(state, &order.target, &state.agents.agents[agent]);
    let live = state.agents.live.iter();
    let reach = match order.target {
        Target::All => live.count(),
        _ => live.filter(|(agent, _)| reached(*agent)).count(),
    };
    let mut revoked = Vec::new();
    for (_, permit) in state.permits.iter() {
        let waits = matches!(permit.phase, Phase::Waiting(_));
        let ends = match order.mode {
            Mode::Immediate => true,
            Mode::Graceful => waits,
            Mode::Pause => false,
            Mode::RiskReducingOnly => waits && !state.actions.reduces_risk(&permit.request.action),
        };
        if ends && reached(permit.agent) && state.txns.holder_of(permit.id).is_none() {
            revoked.push(permit.id);
        }
    }
    revoked.sort_unstable();
    let aborted = match order.mode {
        Mode::Immediate => crate::txn::end::halted(state, &order.reason, reached),
        Mode::Graceful | Mode::Pause | Mode::RiskReducingOnly => Vec::new(),
    };
    let answer = Event::HaltOrdered(HaltOrdered {
        order: order.clone(),
        release_by_two: order
            .release_by_two
            .unwrap_or(state.settings.release_by_two),
        reach: reach as u64,
        revoked,
    });
    Decided::Events(Events {
        then: aborted,
        ..Events::one(answer)
    })
}

fn release(state: &State, by: &Actor, id: HaltId, reason: &Text) -> Decided {
    // I8: whatever the doors think of its role, an agent's own credential never releases.
    if let Actor::Agent(agent) = by {
        return rejected(
            Code::ReleaseByAgent,
            format!("agent {agent} cannot release a halt; a person must"),
        );
    }
    let Some(halt) = state.halts.get(id) else {
        return rejected(Code::NotFound, format!("there is no halt {id}"));
    };
    if halt.released_at.is_some() {
        return Decided::repeat(Reply::Unchanged);
    }
    let released = || {
        Decided::event(Event::HaltReleased(HaltReleased {
            halt: id,
            reason: reason.clone(),
        }))
    };
    match &halt.release_requested_by {
        _ if !halt.release_by_two => released(),
        None => Decided::event(Event::HaltReleaseRequested(HaltReleaseRequested {
            halt: id,
            reason: reason.clone(),
        })),
        // Without keys nobody can be told apart.
        Some(first) if first == by && *by != Actor::Local => rejected(
            Code::ReleaseNeedsSecond,
            format!("halt {id} needs a second person to release it; this one has asked already"),
        ),
        Some(_) => released(),
    }
}
