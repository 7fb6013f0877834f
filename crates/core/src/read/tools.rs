//! Tools.
use super::{page, sorted};
use crate::state::State;
use crate::tool::Entry;
use fleet_types::ActionName;
use fleet_types::view::{Page, Tool};
use std::sync::Arc;

/// Tools by id.
#[must_use]
pub fn tools(state: &State, after: Option<&str>, count: usize) -> Page<Tool> {
    let rows = sorted(state.tools.by_id.iter(), after, |_| true);
    let rows = rows.into_iter().map(|(id, entry)| (id, view(entry)));
    page(state, rows, after, count)
}

/// One tool.
#[must_use]
pub fn tool(state: &State, id: &ActionName) -> Option<Tool> {
    state.tools.by_id.get(id).map(view)
}

fn view(entry: &Entry) -> Tool {
    Tool {
        tool: (*entry.tool).clone(),
        version: entry.version,
        set_at: entry.set_at,
    }
}

/// A tool as whoever judges in front of the queue sees it.
#[derive(Clone, Debug)]
pub struct ToolSeen {
    /// As set.
    pub tool: Arc<fleet_types::tool::Tool>,
    /// Which version.
    pub version: u32,
    /// Where that was set.
    pub set_at: fleet_types::Seq,
}

/// All of them, in no order.
pub(super) fn seen(state: &State) -> Vec<ToolSeen> {
    let entries = state.tools.by_id.values();
    let seen = entries.map(|entry| ToolSeen {
        tool: entry.tool.clone(),
        version: entry.version,
        set_at: entry.set_at,
    });
    seen.collect()
}
