//! The fleet's tree. A node comes into being when something names it and stays; keys are never reused.
use crate::decide::{Decided, rejected};
use crate::map::Map;
use crate::state::State;
use fleet_types::event::ScopeRemoved;
use fleet_types::scope::{Command, Scope};
use fleet_types::{Code, Event, ScopePath};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The small number of a scope; 0 is the root.
pub type ScopeKey = u32;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Tree {
    /// The node with key k is at index k − 1: the root has no path.
    pub nodes: Map<ScopePath, Node>,
    pub root_agents: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Node {
    pub declared: Option<Scope>,
    /// Agents in it or below.
    pub agents: u64,
}

impl Tree {
    /// The keys of a scope and all above it, from itself up to the root; makes what is not there yet.
    pub fn chain(&mut self, path: Option<&ScopePath>) -> SmallVec<[ScopeKey; 4]> {
        let mut chain = SmallVec::new();
        let mut rest = path.map(ScopePath::as_str);
        while let Some(path) = rest {
            chain.push(self.ensure(path));
            rest = path.rsplit_once('/').map(|(parent, _)| parent);
        }
        chain.push(0);
        chain
    }

    /// The key of a scope; makes it if need be.
    pub fn ensure(&mut self, path: &str) -> ScopeKey {
        let path = ScopePath::parse(path).expect("a prefix of a path is a path");
        let entry = self.nodes.entry(path);
        let index = entry.index();
        entry.or_default();
        index as ScopeKey + 1
    }

    /// Agents are counted in every node they stand in.
    pub fn agent_moved(&mut self, from: &[ScopeKey], to: &[ScopeKey]) {
        for key in from {
            *self.count(*key) -= 1;
        }
        for key in to {
            *self.count(*key) += 1;
        }
    }

    fn count(&mut self, key: ScopeKey) -> &mut u64 {
        match key {
            0 => &mut self.root_agents,
            key => &mut self.nodes[key as usize - 1].agents,
        }
    }
}

pub fn decide(state: &State, command: &Command) -> Decided {
    match command {
        Command::Set(scope) => {
            let known = state.scopes.nodes.get(&scope.path);
            if known.is_some_and(|node| node.declared.as_ref() == Some(scope)) {
                return Decided::unchanged();
            }
            Decided::event(Event::ScopeSet(scope.clone()))
        }
        Command::Remove { path } => match state.scopes.nodes.get(path) {
            Some(node) if node.declared.is_some() && node.agents > 0 => rejected(
                Code::Conflict,
                format!(
                    "{} agents stand in scope {path}; move them first",
                    node.agents
                ),
            ),
            Some(node) if node.declared.is_some() => {
                Decided::event(Event::ScopeRemoved(ScopeRemoved { path: path.clone() }))
            }
            Some(_) | None => rejected(Code::NotFound, format!("scope {path} is not declared")),
        },
    }
}

pub fn set(state: &mut State, scope: &Scope) {
    let key = state.scopes.ensure(scope.path.as_str());
    state.scopes.nodes[key as usize - 1].declared = Some(scope.clone());
}

pub fn removed(state: &mut State, event: &ScopeRemoved) {
    if let Some(node) = state.scopes.nodes.get_mut(&event.path) {
        node.declared = None;
    }
}
