//! Plans, and what they run into.
use super::page;
use crate::plan::{Entry, ahead};
use crate::state::State;
use fleet_types::plan::View;
use fleet_types::view::Page;
use fleet_types::{AgentId, PlanId, Time};

/// Plans that stand, the oldest first; without what they run into.
#[must_use]
pub fn plans(
    state: &State,
    agent: Option<&AgentId>,
    now: Time,
    after: Option<&str>,
    count: usize,
) -> Page<View> {
    let now = now.max(state.now);
    let after = after.and_then(|after| after.parse::<PlanId>().ok());
    let rows = state.plans.by_id.iter().filter(|(id, entry)| {
        after.is_none_or(|after| **id > after)
            && entry.expires_at() > now
            && agent.is_none_or(|agent| entry.plan.agent == *agent)
    });
    let rows = rows.map(|(id, entry)| (id.to_string(), view(*id, entry)));
    // Cursors are numbers, compared above; the page only cuts.
    page(state, rows, None, count)
}

/// One plan, with what it runs into as things stand.
#[must_use]
pub fn plan(state: &State, id: PlanId, now: Time) -> Option<View> {
    let now = now.max(state.now);
    let entry = state.plans.by_id.get(&id)?;
    if entry.expires_at() <= now {
        return None;
    }
    let collisions = ahead::collisions(state, id, entry, now);
    let order = ahead::order(state, id, &collisions, now);
    Some(View {
        collisions,
        order,
        ..view(id, entry)
    })
}

fn view(id: PlanId, entry: &Entry) -> View {
    View {
        plan: id,
        declared: (*entry.plan).clone(),
        declared_at: entry.at,
        expires_at: entry.expires_at(),
        collisions: Vec::new(),
        order: Vec::new(),
    }
}
