//! Is a halt in force over the agent? The hardest one speaks (I8).
use super::{Ask, Report, Stop};
use fleet_types::Code;
use fleet_types::explain::Gate;
use fleet_types::halt::Mode;
use fleet_types::permit::Blocker;

pub fn pass(ask: &Ask<'_>, report: &mut Report) -> Result<(), Box<Stop>> {
    let halts = &ask.state.halts;
    if halts.active.is_empty() {
        return Ok(());
    }
    report.saw(|| "halts.in_force".into(), halts.active.len() as u64);
    let over = halts
        .over_agent(ask.state, ask.agent_key, ask.agent)
        .filter_map(|id| halts.get(id));
    let Some(halt) = over.max_by_key(|halt| (halt.order.mode, std::cmp::Reverse(halt.id))) else {
        return Ok(());
    };
    let blocker = Blocker::Halt { halt: halt.id };
    let reason = &halt.order.reason;
    let mut stop = match halt.order.mode {
        Mode::Immediate | Mode::Graceful => {
            let words = format!("halt {} is in force: {reason}", halt.id);
            Stop::deny(Gate::Halt, Code::Halted, words)
        }
        Mode::Pause => {
            let words = format!("pause {} is in force: {reason}", halt.id);
            Stop::wait(Gate::Halt, Code::Paused, words, blocker.clone())
        }
        Mode::RiskReducingOnly => {
            if ask.state.actions.reduces_risk(&ask.request.action) {
                return Ok(());
            }
            let words = format!(
                "halt {} lets only risk-reducing actions pass, and the catalogue does not call {} one: {reason}",
                halt.id, ask.request.action
            );
            Stop::deny(Gate::Halt, Code::RiskReducingOnly, words)
        }
    };
    stop.blocker = Some(blocker);
    Err(stop)
}
