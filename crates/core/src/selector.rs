//! Which limits and budgets apply to a request, found without looking at all of them:
//! each is filed under its narrowest exact part, and only those files are opened that the request names.
use crate::agent::Agent;
use crate::map::Map;
use crate::scope::ScopeKey;
use fleet_types::permit::Request;
use fleet_types::selector::Selector;
use fleet_types::{Labels, ScopePath};
use smol_str::SmolStr;

/// Files of keys of one kind of thing.
#[derive(Debug, Default)]
pub struct Index {
    everywhere: Vec<u32>,
    by_scope: Vec<Vec<u32>>,
    by_agent: Map<SmolStr, Vec<u32>>,
    by_action: Map<SmolStr, Vec<u32>>,
}

/// A selector with its scope as a key.
#[derive(Debug)]
pub struct Compiled {
    pub selector: Selector,
    pub scope: Option<ScopeKey>,
    /// Whether it names labels: asked of each candidate, so kept beside the scope.
    has_labels: bool,
}

impl Compiled {
    pub fn new(selector: &Selector, scope_key: impl FnOnce(&ScopePath) -> ScopeKey) -> Self {
        Compiled {
            scope: selector.scope.as_ref().map(scope_key),
            has_labels: selector.labels != Labels::default(),
            selector: selector.clone(),
        }
    }

    /// Whether every part matches. Which resources match is asked separately.
    pub fn matches(&self, agent: &Agent, request: &Request) -> bool {
        let Selector {
            scope: _,
            agent: agents,
            group,
            action,
            resource,
            labels,
        } = &self.selector;
        self.scope.is_none_or(|scope| agent.chain.contains(&scope))
            && agents.as_ref().is_none_or(|p| p.matches(agent.id.as_str()))
            && group.as_ref().is_none_or(|g| agent.groups.contains(g))
            && action
                .as_ref()
                .is_none_or(|p| p.matches(request.action.as_str()))
            && (!self.has_labels || request.labels.contain(labels))
            && resource.as_ref().is_none_or(|pattern| {
                let mut claims = request.resources.iter();
                claims.any(|claim| pattern.matches(claim.path.as_str()))
            })
    }
}

impl Index {
    pub fn insert(&mut self, key: u32, compiled: &Compiled) {
        let file = self.file(compiled);
        // In the order of keys, so that after a restart the same limit or budget speaks first.
        let at = file.partition_point(|other| *other < key);
        file.insert(at, key);
    }

    pub fn remove(&mut self, key: u32, compiled: &Compiled) {
        self.file(compiled).retain(|other| *other != key);
    }

    fn file(&mut self, compiled: &Compiled) -> &mut Vec<u32> {
        let exact = |pattern: &Option<fleet_types::Pattern>| {
            let pattern = pattern.as_ref().filter(|pattern| pattern.is_exact());
            pattern.map(|pattern| pattern.text().clone())
        };
        if let Some(agent) = exact(&compiled.selector.agent) {
            return self.by_agent.entry(agent).or_default();
        }
        if let Some(action) = exact(&compiled.selector.action) {
            return self.by_action.entry(action).or_default();
        }
        match compiled.scope {
            None => &mut self.everywhere,
            Some(scope) => {
                let scope = scope as usize;
                if self.by_scope.len() <= scope {
                    self.by_scope.resize_with(scope + 1, Vec::new);
                }
                &mut self.by_scope[scope]
            }
        }
    }

    /// Keys of all that may apply to this request; each must still be asked whether it matches.
    pub fn candidates<'s>(
        &'s self,
        agent: &'s Agent,
        request: &Request,
    ) -> impl Iterator<Item = u32> + use<'s> {
        let of = |files: &'s Map<SmolStr, Vec<u32>>, name: &str| {
            let file = if files.is_empty() {
                None
            } else {
                files.get(name)
            };
            file.map_or(&[][..], Vec::as_slice)
        };
        let scopes = agent.chain.iter().flat_map(|scope| {
            let file = self.by_scope.get(*scope as usize);
            file.map_or(&[][..], Vec::as_slice)
        });
        self.everywhere
            .iter()
            .chain(scopes)
            .chain(of(&self.by_agent, agent.id.as_str()))
            .chain(of(&self.by_action, request.action.as_str()))
            .copied()
    }
}
