//! May it be asked on behalf of the permit that it names? That must be held, now.
use super::{Ask, Report, Stop};
use crate::permit::delegation::chain;
use fleet_types::explain::Gate;
use fleet_types::halt::Mode;
use fleet_types::permit::Blocker;
use fleet_types::{AgentId, Code};

pub fn pass(ask: &Ask<'_>, report: &mut Report) -> Result<(), Box<Stop>> {
    let Some(parent) = ask.request.parent else {
        return Ok(());
    };
    let chain = chain(ask.state, ask.request);
    let most = ask.state.settings.delegation_depth_max;
    report.saw(|| "depth".into(), chain.len() as u64);
    report.saw(|| "depth_max".into(), most.into());
    let agent = &ask.request.agent;
    let (code, words) = if chain.is_empty() {
        let words = format!(
            "permit {parent}, on whose behalf it is asked, is not held: it waits, has ended, or never was"
        );
        (Code::ParentNotHeld, words)
    } else if chain.contains(agent) {
        let words = format!(
            "agent {agent} would act on its own behalf: {}",
            named(&chain, agent)
        );
        (Code::DelegationCycle, words)
    } else if chain.len() > most as usize {
        let words = format!(
            "it was handed on {} times, and this fleet lets it be at most {most}: {}",
            chain.len(),
            named(&chain, agent)
        );
        (Code::DelegationTooDeep, words)
    } else {
        return not_halted(ask, &chain);
    };
    let mut stop = Stop::deny(Gate::Delegation, code, words);
    stop.blocker = Some(Blocker::Delegation { parent, chain });
    Err(stop)
}

/// Nothing new is done on behalf of an agent that a halt reaches.
fn not_halted(ask: &Ask<'_>, chain: &[AgentId]) -> Result<(), Box<Stop>> {
    for agent in chain {
        let Some(halt) = ask.state.halts.over_named(ask.state, agent) else {
            continue;
        };
        if halt.order.mode == Mode::RiskReducingOnly
            && ask.state.actions.reduces_risk(&ask.request.action)
        {
            continue;
        }
        let words = format!(
            "halt {} is in force over agent {agent}, on whose behalf it is asked: {}",
            halt.id, halt.order.reason
        );
        let mut stop = Stop::deny(Gate::Delegation, Code::Halted, words);
        stop.blocker = Some(Blocker::Halt { halt: halt.id });
        return Err(stop);
    }
    Ok(())
}

/// `ann → bob → cid`.
fn named(chain: &[AgentId], last: &AgentId) -> String {
    let names: Vec<&str> = chain.iter().chain([last]).map(AgentId::as_str).collect();
    names.join(" → ")
}
