//! On whose behalf a permit is asked. A permit names the one above it, and knows the agents of all above.
use crate::state::State;
use fleet_types::AgentId;
use fleet_types::permit::Request;

/// The agents on whose behalf it is asked, the first one first: those above the permit that it names, and the one that
/// holds that. Empty where it names none, or one that is not held.
pub fn chain(state: &State, request: &Request) -> Vec<AgentId> {
    let parent = request.parent.and_then(|parent| state.permits.find(parent));
    let held = parent.filter(|parent| parent.granted().is_some());
    held.map_or_else(Vec::new, |held| {
        let mut chain = held.chain.to_vec();
        chain.push(held.request.agent.clone());
        chain
    })
}
