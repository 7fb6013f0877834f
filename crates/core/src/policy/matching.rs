//! The same question as the gate's, asked outside of the state: which policies does a request meet?
//!
//! Whoever evaluates in front of the queue sees the fleet as it was a moment ago. It need not be right: a verdict about
//! other policies than those that the gate finds is made anew.
use crate::rule::case::meets_conditions;
use fleet_types::permit::Request;
use fleet_types::rule::Case;
use fleet_types::{AgentId, GroupId, ScopePath, Time};
use std::collections::BTreeSet;

/// What is known of an agent that asks.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// Its name.
    pub agent: &'a AgentId,
    /// Where it stands; absent: at the root.
    pub scope: Option<&'a ScopePath>,
    /// The groups it belongs to.
    pub groups: &'a BTreeSet<GroupId>,
}

/// Whether a request belongs to a case.
#[must_use]
pub fn belongs(case: &Case, who: Who<'_>, request: &Request, now: Time) -> bool {
    let within = |scope: &ScopePath| {
        who.scope.is_some_and(|own| {
            let rest = own.as_str().strip_prefix(scope.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    case.scope.as_ref().is_none_or(within)
        && case
            .agent
            .as_ref()
            .is_none_or(|pattern| pattern.matches(who.agent.as_str()))
        && case
            .group
            .as_ref()
            .is_none_or(|group| who.groups.contains(group))
        && case
            .action
            .as_ref()
            .is_none_or(|pattern| pattern.matches(request.action.as_str()))
        && request.labels.contain(&case.labels)
        && case.resource.as_ref().is_none_or(|pattern| {
            let mut claims = request.resources.iter();
            claims.any(|claim| pattern.matches(claim.path.as_str()))
        })
        && meets_conditions(case, request, now)
}
