//! Are the resources free, and as the asker saw them?
use super::{Ask, Report, Stop};
use crate::lock::check::{Obstacle, blocker, first_obstacle};
use crate::version;
use fleet_types::Code;
use fleet_types::explain::Gate;
use fleet_types::lock::Claim;
use fleet_types::permit::Blocker;

pub fn pass(ask: &Ask<'_>, report: &mut Report) -> Result<(), Box<Stop>> {
    report.saw(
        || "resources.claimed".into(),
        ask.request.resources.len() as u64,
    );
    if !ask.request.reads.is_empty()
        && let Some(stale) = version::stale_read(ask.state, ask.asker, ask.request)
    {
        return Err(refused(stale));
    }
    free(ask, &ask.request.resources)
}

pub fn free(ask: &Ask<'_>, claims: &[Claim]) -> Result<(), Box<Stop>> {
    // Before the wait: what is stale now is stale when the turn comes.
    if let Some(stale) = version::stale_claim(ask.state, claims) {
        return Err(refused(stale));
    }
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

fn refused((blocker, words): (Blocker, String)) -> Box<Stop> {
    let mut stop = Stop::deny(Gate::Locks, Code::VersionConflict, words);
    stop.blocker = Some(blocker);
    stop
}
