//! Is the agent in use, its instance alive, its own concurrency free?
use super::{Ask, Report, Stop};
use fleet_types::Code;
use fleet_types::explain::Gate;
use fleet_types::permit::Blocker;

pub fn pass(ask: &Ask<'_>, report: &mut Report) -> Result<(), Box<Stop>> {
    alive(ask)?;
    let Some(max) = ask.agent.terms.concurrency_max else {
        return Ok(());
    };
    let in_flight = ask.agent.in_flight;
    report.saw(|| "agent.in_flight".into(), in_flight.into());
    report.saw(|| "agent.concurrency_max".into(), max.into());
    let passed_over = !ask.waits_for_agent && !ask.agent.waiting.is_empty();
    if in_flight < max && !passed_over {
        return Ok(());
    }
    Err(Stop::wait(
        Gate::AgentState,
        Code::AgentBusy,
        format!(
            "agent {} has {in_flight} permits in flight of {max}",
            ask.agent.id
        ),
        Blocker::AgentConcurrency { in_flight, max },
    ))
}

pub fn alive(ask: &Ask<'_>) -> Result<(), Box<Stop>> {
    if ask.agent.terms.offline {
        return Err(Stop::deny(
            Gate::AgentState,
            Code::AgentOffline,
            format!(
                "agent {} is offline; set its status to active first",
                ask.agent.id
            ),
        ));
    }
    let Some(holder) = &ask.request.instance else {
        return Ok(());
    };
    let instance = ask.agent.instances.get(&holder.id);
    if instance.is_some_and(|i| i.connected && i.epoch == holder.epoch) {
        return Ok(());
    }
    Err(Stop::deny(
        Gate::AgentState,
        Code::InstanceStale,
        format!(
            "instance {} of agent {} is not connected under epoch {}; connect again",
            holder.id, ask.agent.id, holder.epoch
        ),
    ))
}
