//! Who holds what and who waits for it.
use super::page;
use crate::lock::Node;
use crate::state::State;
use fleet_types::view::{Lock, LockHolder, LockWaiter, Page};
use fleet_types::{ResourcePath, Token};

/// Resources that are held or waited for, by path; only those that are `under` or below it.
#[must_use]
pub fn locks(
    state: &State,
    under: Option<&ResourcePath>,
    after: Option<&str>,
    count: usize,
) -> Page<Lock> {
    let mut rows: Vec<&Node> = state
        .locks
        .iter()
        .map(|(_, node)| node)
        .filter(|node| !node.holders.is_empty() || !node.waiters.is_empty())
        .filter(|node| after.is_none_or(|after| node.path.as_str() > after))
        .filter(|node| {
            under.is_none_or(|under| {
                let rest = node.path.strip_prefix(under.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        })
        .collect();
    rows.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let rows = rows
        .into_iter()
        .map(|node| (node.path.to_string(), view(state, node)));
    page(state, rows, after, count)
}

fn view(state: &State, node: &Node) -> Lock {
    Lock {
        path: ResourcePath::parse(&node.path).expect("a prefix of a path is a path"),
        holders: node
            .holders
            .iter()
            .map(|holder| {
                let permit = &state.permits[holder.permit];
                LockHolder {
                    permit: permit.id,
                    agent: permit.request.agent.clone(),
                    mode: holder.mode,
                    token: holder.token,
                    until: permit.expires_at(),
                }
            })
            .collect(),
        waiters: node
            .waiters
            .iter()
            .map(|(place, mode)| {
                let permit = &state.permits[place.permit];
                let extension = permit.extension();
                LockWaiter {
                    permit: permit.id,
                    agent: permit.request.agent.clone(),
                    mode: *mode,
                    since: extension.map_or(permit.asked_at, |extension| extension.since),
                }
            })
            .collect(),
    }
}

/// Whether this token is held on this resource now, or on one above that covers it.
#[must_use]
pub fn validate(state: &State, resource: &ResourcePath, token: Token) -> bool {
    let mut rest = Some(resource.as_str());
    while let Some(path) = rest {
        if let Some(node) = state.locks.node(path)
            && state
                .locks
                .get(node)
                .holders
                .iter()
                .any(|holder| holder.token == token)
        {
            return true;
        }
        rest = path.rsplit_once('/').map(|(parent, _)| parent);
    }
    false
}
