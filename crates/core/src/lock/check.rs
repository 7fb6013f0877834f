//! Is everything a permit claims free for it now?
use super::{Locks, NodeKey};
use crate::permit::{PermitKey, Place};
use crate::state::State;
use fleet_types::ResourcePath;
use fleet_types::lock::{Claim, Mode};
use fleet_types::permit::Blocker;

/// Who asks: which permit (absent: not in the table yet) and its turn.
#[derive(Clone, Copy)]
pub struct Asker {
    pub permit: Option<PermitKey>,
    pub place: Place,
}

/// What stands in the way of one claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Another permit holds it, or one above or below.
    Held {
        node: NodeKey,
        by: PermitKey,
        mode: Mode,
    },
    /// An earlier turn wants it, or one above or below.
    Turn { node: NodeKey, of: PermitKey },
}

/// The first obstacle, or none: all claims are free.
pub fn first_obstacle(state: &State, asker: Asker, claims: &[Claim]) -> Option<Obstacle> {
    let mut found = None;
    for claim in claims {
        obstacles(state, asker, claim, |obstacle| {
            found = Some(obstacle);
            false
        });
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Tells `each` of every obstacle of a claim until it returns false.
pub fn obstacles(
    state: &State,
    asker: Asker,
    claim: &Claim,
    mut each: impl FnMut(Obstacle) -> bool,
) {
    let locks = &state.locks;
    let Some(node) = locks.node(claim.path.as_str()) else {
        // Never used: only those above can be in the way.
        let mut rest = claim.path.parent();
        while let Some(path) = rest {
            if let Some(key) = locks.node(path) {
                for key in std::iter::once(key).chain(locks.above(key)) {
                    if !at(locks, key, asker, claim.mode, &mut each) {
                        return;
                    }
                }
                return;
            }
            rest = path.rsplit_once('/').map(|(parent, _)| parent);
        }
        return;
    };
    if !at(locks, node, asker, claim.mode, &mut each) {
        return;
    }
    for key in locks.above(node) {
        if !at(locks, key, asker, claim.mode, &mut each) {
            return;
        }
    }
    let conflicting = |mode: Mode| !claim.mode.compatible(mode);
    let held = |n: &super::Node| {
        let modes = Mode::ALL.into_iter();
        modes
            .filter(|m| conflicting(*m))
            .map(|m| n.held_below[m as usize])
            .sum::<u32>()
    };
    let here = locks.get(node);
    if held(here) == 0 && here.waiting_below == 0 {
        return;
    }
    let used = |n: &super::Node| {
        held(n) > 0 || n.waiting_below > 0 || !n.waiters.is_empty() || !n.holders.is_empty()
    };
    for key in locks.below(node, used) {
        if !at(locks, key, asker, claim.mode, &mut each) {
            return;
        }
    }
}

/// Obstacles at one node. Returns whether to go on.
fn at(
    locks: &Locks,
    key: NodeKey,
    asker: Asker,
    mode: Mode,
    each: &mut impl FnMut(Obstacle) -> bool,
) -> bool {
    let node = locks.get(key);
    for holder in &node.holders {
        if Some(holder.permit) != asker.permit && !mode.compatible(holder.mode) {
            let obstacle = Obstacle::Held {
                node: key,
                by: holder.permit,
                mode: holder.mode,
            };
            if !each(obstacle) {
                return false;
            }
        }
    }
    if !asker.place.first_ask {
        return true; // Who holds already waits for holders only: see `Place`.
    }
    for (place, waits_in) in node.waiters.range(..asker.place) {
        if Some(place.permit) != asker.permit && !mode.compatible(*waits_in) {
            let obstacle = Obstacle::Turn {
                node: key,
                of: place.permit,
            };
            if !each(obstacle) {
                return false;
            }
        }
    }
    true
}

/// The obstacle in words for the caller.
pub fn blocker(state: &State, obstacle: Obstacle) -> Blocker {
    let path = |node| {
        ResourcePath::parse(&state.locks.get(node).path).expect("a prefix of a path is a path")
    };
    match obstacle {
        Obstacle::Held { node, by, mode } => {
            let holder = &state.permits[by];
            Blocker::Lock {
                path: path(node),
                mode,
                permit: holder.id,
                agent: holder.request.agent.clone(),
                until: holder.expires_at(),
            }
        }
        Obstacle::Turn { node, of } => {
            let waiter = &state.permits[of];
            Blocker::Turn {
                path: path(node),
                permit: waiter.id,
                agent: waiter.request.agent.clone(),
            }
        }
    }
}
