//! What can be read of a fleet: bounded pages, worked out from the state between two commands.
//!
//! Lists are paged by an opaque cursor: the name or number after which to go on.
mod agents;
mod approvals;
mod conflicts;
mod graph;
mod lists;
mod locks;
mod permits;
mod plans;
mod policies;
mod rules;
mod status;
mod tools;
mod txns;
mod versions;

pub use agents::{AgentFilter, agent, agents, each_connected, instances};
pub(crate) use approvals::view as approval_view;
pub use approvals::{ApprovalFilter, Mine, approval, approvals, delegations};
pub use conflicts::{ConflictFilter, conflict, conflicts};
pub use graph::declared;
pub use lists::{actions, budgets, directory, groups, halt, halts, limits, scopes, settings};
pub use locks::{locks, validate};
pub use permits::{PermitFilter, explain, explain_judged, permit, permits};
pub use plans::{plan, plans};
pub use policies::{
    AgentSeen, Asked, Definitions, Picture, Unjudged, extension, picture, policies, policy_data,
    unjudged,
};
pub use rules::rules;
pub use status::status;
pub use tools::{ToolSeen, tool, tools};
pub use txns::{connector, connectors, owns, txn, txns};
pub use versions::version;

use crate::state::State;
use fleet_types::view::Page;

/// Most rows of a page.
pub const COUNT_MAX: usize = 1_000;

/// Cuts a sorted sequence of rows into a page.
fn page<T>(
    state: &State,
    rows: impl Iterator<Item = (String, T)>,
    after: Option<&str>,
    count: usize,
) -> Page<T> {
    let count = count.clamp(1, COUNT_MAX);
    let mut items: Vec<(String, T)> = Vec::new();
    let mut more = false;
    for (cursor, row) in rows {
        if after.is_some_and(|after| cursor.as_str() <= after) {
            continue;
        }
        if items.len() == count {
            more = true;
            break;
        }
        items.push((cursor, row));
    }
    let next = items
        .last()
        .filter(|_| more)
        .map(|(cursor, _)| cursor.clone());
    Page {
        items: items.into_iter().map(|(_, row)| row).collect(),
        next,
        seq: state.seq,
    }
}

/// Keys of a map in order, without those up to the cursor, at most `count` and one more.
fn sorted<'s, K: Ord + ToString + 's, V: 's>(
    entries: impl Iterator<Item = (&'s K, &'s V)>,
    after: Option<&str>,
    wanted: impl Fn(&V) -> bool,
) -> Vec<(String, &'s V)> {
    let mut rows: Vec<(String, &V)> = entries
        .filter(|(_, value)| wanted(value))
        .map(|(key, value)| (key.to_string(), value))
        .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after))
        .collect();
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    rows
}
