//! Permits that wait for each other, found when a wait begins: a search in the wait-for graph for a way from
//! the new waiter back to itself. Only permits that hold something and ask for more can be in a cycle, and they
//! wait for holders only, so every cycle is closed by the wait that begins last.
//!
//! The victim is the waiter of the cycle with the lowest priority, then the youngest. It loses its wait, not
//! what it holds; its answer names the cycle.
use super::check::{Asker, Obstacle, obstacles};
use crate::permit::PermitKey;
use crate::state::State;
use fleet_types::lock::Claim;
use std::collections::BTreeSet;

/// Permits in a cycle, each waiting for the next and the last for the first, which is `start`.
/// Waits of permits in `gone` do not count.
pub fn cycle(
    state: &State,
    start: PermitKey,
    asker: Asker,
    claims: &[Claim],
    gone: &BTreeSet<PermitKey>,
) -> Option<Vec<PermitKey>> {
    let mut path = vec![(start, waits_for(state, asker, claims))];
    let mut seen = BTreeSet::new();
    while let Some((_, open)) = path.last_mut() {
        let Some(next) = open.pop() else {
            path.pop();
            continue;
        };
        if next == start {
            return Some(path.iter().map(|(permit, _)| *permit).collect());
        }
        if gone.contains(&next) || !seen.insert(next) {
            continue;
        }
        if let Some((asker, claims)) = state.permits.waits_for_locks(next) {
            let onward = waits_for(state, asker, claims);
            path.push((next, onward));
        }
    }
    None
}

/// The permits that stand in the way of these claims.
fn waits_for(state: &State, asker: Asker, claims: &[Claim]) -> Vec<PermitKey> {
    let mut permits = BTreeSet::new();
    for claim in claims {
        obstacles(state, asker, claim, |obstacle| {
            permits.insert(match obstacle {
                Obstacle::Held { by, .. } => by,
                Obstacle::Turn { of, .. } => of,
            });
            true
        });
    }
    permits.into_iter().collect()
}

/// Who must give way.
pub fn victim(state: &State, cycle: &[PermitKey]) -> PermitKey {
    let weakest = cycle.iter().copied().min_by_key(|key| {
        let permit = &state.permits[*key];
        (permit.priority, std::cmp::Reverse(permit.id))
    });
    weakest.expect("a cycle has members")
}
