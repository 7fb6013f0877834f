//! What registering tools does to them.
use super::Entry;
use crate::rule::case::CompiledCase;
use crate::state::{State, Wake};
use fleet_types::event::{ToolRemoved, ToolSet};
use fleet_types::{ActionName, Seq};

pub fn set(state: &mut State, event: &ToolSet, seq: Seq) {
    let entry = Entry {
        tool: event.tool.clone(),
        version: event.version,
        set_at: seq,
        cases: Vec::new(),
    };
    let id = &event.tool.id;
    state.tools.by_id.insert(id.clone(), entry);
    compile(state, id);
    state.tools.changes += 1;
    // Those who wait to be judged anew may be concerned, or not any more.
    state.wakes.insert(Wake::Policies);
}

pub fn removed(state: &mut State, event: &ToolRemoved) {
    state.tools.by_id.swap_remove(&event.tool);
    state.tools.changes += 1;
    state.wakes.insert(Wake::Policies);
}

/// Compiles the cases of a guard; also when a snapshot was read.
pub fn compile(state: &mut State, id: &ActionName) {
    let scopes = &mut state.scopes;
    let Some(entry) = state.tools.by_id.get_mut(id) else {
        return;
    };
    let cases = entry.tool.cases.iter();
    let compile = |case: &fleet_types::tool::Case| {
        CompiledCase::new(&case.when, |path| scopes.ensure(path.as_str()))
    };
    entry.cases = cases.map(compile).collect();
}
