//! Are the resources free?
use super::{Ask, Report, Stop};
use crate::lock::check::{Obstacle, blocker, first_obstacle};
use fleet_types::Code;
use fleet_types::explain::Gate;
use fleet_types::lock::Claim;

pub fn pass(ask: &Ask<'_>, report: &mut Report) -> Result<(), Box<Stop>> {
    report.saw(
        || "resources.claimed".into(),
        ask.request.resources.len() as u64,
    );
    free(ask, &ask.request.resources)
}

pub fn free(ask: &Ask<'_>, claims: &[Claim]) -> Result<(), Box<Stop>> {
    let Some(obstacle) = first_obstacle(ask.state, ask.asker, claims) else {
        return Ok(());
    };
    let path = |node| &ask.state.locks.get(node).path;
    let words = match obstacle {
        Obstacle::Held { node, by, .. } => {
            let holder = &ask.state.permits[by];
            let (path, agent) = (path(node), &holder.request.agent);
            format!("{path} is held by permit {} of agent {agent}", holder.id)
        }
        Obstacle::Turn { node, of } => {
            format!(
                "permit {} waits for {} before this one",
                ask.state.permits[of].id,
                path(node)
            )
        }
    };
    let blocker = blocker(ask.state, obstacle);
    Err(Stop::wait(Gate::Locks, Code::LockHeld, words, blocker))
}
