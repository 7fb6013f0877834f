//! Rules that say in which order requests go: they stop nobody and remember no things, so they are filed by themselves, and
//! a fleet without them pays one look.
use super::RuleKey;
use super::case::CompiledCase;
use crate::agent::Agent;
use crate::scope::ScopeKey;
use crate::selector::Index;
use fleet_types::ScopePath;
use fleet_types::permit::Request;
use fleet_types::rule::Case;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Orders {
    index: Index,
    cases: BTreeMap<RuleKey, CompiledCase>,
}

impl Orders {
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    pub fn file(
        &mut self,
        key: RuleKey,
        case: &Case,
        scope_key: impl FnOnce(&ScopePath) -> ScopeKey,
    ) {
        let case = CompiledCase::new(case, scope_key);
        self.index.insert(key, &case.selector);
        self.cases.insert(key, case);
    }

    pub fn unfile(&mut self, key: RuleKey) {
        if let Some(case) = self.cases.remove(&key) {
            self.index.remove(key, &case.selector);
        }
    }

    /// Rules that may concern a request; each must still be asked whether its case matches.
    pub fn candidates<'s>(
        &'s self,
        agent: &'s Agent,
        request: &Request,
    ) -> impl Iterator<Item = (RuleKey, &'s CompiledCase)> + use<'s> {
        let keys = self.index.candidates(agent, request);
        keys.filter_map(|key| Some((key, self.cases.get(&key)?)))
    }
}
